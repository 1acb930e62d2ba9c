"""For how long: what a person allows for a while ends by itself, at the next call; paused, it opens nothing."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from oauth2_provider.models import AccessToken, RefreshToken

from authapi.models import ErrorAudit
from portal import sheet
from portal.models import ConsentDecision, MiniProgram, MiniProgramGrant, PendingConsent, User
from portal.models.grants import OVER
from portal.terms import Duration, Term
from tests.conftest import Container
from tests.merchants import MerchantServer

Audited = Callable[..., ErrorAudit]
MONTH = timedelta(days=30)
NICKNAME, NAME, AVATAR = "USER_NICKNAME", "USER_NAME", "USER_AVATAR"


def allow(alices: Container, scopes: list[str], duration: Duration = Duration.ALWAYS) -> str:
    """A code for these scopes, allowed for this long on the sheet."""
    consent = PendingConsent.objects.get(pk=alices.get_auth_code("shop", scopes)["consentId"])
    consent.decide(consent.asked, shown=sheet.of(consent).consent_text(), duration=duration)
    return str(alices.get_auth_code("shop", consentId=consent.pk)["authCode"])


def grant() -> MiniProgramGrant:
    return MiniProgramGrant.objects.get(ended_at=None)


def about(moment: datetime | None, expected: datetime, slack: float = 30) -> bool:
    return moment is not None and abs((moment - expected).total_seconds()) < slack


def later(by: timedelta) -> None:
    """As if all this had been allowed so much earlier."""
    row = grant()
    row.terms = {
        name: {
            **term,
            **({"until": (datetime.fromisoformat(term["until"]) - by).isoformat()} if "until" in term else {}),
        }
        for name, term in row.terms.items()
    }
    for column in ("expires_at", "next_end_at"):
        value = getattr(row, column)
        setattr(row, column, value and value - by)
    row.save()


def result(answer: dict[str, Any]) -> str:
    return str(answer["result"]["resultCode"])


@pytest.mark.parametrize("duration", [Duration.MONTH, Duration.YEAR, Duration.ALWAYS])
def test_the_choice_is_kept_and_told_to_the_merchant(
    alices: Container, shop: MiniProgram, shop_server: MerchantServer, duration: Duration
) -> None:
    pair = shop_server.exchange(allow(alices, ["auth_base", NICKNAME], duration))
    until = grant().term_of(NICKNAME).until
    assert (until is None) == (duration == Duration.ALWAYS)
    assert until == grant().expires_at == grant().next_end_at
    ends = datetime.fromisoformat(pair["refreshTokenExpiryTime"])
    assert about(ends, timezone.now() + min(duration.span or MONTH, MONTH))
    assert ConsentDecision.objects.latest("id").terms == (grant().terms or None)


def test_once_is_told_in_the_lifetime_of_the_refresh_token(
    alices: Container, shop: MiniProgram, shop_server: MerchantServer
) -> None:
    pair = shop_server.exchange(allow(alices, [NICKNAME], Duration.ONCE))
    assert about(datetime.fromisoformat(pair["refreshTokenExpiryTime"]), timezone.now() + timedelta(minutes=65))
    assert shop_server.user_info(pair["accessToken"])["userInfo"]["nickName"] == "Alice"
    refreshed = shop_server.refresh(pair["refreshToken"])
    assert refreshed["refreshTokenExpiryTime"] == pair["refreshTokenExpiryTime"]


@pytest.mark.trust(21)
def test_once_is_asked_again_at_the_next_call(alices: Container, shop: MiniProgram) -> None:
    allow(alices, ["auth_base", NICKNAME], Duration.ONCE)
    assert alices.get_auth_code("shop", ["auth_base"])["authCode"]
    assert alices.get_auth_code("shop", [NICKNAME])["error"] == 2001
    allow(alices, [NICKNAME], Duration.ALWAYS)
    assert alices.get_auth_code("shop", [NICKNAME])["authCode"]
    assert ConsentDecision.objects.latest("id").act == "renewed"


@pytest.mark.trust(10)
def test_when_the_time_is_over_every_call_feels_it(
    alices: Container, shop: MiniProgram, shop_server: MerchantServer, audited: Audited
) -> None:
    code = allow(alices, [NICKNAME], Duration.MONTH)
    pair = shop_server.exchange(alices.get_auth_code("shop", [NICKNAME])["authCode"])
    later(MONTH)
    assert result(shop_server.user_info(pair["accessToken"])) == "INVALID_ACCESS_TOKEN"
    audited("INVALID_ACCESS_TOKEN")
    assert result(shop_server.refresh(pair["refreshToken"])) == "INVALID_REFRESH_TOKEN"
    audited("INVALID_REFRESH_TOKEN")
    assert result(shop_server.exchange(code)) == "INVALID_AUTHCODE"
    audited("INVALID_AUTHCODE")
    assert alices.get_auth_code("shop", [NICKNAME])["error"] == 2001


def test_one_scope_runs_out_and_the_others_go_on(
    alices: Container, shop: MiniProgram, shop_server: MerchantServer
) -> None:
    allow(alices, [AVATAR], Duration.ALWAYS)
    pair = shop_server.exchange(allow(alices, [AVATAR, NICKNAME, NAME], Duration.MONTH))
    assert grant().expires_at is None
    later(MONTH)
    info = shop_server.user_info(pair["accessToken"])["userInfo"]
    assert not info.keys() & {"nickName", "userName"}
    assert result(shop_server.refresh(pair["refreshToken"])) == "SUCCESS"
    assert alices.get_auth_code("shop", [AVATAR])["authCode"]
    assert alices.get_auth_code("shop", [NICKNAME])["error"] == 2001


def test_what_ran_out_stands_in_the_ledger_before_it_is_given_again(alices: Container, shop: MiniProgram) -> None:
    allow(alices, [AVATAR], Duration.ALWAYS)
    allow(alices, [NICKNAME], Duration.MONTH)
    later(MONTH)
    allow(alices, [NICKNAME], Duration.YEAR)
    rows = ConsentDecision.objects.order_by("id").values_list("act", "scopes_after", "actor")
    assert [(act, after) for act, after, _ in rows] == [
        ("given", [AVATAR]),
        ("widened", [NICKNAME, AVATAR]),
        ("expired", [AVATAR]),
        ("widened", [NICKNAME, AVATAR]),
    ]
    assert rows[2][2] is None
    assert ConsentDecision.objects.get(act="expired").reason == OVER


def test_operators_limit_the_time(alices: Container, shop: MiniProgram) -> None:
    shop.scope_approvals.filter(scope=NICKNAME).update(max_days=7)
    allow(alices, [NICKNAME, NAME], Duration.ALWAYS)
    assert about(grant().term_of(NICKNAME).until, timezone.now() + timedelta(days=7))
    assert grant().term_of(NAME).until is None
    assert grant().expires_at is None
    assert grant().retime(Duration.MONTH, by=grant().user)
    assert about(grant().term_of(NICKNAME).until, timezone.now() + timedelta(days=7))
    assert about(grant().term_of(NAME).until, timezone.now() + MONTH)
    assert about(grant().expires_at, timezone.now() + MONTH)


def test_withdrawing_what_had_no_end_leaves_an_end(alices: Container, shop: MiniProgram, alice: User) -> None:
    allow(alices, [AVATAR], Duration.ALWAYS)
    allow(alices, ["auth_base", NICKNAME], Duration.MONTH)
    grant().revoke(by=alice, scopes=[AVATAR])
    assert about(grant().expires_at, timezone.now() + MONTH)
    grant().revoke(by=alice, scopes=[NICKNAME])
    assert (grant().terms, grant().expires_at, grant().next_end_at) == ({}, None, None)


def test_a_silent_scope_has_no_time_of_its_own(alices: Container, shop: MiniProgram) -> None:
    allow(alices, ["auth_base", NICKNAME], Duration.MONTH)
    assert grant().terms.keys() == {NICKNAME}


@pytest.mark.parametrize(("days", "span"), [(None, MONTH), (7, timedelta(days=7)), (90, MONTH)])
def test_a_limit_only_shortens(days: int | None, span: timedelta) -> None:
    now = timezone.now()
    assert Term.of(Duration.MONTH, now, max_days=days).until == now + span


# --- Paused -----------------------------------------------------------------------------------------------------


@pytest.mark.trust(10)
def test_paused_it_opens_nothing_and_loses_nothing(
    alices: Container, alice: User, shop: MiniProgram, shop_server: MerchantServer, audited: Audited
) -> None:
    pair = shop_server.exchange(allow(alices, ["auth_base", NICKNAME]))
    code = alices.get_auth_code("shop", [NICKNAME])["authCode"]
    assert grant().pause(by=alice)
    assert not grant().pause(by=alice)
    assert result(shop_server.user_info(pair["accessToken"])) == "INVALID_ACCESS_TOKEN"
    audited("INVALID_ACCESS_TOKEN")
    assert result(shop_server.refresh(pair["refreshToken"])) == "INVALID_REFRESH_TOKEN"
    audited("INVALID_REFRESH_TOKEN")
    assert result(shop_server.exchange(code)) == "INVALID_AUTHCODE"
    audited("INVALID_AUTHCODE")
    state = shop_server.post("/v1/authorizations/query", accessToken=pair["accessToken"])
    assert state["tokenStatusType"] == "REVOKED"
    assert (RefreshToken.objects.filter(revoked=None).count(), AccessToken.objects.count()) == (1, 1)

    assert grant().resume(by=alice)
    assert not grant().resume(by=alice)
    assert shop_server.user_info(pair["accessToken"])["userInfo"]["nickName"] == "Alice"
    assert result(shop_server.refresh(pair["refreshToken"])) == "SUCCESS"
    assert result(shop_server.exchange(code)) == "SUCCESS"
    assert [row.act for row in ConsentDecision.objects.order_by("id")][-2:] == ["paused", "resumed"]


@pytest.mark.parametrize("scopes", [["auth_base"], [NICKNAME], ["auth_base", NAME]])
def test_a_paused_mini_program_hears_that_the_user_refused(
    alices: Container, alice: User, shop: MiniProgram, audited: Audited, scopes: list[str]
) -> None:
    allow(alices, ["auth_base", NICKNAME])
    grant().pause(by=alice)
    answer = alices.get_auth_code("shop", [*scopes, "SHOE_SIZE"])
    assert answer["error"] == 11
    assert answer["authErrorScopes"] == {**dict.fromkeys(scopes, "11"), "SHOE_SIZE": "10001"}
    assert "paused" in answer["errorMessage"]
    audited("11", user=alice)


def test_a_sheet_that_was_open_when_it_was_paused_hands_out_no_code(
    alices: Container, alice: User, shop: MiniProgram
) -> None:
    allow(alices, [NICKNAME])
    consent = alices.get_auth_code("shop", [NAME])["consentId"]
    grant().pause(by=alice)
    assert alices.decide(consent, [NAME])["error"] == 11
    assert grant().paused_at


def test_a_paused_grant_can_be_withdrawn_and_runs_out(alices: Container, alice: User, shop: MiniProgram) -> None:
    allow(alices, [NICKNAME], Duration.MONTH)
    grant().pause(by=alice)
    later(MONTH)
    assert not grant().resume(by=alice)
    assert grant().revoke(by=alice)
    assert not MiniProgramGrant.objects.live().exists()
