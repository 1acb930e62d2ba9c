"""SCOPES_FILE: a deployment adds scopes and changes the built-in ones without a change of code (wire.md 1.1)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import Error
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from portal import scopes
from portal.checks import check_scopes_file
from portal.models import MiniProgram, User
from tests.conftest import Container
from tests.merchants import MerchantServer

KYC = """
[scopes.KYC_INFO]
label = "Verification level"
description = "How well we know you."
fields = ["kycLevel", "nickName"]
sensitive = true
icon = "badge-check"
"""

WriteScopes = Callable[[str], Path]


@pytest.fixture
def write_scopes(settings: Any, tmp_path: Path) -> WriteScopes:
    def write(toml: str) -> Path:
        path = tmp_path / "scopes.toml"
        path.write_text(toml)
        settings.SCOPES_FILE = str(path)
        return path

    return write


def approve(shop: MiniProgram, scope: str) -> None:
    shop.scope_approvals.create(scope=scope, purpose="To raise your limit", state="APPROVED")


@pytest.mark.wire("1.1 scope names are the host's to define")
def test_a_new_scope_asks_and_opens_fields_of_its_own(
    write_scopes: WriteScopes,
    alices: Container,
    alice: User,
    shop: MiniProgram,
    shop_server: MerchantServer,
) -> None:
    write_scopes(KYC)
    approve(shop, "KYC_INFO")
    User.objects.filter(pk=alice.pk).update(extra={"kycLevel": "LEVEL_2", "salary": "secret"})
    asked = alices.get_auth_code("shop", ["KYC_INFO"])
    shown = alices.http.get(f"/v1/authorizations/consents/{asked['consentId']}").json()
    assert shown["scopes"] == [
        {
            "scope": "KYC_INFO",
            "label": "Verification level",
            "description": "How well we know you.",
            "purpose": "To raise your limit",
            "required": False,
            "preview": ["LEV•••", "Al•••"],
            "hasValue": True,
            "sensitive": True,
            "changed": False,
            "previousPurpose": None,
            "maxDays": None,
        }
    ]
    page = alices.http.get(f"/consent/{asked['consentId']}/")
    assert "Verification level" in page.content.decode()
    pair = shop_server.exchange(alices.decide(asked["consentId"], ["KYC_INFO"])["authCode"])
    info = shop_server.user_info(pair["accessToken"])["userInfo"]
    assert info == {"userId": pair["customerId"], "kycLevel": "LEVEL_2", "nickName": "Alice"}


@pytest.mark.wire("5.2 a granted field without a value is omitted")
@pytest.mark.parametrize("extra", [{}, {"kycLevel": None}, {"kycLevel": ""}])
def test_a_host_field_without_value_is_omitted(
    write_scopes: WriteScopes,
    alices: Container,
    shop: MiniProgram,
    shop_server: MerchantServer,
    extra: dict[str, Any],
) -> None:
    write_scopes(KYC)
    approve(shop, "KYC_INFO")
    User.objects.update(extra=extra)
    pair = shop_server.exchange(alices.code("shop", ["KYC_INFO"]))
    assert set(shop_server.user_info(pair["accessToken"])["userInfo"]) == {"userId", "nickName"}


@pytest.mark.wire("1.1 a deployment changes which are silent")
def test_a_built_in_scope_can_be_made_silent_and_keeps_the_rest(
    write_scopes: WriteScopes, alices: Container, shop: MiniProgram, shop_server: MerchantServer
) -> None:
    before = scopes.catalogue()["USER_LOGIN_ID"]
    write_scopes("[scopes.USER_LOGIN_ID]\nsilent = true\n")
    after = scopes.catalogue()["USER_LOGIN_ID"]
    assert (after.silent, after.label, after.fields) == (True, before.label, before.fields)
    answer = alices.get_auth_code("shop", ["USER_LOGIN_ID"])
    assert answer["authSuccessScopes"] == ["USER_LOGIN_ID"]
    info = shop_server.user_info(shop_server.exchange(answer["authCode"])["accessToken"])["userInfo"]
    assert info["loginIdInfos"][0]["maskLoginId"] == "63-9****4567"


def test_a_silent_scope_can_be_made_to_ask(write_scopes: WriteScopes, alices: Container, shop: MiniProgram) -> None:
    write_scopes("[scopes.auth_base]\nsilent = false\n")
    assert alices.get_auth_code("shop")["error"] == 2001


def test_without_a_file_the_catalogue_is_the_built_in_one(settings: Any) -> None:
    settings.SCOPES_FILE = ""
    assert list(scopes.catalogue()) == [scope.name for scope in scopes.BUILT_IN]
    assert check_scopes_file(None) == []


def test_a_scope_taken_out_of_the_file_is_unknown_again_and_opens_nothing(
    write_scopes: WriteScopes, settings: Any, alices: Container, shop: MiniProgram, shop_server: MerchantServer
) -> None:
    write_scopes(KYC)
    approve(shop, "KYC_INFO")
    User.objects.update(extra={"kycLevel": "LEVEL_2"})
    pair = shop_server.exchange(alices.code("shop", ["auth_base", "KYC_INFO"]))
    settings.SCOPES_FILE = ""
    assert alices.get_auth_code("shop", ["auth_base", "KYC_INFO"])["authErrorScopes"] == {"KYC_INFO": "10001"}
    assert shop_server.user_info(pair["accessToken"])["userInfo"] == {"userId": pair["customerId"]}


BAD = [
    ('[scopes."KYC INFO"]\nlabel = "x"', ["KYC INFO"]),
    ("[scopes.KYC_INFO]\nsilent = true", ["KYC_INFO", "label"]),
    ('[scopes.KYC_INFO]\nlabel = ""', ["KYC_INFO", "label"]),
    ("[scopes.KYC_INFO]\nlabel = 7", ["KYC_INFO", "label"]),
    ('[scopes.KYC_INFO]\nlabel = "x"\ncolour = "red"', ["KYC_INFO", "colour", "label, description"]),
    ('[scopes.USER_NAME]\nsilent = "yes"', ["USER_NAME", "silent"]),
    ('[scopes.USER_NAME]\nfields = "nickName"', ["USER_NAME", "fields"]),
    ('[scopes.USER_NAME]\nfields = ["Nick Name"]', ["USER_NAME", "fields", "Nick Name"]),
    ("[scopes.USER_NAME]\nfields = [7]", ["USER_NAME", "fields", "7"]),
    ('[scopes.USER_NAME]\nfields = ["loginIdInfos"]', ["USER_NAME", "fields", "loginIdInfos"]),
    ('[scopes.USER_NAME]\nfields = ["birthday"]', ["USER_NAME", "fields", "birthday"]),
    ('[scopes.USER_NAME]\nicon = "no-such-icon"', ["USER_NAME", "icon", "no-such-icon"]),
    ("[scopes]\nUSER_NAME = 7", ["USER_NAME", "table"]),
    ("scopes = 7", ["[scopes.NAME]"]),
    ("", ["[scopes.NAME]"]),
    ("this is no TOML", ["scopes.toml", "line 1"]),
]


@pytest.mark.parametrize(("toml", "words"), BAD, ids=[words[-1] for _toml, words in BAD])
def test_a_bad_file_is_told_by_scope_and_key_at_manage_py_check(
    write_scopes: WriteScopes, toml: str, words: list[str]
) -> None:
    write_scopes(toml)
    errors = check_scopes_file(None)
    assert [(type(error), error.id) for error in errors] == [(Error, "portal.E001")]
    with pytest.raises(SystemCheckError) as refused:
        call_command("check")
    for word in words:
        assert word in str(refused.value)


def test_a_missing_file_is_told_at_manage_py_check(settings: Any, tmp_path: Path) -> None:
    settings.SCOPES_FILE = str(tmp_path / "nowhere.toml")
    with pytest.raises(SystemCheckError, match=r"nowhere\.toml"):
        call_command("check")
    with pytest.raises(ImproperlyConfigured, match=r"nowhere\.toml"):
        scopes.catalogue()


def test_a_file_that_is_no_utf8_is_told(write_scopes: WriteScopes) -> None:
    write_scopes("").write_bytes(b"\xff\xfe")
    with pytest.raises(SystemCheckError, match=r"SCOPES_FILE"):
        call_command("check")
