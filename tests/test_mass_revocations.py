"""The kill switch: in effect at once, rows follow in the background, for ever (trust 10, 30)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from authapi.models import ErrorAudit
from portal import mass_revocations
from portal.mass_revocations import carry_on
from portal.models import (
    ConsentDecision,
    InboxNotice,
    MassRevocation,
    MerchantNotice,
    MiniProgram,
    MiniProgramGrant,
    User,
)
from portal.models.mass_revocations import NotWaitingError, OwnRequestError
from tests.conftest import Container
from tests.merchants import MerchantServer
from tests.operators import in_role

pytestmark = pytest.mark.trust(10)
NAMES = ["auth_base", "USER_NICKNAME", "USER_GENDER"]


@pytest.fixture
def managers(db: None) -> tuple[User, User]:
    first, second = in_role("manager"), User.objects.create_user("second-manager", is_staff=True)
    return first, second


@pytest.fixture
def kill(managers: tuple[User, User]) -> Callable[..., MassRevocation]:
    """Asked by one, approved by the other."""

    def make(**fields: Any) -> MassRevocation:
        row = MassRevocation.objects.create(asked_by=managers[0], reason="leaked key", **fields)
        row.approve(by=managers[1])
        return row

    return make


@pytest.fixture
def pair(alices: Container, shop: MiniProgram, shop_server: MerchantServer) -> dict[str, Any]:
    shop.merchant.notify_url = "https://shop.example/notify"
    shop.merchant.save()
    return shop_server.exchange(alices.code("shop", NAMES))


def result(answer: dict[str, Any]) -> str:
    return str(answer["result"]["resultCode"])


def test_access_ends_before_a_single_row_has_followed(
    pair: dict[str, Any], alices: Container, shop: MiniProgram, shop_server: MerchantServer, kill: Any, audited: Any
) -> None:
    waiting = alices.code("shop", NAMES)
    kill(mini_program=shop)
    assert MiniProgramGrant.objects.get().ended_at is None
    assert result(shop_server.user_info(pair["accessToken"])) == "INVALID_ACCESS_TOKEN"
    audited("INVALID_ACCESS_TOKEN", app_id="shop")
    assert result(shop_server.refresh(pair["refreshToken"])) == "INVALID_REFRESH_TOKEN"
    audited("INVALID_REFRESH_TOKEN", app_id="shop")
    assert result(shop_server.exchange(waiting)) == "INVALID_AUTHCODE"
    audited("INVALID_AUTHCODE", app_id="shop")
    answer = alices.get_auth_code("shop", NAMES)
    assert "consentId" in answer
    assert "authCode" not in answer


def test_the_rows_follow_with_ledger_inbox_and_the_merchants_notice(
    pair: dict[str, Any], alice: User, shop: MiniProgram, kill: Any, managers: tuple[User, User]
) -> None:
    batch = kill(mini_program=shop)
    assert carry_on() == 1
    grant, decision = MiniProgramGrant.objects.get(), ConsentDecision.objects.latest("id")
    assert grant.ended_at
    assert (decision.act, decision.actor, decision.user) == ("revoked", managers[1], alice)
    assert decision.reason == f"leaked key (mass revocation #{batch.pk})"
    assert InboxNotice.objects.latest("id").decision_id == decision.pk
    notice = MerchantNotice.objects.get()
    assert (notice.body["reason"], notice.body["appId"]) == ("OPERATOR_REVOKED", "shop")
    batch.refresh_from_db()
    shop.refresh_from_db()
    assert (batch.state, batch.grants_ended, batch.tokens_ended, shop.cut_offs) == ("DONE", 1, 1, [])
    assert batch.finished_at


def test_what_is_allowed_anew_is_not_taken_again(
    pair: dict[str, Any], alices: Container, shop: MiniProgram, shop_server: MerchantServer, kill: Any
) -> None:
    kill(mini_program=shop)
    fresh = shop_server.exchange(alices.code("shop", NAMES))
    assert [row.act for row in ConsentDecision.objects.order_by("id")] == ["given", "revoked", "given"]
    assert result(shop_server.user_info(pair["accessToken"])) == "INVALID_ACCESS_TOKEN"
    assert result(shop_server.user_info(fresh["accessToken"])) == "SUCCESS"
    assert carry_on() == 0
    assert result(shop_server.user_info(fresh["accessToken"])) == "SUCCESS"
    assert MiniProgramGrant.objects.live().count() == 1


def test_single_scopes_are_taken_and_the_others_stay(
    pair: dict[str, Any], alices: Container, shop: MiniProgram, shop_server: MerchantServer, kill: Any
) -> None:
    batch = kill(mini_program=shop, scopes=["USER_GENDER"])
    for followed in (False, True):
        info = shop_server.user_info(pair["accessToken"])["userInfo"]
        assert ("gender" in info, "nickName" in info) == (False, True), followed
        assert alices.get_auth_code("shop", ["USER_NICKNAME"])["authCode"]
        assert "consentId" in alices.get_auth_code("shop", ["USER_GENDER"])
        carry_on()
    grant, row = MiniProgramGrant.objects.get(), ConsentDecision.objects.latest("id")
    assert (set(grant.scopes), row.act) == ({"auth_base", "USER_NICKNAME"}, "narrowed")
    batch.refresh_from_db()
    assert (batch.state, batch.grants_ended, batch.tokens_ended) == ("DONE", 1, 0)


def test_only_grants_of_the_named_dates_are_taken(
    alices: Container, bobs: Container, shop: MiniProgram, kill: Any
) -> None:
    alices.code("shop", NAMES)
    bobs.code("shop", NAMES)
    now = timezone.now()
    MiniProgramGrant.objects.filter(user__username="bob").update(since=now - timedelta(days=10))
    MiniProgramGrant.objects.filter(user__username="alice").update(since=now - timedelta(days=2))
    kill(mini_program=shop, since=now - timedelta(days=11), until=now - timedelta(days=5))
    assert "consentId" in bobs.get_auth_code("shop", NAMES)
    assert "authCode" in alices.get_auth_code("shop", NAMES)
    assert carry_on() == 1
    assert MiniProgramGrant.objects.live().get().user.username == "alice"


def test_a_merchants_mini_programs_are_taken_and_nobody_elses(
    alices: Container, shop: MiniProgram, cafe: MiniProgram, kill: Any
) -> None:
    alices.code("shop", NAMES)
    alices.code("cafe", ["auth_base", "USER_NICKNAME"])
    kill(merchant=shop.merchant)
    assert not MiniProgramGrant.objects.live().filter(mini_program=shop).exists()
    assert carry_on() == 1
    assert MiniProgramGrant.objects.live().get().mini_program == cafe


def test_nobody_approves_what_they_asked_for_and_nothing_is_approved_twice(
    pair: dict[str, Any], shop: MiniProgram, shop_server: MerchantServer, managers: tuple[User, User]
) -> None:
    batch = MassRevocation.objects.create(mini_program=shop, asked_by=managers[0], reason="leaked key")
    with pytest.raises(OwnRequestError):
        batch.approve(by=managers[0])
    assert result(shop_server.user_info(pair["accessToken"])) == "SUCCESS"
    batch.approve(by=managers[1])
    with pytest.raises(NotWaitingError):
        batch.approve(by=managers[1])
    with pytest.raises(NotWaitingError):
        batch.refuse(by=managers[1])
    shop.refresh_from_db()
    assert len(shop.cut_offs) == 1


def test_a_refused_one_takes_nothing(
    pair: dict[str, Any], shop: MiniProgram, shop_server: MerchantServer, managers: tuple[User, User]
) -> None:
    batch = MassRevocation.objects.create(mini_program=shop, asked_by=managers[0], reason="leaked key")
    batch.refuse(by=managers[0])
    assert carry_on() == 0
    assert result(shop_server.user_info(pair["accessToken"])) == "SUCCESS"


def test_a_worker_that_stops_in_the_middle_leaves_the_rest_to_the_next(
    alices: Container, bobs: Container, shop: MiniProgram, kill: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    alices.code("shop", NAMES)
    bobs.code("shop", NAMES)
    monkeypatch.setattr(mass_revocations, "PAGE", 1)
    batch = kill(mini_program=shop)
    looks = iter([False, True])
    assert carry_on(lambda: next(looks)) == 1
    batch.refresh_from_db()
    assert (batch.state, batch.grants_ended) == ("RUNNING", 1)
    assert MiniProgramGrant.objects.live().count() == 0
    assert carry_on() == 1
    batch.refresh_from_db()
    assert (batch.state, batch.grants_ended) == ("DONE", 2)
    assert ConsentDecision.objects.filter(act="revoked").count() == 2


def test_a_dry_run_counts_and_changes_nothing(
    pair: dict[str, Any], bobs: Container, shop: MiniProgram, cafe: MiniProgram
) -> None:
    bobs.code("shop", ["auth_base"])
    everything = mass_revocations.about([shop, cafe], [], None, None)
    assert mass_revocations.count(everything, [shop, cafe], []) == {"users": 2, "grants": 2, "tokens": 1}
    gender = mass_revocations.about([shop], ["USER_GENDER"], None, None)
    assert mass_revocations.count(gender, [shop], ["USER_GENDER"]) == {"users": 1, "grants": 1, "tokens": 0}
    assert MiniProgramGrant.objects.live().count() == 2


def test_the_user_sees_it_at_once(
    pair: dict[str, Any], browser: Client, shop: MiniProgram, kill: Any, django_assert_max_num_queries: Any
) -> None:
    grant = MiniProgramGrant.objects.get()
    kill(mini_program=shop)
    assert grant.pk not in browser.get("/permissions/").content.decode()
    with django_assert_max_num_queries(7):
        ended = browser.get("/permissions/?show=withdrawn").content.decode()
    assert grant.pk in ended
    page = browser.get(f"/permissions/{grant.pk}/")
    assert page.status_code == 200
    assert MiniProgramGrant.objects.get().ended_at
    assert ErrorAudit.objects.count() == 0


def test_a_mass_revocation_takes_few_statements_a_page(
    alices: Container, bobs: Container, shop: MiniProgram, kill: Any, django_assert_max_num_queries: Any
) -> None:
    alices.code("shop", NAMES)
    bobs.code("shop", NAMES)
    kill(mini_program=shop)
    with django_assert_max_num_queries(30):
        assert carry_on() == 2
