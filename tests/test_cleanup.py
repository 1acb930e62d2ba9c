"""`manage.py cleanup`: what is dead long enough goes, what somebody may still ask about stays."""

import io
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from oauth2_provider.models import AccessToken, RefreshToken

from authapi.models import AuthCode, ErrorAudit
from portal.models import ConsentDecision, MiniProgram, PendingConsent, User
from tests.conftest import Container
from tests.merchants import MerchantServer

RETENTION = timedelta(days=30)
IDLE = timedelta(days=30)
ABSOLUTE = timedelta(days=180)
SECOND = timedelta(seconds=1)
SLACK = timedelta(minutes=1)  # for the time a test takes


def cleanup(**options: Any) -> dict[str, int]:
    """What it says it did: {"Token pairs deleted": 1, ...}, without the zeros."""
    out = io.StringIO()
    call_command("cleanup", stdout=out, **options)
    lines = [line.rsplit(": ", 1) for line in out.getvalue().splitlines()]
    assert len(lines) == 8
    return {what: int(number) for what, number in lines if number != "0"}


def ago(past: timedelta) -> datetime:
    return timezone.now() - past


@pytest.fixture
def pair(alices: Container, shop_server: MerchantServer) -> dict[str, Any]:
    """Alice's tokens at Shop; nothing of them is dead."""
    return shop_server.exchange(alices.code("shop", ["auth_base", "USER_NICKNAME"]))


def code_of(answer: dict[str, Any]) -> str:
    return str(answer["result"]["resultCode"])


def test_nothing_young_is_touched(pair: dict[str, Any], alices: Container, shop_server: MerchantServer) -> None:
    alices.get_auth_code("shop", ["USER_ADDRESS"])
    alices.code("shop", ["auth_base"])
    assert cleanup() == {}
    assert code_of(shop_server.user_info(pair["accessToken"])) == "SUCCESS"


def test_codes_go_retention_after_their_end(alices: Container, shop_server: MerchantServer) -> None:
    code = alices.code("shop", ["auth_base"])
    AuthCode.objects.update(expires=ago(RETENTION - SLACK))
    assert cleanup() == {}
    assert code_of(shop_server.exchange(code)) == "EXPIRED_AUTHCODE"

    AuthCode.objects.update(expires=ago(RETENTION + SECOND))
    assert cleanup() == {"Auth codes deleted": 1}
    assert code_of(shop_server.exchange(code)) == "INVALID_AUTHCODE"


@pytest.mark.trust(2)
def test_a_used_code_is_told_from_an_unknown_one_meanwhile(alices: Container, shop_server: MerchantServer) -> None:
    code = alices.code("shop", ["auth_base"])
    shop_server.exchange(code)
    AuthCode.objects.update(expires=ago(RETENTION - SLACK))
    cleanup()
    assert code_of(shop_server.exchange(code)) == "USED_AUTHCODE"


def test_revoked_pairs_go_retention_after_their_end(pair: dict[str, Any], shop_server: MerchantServer) -> None:
    shop_server.post("/v1/authorizations/cancelToken", accessToken=pair["accessToken"])
    RefreshToken.objects.update(revoked=ago(RETENTION - SLACK))
    AccessToken.objects.update(expires=ago(RETENTION - SLACK))
    assert cleanup() == {}
    query = shop_server.post("/v1/authorizations/query", accessToken=pair["accessToken"])
    assert query["tokenStatusType"] == "REVOKED"

    RefreshToken.objects.update(revoked=ago(RETENTION + SECOND))
    AccessToken.objects.update(expires=ago(RETENTION + SECOND))
    assert cleanup() == {"Token pairs deleted": 1}
    assert not AccessToken.objects.exists()
    assert code_of(shop_server.post("/v1/authorizations/query", accessToken=pair["accessToken"])) == (
        "INVALID_ACCESS_TOKEN"
    )


@pytest.mark.trust(8)
def test_idle_pairs_go_retention_after_their_end(pair: dict[str, Any], shop_server: MerchantServer) -> None:
    AccessToken.objects.update(expires=ago(IDLE + RETENTION))
    RefreshToken.objects.update(created=ago(IDLE + RETENTION - SLACK))
    assert cleanup() == {}
    assert code_of(shop_server.refresh(pair["refreshToken"])) == "EXPIRED_REFRESH_TOKEN"

    RefreshToken.objects.update(created=ago(IDLE + RETENTION + SECOND))
    assert cleanup() == {"Token pairs deleted": 1}
    assert code_of(shop_server.refresh(pair["refreshToken"])) == "INVALID_REFRESH_TOKEN"


def born(past: timedelta) -> uuid.UUID:
    """A family of that age."""
    return uuid.UUID(int=int(ago(past).timestamp() * 1000) << 80 | 0x7 << 76 | 1 << 63)


@pytest.mark.trust(8)
def test_pairs_of_an_old_family_go_retention_after_its_end(pair: dict[str, Any], shop_server: MerchantServer) -> None:
    AccessToken.objects.update(expires=ago(RETENTION + SLACK))
    RefreshToken.objects.update(token_family=born(ABSOLUTE + RETENTION - SLACK))
    assert cleanup() == {}
    assert code_of(shop_server.refresh(pair["refreshToken"])) == "EXPIRED_REFRESH_TOKEN"

    RefreshToken.objects.update(token_family=born(ABSOLUTE + RETENTION + SECOND))
    assert cleanup() == {"Token pairs deleted": 1}


def test_an_access_token_waits_for_its_refresh_token(pair: dict[str, Any], shop_server: MerchantServer) -> None:
    """A refresh takes its scopes from it."""
    AccessToken.objects.update(expires=ago(RETENTION * 2))
    RefreshToken.objects.update(created=ago(IDLE - SLACK))
    assert cleanup() == {}
    fresh = shop_server.refresh(pair["refreshToken"])
    assert shop_server.user_info(fresh["accessToken"])["userInfo"]["nickName"] == "Alice"


@pytest.mark.trust(3)
def test_the_rotated_pair_goes_and_its_successor_stays(pair: dict[str, Any], shop_server: MerchantServer) -> None:
    fresh = shop_server.refresh(pair["refreshToken"])
    old = RefreshToken.objects.filter(revoked__isnull=False)
    AccessToken.objects.filter(refresh_token__in=old).update(expires=ago(RETENTION + SECOND))
    old.update(revoked=ago(RETENTION - SLACK))
    assert cleanup() == {}

    old.update(revoked=ago(RETENTION + SECOND))
    assert cleanup() == {"Token pairs deleted": 1}
    assert AccessToken.objects.get().source_refresh_token is None
    again = shop_server.refresh(fresh["refreshToken"])
    assert code_of(shop_server.user_info(again["accessToken"])) == "SUCCESS"


def test_first_party_tokens_go_retention_after_their_end(alice: User) -> None:
    call_command("issue_first_party_token", login="alice", stdout=io.StringIO())
    AccessToken.objects.update(expires=ago(RETENTION - SLACK))
    assert cleanup() == {}
    AccessToken.objects.update(expires=ago(RETENTION + SECOND))
    assert cleanup() == {"First-party tokens deleted": 1}


def test_consents_go_a_day_after_their_end(alices: Container, shop: MiniProgram) -> None:
    alices.get_auth_code("shop", ["USER_NAME"])
    answered = alices.get_auth_code("shop", ["USER_NICKNAME"])
    alices.decide(answered["consentId"], ["USER_NICKNAME"])
    PendingConsent.objects.update(expires_at=ago(timedelta(days=1) - SLACK))
    assert cleanup() == {}
    PendingConsent.objects.update(expires_at=ago(timedelta(days=1, seconds=1)))
    assert cleanup() == {"Consents deleted": 2}
    assert ConsentDecision.objects.get().act == "given"


def test_expired_sessions_go(alices: Container, bobs: Container) -> None:
    session = alices.http.session
    session.set_expiry(-1)
    session.save()
    assert cleanup() == {"Sessions deleted": 1}
    assert bobs.http.get("/").status_code == 200


@pytest.mark.trust(31)
def test_the_ledger_and_the_error_audit_stay(alices: Container, shop_server: MerchantServer) -> None:
    alices.code("shop", ["USER_NICKNAME"])
    shop_server.exchange("nonsense")
    ErrorAudit.objects.update(at=ago(timedelta(days=4000)))
    before = ErrorAudit.objects.count(), ConsentDecision.objects.count()
    assert before == (1, 1)
    AuthCode.objects.update(expires=ago(timedelta(days=4000)))
    assert cleanup()
    assert (ErrorAudit.objects.count(), ConsentDecision.objects.count()) == before


def dead_pairs(alice: User, shop: MiniProgram, number: int) -> None:
    """Pairs that were rotated one into the next, all of them revoked long ago."""
    old = ago(RETENTION * 2)
    refresh = None
    for n in range(number):
        common = {"user": alice, "application": shop, "token": ""}
        access = AccessToken.objects.create(
            **common, token_checksum=f"a{n}", expires=old, scope="auth_base", source_refresh_token=refresh
        )
        refresh = RefreshToken.objects.create(
            **common, token_checksum=f"r{n}", access_token=access, token_family=born(RETENTION * 2), revoked=old
        )


def test_batches_leave_nothing_behind(alice: User, shop: MiniProgram) -> None:
    dead_pairs(alice, shop, 25)
    assert cleanup(batch=10) == {"Token pairs deleted": 25}
    assert not AccessToken.objects.exists()
    assert not RefreshToken.objects.exists()


def test_the_statements_grow_with_the_batches_not_with_the_rows(alice: User, shop: MiniProgram) -> None:
    def statements(number: int) -> int:
        dead_pairs(alice, shop, number)
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert cleanup(batch=100) == {"Token pairs deleted": number}
        return len(captured)

    assert statements(90) == statements(10)
    assert statements(190) < statements(90) + 10


@pytest.mark.parametrize("batch", [0, -1, 10001])
def test_a_senseless_batch_is_refused(db: None, batch: int) -> None:
    with pytest.raises(CommandError, match="--batch must be from 1 to 10000"):
        cleanup(batch=batch)
