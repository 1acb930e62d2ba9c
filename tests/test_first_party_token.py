"""`manage.py issue_first_party_token`: the native app's bearer token for the container's API (wire.md 2)."""

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from oauth2_provider.models import AccessToken

from portal.models import MiniProgram, User
from tests.merchants import MerchantServer


def issue(login: str, **options: Any) -> str:
    out = io.StringIO()
    call_command("issue_first_party_token", login=login, stdout=out, **options)
    return out.getvalue()


def get_auth_code(token: str) -> Any:
    return Client(enforce_csrf_checks=True).post(
        "/v1/authorizations/getAuthCode",
        json.dumps({"appId": "shop", "scopes": ["auth_base"]}),
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )


@pytest.mark.parametrize(
    "login", ["alice", "alice@example.org", "Alice@Example.org", "+63 917 123 4567", "09171234567"]
)
def test_the_token_speaks_for_its_user(alice: User, shop: MiniProgram, login: str) -> None:
    printed = issue(login)
    assert printed.count("\n") == 1
    token = printed.strip()
    assert len(token) == 43

    answer = get_auth_code(token).json()
    assert len(answer["authCode"]) == 32
    assert AccessToken.objects.get().user == alice


@pytest.mark.trust(6)
def test_the_database_holds_only_a_hash(alice: User) -> None:
    token = issue("alice").strip()
    row = AccessToken.objects.filter().values().get()
    assert not [name for name, value in row.items() if token in str(value)]
    assert (row["application_id"], row["scope"]) == (None, "container")


def test_it_lives_as_long_as_was_said(alice: User, shop: MiniProgram) -> None:
    token = issue("alice", seconds=60).strip()
    row = AccessToken.objects.get()
    left = row.expires - timezone.now()
    assert timedelta(seconds=50) < left <= timedelta(seconds=60)
    assert get_auth_code(token).status_code == 200

    AccessToken.objects.update(expires=timezone.now())
    refused = get_auth_code(token)
    assert (refused.status_code, refused["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.trust(14)
def test_a_merchant_can_do_nothing_with_it(alice: User, shop_server: MerchantServer) -> None:
    token = issue("alice").strip()
    assert shop_server.user_info(token)["result"]["resultCode"] == "INVALID_ACCESS_TOKEN"


def test_an_unknown_login_is_refused(alice: User) -> None:
    with pytest.raises(CommandError, match="--login: nobody signs in with 'bob'"):
        issue("bob")
    assert not AccessToken.objects.exists()


def test_a_deactivated_account_is_refused(alice: User) -> None:
    User.objects.update(is_active=False)
    with pytest.raises(CommandError, match="--login: the account 'alice' is deactivated"):
        issue("alice")


@pytest.mark.parametrize("seconds", [0, -1, 10**9])
def test_a_senseless_lifetime_is_refused(alice: User, seconds: int) -> None:
    with pytest.raises(CommandError, match="--seconds must be from 1 to 31536000"):
        issue("alice", seconds=seconds)
    assert not AccessToken.objects.exists()


def test_the_login_must_be_named(db: None) -> None:
    with pytest.raises(CommandError, match="--login"):
        call_command("issue_first_party_token")
