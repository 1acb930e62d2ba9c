"""`POST /v1/authorizations/query`: whether a token is alive (wire.md 5.4)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from oauth2_provider.models import AccessToken

from authapi.models import ErrorAudit
from portal.models import Merchant, MiniProgram, MiniProgramGrant, User
from tests.conftest import Container
from tests.merchants import MerchantServer

QUERY = "/v1/authorizations/query"
Audited = Callable[..., ErrorAudit]


@pytest.fixture
def pair(alices: Container, shop_server: MerchantServer) -> dict[str, Any]:
    return shop_server.exchange(alices.code("shop", ["auth_base", "USER_NICKNAME"]))


def result(answer: dict[str, Any]) -> str:
    """The result code; a refusal carries nothing but its result."""
    code = str(answer["result"]["resultCode"])
    assert code == "SUCCESS" or list(answer) == ["result"]
    return code


def status(server: MerchantServer, token: str) -> str:
    answer = server.post(QUERY, accessToken=token)
    assert result(answer) == "SUCCESS"
    return str(answer["tokenStatusType"])


@pytest.mark.wire("5.4 tokenStatusType ACTIVE; the refresh token is not repeated")
def test_a_live_token_is_active(pair: dict[str, Any], shop_server: MerchantServer) -> None:
    answer = shop_server.post(QUERY, accessToken=pair["accessToken"], appId="shop", authClientId="shop-client")
    assert answer == {
        "result": {"resultStatus": "S", "resultCode": "SUCCESS", "resultMessage": "success"},
        "accessToken": pair["accessToken"],
        "accessTokenExpiryTime": pair["accessTokenExpiryTime"],
        "tokenStatusType": "ACTIVE",
    }
    assert datetime.fromisoformat(answer["accessTokenExpiryTime"]) > datetime.now(UTC)


@pytest.mark.wire("5.4 tokenStatusType EXPIRED")
def test_a_token_past_its_time_is_expired(pair: dict[str, Any], shop_server: MerchantServer) -> None:
    AccessToken.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert status(shop_server, pair["accessToken"]) == "EXPIRED"


@pytest.mark.wire("5.4 tokenStatusType REVOKED")
@pytest.mark.trust(10)
@pytest.mark.parametrize("how", ["cancelled", "rotated", "withdrawn", "code replayed", "cancelled, then expired"])
def test_a_dead_token_is_revoked(
    pair: dict[str, Any], alices: Container, alice: User, shop_server: MerchantServer, how: str
) -> None:
    token = pair["accessToken"]
    if how.startswith("cancelled"):
        shop_server.post("/v1/authorizations/cancelToken", accessToken=token)
    elif how == "rotated":
        shop_server.refresh(pair["refreshToken"])
    elif how == "withdrawn":
        MiniProgramGrant.objects.get(user=alice).revoke(by=alice)
    else:
        code = alices.code("shop", ["auth_base"])
        token = shop_server.exchange(code)["accessToken"]
        shop_server.exchange(code)
    if how.endswith("expired"):
        AccessToken.objects.update(expires=timezone.now() - timedelta(days=1))
    assert status(shop_server, token) == "REVOKED"


@pytest.mark.wire("5.4 INVALID_ACCESS_TOKEN")
@pytest.mark.trust(14)
def test_an_unknown_token_and_another_clients_look_alike(
    pair: dict[str, Any], cafe_server: MerchantServer, audited: Audited
) -> None:
    unknown = cafe_server.post(QUERY, accessToken="no-such-token")
    assert result(unknown) == "INVALID_ACCESS_TOKEN"
    audited("INVALID_ACCESS_TOKEN", client_id="cafe-client", user=None)
    assert cafe_server.post(QUERY, accessToken=pair["accessToken"]) == unknown
    audited("INVALID_ACCESS_TOKEN", client_id="cafe-client", user=None, app_id="")


def test_a_refresh_token_or_a_code_is_no_access_token(
    pair: dict[str, Any], alices: Container, shop_server: MerchantServer, audited: Audited
) -> None:
    for wrong in (pair["refreshToken"], alices.code("shop", ["auth_base"])):
        assert result(shop_server.post(QUERY, accessToken=wrong)) == "INVALID_ACCESS_TOKEN"
        audited("INVALID_ACCESS_TOKEN", client_id="shop-client")


@pytest.mark.wire("5.4 accessToken")
@pytest.mark.parametrize("value", [None, "", "a" * 129, 7])
def test_a_bad_access_token_field_is_named(shop_server: MerchantServer, audited: Audited, value: Any) -> None:
    answer = shop_server.post(QUERY, accessToken=value)
    assert result(answer) == "PARAM_ILLEGAL"
    assert answer["result"]["resultMessage"].startswith("accessToken: ")
    audited("PARAM_ILLEGAL", client_id="shop-client")


@pytest.mark.wire("5.4 INVALID_AUTH_CLIENT")
def test_app_id_and_auth_client_id_must_match_when_they_are_there(
    pair: dict[str, Any], shop_server: MerchantServer, cafe: MiniProgram, audited: Audited
) -> None:
    answer = shop_server.post(QUERY, accessToken=pair["accessToken"], appId="cafe")
    assert result(answer) == "INVALID_ACCESS_TOKEN"
    assert answer["result"]["resultMessage"].startswith("appId: ")
    audited("INVALID_ACCESS_TOKEN", client_id="shop-client", app_id="cafe")
    answer = shop_server.post(QUERY, accessToken=pair["accessToken"], authClientId="cafe-client")
    assert result(answer) == "INVALID_AUTH_CLIENT"
    audited("INVALID_AUTH_CLIENT", client_id="shop-client")


@pytest.mark.wire("5.4 INVALID_AUTH_CLIENT_STATUS")
def test_a_disabled_merchant_is_refused(pair: dict[str, Any], shop_server: MerchantServer, audited: Audited) -> None:
    Merchant.objects.update(status=Merchant.Status.DISABLED)
    assert result(shop_server.post(QUERY, accessToken=pair["accessToken"])) == "INVALID_AUTH_CLIENT_STATUS"
    audited("INVALID_AUTH_CLIENT_STATUS", client_id="shop-client")


@pytest.mark.wire("5.4 USER_STATUS_ERROR")
@pytest.mark.trust(10)
@pytest.mark.parametrize("change", [{"status": "FROZEN"}, {"is_active": False}])
def test_a_user_who_is_frozen_or_gone_is_felt_at_once(
    pair: dict[str, Any], shop_server: MerchantServer, alice: User, audited: Audited, change: dict[str, Any]
) -> None:
    """A token that opens nothing may not be called ACTIVE."""
    User.objects.filter(pk=alice.pk).update(**change)
    assert result(shop_server.post(QUERY, accessToken=pair["accessToken"])) == "USER_STATUS_ERROR"
    audited("USER_STATUS_ERROR", client_id="shop-client", app_id="shop", user=alice)


@pytest.mark.wire("5.4 ACCESS_DENIED")
@pytest.mark.trust(10)
def test_a_suspended_mini_program_is_felt_at_once(
    pair: dict[str, Any], shop_server: MerchantServer, alice: User, audited: Audited
) -> None:
    MiniProgram.objects.update(status=MiniProgram.Status.SUSPENDED)
    assert result(shop_server.post(QUERY, accessToken=pair["accessToken"])) == "ACCESS_DENIED"
    audited("ACCESS_DENIED", client_id="shop-client", app_id="shop", user=alice)


@pytest.mark.trust(10)
def test_a_token_whose_grant_ran_out_is_not_active(pair: dict[str, Any], shop_server: MerchantServer) -> None:
    """Shortened after the token was issued, so the token's own time is not over."""
    MiniProgramGrant.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert status(shop_server, pair["accessToken"]) == "EXPIRED"


def test_a_query_costs_few_queries(
    pair: dict[str, Any], shop_server: MerchantServer, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(2):
        shop_server.post(QUERY, accessToken=pair["accessToken"])
