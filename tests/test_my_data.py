"""/profile/data/: everything the portal keeps about a person, in one file, for their password alone."""

import base64
import json
from datetime import date
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.models import (
    AbuseReport,
    AccessCount,
    Address,
    ConsentDecision,
    ConsentText,
    Contact,
    InboxNotice,
    LoginId,
    MiniProgram,
    MiniProgramGrant,
    User,
)
from tests.conftest import PASSWORD, Container, make_program, sign_in
from tests.pages import words

PAGE, FILE = "/profile/data/", "/profile/data/download/"


def download(browser: Client) -> dict[str, Any]:
    answer = press_download(browser)
    assert answer.status_code == 200
    found: dict[str, Any] = json.loads(answer.content)
    return found


def press_download(browser: Client, password: str = PASSWORD) -> Any:
    return browser.post(FILE, {"password": password})


@pytest.fixture
def lived(alices: Container, alice: User, olga: User, shop: MiniProgram, cafe: MiniProgram) -> User:
    """Alice allowed and withdrew; an operator stepped in; Shop looked; she reported Cafe."""
    alices.code("shop", ["auth_base", "USER_NICKNAME", "USER_BIRTHDAY"])
    alices.code("cafe", ["auth_base", "USER_NICKNAME"])
    shops = MiniProgramGrant.objects.get(mini_program=shop)
    shops.revoke(by=alice, scopes=["USER_BIRTHDAY"])
    AccessCount.add({(shops.pk, "USER_NICKNAME"): (14, timezone.now())})
    MiniProgramGrant.objects.get(mini_program=cafe).revoke(by=olga, reason="breach")
    AbuseReport.objects.create(user=alice, mini_program=cafe, kind="spam", words="Every hour!", closed_by=olga)
    return alice


def test_the_page_says_what_is_in_the_file(browser: Client) -> None:
    text = words(browser.get(PAGE))
    for part in ("Your profile, in full", "Your permissions", "Every decision", "Your inbox and your reports"):
        assert part in text


def test_both_need_a_sign_in(db: None) -> None:
    assert Client().get(PAGE)["Location"] == f"/accounts/login/?next={PAGE}"
    assert Client().post(FILE, {"password": PASSWORD})["Location"] == f"/accounts/login/?next={FILE}"


def test_the_profile_leads_there(browser: Client) -> None:
    html = browser.get("/profile/").content.decode()
    assert f'href="{PAGE}"' in html
    assert 'href="/profile/delete/"' in html


# --- The password -------------------------------------------------------------------------------------------------


def test_the_right_password_gives_a_file_that_nobody_keeps(browser: Client) -> None:
    answer = press_download(browser)
    assert answer["Content-Type"] == "application/json"
    assert answer["Content-Disposition"] == f'attachment; filename="my-data-{date.today()}.json"'
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize(
    ("password", "remedy"), [("wrong", "This is not your password."), ("", "Type your password.")]
)
def test_a_wrong_password_gives_the_page_again(browser: Client, password: str, remedy: str) -> None:
    answer = press_download(browser, password)
    assert answer.status_code == 422
    assert remedy in words(answer)
    assert "Content-Disposition" not in answer
    assert b"+639171234567" not in answer.content


@pytest.mark.trust(19)
def test_guessing_is_limited_together_with_signing_in(browser: Client, alice: User) -> None:
    assert {press_download(browser, "wrong").status_code for _ in range(10)} == {422}
    answer = press_download(browser)
    assert answer.status_code == 429
    assert 880 <= int(answer["Retry-After"]) <= 900
    assert "There were too many tries. Wait 15 minutes, then try again." in words(answer)
    assert Client().post("/accounts/login/", {"username": "alice", "password": PASSWORD}).status_code == 429


def test_a_kept_link_leads_to_the_page(browser: Client) -> None:
    assert browser.get(FILE)["Location"] == PAGE


def test_a_forged_form_gets_nothing(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    sign_in(client, alice)
    assert press_download(client).status_code == 403


# --- What is in it ------------------------------------------------------------------------------------------------


def test_the_profile_is_there_in_full(browser: Client, alice: User) -> None:
    alice.extra = {"loyaltyLevel": 3}
    alice.avatar.save("a.jpg", ContentFile(b"pixels"))
    alice.save()
    data = download(browser)
    assert data["account"]["login"] == "alice"
    assert data["profile"] == {
        "nickName": "Alice",
        "userName": {"fullName": "", "firstName": "Alice", "middleName": "Reyes", "lastName": "Santos"},
        "gender": "F",
        "birthDate": "1994-03-12",
        "nationality": "PH",
        "avatar": f"data:image/jpeg;base64,{base64.b64encode(b'pixels').decode()}",
        "loginIdInfos": [
            {"loginIdType": "MOBILE_PHONE", "loginId": "+639171234567"},
            {"loginIdType": "EMAIL", "loginId": "alice@example.org"},
        ],
        "contactInfos": [
            {"contactType": "MOBILE_PHONE", "contactNo": "+639171234567"},
            {"contactType": "TELEPHONE", "contactNo": "+63285551234"},
            {"contactType": "EMAIL", "contactNo": "alice@example.org"},
        ],
        "userAddresses": [
            {
                "label": "Home",
                "region": "PH",
                "state": "",
                "city": "Quezon City",
                "address1": "12 Mabini Street",
                "address2": "",
                "zipCode": "",
            }
        ],
        "otherFields": {"loyaltyLevel": 3},
    }


def test_a_picture_whose_file_is_gone_is_none(browser: Client, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(avatar="avatars/gone.jpg")
    assert download(browser)["profile"]["avatar"] is None


def test_grants_say_what_to_whom_and_how_often(browser: Client, lived: User, shop: MiniProgram) -> None:
    shops, cafes = download(browser)["grants"]
    assert shops["miniProgram"] == {"appId": "shop", "name": "Shop"}
    assert shops["userId"] == shop.merchant.sector.user_id(lived.uuid.bytes)
    assert list(shops["scopes"]) == ["auth_base", "USER_NICKNAME"]
    assert shops["ended"] is None
    assert [(row["scope"], row["times"]) for row in shops["accesses"]] == [("USER_NICKNAME", 14)]
    assert cafes["ended"]


def test_decisions_say_who_and_what_was_shown(browser: Client, lived: User) -> None:
    data = download(browser)
    acts = [(row["act"], row["by"], row["miniProgram"]["appId"]) for row in data["decisions"]]
    assert acts == [
        ("given", "you", "shop"),
        ("given", "you", "cafe"),
        ("narrowed", "you", "shop"),
        ("revoked", "operator", "cafe"),
    ]
    given = data["decisions"][0]
    assert given["scopesAfter"] == ["auth_base", "USER_NICKNAME", "USER_BIRTHDAY"]
    text = data["textsShown"][given["textShown"]]
    assert ConsentText.hash_of(text["text"]) == given["textShown"]
    assert text["language"] == "en"
    assert data["decisions"][3]["reason"] == "breach"
    assert [row["kind"] for row in data["inbox"]] == ["decision"] * 4
    assert [(row["kind"], row["words"]) for row in data["reports"]] == [("spam", "Every hour!")]


def test_what_ended_by_itself_was_nobodys_act(browser: Client, alice: User, shop: MiniProgram) -> None:
    MiniProgramGrant.give(alice, shop, ["USER_NICKNAME"]).revoke(by=None)
    assert download(browser)["decisions"][-1]["by"] == "nobody"


def test_the_same_data_gives_the_same_file(browser: Client, lived: User) -> None:
    first, second = download(browser), download(browser)
    assert first.pop("exportedAt") <= second.pop("exportedAt")
    assert json.dumps(first) == json.dumps(second)
    assert first["format"] == {"name": "portal.my-data", "version": 1}


def test_no_secret_and_no_operator_is_in_it(browser: Client, lived: User, olga: User) -> None:
    text = press_download(browser).content.decode()
    password = User.objects.values_list("password", flat=True).get(pk=lived.pk)
    for secret in (password, str(lived.uuid), lived.uuid.hex, lived.username_index, browser.session.session_key):
        assert secret
        assert secret not in text
    assert "olga" not in text.lower()
    assert all(row.mac not in text for row in ConsentDecision.objects.all())


@pytest.mark.trust(25)
def test_nothing_of_anybody_else_is_in_it(browser: Client, lived: User, bobs: Container, bob: User) -> None:
    bobs.code("shop", ["auth_base", "USER_NICKNAME"])
    AbuseReport.objects.create(
        user=bob, mini_program=MiniProgram.objects.get(client_id="shop"), kind="other", words="Bob's words"
    )
    text = press_download(browser).content.decode()
    bobs_own = ["+27609000084", "bob@example.org", "Bob", *bob.grants.values_list("pk", flat=True)]
    assert [value for value in bobs_own if value in text] == []
    data = json.loads(text)
    assert {row["id"] for row in data["decisions"]} == set(lived.consent_decisions.values_list("pk", flat=True))


# The columns of what is about a person: in the file, or left out because they are keys, marks of ours or secrets.
IN_FILE: dict[type[Model], str] = {
    User: """
        username external_id status nickname full_name first_name middle_name last_name avatar gender birth_date
        nationality extra date_joined last_login deletion_due_at
    """,
    MiniProgramGrant: """
        id mini_program scopes terms since expires_at paused_at ended_at deletion_asked_at last_used_at
    """,
    ConsentDecision: "id at act mini_program grant actor scopes_before scopes_after terms reason shown",
    InboxNotice: "created kind mini_program decision facts read_at",
    AbuseReport: "created mini_program kind words state closed_at",
    AccessCount: "scope count last_at",
    LoginId: "type value",
    Contact: "type value",
    Address: "label region state city address1 address2 zip_code",
}
LEFT_OUT: dict[type[Model], str] = {
    User: "id password username_index uuid is_superuser is_staff is_active",
    MiniProgramGrant: "user next_end_at reminded_at",
    ConsentDecision: "user mac trace_id",
    InboxNotice: "id user",
    AbuseReport: "id user closed_by assigned_to assigned_at outcome",
    AccessCount: "id grant",
    LoginId: "id user value_index",
    Contact: "id user",
    Address: "id user",
}


@pytest.mark.parametrize("model", IN_FILE)
def test_a_new_column_is_put_into_the_file_or_left_out_on_purpose(model: type[Model]) -> None:
    columns = {field.name for field in model._meta.concrete_fields}
    assert columns == {*IN_FILE[model].split(), *LEFT_OUT[model].split()}


def test_the_file_of_a_long_life_takes_no_more_statements(browser: Client, alice: User, shop: MiniProgram) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            download(browser)
        return len(captured)

    MiniProgramGrant.give(alice, shop, ["USER_NICKNAME"])
    few = statements()
    for number in range(20):
        program = make_program(f"p{number}", ["auth_base"], shop.merchant)
        grant = MiniProgramGrant.give(alice, program, ["auth_base"])
        for _ in range(3):
            grant.pause(by=alice)
            grant.resume(by=alice)
    assert statements() == few
