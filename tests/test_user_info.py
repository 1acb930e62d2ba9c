"""`inquiryUserInfo`: what a token may see of the user, scope by scope (wire.md 5.2)."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone
from oauth2_provider.models import AccessToken
from PIL import Image

from authapi.models import ErrorAudit
from portal.models import LoginId, Merchant, MiniProgram, MiniProgramGrant, ScopeApproval, User
from tests.conftest import Container
from tests.merchants import MerchantServer

V1 = "/v1/users/inquiryUserInfo"
V2 = "/v2/users/inquiryUserInfo"
BY_ACCESS_TOKEN = "/v1/customers/user/inquiryUserInfoByAccessToken"
CUSTOMERS = "/v2/customers/user/inquiryUserInfo"
PATHS = pytest.mark.parametrize("path", [V1, V2, BY_ACCESS_TOKEN, CUSTOMERS])
Audited = Callable[..., ErrorAudit]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


MASKED = [
    {"loginIdType": "MOBILE_PHONE", "maskLoginId": "63-9****4567"},
    {"loginIdType": "EMAIL", "maskLoginId": "a****@example.org"},
]
ALICE_NAME = {
    "fullName": "Alice Reyes Santos",
    "firstName": "Alice",
    "middleName": "Reyes",
    "lastName": "Santos",
}
# What each scope shows of Alice beside userId, on v2.
OPENS: dict[str, dict[str, Any]] = {
    "auth_base": {},
    "USER_ID": {},
    "SEND_MESSAGE": {},
    "auth_user": {
        "status": "ACTIVE",
        "nickName": "Alice",
        "userName": ALICE_NAME,
        "avatar": "http://testserver/media/avatars/alice.png",
        "gender": "F",
        "birthDate": "1994-03-12",
        "nationality": "PH",
        "loginIdInfos": MASKED,
    },
    "USER_NICKNAME": {"nickName": "Alice"},
    "USER_NAME": {"userName": ALICE_NAME},
    "USER_LOGIN_ID": {"loginIdInfos": MASKED},
    "PLAINTEXT_USER_LOGIN_ID": {
        "loginIdInfos": [
            {"loginIdType": "MOBILE_PHONE", "loginId": "63-9171234567"},
            {"loginIdType": "EMAIL", "loginId": "alice@example.org"},
        ]
    },
    "HASH_LOGIN_ID": {
        "loginIdInfos": [
            {"loginIdType": "MOBILE_PHONE", "hashLoginId": sha256("63-9171234567")},
            {"loginIdType": "EMAIL", "hashLoginId": sha256("alice@example.org")},
        ]
    },
    "USER_AVATAR": {"avatar": "http://testserver/media/avatars/alice.png"},
    "USER_GENDER": {"gender": "F"},
    "USER_BIRTHDAY": {"birthDate": "1994-03-12"},
    "USER_NATIONALITY": {"nationality": "PH"},
    "USER_CONTACTINFO": {
        "contactInfos": [
            {"contactType": "MOBILE_PHONE", "contactNo": "63-9****4567"},
            {"contactType": "TELEPHONE", "contactNo": "63-285551234"},
            {"contactType": "EMAIL", "contactNo": "alice@example.org"},
        ]
    },
    "USER_ADDRESS": {
        "userAddresses": [
            {
                "label": "Home",
                "region": "PH",
                "state": "Metro Manila",
                "city": "Quezon City",
                "address1": "12 Mabini Street",
                "address2": "Unit 4B",
                "zipCode": "1100",
            }
        ]
    },
    "PLAINTEXT_MOBILE_PHONE": {"contactInfos": [{"contactType": "MOBILE_PHONE", "contactNo": "63-9171234567"}]},
}


@pytest.fixture
def whole_alice(alice: User) -> User:
    """Alice with a picture and a complete address."""
    picture = BytesIO()
    Image.new("RGB", (1, 1)).save(picture, "PNG")
    alice.avatar.save("alice.png", ContentFile(picture.getvalue()))
    alice.addresses.update(state="Metro Manila", address2="Unit 4B", zip_code="1100")
    return alice


@pytest.fixture
def token(alices: Container, shop_server: MerchantServer) -> str:
    """Shop's access token for Alice's userId, nickname and gender."""
    code = alices.code("shop", ["auth_base", "USER_NICKNAME", "USER_GENDER"])
    return str(shop_server.exchange(code)["accessToken"])


def result(answer: dict[str, Any]) -> str:
    """The result code; a refusal carries nothing but its result."""
    code = str(answer["result"]["resultCode"])
    assert code == "SUCCESS" or list(answer) == ["result"]
    return code


def shown(server: MerchantServer, token: str, path: str = V2) -> set[str]:
    """Which fields the token shows, beside userId."""
    return set(server.user_info(token, path)["userInfo"]) - {"userId"}


# --- Scope by scope -----------------------------------------------------------------------------------------------


@pytest.mark.wire("5.2 userId")
@pytest.mark.parametrize(
    "scope",
    [
        pytest.param(scope, marks=[pytest.mark.wire(f"5.2 {name}") for name in (scope, *fields)])
        for scope, fields in OPENS.items()
    ],
)
def test_a_scope_opens_its_fields_and_no_others(
    whole_alice: User, alices: Container, shop_server: MerchantServer, scope: str
) -> None:
    pair = shop_server.exchange(alices.code("shop", [scope]))
    answer = shop_server.user_info(pair["accessToken"])
    assert list(answer) == ["result", "userInfo"]
    assert answer["userInfo"] == {"userId": pair["customerId"], **OPENS[scope]}


@pytest.mark.wire("5.2 birthDate")
@pytest.mark.wire("5.2 birthday")
@PATHS
def test_a_birthday_has_its_versions_name(alices: Container, shop_server: MerchantServer, path: str) -> None:
    token = shop_server.exchange(alices.code("shop", ["USER_BIRTHDAY"]))["accessToken"]
    name = "birthday" if path.startswith("/v1") else "birthDate"
    info = shop_server.user_info(token, path)["userInfo"]
    assert {key: value for key, value in info.items() if key != "userId"} == {name: "1994-03-12"}


@pytest.mark.wire("5.2 each form only with its scope")
def test_forms_of_a_login_id_stand_side_by_side(alices: Container, shop_server: MerchantServer) -> None:
    scopes = ["USER_LOGIN_ID", "PLAINTEXT_USER_LOGIN_ID", "HASH_LOGIN_ID"]
    token = shop_server.exchange(alices.code("shop", scopes))["accessToken"]
    assert shop_server.user_info(token)["userInfo"]["loginIdInfos"][0] == {
        "loginIdType": "MOBILE_PHONE",
        "loginId": "63-9171234567",
        "maskLoginId": "63-9****4567",
        "hashLoginId": sha256("63-9171234567"),
    }


@pytest.mark.wire("5.2 contactInfos with PLAINTEXT_MOBILE_PHONE")
def test_a_mobile_is_in_full_when_both_contact_scopes_are_granted(
    alices: Container, shop_server: MerchantServer
) -> None:
    token = shop_server.exchange(alices.code("shop", ["USER_CONTACTINFO", "PLAINTEXT_MOBILE_PHONE"]))["accessToken"]
    numbers = [row["contactNo"] for row in shop_server.user_info(token)["userInfo"]["contactInfos"]]
    assert numbers == ["63-9171234567", "63-285551234", "alice@example.org"]


@pytest.mark.wire("5.2 phones CC-number, masked")
def test_a_phone_is_written_as_the_wire_says(bobs: Container, bob: User, shop_server: MerchantServer) -> None:
    LoginId.objects.create(user=bob, type="OTHER", value="bobby88")
    scopes = ["USER_LOGIN_ID", "PLAINTEXT_USER_LOGIN_ID"]
    token = shop_server.exchange(bobs.code("shop", scopes))["accessToken"]
    phone, email, other = shop_server.user_info(token)["userInfo"]["loginIdInfos"]
    assert (phone["loginId"], phone["maskLoginId"]) == ("27-609000084", "27-6****0084")
    assert email["maskLoginId"] == "b****@example.org"
    assert other == {"loginIdType": "OTHER", "loginId": "bobby88", "maskLoginId": "b****"}


@pytest.mark.wire("5.2 a granted field without a value is omitted")
def test_fields_without_a_value_are_omitted(shop: MiniProgram, shop_server: MerchantServer, db: None) -> None:
    carol = User.objects.create_user("carol")
    every = [scope for scope in OPENS if scope != "SEND_MESSAGE"]
    token = shop_server.exchange(Container(carol).code("shop", every))["accessToken"]
    for path in (V1, V2):
        info = shop_server.user_info(token, path)["userInfo"]
        assert set(info) == {"userId", "status"}


@pytest.mark.wire("5.2 lengths")
def test_the_longest_values_fit(alice: User, alices: Container, shop_server: MerchantServer) -> None:
    longest = {"first_name": "F" * 32, "middle_name": "M" * 32, "last_name": "L" * 32, "nickname": "\U0001f600" * 256}
    User.objects.filter(pk=alice.pk).update(**longest)
    alice.login_ids.create(type="OTHER", value="o" * 64)
    scopes = ["auth_user", "USER_NAME", "USER_LOGIN_ID", "PLAINTEXT_USER_LOGIN_ID", "HASH_LOGIN_ID"]
    info = shop_server.user_info(shop_server.exchange(alices.code("shop", scopes))["accessToken"])["userInfo"]
    assert len(info["userId"]) <= 64
    assert len(info["nickName"]) == 256
    assert len(info["userName"]["fullName"]) <= 128
    for row in info["loginIdInfos"]:
        assert len(row["loginId"]) <= 64
        assert len(row["maskLoginId"]) <= 64
        assert len(row["hashLoginId"]) == 64


@pytest.mark.wire("5.2 scalars are strings, optional fields omitted, never empty")
def test_no_value_is_empty_or_other_than_text(
    whole_alice: User, alices: Container, shop_server: MerchantServer
) -> None:
    token = shop_server.exchange(alices.code("shop", list(OPENS)))["accessToken"]
    info = shop_server.user_info(token)["userInfo"]
    assert len(info) == 11
    leaves = list(info.values())
    while leaves:
        leaf = leaves.pop()
        if isinstance(leaf, (dict, list)):
            assert leaf
            leaves += leaf.values() if isinstance(leaf, dict) else leaf
        else:
            assert isinstance(leaf, str)
            assert leaf


@pytest.mark.wire("1.1 a deployment can add scopes")
def test_a_scope_of_the_host_opens_its_own_field(
    alice: User, alices: Container, shop: MiniProgram, shop_server: MerchantServer, settings: Any, tmp_path: Path
) -> None:
    file = tmp_path / "scopes.toml"
    file.write_text('[scopes.KYC_INFO]\nlabel = "Identity check"\nfields = ["kycLevel", "kycDate"]\n')
    settings.SCOPES_FILE = str(file)
    shop.scope_approvals.create(scope="KYC_INFO", purpose="To pay", state=ScopeApproval.State.APPROVED)
    User.objects.filter(pk=alice.pk).update(extra={"kycLevel": "2", "kycDate": "", "other": "hidden"})
    token = shop_server.exchange(alices.code("shop", ["auth_base", "KYC_INFO"]))["accessToken"]
    info = shop_server.user_info(token)["userInfo"]
    assert {key: value for key, value in info.items() if key != "userId"} == {"kycLevel": "2"}


# --- The request --------------------------------------------------------------------------------------------------


@pytest.mark.wire("5.2 paths")
@PATHS
def test_every_path_answers(token: str, shop_server: MerchantServer, path: str) -> None:
    answer = shop_server.post(
        path, accessToken=token, appId="shop", authClientId="shop-client", extendInfo={"a": "b"}, authState="x"
    )
    assert result(answer) == "SUCCESS"
    assert answer["userInfo"]["nickName"] == "Alice"


@pytest.mark.wire("5.2 accessToken")
@pytest.mark.parametrize("value", [None, "", "a" * 129, 12, ["a"]])
@PATHS
def test_a_bad_access_token_field_is_named(
    shop_server: MerchantServer, audited: Audited, path: str, value: Any
) -> None:
    answer = shop_server.post(path, accessToken=value, appId="shop")
    assert result(answer) == "PARAM_ILLEGAL"
    assert answer["result"]["resultMessage"].startswith("accessToken: ")
    audited("PARAM_ILLEGAL", client_id="shop-client", app_id="shop", endpoint=path)


@pytest.mark.wire("5.2 appId")
@PATHS
def test_an_app_id_that_is_not_the_tokens_is_refused_and_named(
    token: str, shop_server: MerchantServer, audited: Audited, path: str
) -> None:
    answer = shop_server.post(path, accessToken=token, appId="cafe")
    assert result(answer) == "INVALID_ACCESS_TOKEN"
    assert answer["result"]["resultMessage"].startswith("appId: ")
    audited("INVALID_ACCESS_TOKEN", client_id="shop-client", app_id="cafe")


# --- Refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.wire("5.2 INVALID_ACCESS_TOKEN")
@pytest.mark.trust(14)
@PATHS
def test_an_unknown_token_and_another_clients_look_alike(
    token: str, shop_server: MerchantServer, cafe_server: MerchantServer, audited: Audited, path: str
) -> None:
    unknown = cafe_server.user_info("no-such-token", path)
    assert result(unknown) == "INVALID_ACCESS_TOKEN"
    audited("INVALID_ACCESS_TOKEN", client_id="cafe-client", user=None)
    assert cafe_server.user_info(token, path) == unknown
    audited("INVALID_ACCESS_TOKEN", client_id="cafe-client", user=None, app_id="")
    AccessToken.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert cafe_server.user_info(token, path) == unknown


@pytest.mark.wire("5.2 INVALID_ACCESS_TOKEN")
@PATHS
def test_a_cancelled_token_is_invalid(
    token: str, shop_server: MerchantServer, alice: User, audited: Audited, path: str
) -> None:
    shop_server.post("/v1/authorizations/cancelToken", accessToken=token)
    assert result(shop_server.user_info(token, path)) == "INVALID_ACCESS_TOKEN"
    audited("INVALID_ACCESS_TOKEN", client_id="shop-client", app_id="shop", user=alice)


@pytest.mark.wire("5.2 EXPIRED_ACCESS_TOKEN")
@PATHS
def test_a_token_past_its_time_is_expired(
    token: str, shop_server: MerchantServer, alice: User, audited: Audited, path: str
) -> None:
    AccessToken.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert result(shop_server.user_info(token, path)) == "EXPIRED_ACCESS_TOKEN"
    audited("EXPIRED_ACCESS_TOKEN", client_id="shop-client", app_id="shop", user=alice)


@pytest.mark.wire("5.2 INVALID_AUTH_CLIENT")
@PATHS
def test_an_auth_client_that_did_not_sign_is_invalid(
    token: str, shop_server: MerchantServer, cafe: MiniProgram, audited: Audited, path: str
) -> None:
    answer = shop_server.post(path, accessToken=token, authClientId="cafe-client")
    assert result(answer) == "INVALID_AUTH_CLIENT"
    audited("INVALID_AUTH_CLIENT", client_id="shop-client")


@pytest.mark.wire("5.2 INVALID_AUTH_CLIENT_STATUS")
@PATHS
def test_a_disabled_merchant_sees_nothing(
    token: str, shop_server: MerchantServer, audited: Audited, path: str
) -> None:
    Merchant.objects.update(status=Merchant.Status.DISABLED)
    assert result(shop_server.user_info(token, path)) == "INVALID_AUTH_CLIENT_STATUS"
    audited("INVALID_AUTH_CLIENT_STATUS", client_id="shop-client")


@pytest.mark.wire("5.2 USER_STATUS_ERROR")
@pytest.mark.trust(10)
@pytest.mark.parametrize("change", [{"status": "FROZEN"}, {"status": "INACTIVE"}, {"is_active": False}])
def test_a_user_who_is_frozen_or_gone_is_felt_at_once(
    token: str, shop_server: MerchantServer, alice: User, audited: Audited, change: dict[str, Any]
) -> None:
    assert result(shop_server.user_info(token)) == "SUCCESS"
    User.objects.filter(pk=alice.pk).update(**change)
    assert result(shop_server.user_info(token)) == "USER_STATUS_ERROR"
    audited("USER_STATUS_ERROR", client_id="shop-client", app_id="shop", user=alice)
    User.objects.filter(pk=alice.pk).update(status="ACTIVE", is_active=True)
    assert result(shop_server.user_info(token)) == "SUCCESS"


@pytest.mark.wire("3 ACCESS_DENIED")
@pytest.mark.trust(10)
@pytest.mark.parametrize("change", [{"status": "SUSPENDED"}, {"features": ["Send_Message"]}, {"features": []}])
def test_a_suspended_mini_program_is_felt_at_once(
    token: str, shop_server: MerchantServer, alice: User, audited: Audited, change: dict[str, Any]
) -> None:
    MiniProgram.objects.filter(client_id="shop").update(**change)
    answer = shop_server.user_info(token)
    assert result(answer) == "ACCESS_DENIED"
    assert answer["result"]["resultMessage"].startswith("appId: shop ")
    audited("ACCESS_DENIED", client_id="shop-client", app_id="shop", user=alice)


# --- Token, grant and approval ------------------------------------------------------------------------------------


@pytest.mark.wire("5.2 returned = token's scopes, live grant, approval")
@pytest.mark.trust(9)
def test_a_token_shows_no_more_than_its_own_scopes(token: str, alices: Container, shop_server: MerchantServer) -> None:
    alices.code("shop", ["USER_BIRTHDAY"])  # widens the grant, not the token
    assert shown(shop_server, token) == {"nickName", "gender"}


@pytest.mark.wire("6 withdrawing one scope narrows the grant at once")
@pytest.mark.trust(9)
@pytest.mark.trust(10)
def test_a_withdrawn_scope_is_gone_at_the_next_call_and_back_when_given_again(
    token: str, alice: User, alices: Container, shop_server: MerchantServer
) -> None:
    grant = MiniProgramGrant.objects.get(user=alice)
    assert grant.revoke(by=alice, scopes=["USER_GENDER"])
    assert shown(shop_server, token) == {"nickName"}
    alices.code("shop", ["USER_GENDER"])
    assert shown(shop_server, token) == {"nickName", "gender"}


@pytest.mark.trust(9)
@pytest.mark.trust(10)
@pytest.mark.trust(15)
@pytest.mark.parametrize("state", [ScopeApproval.State.REFUSED, ScopeApproval.State.REQUESTED])
def test_a_disapproved_scope_is_gone_at_the_next_call(
    token: str, shop: MiniProgram, olga: User, shop_server: MerchantServer, state: ScopeApproval.State
) -> None:
    shop.scope_approvals.get(scope="USER_GENDER").decide(state, by=olga)
    assert shown(shop_server, token) == {"nickName"}


@pytest.mark.trust(15)
def test_a_mini_program_gets_only_scopes_on_its_own_list(
    alices: Container, cafe: MiniProgram, cafe_server: MerchantServer, alice: User
) -> None:
    """Not even when a grant or a token somehow holds more."""
    token = cafe_server.exchange(alices.code("cafe", ["USER_NICKNAME"]))["accessToken"]
    MiniProgramGrant.give(alice, cafe, ["USER_GENDER", "USER_ADDRESS"])
    AccessToken.objects.update(scope="USER_NICKNAME USER_GENDER USER_ADDRESS no_such_scope")
    assert shown(cafe_server, token) == {"nickName"}


@pytest.mark.trust(10)
def test_a_token_without_any_scope_left_is_invalid(
    token: str, shop: MiniProgram, alice: User, shop_server: MerchantServer, audited: Audited
) -> None:
    shop.scope_approvals.update(state=ScopeApproval.State.REFUSED)
    assert result(shop_server.user_info(token)) == "INVALID_ACCESS_TOKEN"
    audited("INVALID_ACCESS_TOKEN", client_id="shop-client", app_id="shop", user=alice)


@pytest.mark.wire("6 withdrawing the whole grant kills its tokens")
@pytest.mark.trust(10)
@pytest.mark.parametrize("who", ["alice", "olga"])
def test_a_revoked_grant_is_felt_at_once(
    token: str, alice: User, olga: User, alices: Container, shop_server: MerchantServer, audited: Audited, who: str
) -> None:
    MiniProgramGrant.objects.get(user=alice).revoke(by=alice if who == "alice" else olga)
    assert result(shop_server.user_info(token)) == "INVALID_ACCESS_TOKEN"
    audited("INVALID_ACCESS_TOKEN", client_id="shop-client", app_id="shop", user=alice)
    alices.code("shop", ["USER_NICKNAME"])  # a new grant does not bring the old token back
    assert result(shop_server.user_info(token)) == "INVALID_ACCESS_TOKEN"


@pytest.mark.trust(10)
def test_a_grant_past_its_time_is_felt_at_once(
    token: str, alice: User, shop_server: MerchantServer, audited: Audited
) -> None:
    MiniProgramGrant.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert result(shop_server.user_info(token)) == "INVALID_ACCESS_TOKEN"
    audited("INVALID_ACCESS_TOKEN", client_id="shop-client", app_id="shop", user=alice)


def test_a_change_of_the_profile_shows_at_the_next_call(token: str, alice: User, shop_server: MerchantServer) -> None:
    User.objects.filter(pk=alice.pk).update(nickname="Ally")
    assert shop_server.user_info(token)["userInfo"]["nickName"] == "Ally"


def test_a_call_costs_few_queries(
    token: str, alices: Container, shop_server: MerchantServer, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(3):
        shop_server.user_info(token)
    every = shop_server.exchange(alices.code("shop", list(OPENS)))["accessToken"]
    with django_assert_max_num_queries(3):
        shop_server.user_info(every)
