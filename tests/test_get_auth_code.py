"""POST /v1/authorizations/getAuthCode: arguments, outcomes, refusals, callers (wire.md 1 and 2)."""

import base64
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from authapi.codes import digest
from authapi.models import AuthCode, ErrorAudit
from portal.models import Contact, MiniProgram, MiniProgramGrant, PendingConsent, ScopeApproval, User
from tests.conftest import EVERY_SCOPE, Container
from tests.merchants import MerchantServer

PATH = "/v1/authorizations/getAuthCode"
Audited = Callable[..., ErrorAudit]


def nothing_was_left_behind() -> bool:
    return not (PendingConsent.objects.exists() or MiniProgramGrant.objects.exists() or AuthCode.objects.exists())


# --- Arguments ------------------------------------------------------------------------------------------------


@pytest.mark.wire("1 scopes missing or null")
@pytest.mark.trust(16)
@pytest.mark.parametrize("body", [{"appId": "shop"}, {"appId": "shop", "scopes": None}])
def test_no_scopes_means_auth_base_alone(alices: Container, shop: MiniProgram, body: dict[str, Any]) -> None:
    answer = alices.post(PATH, body).json()
    assert answer["authSuccessScopes"] == ["auth_base"]
    assert list(MiniProgramGrant.objects.get().scopes) == ["auth_base"]


@pytest.mark.wire("1 scopes: a bare string counts as one scope")
def test_a_bare_string_is_one_scope(alices: Container, shop: MiniProgram) -> None:
    assert alices.get_auth_code("shop", "USER_ID")["authSuccessScopes"] == ["USER_ID"]


@pytest.mark.wire("1 scopes: anything else is error 2")
@pytest.mark.wire("1 error 2")
@pytest.mark.parametrize(
    ("scopes", "field"),
    [
        ([], "scopes"),
        ("", "scopes[0]"),
        (7, "scopes"),
        (True, "scopes"),
        ({"auth_base": True}, "scopes"),
        (["auth_base", 7], "scopes[1]"),
        (["auth_base", None], "scopes[1]"),
        ([["auth_base"]], "scopes[0]"),
        (["auth_base"] * 51, "scopes"),
        (["nul\0"], "scopes[0]"),
    ],
    ids=lambda value: str(value)[:20].replace("\0", "0"),
)
def test_scopes_of_the_wrong_type_are_error_2(
    alices: Container, shop: MiniProgram, audited: Audited, scopes: Any, field: str
) -> None:
    answer = alices.get_auth_code("shop", scopes)
    assert answer["error"] == 2
    assert answer["errorMessage"].startswith(f"Invalid parameters: {field}: ")
    assert answer["authErrorScopes"] == {}
    assert answer["authSuccessScopes"] == []
    assert "authCode" not in answer
    assert nothing_was_left_behind()
    audited("2", endpoint=PATH, app_id="shop")


@pytest.mark.wire("1 error 2: arguments of the wrong type")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{}", "appId"),
        (b'{"appId": null}', "appId"),
        (b'{"appId": ""}', "appId"),
        (b'{"appId": 7}', "appId"),
        (b'{"appId": ["shop"]}', "appId"),
        (b'{"appId": "' + b"x" * 129 + b'"}', "appId"),
        (b'{"appId": "shop", "consentId": 7}', "consentId"),
        (b'{"appId": "shop", "appId": "shop"}', "appId"),
        (b'{"appId": "shop"', "The body"),
        (b"[]", "The body"),
        (b"\xff", "The body"),
        (b'{"appId": "\\ud800"}', "The body"),
        (b"[" * 60_000, "The body"),
        (b'{"appId": "shop", "x": "' + b"x" * 70_000 + b'"}', "The body"),
    ],
    ids=lambda value: str(value)[:24].replace("\\", "").replace("\0", "0"),
)
@pytest.mark.trust(36)
def test_a_body_that_cannot_be_read_is_error_2(
    alices: Container, shop: MiniProgram, audited: Audited, alice: User, body: bytes, field: str
) -> None:
    response = alices.post(PATH, body)
    assert response.status_code == 200
    answer = response.json()
    assert answer["error"] == 2
    assert answer["errorMessage"].startswith(f"Invalid parameters: {field}")
    assert nothing_was_left_behind()
    audited("2", user=alice)


@pytest.mark.wire("3 unknown request fields are ignored")
@pytest.mark.trust(21)
def test_no_extra_argument_lowers_prompting(alices: Container, shop: MiniProgram) -> None:
    tricks = {"approval_prompt": "auto", "prompt": "none", "silent": True, "grantedScopes": ["USER_NAME"]}
    assert alices.get_auth_code("shop", ["USER_NAME"], **tricks)["error"] == 2001
    assert not AuthCode.objects.exists()


# --- Mini-programs --------------------------------------------------------------------------------------------


@pytest.mark.wire("1 error 2: appId unknown")
def test_an_unknown_app_id_is_error_2(alices: Container, audited: Audited, alice: User) -> None:
    answer = alices.get_auth_code("nobody")
    assert (answer["error"], answer["errorMessage"]) == (2, "Invalid parameters: appId is unknown.")
    audited("2", app_id="nobody", user=alice)


@pytest.mark.wire("1 error 2: appId suspended")
@pytest.mark.trust(10)
@pytest.mark.parametrize("what", ["program", "merchant", "feature"])
def test_a_suspended_mini_program_is_error_2(
    alices: Container, shop: MiniProgram, audited: Audited, what: str
) -> None:
    if what == "program":
        MiniProgram.objects.update(status="SUSPENDED")
    elif what == "merchant":
        type(shop.merchant).objects.update(status="DISABLED")
    else:
        MiniProgram.objects.update(features=["Send_Message"])
    answer = alices.get_auth_code("shop")
    assert answer["error"] == 2
    assert ("App_User_Authorization" if what == "feature" else "suspended") in answer["errorMessage"]
    assert nothing_was_left_behind()
    audited("2", app_id="shop")


# --- Scopes ---------------------------------------------------------------------------------------------------


@pytest.mark.wire("1 scope code 10001")
@pytest.mark.wire("1 a partial grant is a success")
def test_an_unknown_scope_is_10001_beside_a_granted_one(alices: Container, shop: MiniProgram) -> None:
    answer = alices.get_auth_code("shop", ["USER_SHOE_SIZE", "auth_base"])
    assert answer["authSuccessScopes"] == ["auth_base"]
    assert answer["authErrorScopes"] == {"USER_SHOE_SIZE": "10001"}
    assert len(answer["authCode"]) == 32


@pytest.mark.wire("1 scope code 40006")
@pytest.mark.trust(15)
@pytest.mark.parametrize("state", [None, ScopeApproval.State.REQUESTED, ScopeApproval.State.REFUSED])
def test_a_scope_that_is_not_approved_is_40006(alices: Container, cafe: MiniProgram, state: str | None) -> None:
    if state:
        cafe.scope_approvals.create(scope="USER_NAME", state=state)
    answer = alices.get_auth_code("cafe", ["auth_base", "USER_NAME"])
    assert answer["authSuccessScopes"] == ["auth_base"]
    assert answer["authErrorScopes"] == {"USER_NAME": "40006"}
    assert list(MiniProgramGrant.objects.get().scopes) == ["auth_base"]


@pytest.mark.wire("1 error 2: every asked scope is unknown or not allowed")
def test_only_unusable_scopes_are_error_2_and_named(
    alices: Container, cafe: MiniProgram, audited: Audited, alice: User
) -> None:
    answer = alices.get_auth_code("cafe", ["USER_SHOE_SIZE", "USER_NAME"])
    assert answer == {
        "error": 2,
        "errorMessage": "Invalid parameters: scopes: none is usable "
        "(USER_SHOE_SIZE: unknown; USER_NAME: not approved for this mini-program).",
        "authErrorScopes": {"USER_SHOE_SIZE": "10001", "USER_NAME": "40006"},
        "authSuccessScopes": [],
    }
    assert nothing_was_left_behind()
    audited("2", app_id="cafe", user=alice, scopes=["USER_SHOE_SIZE", "USER_NAME"])


@pytest.mark.wire("1 scope code 3")
def test_a_scope_whose_value_is_broken_is_3_and_the_rest_goes_on(
    alices: Container, alice: User, shop: MiniProgram
) -> None:
    Contact.objects.filter(user=alice, type="MOBILE_PHONE").update(value="broken")
    answer = alices.get_auth_code("shop", ["auth_base", "PLAINTEXT_MOBILE_PHONE"])
    assert answer["authSuccessScopes"] == ["auth_base"]
    assert answer["authErrorScopes"] == {"PLAINTEXT_MOBILE_PHONE": "3"}
    asked = alices.get_auth_code("shop", ["PLAINTEXT_MOBILE_PHONE", "USER_NAME"])
    assert asked["error"] == 2001
    assert asked["authErrorScopes"] == {"PLAINTEXT_MOBILE_PHONE": "3"}
    assert alices.decide(asked["consentId"], ["USER_NAME"])["authErrorScopes"] == {"PLAINTEXT_MOBILE_PHONE": "3"}


@pytest.mark.wire("1 error 3")
@pytest.mark.wire("1 scope code 3")
def test_only_broken_scopes_are_error_3(alices: Container, alice: User, shop: MiniProgram, audited: Audited) -> None:
    Contact.objects.filter(user=alice, type="MOBILE_PHONE").update(value="broken")
    answer = alices.get_auth_code("shop", ["PLAINTEXT_MOBILE_PHONE"])
    assert answer["error"] == 3
    assert answer["errorMessage"].startswith("Unknown error: ")
    assert answer["authErrorScopes"] == {"PLAINTEXT_MOBILE_PHONE": "3"}
    assert nothing_was_left_behind()
    audited("3", app_id="shop", user=alice, scopes=["PLAINTEXT_MOBILE_PHONE"])


@pytest.mark.wire("1 authSuccessScopes: in the order asked")
def test_granted_scopes_come_in_the_order_asked_each_once(alices: Container, shop: MiniProgram) -> None:
    asked = alices.get_auth_code("shop", ["USER_NAME", "auth_base", "USER_GENDER", "USER_NAME", "USER_ID"])
    answer = alices.decide(asked["consentId"], ["USER_GENDER", "USER_NAME"])
    assert answer["authSuccessScopes"] == ["USER_NAME", "auth_base", "USER_GENDER", "USER_ID"]
    assert answer["authErrorScopes"] == {}


PICTURE = "http://testserver/media/avatars/alice.png"
MASKED_LOGINS = [
    {"loginIdType": "MOBILE_PHONE", "maskLoginId": "63-9****4567"},
    {"loginIdType": "EMAIL", "maskLoginId": "a****@example.org"},
]
NAME = {"fullName": "Alice Reyes Santos", "firstName": "Alice", "middleName": "Reyes", "lastName": "Santos"}
PROFILE = {"nickName": "Alice", "userName": NAME, "gender": "F", "birthDate": "1994-03-12", "nationality": "PH"}
LOGINS_SHOWN = ["+63 ••• ••• 4567", "a•••@example.org"]
# scope: silent, what the sheet shows of it, what userInfo holds beside userId (wire.md 1.1).
SCOPES: dict[str, tuple[bool, list[str], dict[str, Any]]] = {
    "auth_base": (True, [], {}),
    "USER_ID": (True, [], {}),
    "auth_user": (
        False,
        ["Al•••", "Ali•••", "your picture", "Female", "12 March •••", "Philippines", *LOGINS_SHOWN],
        {**PROFILE, "status": "ACTIVE", "avatar": PICTURE, "loginIdInfos": MASKED_LOGINS},
    ),
    "SEND_MESSAGE": (False, [], {}),
    "USER_NICKNAME": (False, ["Al•••"], {"nickName": "Alice"}),
    "USER_NAME": (False, ["Ali•••"], {"userName": NAME}),
    "USER_LOGIN_ID": (False, LOGINS_SHOWN, {"loginIdInfos": MASKED_LOGINS}),
    "PLAINTEXT_USER_LOGIN_ID": (
        False,
        LOGINS_SHOWN,
        {
            "loginIdInfos": [
                {"loginIdType": "MOBILE_PHONE", "loginId": "63-9171234567"},
                {"loginIdType": "EMAIL", "loginId": "alice@example.org"},
            ]
        },
    ),
    "HASH_LOGIN_ID": (
        False,
        LOGINS_SHOWN,
        {
            "loginIdInfos": [  # sha256sum of 63-9171234567 and of alice@example.org
                {
                    "loginIdType": "MOBILE_PHONE",
                    "hashLoginId": "5f2e686451e431da484f0e7955d88afc1ee41e151e471caed4461fef277e8282",
                },
                {
                    "loginIdType": "EMAIL",
                    "hashLoginId": "7a64adf28737ea90719cbdf0b1a87a5effff3753b79c91d717f4f4153ead0498",
                },
            ]
        },
    ),
    "USER_AVATAR": (False, ["your picture"], {"avatar": PICTURE}),
    "USER_GENDER": (False, ["Female"], {"gender": "F"}),
    "USER_BIRTHDAY": (False, ["12 March •••"], {"birthDate": "1994-03-12"}),
    "USER_NATIONALITY": (False, ["Philippines"], {"nationality": "PH"}),
    "USER_CONTACTINFO": (
        False,
        ["+63 ••• ••• 4567", "+63 ••• ••• 1234", "a•••@example.org"],
        {
            "contactInfos": [
                {"contactType": "MOBILE_PHONE", "contactNo": "63-9****4567"},
                {"contactType": "TELEPHONE", "contactNo": "63-285551234"},
                {"contactType": "EMAIL", "contactNo": "alice@example.org"},
            ]
        },
    ),
    "USER_ADDRESS": (
        False,
        ["12 •••, Quezon City"],
        {"userAddresses": [{"label": "Home", "region": "PH", "city": "Quezon City", "address1": "12 Mabini Street"}]},
    ),
    "PLAINTEXT_MOBILE_PHONE": (
        False,
        ["+63 ••• ••• 4567"],
        {"contactInfos": [{"contactType": "MOBILE_PHONE", "contactNo": "63-9171234567"}]},
    ),
}


def test_the_table_below_names_every_scope() -> None:
    assert list(SCOPES) == EVERY_SCOPE


@pytest.mark.wire("1.1")
@pytest.mark.wire("5.2 userInfo")
@pytest.mark.trust(9, 22)
@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_asks_shows_and_opens_what_the_table_says(
    alices: Container, alice: User, shop: MiniProgram, shop_server: MerchantServer, scope: str
) -> None:
    silent, preview, opened = SCOPES[scope]
    alice.avatar.save("alice.png", SimpleUploadedFile("alice.png", b"png"))
    answer = alices.get_auth_code("shop", [scope])
    if not silent:
        assert answer["error"] == 2001
        shown = alices.http.get(f"/v1/authorizations/consents/{answer['consentId']}").json()
        assert [line["scope"] for line in shown["scopes"]] == [scope]
        assert shown["scopes"][0]["preview"] == preview
        answer = alices.decide(answer["consentId"], [scope])
    assert answer["authSuccessScopes"] == [scope]
    pair = shop_server.exchange(answer["authCode"])
    info = shop_server.user_info(pair["accessToken"])["userInfo"]
    assert info == {"userId": pair["customerId"], **opened}


@pytest.mark.wire("1.1 while the grant stands it is not asked again")
def test_a_granted_scope_is_not_asked_again(alices: Container, shop: MiniProgram) -> None:
    alices.code("shop", ["USER_NICKNAME"])
    assert alices.get_auth_code("shop", ["USER_NICKNAME", "auth_base"])["authSuccessScopes"] == [
        "USER_NICKNAME",
        "auth_base",
    ]
    assert PendingConsent.objects.count() == 1


@pytest.mark.wire("1.1 incremental consent")
@pytest.mark.trust(21)
def test_a_scope_beyond_the_grant_is_asked_alone(alices: Container, shop: MiniProgram) -> None:
    alices.code("shop", ["USER_NICKNAME"])
    asked = alices.get_auth_code("shop", ["USER_NICKNAME", "USER_NAME"])
    shown = alices.http.get(f"/v1/authorizations/consents/{asked['consentId']}").json()
    assert [line["scope"] for line in shown["scopes"]] == ["USER_NAME"]
    assert shown["alreadyGranted"] == ["Nickname"]
    answer = alices.decide(asked["consentId"], ["USER_NAME"])
    assert answer["authSuccessScopes"] == ["USER_NICKNAME", "USER_NAME"]


def test_a_withdrawn_scope_is_asked_again(alices: Container, alice: User, shop: MiniProgram) -> None:
    alices.code("shop", ["USER_NICKNAME"])
    MiniProgramGrant.objects.get().revoke(by=alice, scopes=["USER_NICKNAME"])
    assert alices.get_auth_code("shop", ["USER_NICKNAME"])["error"] == 2001


def test_a_grant_whose_time_ran_out_is_asked_for_again(alices: Container, shop: MiniProgram) -> None:
    alices.code("shop", ["USER_NICKNAME"])
    MiniProgramGrant.objects.update(expires_at=timezone.now())
    asked = alices.get_auth_code("shop", ["USER_NICKNAME"])
    assert asked["error"] == 2001
    assert alices.decide(asked["consentId"], ["USER_NICKNAME"])["authSuccessScopes"] == ["USER_NICKNAME"]
    assert MiniProgramGrant.objects.count() == 2


def test_a_grant_covers_its_own_user_and_mini_program_only(
    alices: Container, bobs: Container, shop: MiniProgram, cafe: MiniProgram
) -> None:
    alices.code("shop", ["USER_NICKNAME"])
    assert alices.get_auth_code("cafe", ["USER_NICKNAME"])["error"] == 2001
    assert bobs.get_auth_code("shop", ["USER_NICKNAME"])["error"] == 2001


# --- The outcomes ---------------------------------------------------------------------------------------------


@pytest.mark.wire("2 outcome: code")
def test_a_code_comes_with_its_scopes_and_nothing_else(alices: Container, shop: MiniProgram) -> None:
    response = alices.post(PATH, {"appId": "shop"})
    assert response.json() == {
        "authCode": response.json()["authCode"],
        "authSuccessScopes": ["auth_base"],
        "authErrorScopes": {},
    }
    assert response["Cache-Control"] == "no-store"
    assert len(response["Trace-Id"]) == 32
    assert not ErrorAudit.objects.exists()


@pytest.mark.wire("2 outcome: the user must be asked")
def test_a_question_says_where_to_ask_and_until_when(alices: Container, shop: MiniProgram) -> None:
    answer = alices.get_auth_code("shop", ["USER_NAME", "USER_SHOE_SIZE"])
    consent = PendingConsent.objects.get()
    assert answer == {
        "error": 2001,
        "errorMessage": "The user must be asked: show consentUrl.",
        "consentId": consent.pk,
        "consentUrl": f"http://testserver/consent/{consent.pk}/",
        "consentExpiryTime": consent.expires_at.isoformat(timespec="seconds"),
        "authErrorScopes": {"USER_SHOE_SIZE": "10001"},
    }
    assert consent.expires_at - consent.created <= timedelta(minutes=10)
    assert not MiniProgramGrant.objects.exists()


@pytest.mark.wire("2 outcome: failure")
@pytest.mark.wire("1 error 3")
def test_an_unforeseen_error_is_3_and_says_nothing_of_its_insides(
    alices: Container, shop: MiniProgram, audited: Audited
) -> None:
    MiniProgram.objects.update(features=7)  # no list: our code stumbles over it
    answer = alices.get_auth_code("shop")
    assert answer == {"error": 3, "errorMessage": "Unknown error", "authErrorScopes": {}, "authSuccessScopes": []}
    assert audited("3", app_id="shop").reason == "TypeError, see the log"


@pytest.mark.wire("2 authCode")
@pytest.mark.trust(5, 6)
def test_a_code_is_32_url_safe_characters_of_192_bits_kept_as_a_hash(alices: Container, shop: MiniProgram) -> None:
    codes = {alices.get_auth_code("shop")["authCode"] for _ in range(20)}
    assert len(codes) == 20
    for code in codes:
        assert re.fullmatch(r"[A-Za-z0-9_-]{32}", code)
        assert len(base64.urlsafe_b64decode(code)) * 8 >= 160
        assert AuthCode.objects.get(code=digest(code)).used_at is None
    stored = json.dumps(list(AuthCode.objects.values()), default=str)
    assert not [code for code in codes if code in stored]


@pytest.mark.wire("2 authCode: valid 5 minutes (setting)")
def test_a_code_lives_as_long_as_the_setting_says(alices: Container, shop: MiniProgram, settings: Any) -> None:
    alices.get_auth_code("shop")
    first = AuthCode.objects.latest("id")
    assert timedelta(seconds=299) < first.expires - first.created <= timedelta(seconds=300)
    settings.AUTH_CODE_LIFETIME = timedelta(seconds=7)
    alices.get_auth_code("shop")
    second = AuthCode.objects.latest("id")
    assert timedelta(seconds=6) < second.expires - second.created <= timedelta(seconds=7)
