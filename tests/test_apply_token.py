"""`POST /v1|v2/authorizations/applyToken`: a code, or a refresh token, becomes a token pair (wire.md 5.1)."""

import json
import logging
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone
from oauth2_provider.models import AccessToken, RefreshToken

from authapi.models import AuthCode, ErrorAudit
from portal.models import Merchant, MiniProgram, MiniProgramGrant, User
from tests.conftest import Container, make_program
from tests.merchants import MerchantServer

V1 = "/v1/authorizations/applyToken"
V2 = "/v2/authorizations/applyToken"
BOTH = pytest.mark.parametrize("path", [V1, V2], ids=["v1", "v2"])
Audited = Callable[..., ErrorAudit]
BAD_FIELDS: list[tuple[str, Any]] = [
    ("appId", "a" * 33),
    ("authClientId", "a" * 129),
    ("referenceClientId", "a" * 129),
    ("grantType", "a" * 65),
    ("grantType", ""),
    ("grantType", None),
    ("authCode", "a" * 129),
    ("authCode", ""),
    ("authCode", None),
    ("refreshToken", "a" * 129),
    ("customerBelongsTo", "a" * 33),
    ("merchantRegion", "a" * 33),
    ("extendInfo", "a" * 4097),
    ("extendInfo", {"a": "a" * 4097}),
    ("extendInfo", []),
    ("extendInfo", 1),
]


@pytest.fixture
def code(alices: Container, shop: MiniProgram) -> str:
    return alices.code("shop", ["auth_base", "USER_NICKNAME"])


@pytest.fixture
def pair(code: str, shop_server: MerchantServer) -> dict[str, Any]:
    return shop_server.exchange(code)


def result(answer: dict[str, Any]) -> str:
    """The result code; a refusal carries nothing but its result."""
    code = str(answer["result"]["resultCode"])
    assert answer["result"]["resultStatus"] == ("S" if code == "SUCCESS" else "F")
    assert code == "SUCCESS" or list(answer) == ["result"]
    return code


def dead(server: MerchantServer, pair: dict[str, Any]) -> bool:
    """Neither token of the pair does anything any more. Ask last: a rotated refresh token kills its family."""
    by_access = result(server.user_info(pair["accessToken"]))
    return by_access == "INVALID_ACCESS_TOKEN" and result(server.refresh(pair["refreshToken"])) != "SUCCESS"


# --- Success ------------------------------------------------------------------------------------------------------


@pytest.mark.wire("5.1 answer: accessToken, expiry times, refreshToken, customerId")
@pytest.mark.trust(5)
@BOTH
def test_a_code_becomes_a_pair(code: str, shop_server: MerchantServer, path: str) -> None:
    pair = shop_server.exchange(code, path)
    assert list(pair) == [
        "result",
        "accessToken",
        "accessTokenExpiryTime",
        "refreshToken",
        "refreshTokenExpiryTime",
        "customerId",
    ]
    assert pair["result"] == {"resultStatus": "S", "resultCode": "SUCCESS", "resultMessage": "success"}
    for name in ("accessToken", "refreshToken"):
        assert 43 <= len(pair[name]) <= 128  # 43 URL-safe characters hold 256 bits
    assert len(code) == 32  # 192 bits
    assert 0 < len(pair["customerId"]) <= 64
    for name, lifetime in (
        ("accessTokenExpiryTime", timedelta(hours=1)),
        ("refreshTokenExpiryTime", timedelta(days=30)),
    ):
        left = datetime.fromisoformat(pair[name]) - datetime.now(UTC)
        assert lifetime - timedelta(minutes=1) < left <= lifetime


@pytest.mark.wire("5.1 customerId equals userId")
def test_customer_id_is_the_user_id(pair: dict[str, Any], shop_server: MerchantServer) -> None:
    assert pair["customerId"] == shop_server.user_info(pair["accessToken"])["userInfo"]["userId"]


@pytest.mark.trust(5)
def test_no_two_secrets_are_alike(alices: Container, shop_server: MerchantServer) -> None:
    codes = [alices.code("shop", ["auth_base"]) for _ in range(5)]
    pairs = [shop_server.exchange(code) for code in codes]
    secrets = codes + [pair[name] for pair in pairs for name in ("accessToken", "refreshToken")]
    assert len(set(secrets)) == 15


def test_a_grant_that_ends_sooner_ends_the_access_token(code: str, shop_server: MerchantServer, alice: User) -> None:
    ends = timezone.now() + timedelta(minutes=10)
    MiniProgramGrant.objects.filter(user=alice).update(expires_at=ends)
    pair = shop_server.exchange(code)
    assert datetime.fromisoformat(pair["accessTokenExpiryTime"]) <= ends


# --- Fields -------------------------------------------------------------------------------------------------------


@pytest.mark.wire("5.1 appId")
@pytest.mark.wire("5.1 authClientId")
@pytest.mark.wire("5.1 referenceClientId")
@pytest.mark.wire("5.1 customerBelongsTo")
@pytest.mark.wire("5.1 merchantRegion")
@pytest.mark.wire("5.1 extendInfo")
@pytest.mark.parametrize("extend_info", [{"a": {"b": 1}}, '{"a": 1}', "", "x" * 4096, None])
@BOTH
def test_every_field_that_matches_is_accepted(
    code: str, shop_server: MerchantServer, path: str, extend_info: Any
) -> None:
    answer = shop_server.post(
        path,
        appId="shop",
        authClientId="shop-client",
        referenceClientId="shop",
        grantType="AUTHORIZATION_CODE",
        authCode=code,
        customerBelongsTo="SUPER",
        merchantRegion="PH",
        extendInfo=extend_info,
        refreshToken=None,
    )
    assert result(answer) == "SUCCESS"


@pytest.mark.wire("5.1 grantType")
@pytest.mark.wire("4.1 grantType is matched without regard to case")
@pytest.mark.parametrize("grant_type", ["AUTHORIZATION_CODE", "authorization_code", "Authorization_Code"])
def test_grant_type_is_matched_without_regard_to_case(code: str, shop_server: MerchantServer, grant_type: str) -> None:
    pair = shop_server.post(V2, grantType=grant_type, authCode=code)
    assert result(pair) == "SUCCESS"
    assert result(shop_server.post(V2, grantType="refresh_token", refreshToken=pair["refreshToken"])) == "SUCCESS"


@pytest.mark.wire("5.1 appId")
@pytest.mark.wire("5.1 refreshToken")
@BOTH
def test_a_refresh_takes_the_same_fields(pair: dict[str, Any], shop_server: MerchantServer, path: str) -> None:
    answer = shop_server.post(
        path,
        appId="shop",
        authClientId="shop-client",
        referenceClientId="shop",
        grantType="REFRESH_TOKEN",
        refreshToken=pair["refreshToken"],
        extendInfo="{}",
    )
    assert result(answer) == "SUCCESS"


@pytest.mark.wire("3 PARAM_ILLEGAL")
@pytest.mark.parametrize(
    ("field", "value"),
    [pytest.param(field, value, marks=pytest.mark.wire(f"5.1 {field}")) for field, value in BAD_FIELDS],
)
def test_a_field_too_long_or_missing_is_named(
    code: str, shop_server: MerchantServer, audited: Audited, field: str, value: Any
) -> None:
    fields = {"grantType": "AUTHORIZATION_CODE", "authCode": code, field: value}
    answer = shop_server.post(V2, **fields)
    assert result(answer) == "PARAM_ILLEGAL"
    assert answer["result"]["resultMessage"].startswith(f"{field}: ")
    audited("PARAM_ILLEGAL", client_id="shop-client", endpoint=V2)
    assert result(shop_server.exchange(code)) == "SUCCESS"  # not burnt


@pytest.mark.wire("5.1 refreshToken")
def test_a_refresh_without_its_token_names_it(shop_server: MerchantServer, audited: Audited) -> None:
    answer = shop_server.post(V2, grantType="REFRESH_TOKEN", authCode="x")
    assert result(answer) == "PARAM_ILLEGAL"
    assert answer["result"]["resultMessage"].startswith("refreshToken: ")
    audited("PARAM_ILLEGAL", client_id="shop-client")


@pytest.mark.wire("5.1 AUTH_CLIENT_UNSUPPORTED_GRANT_TYPE")
@pytest.mark.parametrize("grant_type", ["CLIENT_CREDENTIALS", "password", "x"])
@BOTH
def test_an_unknown_grant_type_is_unsupported(
    code: str, shop_server: MerchantServer, audited: Audited, grant_type: str, path: str
) -> None:
    assert result(shop_server.post(path, grantType=grant_type, authCode=code)) == "AUTH_CLIENT_UNSUPPORTED_GRANT_TYPE"
    audited("AUTH_CLIENT_UNSUPPORTED_GRANT_TYPE", client_id="shop-client")
    assert result(shop_server.exchange(code)) == "SUCCESS"


# --- Codes that yield nothing -------------------------------------------------------------------------------------


@pytest.mark.wire("5.1 INVALID_AUTHCODE")
@pytest.mark.wire("5.1 INVALID_CODE")
@pytest.mark.trust(4)
@pytest.mark.parametrize(("path", "expected"), [(V1, "INVALID_CODE"), (V2, "INVALID_AUTHCODE")])
def test_an_unknown_code_is_invalid(shop_server: MerchantServer, audited: Audited, path: str, expected: str) -> None:
    answer = shop_server.exchange("no-such-code", path)
    assert result(answer) == expected
    assert "authCode" in answer["result"]["resultMessage"]
    audited(expected, client_id="shop-client", user=None)


@pytest.mark.trust(4)
@pytest.mark.trust(14)
@pytest.mark.parametrize(("path", "expected"), [(V1, "INVALID_CODE"), (V2, "INVALID_AUTHCODE")])
def test_another_clients_code_looks_unknown_and_is_not_burnt(
    code: str,
    shop_server: MerchantServer,
    cafe_server: MerchantServer,
    audited: Audited,
    path: str,
    expected: str,
) -> None:
    assert result(cafe_server.exchange(code, path)) == expected
    audited(expected, client_id="cafe-client", user=None, app_id="")
    assert cafe_server.exchange(code, path) == cafe_server.exchange("no-such-code", path)
    # Nor does it tell used from unused.
    assert result(shop_server.exchange(code)) == "SUCCESS"
    assert cafe_server.exchange(code, path) == cafe_server.exchange("no-such-code", path)
    audited(expected, client_id="cafe-client")


@pytest.mark.wire("5.1 EXPIRED_AUTHCODE")
@pytest.mark.wire("5.1 EXPIRED_CODE")
@pytest.mark.trust(4)
@pytest.mark.parametrize(("path", "expected"), [(V1, "EXPIRED_CODE"), (V2, "EXPIRED_AUTHCODE")])
def test_a_code_older_than_its_lifetime_is_expired(
    alices: Container,
    shop_server: MerchantServer,
    alice: User,
    audited: Audited,
    settings: Any,
    path: str,
    expected: str,
) -> None:
    settings.AUTH_CODE_LIFETIME = timedelta(seconds=-1)
    code = alices.code("shop", ["auth_base"])
    assert result(shop_server.exchange(code, path)) == expected
    audited(expected, client_id="shop-client", app_id="shop", user=alice, scopes=["auth_base"])


@pytest.mark.trust(4)
def test_a_code_lives_five_minutes(code: str) -> None:
    left = AuthCode.objects.get().expires - timezone.now()
    assert timedelta(minutes=4, seconds=50) < left <= timedelta(minutes=5)


@pytest.mark.wire("5.1 USED_AUTHCODE")
@pytest.mark.wire("5.1 USED_CODE")
@pytest.mark.trust(2)
@pytest.mark.parametrize(("path", "expected"), [(V1, "USED_CODE"), (V2, "USED_AUTHCODE")])
def test_a_second_use_revokes_what_came_of_the_code(
    code: str, shop_server: MerchantServer, alice: User, audited: Audited, path: str, expected: str
) -> None:
    pair = shop_server.exchange(code, path)
    assert result(shop_server.exchange(code, path)) == expected
    audited(expected, client_id="shop-client", app_id="shop", user=alice, scopes=["auth_base", "USER_NICKNAME"])
    assert dead(shop_server, pair)
    audited("INVALID_REFRESH_TOKEN", user=alice)


@pytest.mark.trust(2)
def test_a_second_use_revokes_refreshed_tokens_too_and_no_others(
    code: str, alices: Container, shop_server: MerchantServer, audited: Audited
) -> None:
    other = shop_server.exchange(alices.code("shop", ["auth_base"]))
    pair = shop_server.refresh(shop_server.exchange(code)["refreshToken"])
    assert result(shop_server.exchange(code)) == "USED_AUTHCODE"
    audited("USED_AUTHCODE")
    assert dead(shop_server, pair)
    assert result(shop_server.user_info(other["accessToken"])) == "SUCCESS"
    assert RefreshToken.objects.filter(revoked=None).count() == 1


@pytest.mark.trust(4)
def test_a_used_code_stays_used_when_it_is_old(code: str, shop_server: MerchantServer, audited: Audited) -> None:
    shop_server.exchange(code)
    AuthCode.objects.update(expires=timezone.now() - timedelta(days=1))
    assert result(shop_server.exchange(code)) == "USED_AUTHCODE"
    audited("USED_AUTHCODE")


@pytest.mark.trust(10)
def test_a_code_dies_with_its_grant(code: str, shop_server: MerchantServer, alice: User, audited: Audited) -> None:
    grant = MiniProgramGrant.objects.get(user=alice)
    grant.revoke(by=alice)
    assert result(shop_server.exchange(code)) == "INVALID_AUTHCODE"
    audited("INVALID_AUTHCODE", app_id="shop", user=alice)
    # A new grant does not bring it back.
    MiniProgramGrant.give(alice, grant.mini_program, ["auth_base"])
    assert result(shop_server.exchange(code)) == "INVALID_AUTHCODE"


# --- Whose it is --------------------------------------------------------------------------------------------------


@pytest.mark.wire("5.1 INVALID_AUTH_CLIENT")
@pytest.mark.parametrize("named", ["cafe-client", "no-such-client"])
@BOTH
def test_an_auth_client_that_did_not_sign_is_invalid(
    code: str, shop_server: MerchantServer, cafe: MiniProgram, audited: Audited, path: str, named: str
) -> None:
    answer = shop_server.post(path, grantType="AUTHORIZATION_CODE", authCode=code, authClientId=named)
    assert result(answer) == "INVALID_AUTH_CLIENT"
    assert "authClientId" in answer["result"]["resultMessage"]
    audited("INVALID_AUTH_CLIENT", client_id="shop-client")
    assert result(shop_server.exchange(code)) == "SUCCESS"


@pytest.mark.wire("5.1 INVALID_AUTH_CLIENT_STATUS")
@BOTH
def test_a_disabled_merchant_gets_nothing(
    code: str, pair: dict[str, Any], shop_server: MerchantServer, alices: Container, audited: Audited, path: str
) -> None:
    fresh = alices.code("shop", ["auth_base"])
    Merchant.objects.filter(client_id="shop-client").update(status=Merchant.Status.DISABLED)
    assert result(shop_server.exchange(fresh, path)) == "INVALID_AUTH_CLIENT_STATUS"
    audited("INVALID_AUTH_CLIENT_STATUS", client_id="shop-client")
    assert result(shop_server.refresh(pair["refreshToken"], path)) == "INVALID_AUTH_CLIENT_STATUS"
    Merchant.objects.filter(client_id="shop-client").update(status=Merchant.Status.ACTIVE)
    assert result(shop_server.exchange(fresh, path)) == "SUCCESS"


@pytest.mark.wire("5.1 REFERENCE_CLIENT_ID_NOT_MATCH")
@pytest.mark.wire("5.1 referenceClientId")
@pytest.mark.parametrize("named", ["shop2", "no-such-app"])
def test_a_reference_client_that_is_not_the_codes_does_not_match(
    code: str, shop_server: MerchantServer, shop: MiniProgram, audited: Audited, alice: User, named: str
) -> None:
    make_program("shop2", ["auth_base"], shop.merchant)
    answer = shop_server.post(V1, grantType="AUTHORIZATION_CODE", authCode=code, referenceClientId=named)
    assert result(answer) == "REFERENCE_CLIENT_ID_NOT_MATCH"
    audited("REFERENCE_CLIENT_ID_NOT_MATCH", client_id="shop-client", app_id="shop", user=alice)
    assert result(shop_server.exchange(code)) == "SUCCESS"


@pytest.mark.wire("5.1 REFERENCE_CLIENT_ID_NOT_MATCH")
@pytest.mark.wire("5.1 referenceClientId")
def test_a_reference_client_that_is_not_the_refresh_tokens_does_not_match(
    pair: dict[str, Any], shop_server: MerchantServer, audited: Audited, alice: User
) -> None:
    token = pair["refreshToken"]
    answer = shop_server.post(V1, grantType="REFRESH_TOKEN", refreshToken=token, referenceClientId="cafe")
    assert result(answer) == "REFERENCE_CLIENT_ID_NOT_MATCH"
    audited("REFERENCE_CLIENT_ID_NOT_MATCH", client_id="shop-client", app_id="shop", user=alice)
    assert result(shop_server.refresh(token)) == "SUCCESS"


@pytest.mark.wire("5.1 appId")
@pytest.mark.parametrize("named", ["shop2", "no-such-app"])
def test_an_app_id_that_is_not_the_codes_is_refused_and_named(
    code: str, shop_server: MerchantServer, shop: MiniProgram, audited: Audited, alice: User, named: str
) -> None:
    make_program("shop2", ["auth_base"], shop.merchant)
    answer = shop_server.post(V2, grantType="AUTHORIZATION_CODE", authCode=code, appId=named)
    assert result(answer) == "INVALID_AUTHCODE"
    assert answer["result"]["resultMessage"].startswith("appId: ")
    audited("INVALID_AUTHCODE", client_id="shop-client", app_id="shop", user=alice)
    pair = shop_server.exchange(code)
    assert result(pair) == "SUCCESS"
    answer = shop_server.post(V2, grantType="REFRESH_TOKEN", refreshToken=pair["refreshToken"], appId=named)
    assert result(answer) == "INVALID_REFRESH_TOKEN"
    assert answer["result"]["resultMessage"].startswith("appId: ")
    audited("INVALID_REFRESH_TOKEN", client_id="shop-client", app_id="shop", user=alice)
    assert result(shop_server.refresh(pair["refreshToken"])) == "SUCCESS"


def test_one_merchant_exchanges_the_codes_of_all_its_mini_programs(
    alices: Container, shop: MiniProgram, shop_server: MerchantServer
) -> None:
    make_program("shop2", ["auth_base"], shop.merchant)
    assert result(shop_server.exchange(alices.code("shop2", ["auth_base"]))) == "SUCCESS"


# --- Refresh ------------------------------------------------------------------------------------------------------


@pytest.mark.wire("5.1 refresh rotates")
@BOTH
def test_a_refresh_gives_a_new_pair_and_the_old_one_dies(
    pair: dict[str, Any], shop_server: MerchantServer, audited: Audited, path: str
) -> None:
    renewed = shop_server.refresh(pair["refreshToken"], path)
    assert result(renewed) == "SUCCESS"
    assert renewed["customerId"] == pair["customerId"]
    assert {renewed["accessToken"], renewed["refreshToken"]}.isdisjoint({pair["accessToken"], pair["refreshToken"]})
    assert result(shop_server.user_info(pair["accessToken"])) == "INVALID_ACCESS_TOKEN"
    audited("INVALID_ACCESS_TOKEN", client_id="shop-client", app_id="shop")
    assert shop_server.user_info(renewed["accessToken"])["userInfo"]["nickName"] == "Alice"


@pytest.mark.wire("5.1 INVALID_REFRESH_TOKEN")
@pytest.mark.trust(14)
@BOTH
def test_an_unknown_refresh_token_and_another_clients_look_alike(
    pair: dict[str, Any], shop_server: MerchantServer, cafe_server: MerchantServer, audited: Audited, path: str
) -> None:
    unknown = cafe_server.refresh("no-such-token", path)
    assert result(unknown) == "INVALID_REFRESH_TOKEN"
    audited("INVALID_REFRESH_TOKEN", client_id="cafe-client", user=None)
    assert cafe_server.refresh(pair["refreshToken"], path) == unknown
    audited("INVALID_REFRESH_TOKEN", client_id="cafe-client", user=None, app_id="")
    assert result(shop_server.refresh(pair["refreshToken"], path)) == "SUCCESS"


@pytest.mark.parametrize("kind", ["access token", "code"])
def test_an_access_token_or_a_code_is_no_refresh_token(
    pair: dict[str, Any], code: str, shop_server: MerchantServer, audited: Audited, kind: str
) -> None:
    wrong = pair["accessToken"] if kind == "access token" else code
    assert result(shop_server.refresh(wrong)) == "INVALID_REFRESH_TOKEN"
    audited("INVALID_REFRESH_TOKEN", client_id="shop-client")


@pytest.mark.wire("5.1 USED_REFRESH_TOKEN")
@pytest.mark.trust(3)
@BOTH
def test_a_rotated_refresh_token_used_again_revokes_the_family(
    pair: dict[str, Any], alices: Container, shop_server: MerchantServer, alice: User, audited: Audited, path: str
) -> None:
    other = shop_server.exchange(alices.code("shop", ["auth_base"]))
    second = shop_server.refresh(pair["refreshToken"], path)
    third = shop_server.refresh(second["refreshToken"], path)
    assert result(shop_server.refresh(pair["refreshToken"], path)) == "USED_REFRESH_TOKEN"
    audited("USED_REFRESH_TOKEN", client_id="shop-client", app_id="shop", user=alice)
    assert dead(shop_server, third)
    audited("INVALID_REFRESH_TOKEN", app_id="shop", user=alice)
    assert result(shop_server.refresh(second["refreshToken"], path)) == "USED_REFRESH_TOKEN"
    # Alice's other sign-in at the same mini-program goes on.
    assert result(shop_server.user_info(other["accessToken"])) == "SUCCESS"


@pytest.mark.wire("5.1 EXPIRED_REFRESH_TOKEN")
@pytest.mark.trust(8)
@BOTH
def test_a_refresh_token_dies_of_idleness(
    pair: dict[str, Any], shop_server: MerchantServer, alice: User, audited: Audited, path: str
) -> None:
    RefreshToken.objects.update(created=timezone.now() - timedelta(days=30, seconds=1))
    assert result(shop_server.refresh(pair["refreshToken"], path)) == "EXPIRED_REFRESH_TOKEN"
    audited("EXPIRED_REFRESH_TOKEN", client_id="shop-client", app_id="shop", user=alice)
    RefreshToken.objects.update(created=timezone.now() - timedelta(days=29))
    assert result(shop_server.refresh(pair["refreshToken"], path)) == "SUCCESS"


def age_family(days: int) -> None:
    """Move the sign-in behind every token so many days into the past: it stands in the UUIDv7 of its family."""
    for row in RefreshToken.objects.all():
        assert row.token_family is not None
        earlier = uuid.UUID(int=row.token_family.int - (days * 86_400_000 << 80))
        RefreshToken.objects.filter(pk=row.pk).update(token_family=earlier)
        AuthCode.objects.filter(token_family=row.token_family).update(token_family=earlier)


@pytest.mark.wire("5.1 EXPIRED_REFRESH_TOKEN")
@pytest.mark.trust(8)
def test_a_refresh_token_dies_at_an_absolute_age_even_if_used_daily(
    pair: dict[str, Any], shop_server: MerchantServer, alice: User, audited: Audited
) -> None:
    age_family(days=179)
    pair = shop_server.refresh(pair["refreshToken"])
    left = datetime.fromisoformat(pair["refreshTokenExpiryTime"]) - datetime.now(UTC)
    assert timedelta(hours=23) < left <= timedelta(days=1)  # the absolute age comes before the idle time
    age_family(days=1)
    assert result(shop_server.refresh(pair["refreshToken"])) == "EXPIRED_REFRESH_TOKEN"
    audited("EXPIRED_REFRESH_TOKEN", client_id="shop-client", app_id="shop", user=alice)


@pytest.mark.trust(9)
def test_a_refresh_never_widens(pair: dict[str, Any], alices: Container, shop_server: MerchantServer) -> None:
    alices.code("shop", ["USER_GENDER"])  # the grant is wider now than the token
    renewed = shop_server.post(
        V2, grantType="REFRESH_TOKEN", refreshToken=pair["refreshToken"], scopes=["USER_GENDER"], scope="USER_GENDER"
    )
    info = shop_server.user_info(renewed["accessToken"])["userInfo"]
    assert set(info) == {"userId", "nickName"}


# --- The next call feels it ---------------------------------------------------------------------------------------


def end(how: str, alice: User, shop: MiniProgram, olga: User) -> None:
    if how == "suspend the mini-program":
        MiniProgram.objects.filter(pk=shop.pk).update(status=MiniProgram.Status.SUSPENDED)
    elif how == "take the feature away":
        MiniProgram.objects.filter(pk=shop.pk).update(features=["Send_Message"])
    elif how == "freeze the user":
        User.objects.filter(pk=alice.pk).update(status=User.Status.FROZEN)
    elif how == "lock the user out":
        User.objects.filter(pk=alice.pk).update(is_active=False)
    else:
        MiniProgramGrant.objects.get(user=alice).revoke(by=olga, reason="a complaint")


@pytest.mark.wire("3 ACCESS_DENIED")
@pytest.mark.trust(10)
@pytest.mark.parametrize(
    ("how", "on_exchange", "on_refresh"),
    [
        ("suspend the mini-program", "ACCESS_DENIED", "ACCESS_DENIED"),
        ("take the feature away", "ACCESS_DENIED", "ACCESS_DENIED"),
        ("freeze the user", "USER_STATUS_ERROR", "USER_STATUS_ERROR"),
        ("lock the user out", "USER_STATUS_ERROR", "USER_STATUS_ERROR"),
        ("revoke the grant", "INVALID_AUTHCODE", "INVALID_REFRESH_TOKEN"),
    ],
)
def test_the_next_exchange_and_refresh_feel_it(
    code: str,
    alices: Container,
    shop_server: MerchantServer,
    alice: User,
    shop: MiniProgram,
    olga: User,
    audited: Audited,
    how: str,
    on_exchange: str,
    on_refresh: str,
) -> None:
    pair = shop_server.exchange(alices.code("shop", ["auth_base"]))
    end(how, alice, shop, olga)
    assert result(shop_server.exchange(code)) == on_exchange
    audited(on_exchange, client_id="shop-client", app_id="shop", user=alice)
    assert result(shop_server.refresh(pair["refreshToken"])) == on_refresh
    audited(on_refresh, client_id="shop-client", app_id="shop", user=alice)


def test_a_suspension_burns_nothing(
    code: str, shop_server: MerchantServer, shop: MiniProgram, audited: Audited
) -> None:
    MiniProgram.objects.update(status=MiniProgram.Status.SUSPENDED)
    answer = shop_server.exchange(code)
    assert result(answer) == "ACCESS_DENIED"
    assert "suspended" in answer["result"]["resultMessage"]
    audited("ACCESS_DENIED", app_id="shop")
    MiniProgram.objects.update(status=MiniProgram.Status.ACTIVE)
    assert result(shop_server.exchange(code)) == "SUCCESS"


# --- Secrets ------------------------------------------------------------------------------------------------------


def every_cell() -> str:
    """Every value of every table, as text."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            found += [repr(row) for row in cursor.fetchall()]
    assert len(found) > len(list(apps.get_models()))
    return "\n".join(found)


@pytest.mark.trust(6)
def test_no_code_or_token_stands_in_any_table(
    code: str, shop_server: MerchantServer, alices: Container, audited: Audited
) -> None:
    pair = shop_server.exchange(code)
    renewed = shop_server.refresh(pair["refreshToken"])
    unused = alices.code("shop", ["auth_base"])
    shop_server.exchange(code)  # refused and audited
    audited("USED_AUTHCODE")
    shop_server.post("/v1/authorizations/query", accessToken=renewed["accessToken"])
    dump = every_cell()
    assert "shop-client" in dump
    secrets = [code, unused, *(p[name] for p in (pair, renewed) for name in ("accessToken", "refreshToken"))]
    assert [secret for secret in secrets if secret in dump] == []


@pytest.mark.trust(7)
def test_no_code_or_token_or_signature_is_logged_or_audited(
    code: str, shop_server: MerchantServer, caplog: pytest.LogCaptureFixture, settings: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = {code}
    pair = shop_server.exchange(code)
    secrets |= {pair["accessToken"], pair["refreshToken"]}
    sent = shop_server.headers(V2, b"{}")
    secrets.add(sent["Signature"].split("signature=")[1])
    shop_server.send(V2, b"{}", **sent)
    shop_server.send(V2, b'{"a": 1}', **sent)
    shop_server.exchange(code)
    shop_server.refresh(pair["refreshToken"])
    shop_server.post(V2, grantType="AUTHORIZATION_CODE", authCode=code * 5)
    shop_server.send(V2, json.dumps({"authCode": code}).encode()[:-1])
    settings.ACCESS_TOKEN_LIFETIME = None  # our own fault, with a traceback in the log
    fresh = RefreshToken.objects.count()
    shop_server.post(V2, grantType="REFRESH_TOKEN", refreshToken=pair["refreshToken"])
    assert RefreshToken.objects.count() == fresh
    texts = [record.getMessage() + str(record.exc_text or "") for record in caplog.records]
    audit = [repr(row) for row in ErrorAudit.objects.values()]
    assert len(audit) >= 6
    names = [str(row) for model in (AuthCode, ErrorAudit) for row in model.objects.all()]
    for secret in secrets:
        assert not [text for text in texts + audit + names if secret in text]


# --- Our own faults -----------------------------------------------------------------------------------------------


@pytest.mark.wire("3 UNKNOWN_EXCEPTION")
@BOTH
def test_our_own_fault_is_u_shows_nothing_and_does_nothing(
    code: str, shop_server: MerchantServer, settings: Any, audited: Audited, path: str
) -> None:
    """A setting of the wrong type breaks the exchange in its middle: the code must not be burnt."""
    lifetime, settings.ACCESS_TOKEN_LIFETIME = settings.ACCESS_TOKEN_LIFETIME, None
    answer = shop_server.exchange(code, path)
    assert answer["result"]["resultStatus"] == "U"
    assert answer["result"]["resultCode"] == "UNKNOWN_EXCEPTION"
    assert "TypeError" not in answer["result"]["resultMessage"]
    audited("UNKNOWN_EXCEPTION", client_id="shop-client")
    assert not AccessToken.objects.exists()
    settings.ACCESS_TOKEN_LIFETIME = lifetime
    pair = shop_server.exchange(code, path)
    assert result(pair) == "SUCCESS"

    settings.ACCESS_TOKEN_LIFETIME = None
    assert shop_server.refresh(pair["refreshToken"], path)["result"]["resultCode"] == "UNKNOWN_EXCEPTION"
    audited("UNKNOWN_EXCEPTION", client_id="shop-client")
    settings.ACCESS_TOKEN_LIFETIME = lifetime
    assert result(shop_server.refresh(pair["refreshToken"], path)) == "SUCCESS"


# --- Cost ---------------------------------------------------------------------------------------------------------


def test_an_exchange_and_a_refresh_stay_cheap(
    code: str, shop_server: MerchantServer, django_assert_max_num_queries: Any
) -> None:
    """PostgreSQL: who calls, and the whole exchange. SQLite: among them 2 and 4 for savepoints, which stand for
    BEGIN and COMMIT inside a test's transaction."""
    exchange, refresh = (2, 2) if connection.vendor == "postgresql" else (9, 11)
    with django_assert_max_num_queries(exchange):
        pair = shop_server.exchange(code)
    with django_assert_max_num_queries(refresh):
        shop_server.refresh(pair["refreshToken"])
