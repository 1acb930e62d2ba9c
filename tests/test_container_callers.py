"""Who may call the container's API: a signed-in, active user with a CSRF token, or the native app (wire.md 2)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from oauth2_provider.models import AccessToken

from authapi.codes import digest
from authapi.models import AuthCode, ErrorAudit
from portal.models import MiniProgram, User
from tests.conftest import Container, make_program
from tests.merchants import MerchantServer
from tests.test_get_auth_code import nothing_was_left_behind

PATH = "/v1/authorizations/getAuthCode"
Audited = Callable[..., ErrorAudit]


def bearer(user: User, **fields: Any) -> str:
    """A token of the super-app's own native client."""
    token = f"first-party-token-of-{user.username}"
    row = {"scope": "container", "application": None, "expires": timezone.now() + timedelta(hours=1), **fields}
    AccessToken.objects.create(user=user, token="", token_checksum=digest(token), **row)
    return token


def native(token: str, body: Any) -> Any:
    """A call of the native app: no cookie, no CSRF token."""
    headers = {"Authorization": f"Bearer {token}"}
    return Client(enforce_csrf_checks=True).post(PATH, body, content_type="application/json", headers=headers)


@pytest.mark.wire("2 no user: HTTP 401")
@pytest.mark.trust(17)
def test_nobody_signed_in_is_401(container: Callable[..., Container], shop: MiniProgram, audited: Audited) -> None:
    response = container(None).post(PATH, {"appId": "shop"})
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert response.json()["error"] == 3
    assert nothing_was_left_behind()
    audited("401", endpoint=PATH, user=None)


@pytest.mark.trust(36)
@pytest.mark.parametrize(
    "kind",
    ["multipart/form-data", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "nonsense"],
)
def test_the_content_type_of_a_cookie_call_does_not_matter(alices: Container, shop: MiniProgram, kind: str) -> None:
    for body, outcome in ((b'{"appId": "shop"}', "authCode"), (b"x" * 100_000, "error"), (b"a=b", "error")):
        response = alices.http.generic("POST", PATH, body, kind, headers={"X-CSRFToken": "x" * 32})
        assert response.status_code == 200
        assert outcome in response.json()
        assert response.json().get("error") in (None, 2)  # 3 would be our fault


@pytest.mark.wire("2 missing CSRF token: HTTP 403")
@pytest.mark.trust(17)
@pytest.mark.parametrize("headers", [{}, {"X-CSRFToken": "y" * 32}], ids=["missing", "wrong"])
def test_a_cookie_call_without_its_csrf_token_is_403(
    alices: Container, shop: MiniProgram, audited: Audited, headers: dict[str, str]
) -> None:
    response = alices.http.post(PATH, {"appId": "shop"}, content_type="application/json", headers=headers)
    assert response.status_code == 403
    assert response.json()["error"] == 3
    assert nothing_was_left_behind()
    assert "CSRF" in audited("403", endpoint=PATH).reason


@pytest.mark.wire("2 a user who is not ACTIVE: error 3")
@pytest.mark.trust(10, 17)
@pytest.mark.parametrize(("status", "word"), [("FROZEN", "frozen"), ("INACTIVE", "inactive")])
def test_a_user_who_is_not_active_is_error_3_and_told_so(
    alices: Container, alice: User, shop: MiniProgram, audited: Audited, status: str, word: str
) -> None:
    alices.code("shop", ["USER_NICKNAME"])
    User.objects.update(status=status)
    answer = alices.get_auth_code("shop", ["USER_NICKNAME"])
    assert answer["error"] == 3
    assert answer["errorMessage"] == (f"Unknown error: the user's account is {word}, so nothing can be authorized.")
    assert AuthCode.objects.count() == 1
    audited("3", app_id="shop", user=alice)


@pytest.mark.trust(17)
def test_a_closed_account_is_nobody(alices: Container, shop: MiniProgram, audited: Audited) -> None:
    User.objects.update(is_active=False)
    assert alices.post(PATH, {"appId": "shop"}).status_code == 401
    audited("401")


@pytest.mark.wire("2 bearer token of the first-party client")
def test_the_native_app_calls_with_its_bearer_token_and_no_csrf_token(alice: User, shop: MiniProgram) -> None:
    response = native(bearer(alice), {"appId": "shop"})
    assert response.status_code == 200
    assert response.json()["authSuccessScopes"] == ["auth_base"]
    assert AuthCode.objects.get().user == alice


@pytest.mark.wire("2 no user: HTTP 401")
@pytest.mark.parametrize("kind", ["merchant's", "expired", "garbage", "empty", "other scope", "no person", "closed"])
def test_any_other_bearer_token_is_401(
    kind: str, alices: Container, alice: User, shop: MiniProgram, shop_server: MerchantServer, audited: Audited
) -> None:
    token = bearer(alice)
    if kind == "merchant's":
        token = shop_server.exchange(alices.code("shop", ["auth_base"]))["accessToken"]
    elif kind == "expired":
        AccessToken.objects.update(expires=timezone.now())
    elif kind == "other scope":
        AccessToken.objects.update(scope="read container")
    elif kind == "no person":
        AccessToken.objects.update(user=None)
    elif kind == "closed":
        User.objects.update(is_active=False)
    else:
        token = {"garbage": "gàrbage\x80", "empty": ""}[kind]
    codes_before = AuthCode.objects.count()
    response = native(token, {"appId": "shop"})
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert AuthCode.objects.count() == codes_before
    row = audited("401", endpoint=PATH, user=None)
    assert not token or token not in row.reason


def test_a_bearer_token_counts_before_the_cookie(alices: Container, bob: User, shop: MiniProgram) -> None:
    alices.post(PATH, {"appId": "shop"}, Authorization=f"Bearer {bearer(bob)}")
    assert AuthCode.objects.get().user == bob


@pytest.mark.trust(17)
@pytest.mark.parametrize("method", ["post", "options", "get"])
def test_no_answer_opens_cors(alices: Container, shop: MiniProgram, method: str) -> None:
    origin = {"Origin": "http://shop.localhost:9000", "Access-Control-Request-Method": "POST"}
    if method == "post":
        response = alices.post(PATH, {"appId": "shop"}, **origin)
    else:
        response = getattr(alices.http, method)(PATH, headers=origin)
    assert response.status_code in (200, 403, 405)
    assert not [name for name in response.headers if name.lower().startswith("access-control-")]


def test_another_method_is_405(alices: Container, audited: Audited) -> None:
    assert alices.http.get(PATH).status_code == 405
    audited("405", endpoint=PATH)


def test_the_answer_is_json_whatever_the_caller_accepts(alices: Container, shop: MiniProgram) -> None:
    response = alices.post(PATH, {"appId": "shop"}, Accept="text/html")
    assert response["Content-Type"] == "application/json"


def test_a_silent_call_of_the_native_app_stays_within_its_statements(
    alice: User, django_assert_max_num_queries: Any
) -> None:
    make_program("kiosk", ["auth_base"])
    token = bearer(alice)
    assert "authCode" in native(token, {"appId": "kiosk"}).json()  # the grant is made
    with django_assert_max_num_queries(3):  # token and user, mini-program and grant, code
        assert "authCode" in native(token, {"appId": "kiosk"}).json()
