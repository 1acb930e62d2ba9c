"""`cancelToken` and `revoke`: the merchant logs a user out (wire.md 5.3)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from oauth2_provider.models import AccessToken

from authapi.models import ErrorAudit
from portal.models import ConsentDecision, Merchant, MerchantNotice, MiniProgram, MiniProgramGrant, User
from tests.conftest import Container
from tests.merchants import MerchantServer

CANCEL = "/v1/authorizations/cancelToken"
PATHS = pytest.mark.parametrize(
    "path", [CANCEL, "/v1/authorizations/revoke", "/v2/authorizations/revoke"], ids=["cancelToken", "v1", "v2"]
)
Audited = Callable[..., ErrorAudit]


@pytest.fixture
def pair(alices: Container, shop_server: MerchantServer) -> dict[str, Any]:
    return shop_server.exchange(alices.code("shop", ["auth_base", "USER_NICKNAME"]))


def result(answer: dict[str, Any]) -> str:
    """The result code; a refusal, and this endpoint's success, carry nothing but the result."""
    assert list(answer) == ["result"]
    return str(answer["result"]["resultCode"])


@pytest.mark.wire("5.3 on S the access token and its refresh token are dead")
@PATHS
def test_a_cancelled_token_and_its_refresh_token_are_dead(
    pair: dict[str, Any], shop_server: MerchantServer, alice: User, audited: Audited, path: str
) -> None:
    answer = shop_server.post(path, accessToken=pair["accessToken"])
    assert answer == {"result": {"resultStatus": "S", "resultCode": "SUCCESS", "resultMessage": "success"}}
    assert result(shop_server.user_info(pair["accessToken"])) == "INVALID_ACCESS_TOKEN"
    audited("INVALID_ACCESS_TOKEN", client_id="shop-client", app_id="shop", user=alice)
    assert result(shop_server.refresh(pair["refreshToken"])) == "INVALID_REFRESH_TOKEN"
    audited("INVALID_REFRESH_TOKEN", client_id="shop-client", app_id="shop", user=alice)


@pytest.mark.wire("5.3 repeating it is S again")
@PATHS
def test_cancelling_twice_is_success_again(pair: dict[str, Any], shop_server: MerchantServer, path: str) -> None:
    assert [result(shop_server.post(path, accessToken=pair["accessToken"])) for _ in range(3)] == ["SUCCESS"] * 3
    assert not ErrorAudit.objects.exists()


@pytest.mark.wire("5.3 the grant stays")
def test_the_grant_and_its_other_tokens_stay(
    pair: dict[str, Any], alices: Container, alice: User, shop: MiniProgram, shop_server: MerchantServer
) -> None:
    Merchant.objects.update(notify_url="https://shop.example/notify")
    other = shop_server.exchange(alices.code("shop", ["USER_NICKNAME"]))
    acts = ConsentDecision.objects.count()
    shop_server.post(CANCEL, accessToken=pair["accessToken"])
    assert MiniProgramGrant.objects.live().get(user=alice, mini_program=shop).covers(["auth_base", "USER_NICKNAME"])
    assert ConsentDecision.objects.count() == acts  # no decision of the user's
    assert not MerchantNotice.objects.exists()  # the merchant knows: it was its own call
    assert shop_server.user_info(other["accessToken"])["userInfo"]["nickName"] == "Alice"
    assert "authCode" in alices.get_auth_code("shop", ["USER_NICKNAME"])  # nothing is asked again


@pytest.mark.wire("5.3 EXPIRED_ACCESS_TOKEN")
def test_an_expired_token_is_cancelled_with_its_refresh_token(
    pair: dict[str, Any], shop_server: MerchantServer, audited: Audited
) -> None:
    AccessToken.objects.update(expires=timezone.now() - timedelta(hours=1))
    assert result(shop_server.post(CANCEL, accessToken=pair["accessToken"])) == "SUCCESS"
    assert result(shop_server.refresh(pair["refreshToken"])) == "INVALID_REFRESH_TOKEN"
    audited("INVALID_REFRESH_TOKEN", app_id="shop")


def test_a_rotated_token_is_dead_already_and_its_successor_lives(
    pair: dict[str, Any], shop_server: MerchantServer
) -> None:
    renewed = shop_server.refresh(pair["refreshToken"])
    assert result(shop_server.post(CANCEL, accessToken=pair["accessToken"])) == "SUCCESS"
    assert shop_server.user_info(renewed["accessToken"])["userInfo"]["nickName"] == "Alice"


@pytest.mark.wire("5.3 USER_STATUS_ERROR")
@pytest.mark.parametrize("change", ["user", "mini-program"])
def test_logging_out_works_for_a_frozen_user_and_a_suspended_mini_program(
    pair: dict[str, Any], shop_server: MerchantServer, change: str
) -> None:
    """Ending access is never refused for a reason that itself ends access: no USER_STATUS_ERROR here."""
    if change == "user":
        User.objects.update(status=User.Status.FROZEN)
    else:
        MiniProgram.objects.update(status=MiniProgram.Status.SUSPENDED)
    assert result(shop_server.post(CANCEL, accessToken=pair["accessToken"])) == "SUCCESS"
    User.objects.update(status=User.Status.ACTIVE)
    MiniProgram.objects.update(status=MiniProgram.Status.ACTIVE)
    assert result(shop_server.refresh(pair["refreshToken"])) == "INVALID_REFRESH_TOKEN"


@pytest.mark.wire("5.3 INVALID_ACCESS_TOKEN")
@pytest.mark.trust(14)
@PATHS
def test_another_client_cannot_cancel_and_cannot_tell(
    pair: dict[str, Any], shop_server: MerchantServer, cafe_server: MerchantServer, audited: Audited, path: str
) -> None:
    unknown = cafe_server.post(path, accessToken="no-such-token")
    assert result(unknown) == "INVALID_ACCESS_TOKEN"
    audited("INVALID_ACCESS_TOKEN", client_id="cafe-client", user=None)
    assert cafe_server.post(path, accessToken=pair["accessToken"]) == unknown
    audited("INVALID_ACCESS_TOKEN", client_id="cafe-client", user=None, app_id="")
    assert shop_server.user_info(pair["accessToken"])["userInfo"]["nickName"] == "Alice"
    shop_server.post(path, accessToken=pair["accessToken"])
    assert cafe_server.post(path, accessToken=pair["accessToken"]) == unknown


@pytest.mark.wire("5.3 accessToken")
@pytest.mark.parametrize("value", [None, "", "a" * 129, {}])
@PATHS
def test_a_bad_access_token_field_is_named(
    shop_server: MerchantServer, audited: Audited, path: str, value: Any
) -> None:
    answer = shop_server.post(path, accessToken=value)
    assert result(answer) == "PARAM_ILLEGAL"
    assert answer["result"]["resultMessage"].startswith("accessToken: ")
    audited("PARAM_ILLEGAL", client_id="shop-client", endpoint=path)


@pytest.mark.wire("5.3 appId")
@pytest.mark.wire("5.3 INVALID_AUTH_CLIENT")
@PATHS
def test_app_id_and_auth_client_id_must_match_when_they_are_there(
    pair: dict[str, Any], shop_server: MerchantServer, cafe: MiniProgram, audited: Audited, path: str
) -> None:
    token = pair["accessToken"]
    answer = shop_server.post(path, accessToken=token, appId="cafe")
    assert result(answer) == "INVALID_ACCESS_TOKEN"
    assert answer["result"]["resultMessage"].startswith("appId: ")
    audited("INVALID_ACCESS_TOKEN", client_id="shop-client", app_id="cafe")
    assert result(shop_server.post(path, accessToken=token, authClientId="cafe-client")) == "INVALID_AUTH_CLIENT"
    audited("INVALID_AUTH_CLIENT", client_id="shop-client")
    assert shop_server.user_info(token)["userInfo"]["nickName"] == "Alice"
    matching = shop_server.post(path, accessToken=token, appId="shop", authClientId="shop-client", extendInfo="{}")
    assert result(matching) == "SUCCESS"


@pytest.mark.wire("5.3 INVALID_AUTH_CLIENT_STATUS")
@PATHS
def test_a_disabled_merchant_is_refused(
    pair: dict[str, Any], shop_server: MerchantServer, audited: Audited, path: str
) -> None:
    Merchant.objects.update(status=Merchant.Status.DISABLED)
    assert result(shop_server.post(path, accessToken=pair["accessToken"])) == "INVALID_AUTH_CLIENT_STATUS"
    audited("INVALID_AUTH_CLIENT_STATUS", client_id="shop-client")


def test_whoever_asks_the_toolkit_sees_dead_tokens_too(pair: dict[str, Any], shop_server: MerchantServer) -> None:
    renewed = shop_server.refresh(pair["refreshToken"])
    assert [row.is_valid() for row in AccessToken.objects.order_by("id")] == [False, True]
    shop_server.post(CANCEL, accessToken=renewed["accessToken"])
    assert [row.is_valid() for row in AccessToken.objects.order_by("id")] == [False, False]


def test_a_cancellation_costs_few_queries(
    pair: dict[str, Any], shop_server: MerchantServer, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(6):
        shop_server.post(CANCEL, accessToken=pair["accessToken"])
    with django_assert_max_num_queries(2):
        shop_server.post(CANCEL, accessToken=pair["accessToken"])
