"""/consent/<id>/add/<scope>/: the form beside the sheet, for every scope, and who may not use it."""

from typing import Any

import pytest
from django.test import Client

from portal.models import ConsentDecision, LoginId, MiniProgram, MiniProgramGrant, PendingConsent, User
from tests.conftest import Container
from tests.pages import fields, press, words
from tests.test_consent_page import ask, switches
from tests.test_profile_page import picture

CAROL = [
    ("USER_NICKNAME", {"nickname": "Carolina"}, "Car•••"),
    ("USER_NAME", {"first_name": "Carolina"}, "Car•••"),
    ("USER_NAME", {"full_name": "Carol Danvers"}, "Car•••"),
    ("USER_GENDER", {"gender": "F"}, "Female"),
    ("USER_BIRTHDAY", {"birth_date": "1994-03-12"}, "12 March •••"),
    ("USER_NATIONALITY", {"nationality": "PH"}, "Philippines"),
    ("USER_CONTACTINFO", {"type": "EMAIL", "value": "carol@example.org"}, "c•••@example.org"),
    ("PLAINTEXT_MOBILE_PHONE", {"value": "0917 123 9999"}, "+63 ••• ••• 9999"),
    ("USER_LOGIN_ID", {"type": "OTHER", "value": "danvers"}, "dan•••"),
    ("PLAINTEXT_USER_LOGIN_ID", {"type": "MOBILE_PHONE", "value": "+639171239999"}, "+63 ••• ••• 9999"),
    ("HASH_LOGIN_ID", {"type": "EMAIL", "value": "Carol@Example.org"}, "c•••@example.org"),
    ("USER_ADDRESS", {"address1": "12 Mabini Street", "city": "Cebu", "region": "PH"}, "Cebu"),
]


@pytest.fixture
def carols(db: None) -> Container:
    """The container of Carol, whose profile is empty."""
    return Container(User.objects.create_user("carol"))


@pytest.fixture
def carol(carols: Container) -> Client:
    """Her browser."""
    browser = Client()
    browser.cookies["sessionid"] = carols.http.cookies["sessionid"].value
    return browser


@pytest.mark.parametrize(("scope", "typed", "preview"), CAROL, ids=[f"{case[0]}-{n}" for n, case in enumerate(CAROL)])
def test_what_was_added_is_previewed_and_nothing_is_decided(
    carol: Client, carols: Container, shop: MiniProgram, scope: str, typed: dict[str, str], preview: str
) -> None:
    path = ask(carols, [scope, "USER_GENDER"])
    page = carol.get(f"{path}add/{scope}/")
    assert set(typed) <= set(fields(page))
    assert carol.post(f"{path}add/{scope}/", typed)["Location"] == path
    assert preview in words(carol.get(path))
    assert PendingConsent.objects.get().is_open
    assert not ConsentDecision.objects.exists()


def test_a_picture_is_added(carol: Client, carols: Container, shop: MiniProgram) -> None:
    path = ask(carols, ["USER_AVATAR"])
    assert 'type="file"' in carol.get(f"{path}add/USER_AVATAR/").content.decode()
    assert carol.post(f"{path}add/USER_AVATAR/", {"avatar": picture()})["Location"] == path
    assert "Picture your picture" in words(carol.get(path))


@pytest.mark.trust(23)
def test_the_switches_and_the_duration_wait_until_one_comes_back(
    carol: Client, carols: Container, shop: MiniProgram
) -> None:
    path = ask(carols, ["USER_NICKNAME", "USER_GENDER", "USER_BIRTHDAY"])
    press(carol, path, add="USER_NICKNAME", scopes=["USER_NICKNAME", "USER_GENDER"], duration="30d")
    carol.post(f"{path}add/USER_NICKNAME/", {"nickname": "Caz"})
    page = carol.get(path)
    assert switches(page) == {"USER_NICKNAME": True, "USER_GENDER": True, "USER_BIRTHDAY": False}
    assert fields(page)["duration"] == "30d"


@pytest.mark.trust(23)
def test_they_wait_for_this_sheet_alone_and_no_address_switches_anything_on(
    carol: Client, carols: Container, shop: MiniProgram
) -> None:
    path = ask(carols, ["USER_NICKNAME"])
    press(carol, path, add="USER_NICKNAME", scopes=["USER_NICKNAME"])
    other = ask(carols, ["USER_NICKNAME"])
    assert switches(carol.get(other)) == {"USER_NICKNAME": False}
    assert switches(carol.get(f"{other}?scopes=USER_NICKNAME&duration=once")) == {"USER_NICKNAME": False}


def test_going_back_saves_nothing(carol: Client, carols: Container, shop: MiniProgram) -> None:
    path = ask(carols, ["USER_ADDRESS"])
    html = carol.get(f"{path}add/USER_ADDRESS/").content.decode()
    assert f'href="{path}"' in html
    assert "Nothing in your profile yet" in words(carol.get(path))


@pytest.mark.parametrize(
    ("scope", "typed", "field", "says"),
    [
        ("USER_NICKNAME", {}, "nickname", "Fill this in, or go back without it."),
        ("USER_NAME", {"first_name": " "}, "first_name", "Fill this in, or go back without it."),
        ("USER_BIRTHDAY", {"birth_date": "2094-03-12"}, "birth_date", "This day is still to come."),
        ("USER_CONTACTINFO", {"type": "EMAIL", "value": ""}, "value", "Fill this in, or go back without it."),
        ("USER_CONTACTINFO", {"type": "EMAIL", "value": "nobody"}, "value", "This is not an e-mail address."),
        ("PLAINTEXT_MOBILE_PHONE", {"type": "EMAIL", "value": "a@b.example"}, "value", "is not a phone number"),
        ("USER_LOGIN_ID", {"type": "EMAIL", "value": "alice@example.org"}, "value", "Somebody else signs in"),
        ("USER_ADDRESS", {"address1": "12 Mabini Street"}, "region", "Choose a country or region."),
        ("USER_AVATAR", {}, "avatar", "Fill this in, or go back without it."),
    ],
)
def test_bad_input_is_said_at_its_field(
    carol: Client, carols: Container, alice: User, shop: MiniProgram,
    scope: str, typed: dict[str, str], field: str, says: str,
) -> None:  # fmt: skip
    path = ask(carols, [scope])
    page = carol.post(f"{path}add/{scope}/", typed)
    assert page.status_code == 422
    assert says in words(page)
    assert f'id="id_{field}_error"' in page.content.decode()
    assert "Nothing in your profile yet" in words(carol.get(path))
    assert LoginId.objects.exclude(user=alice).count() == 0


def test_what_needs_several_things_leads_to_the_profile(carol: Client, carols: Container, shop: MiniProgram) -> None:
    path = ask(carols, ["auth_user"])
    html = carol.get(path).content.decode()
    assert 'name="add"' not in html
    assert 'href="/profile/"' in html
    assert press(carol, path, add="auth_user").status_code == 404


@pytest.mark.parametrize("scope", ["USER_NAME", "auth_base", "NO_SUCH", "a/b", "", "USER_GENDER"])
def test_only_what_is_asked_and_missing_can_be_added(
    carol: Client, carols: Container, shop: MiniProgram, scope: str
) -> None:
    User.objects.update(gender="F")
    path = ask(carols, ["auth_base", "USER_NICKNAME", "USER_GENDER"])
    assert press(carol, path, add=scope).status_code == 404
    added = carol.post(f"{path}add/{scope}/", {"first_name": "Eve", "gender": "M"})
    assert added.status_code == 404
    user = User.objects.get()
    assert (user.first_name, user.gender) == ("", "F")


@pytest.mark.trust(25)
def test_bob_adds_nothing_at_carols_sheet(carols: Container, bobs: Container, shop: MiniProgram) -> None:
    path = f"{ask(carols, ['USER_NICKNAME'])}add/USER_NICKNAME/"
    assert bobs.http.get(path).status_code == 404
    sent = {"nickname": "Eve", "csrfmiddlewaretoken": "x" * 32}
    assert bobs.http.post(path, sent).status_code == 404
    assert "Eve" not in [user.nickname for user in User.objects.all()]


@pytest.mark.trust(24)
def test_only_the_container_may_frame_the_form(carol: Client, carols: Container, shop: MiniProgram) -> None:
    path = f"{ask(carols, ['USER_NICKNAME'])}add/USER_NICKNAME/"
    page = carol.get(path, headers={"Sec-Fetch-Dest": "iframe"})
    assert "frame-ancestors 'self'" in page["Content-Security-Policy"].split("; ")
    assert "no-store" in page["Cache-Control"]
    assert '<body class="framed">' in page.content.decode()


def test_an_answered_sheet_takes_no_more(carol: Client, carols: Container, shop: MiniProgram) -> None:
    path = ask(carols, ["USER_NICKNAME"])
    press(carol, path, decision="allow", scopes="USER_NICKNAME")
    for answered in (
        carol.get(f"{path}add/USER_NICKNAME/"),
        carol.post(f"{path}add/USER_NICKNAME/", {"nickname": "C"}),
    ):
        assert (answered.status_code, answered["Location"]) == (302, f"{path}done/")
    assert User.objects.get().nickname == ""
    assert list(MiniProgramGrant.objects.get().scopes) == ["USER_NICKNAME"]


def test_the_form_needs_a_sign_in_and_a_csrf_token(carols: Container, shop: MiniProgram) -> None:
    path = f"{ask(carols, ['USER_NICKNAME'])}add/USER_NICKNAME/"
    assert Client().get(path)["Location"] == f"/accounts/login/?next={path}"
    assert carols.http.post(path, {"nickname": "Eve"}).status_code == 403


def test_hidden_fields_change_nobody_else(carol: Client, carols: Container, alice: User, shop: MiniProgram) -> None:
    forged: dict[str, Any] = {"user": alice.pk, "id": alice.pk, "instance": alice.pk, "is_staff": "on"}
    path = ask(carols, ["USER_NICKNAME"])
    carol.post(f"{path}add/USER_NICKNAME/", {"nickname": "Caz", **forged})
    alice.refresh_from_db()
    user = User.objects.get(username="carol")
    assert (alice.nickname, user.nickname, user.is_staff) == ("Alice", "Caz", False)
