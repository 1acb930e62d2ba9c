"""MiniProgramGrant: how access is given, widened, narrowed and ended, and what each act leaves (wire.md 5.5 and 6)."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone
from oauth2_provider.models import get_access_token_model, get_refresh_token_model

from authapi.models import AuthCode
from portal.models import ConsentDecision, Contact, MerchantNotice, MiniProgram, MiniProgramGrant, User
from tests.conftest import Container
from tests.merchants import MerchantServer

AccessToken, RefreshToken = get_access_token_model(), get_refresh_token_model()


@pytest.fixture
def grant(alice: User, shop: MiniProgram) -> MiniProgramGrant:
    return MiniProgramGrant.give(alice, shop, ["auth_base", "USER_NAME", "USER_GENDER"])


@pytest.fixture
def notified_shop(shop: MiniProgram) -> MiniProgram:
    shop.merchant.notify_url = "https://shop.example/notify"
    shop.merchant.save()
    return shop


def acts() -> list[tuple[str, set[str], set[str]]]:
    rows = ConsentDecision.objects.order_by("id")
    return [(row.act, set(row.scopes_before), set(row.scopes_after)) for row in rows]


# --- Giving ---------------------------------------------------------------------------------------------------


def test_giving_starts_a_grant_with_since_and_ledger_row(grant: MiniProgramGrant, alice: User) -> None:
    assert list(grant.scopes) == ["auth_base", "USER_NAME", "USER_GENDER"]
    assert timezone.now() - grant.since_of("USER_NAME") < timedelta(minutes=1)
    assert grant.is_live
    assert len(grant.pk) == 32
    row = ConsentDecision.objects.get()
    assert (row.act, row.actor, row.user, row.grant) == ("given", alice, alice, grant)
    assert (row.scopes_before, row.scopes_after) == ([], ["auth_base", "USER_NAME", "USER_GENDER"])


def test_giving_more_widens_the_same_grant_and_keeps_the_old_dates(
    grant: MiniProgramGrant, alice: User, shop: MiniProgram
) -> None:
    wider = MiniProgramGrant.give(alice, shop, ["USER_NAME", "USER_AVATAR"])
    assert wider.pk == grant.pk
    assert wider.scopes["USER_NAME"] == grant.scopes["USER_NAME"]
    assert acts()[-1] == (
        "widened",
        {"auth_base", "USER_NAME", "USER_GENDER"},
        {"auth_base", "USER_NAME", "USER_GENDER", "USER_AVATAR"},
    )


def test_giving_what_is_there_writes_nothing(grant: MiniProgramGrant, alice: User, shop: MiniProgram) -> None:
    assert MiniProgramGrant.give(alice, shop, ["USER_NAME"]).pk == grant.pk
    assert len(acts()) == 1


def test_a_grant_covers_what_it_holds_as_long_as_it_lives(grant: MiniProgramGrant, alice: User) -> None:
    assert grant.covers(["auth_base", "USER_NAME"])
    assert not grant.covers(["USER_NAME", "USER_ADDRESS"])
    grant.revoke(by=alice)
    assert not grant.covers(["USER_NAME"])


def test_there_is_one_live_grant_for_each_pair_and_any_number_of_dead_ones(
    grant: MiniProgramGrant, alice: User, shop: MiniProgram
) -> None:
    grant.revoke(by=alice)
    second = MiniProgramGrant.give(alice, shop, ["auth_base"])
    second.revoke(by=alice)
    third = MiniProgramGrant.give(alice, shop, ["auth_base"])
    assert len({grant.pk, second.pk, third.pk}) == 3
    assert list(MiniProgramGrant.objects.live()) == [third]
    with pytest.raises(IntegrityError), transaction.atomic():
        MiniProgramGrant.objects.create(user=alice, mini_program=shop)


def test_an_expired_grant_is_ended_before_a_new_one_starts(
    grant: MiniProgramGrant, alice: User, shop: MiniProgram
) -> None:
    MiniProgramGrant.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert not MiniProgramGrant.objects.live().exists()
    fresh = MiniProgramGrant.give(alice, shop, ["auth_base"])
    assert fresh.pk != grant.pk
    assert [act for act, _before, _after in acts()] == ["given", "expired", "given"]
    row = ConsentDecision.objects.get(act="expired")
    assert (row.actor, row.reason, row.scopes_after) == (None, "its time ran out", [])


def test_last_used_is_written_at_most_once_in_five_minutes(
    grant: MiniProgramGrant, django_assert_num_queries: Any
) -> None:
    grant.touch()
    with django_assert_num_queries(0):
        grant.touch()
    MiniProgramGrant.objects.update(last_used_at=timezone.now() - timedelta(minutes=6))
    grant.refresh_from_db()
    grant.touch()
    assert timezone.now() - MiniProgramGrant.objects.get().last_used_at < timedelta(minutes=1)  # type: ignore[operator]


# --- Taking ---------------------------------------------------------------------------------------------------


@pytest.mark.wire("6 withdrawing one scope narrows the grant")
def test_taking_one_scope_narrows_and_leaves_codes_and_tokens(
    alices: Container, alice: User, notified_shop: MiniProgram, shop_server: MerchantServer
) -> None:
    pair = shop_server.exchange(alices.code("shop", ["USER_NAME", "USER_GENDER"]))
    waiting_code = alices.code("shop", ["USER_NAME", "USER_GENDER"])
    grant = MiniProgramGrant.objects.get()
    assert grant.revoke(by=alice, scopes=["USER_NAME", "USER_ADDRESS"])
    assert list(grant.scopes) == ["USER_GENDER"]
    assert grant.is_live
    assert acts()[-1] == ("narrowed", {"USER_NAME", "USER_GENDER"}, {"USER_GENDER"})
    for token in (pair["accessToken"], shop_server.exchange(waiting_code)["accessToken"]):
        assert set(shop_server.user_info(token)["userInfo"]) == {"userId", "gender"}
    assert not MerchantNotice.objects.exists()


@pytest.mark.wire("6 withdrawing the whole grant kills its codes and tokens")
@pytest.mark.trust(10)
@pytest.mark.parametrize("every_scope_by_name", [False, True])
def test_taking_everything_kills_codes_and_tokens(
    alices: Container, alice: User, shop: MiniProgram, shop_server: MerchantServer, every_scope_by_name: bool
) -> None:
    scopes = ["auth_base", "USER_NAME"]
    pair = shop_server.exchange(alices.code("shop", scopes))
    waiting_code = alices.code("shop", scopes)
    grant = MiniProgramGrant.objects.get()
    assert grant.revoke(by=alice, scopes=scopes if every_scope_by_name else None)
    assert grant.ended_at
    assert acts()[-1] == ("withdrawn", set(scopes), set())
    codes = [
        shop_server.user_info(pair["accessToken"])["result"]["resultCode"],
        shop_server.refresh(pair["refreshToken"])["result"]["resultCode"],
        shop_server.exchange(waiting_code)["result"]["resultCode"],
    ]
    assert codes == ["INVALID_ACCESS_TOKEN", "INVALID_REFRESH_TOKEN", "INVALID_AUTHCODE"]
    assert not AccessToken.objects.filter(expires__gt=timezone.now()).exists()
    assert not RefreshToken.objects.filter(revoked=None).exists()


@pytest.mark.wire("6 withdrawing the whole grant kills its codes and tokens")
def test_an_old_code_does_not_come_alive_with_a_new_grant(
    alices: Container, alice: User, shop: MiniProgram, shop_server: MerchantServer
) -> None:
    old_code = alices.code("shop", ["USER_NAME"])
    MiniProgramGrant.objects.get().revoke(by=alice)
    alices.code("shop", ["USER_NAME"])
    assert shop_server.exchange(old_code)["result"]["resultCode"] == "INVALID_AUTHCODE"
    assert AuthCode.objects.filter(used_at=None).count() == 2


@pytest.mark.trust(26)
def test_a_stored_value_that_is_broken_does_not_keep_alice_from_withdrawing(
    alices: Container, shop: MiniProgram
) -> None:
    alices.code("shop", ["PLAINTEXT_MOBILE_PHONE"])
    Contact.objects.update(value="broken")
    grant = MiniProgramGrant.objects.get()
    assert alices.http.get(f"/permissions/{grant.pk}/").status_code == 200
    alices.http.post(f"/permissions/{grant.pk}/withdraw/", {"csrfmiddlewaretoken": "x" * 32})
    assert not MiniProgramGrant.objects.live().exists()


def test_there_is_nothing_to_take_twice(grant: MiniProgramGrant, alice: User) -> None:
    assert not grant.revoke(by=alice, scopes=["USER_ADDRESS"])
    assert not grant.revoke(by=alice, scopes=[])
    assert grant.revoke(by=alice)
    assert not grant.revoke(by=alice)
    assert not grant.revoke(by=alice, scopes=["USER_NAME"])
    assert [act for act, _before, _after in acts()] == ["given", "withdrawn"]


def test_a_stale_copy_takes_from_what_is_stored_now(grant: MiniProgramGrant, alice: User) -> None:
    stale = MiniProgramGrant.objects.get()
    grant.revoke(by=alice, scopes=["USER_NAME"])
    stale.revoke(by=alice, scopes=["USER_GENDER"])
    assert list(MiniProgramGrant.objects.get().scopes) == ["auth_base"]
    assert list(stale.scopes) == ["auth_base"]


@pytest.mark.trust(28, 30)
@pytest.mark.parametrize(("who", "act"), [("alice", "withdrawn"), ("olga", "revoked"), (None, "expired")])
def test_the_ledger_says_who_ended_it_and_why(
    grant: MiniProgramGrant, alice: User, olga: User, who: str | None, act: str
) -> None:
    by = {"alice": alice, "olga": olga, None: None}[who]
    grant.revoke(by=by, reason="a complaint")
    row = ConsentDecision.objects.latest("id")
    assert (row.act, row.actor, row.user, row.reason) == (act, by, alice, "a complaint")
    assert (row.grant, row.shown, row.scopes_after) == (grant, None, [])


def test_taking_from_alice_leaves_bob(grant: MiniProgramGrant, alice: User, bob: User, shop: MiniProgram) -> None:
    bobs_grant = MiniProgramGrant.give(bob, shop, ["USER_NAME"])
    grant.revoke(by=alice)
    bobs_grant.refresh_from_db()
    assert bobs_grant.is_live


# --- Telling the merchant -------------------------------------------------------------------------------------


@pytest.mark.wire("5.5 authNotify")
@pytest.mark.parametrize(
    ("who", "reason"), [("alice", "USER_WITHDREW"), ("olga", "OPERATOR_REVOKED"), (None, "EXPIRED")]
)
def test_a_merchant_whose_tokens_die_is_told(
    alices: Container,
    alice: User,
    olga: User,
    notified_shop: MiniProgram,
    shop_server: MerchantServer,
    who: str | None,
    reason: str,
) -> None:
    pair = shop_server.exchange(alices.code("shop", ["auth_base", "USER_NAME"]))
    MiniProgramGrant.objects.get().revoke(by={"alice": alice, "olga": olga, None: None}[who])
    notice = MerchantNotice.objects.get()
    assert (notice.merchant, notice.state, notice.attempts) == (notified_shop.merchant, "WAITING", 0)
    assert {**notice.body, "scopes": sorted(notice.body["scopes"])} == {
        "authorizationNotifyType": "TOKEN_CANCELED",
        "authClientId": "shop-client",
        "appId": "shop",
        "customerId": pair["customerId"],
        "reason": reason,
        "scopes": ["USER_NAME", "auth_base"],
    }


@pytest.mark.wire("5.5 authNotify: when tokens die")
def test_a_merchant_without_tokens_or_address_is_not_told(
    alices: Container, alice: User, notified_shop: MiniProgram, shop_server: MerchantServer
) -> None:
    alices.code("shop", ["USER_NAME"])  # a code that was never exchanged
    MiniProgramGrant.objects.get().revoke(by=alice)
    shop_server.exchange(alices.code("shop", ["USER_NAME"]))
    type(notified_shop.merchant).objects.update(notify_url="")
    MiniProgramGrant.objects.live().get().revoke(by=alice)
    assert not MerchantNotice.objects.exists()


@pytest.mark.wire("5.5 for a reason other than the merchant's own call")
def test_a_merchant_who_cancelled_its_own_token_is_not_told(
    alices: Container, alice: User, notified_shop: MiniProgram, shop_server: MerchantServer
) -> None:
    pair = shop_server.exchange(alices.code("shop", ["USER_NAME"]))
    shop_server.post("/v1/authorizations/cancelToken", accessToken=pair["accessToken"])
    MiniProgramGrant.objects.get().revoke(by=alice)
    assert not MerchantNotice.objects.exists()


def test_access_ends_with_its_notice_or_not_at_all(
    alices: Container, alice: User, notified_shop: MiniProgram, shop_server: MerchantServer
) -> None:
    pair = shop_server.exchange(alices.code("shop", ["USER_NAME"]))
    grant = MiniProgramGrant.objects.get()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE portal_merchantnotice RENAME TO out_of_order")
    with pytest.raises(DatabaseError):
        grant.revoke(by=alice)
    assert MiniProgramGrant.objects.get().is_live
    assert [act for act, _before, _after in acts()] == ["given"]
    assert shop_server.user_info(pair["accessToken"])["result"]["resultStatus"] == "S"


@pytest.mark.trust(18)
@pytest.mark.parametrize(
    ("page_url", "origin"),
    [
        ("https://Shop.example/page", "https://shop.example"),
        ("https://shop.example:443/", "https://shop.example"),
        ("http://shop.example:8080/a?b", "http://shop.example:8080"),
        ("http://[::1]:9000/", "http://[::1]:9000"),
        ("http://shop.example:99999/", ""),
        ("http://[::1", ""),
        ("", ""),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(page_url: str, origin: str) -> None:
    assert MiniProgram(page_url=page_url).origin == origin
