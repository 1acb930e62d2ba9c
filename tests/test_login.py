"""/accounts/login/ and /accounts/logout/."""

import re

import pytest
from django.test import Client

from portal.models import User
from tests.conftest import PASSWORD

LOGIN = "/accounts/login/"


@pytest.mark.parametrize(
    "name", ["alice", "alice@example.org", "ALICE@Example.org", "+639171234567", "0917 123 4567", "63-9171234567"]
)
def test_alice_signs_in_with_any_of_her_names(alice: User, name: str) -> None:
    browser = Client()
    answer = browser.post(LOGIN, {"username": name, "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert "Hello, Alice" in browser.get("/").content.decode()


def test_sign_in_goes_on_to_where_one_was_going(alice: User) -> None:
    browser = Client()
    path = browser.get("/permissions/?page=2")["Location"]
    assert path == "/accounts/login/?next=/permissions/%3Fpage%3D2"
    assert 'name="next" value="/permissions/?page=2"' in browser.get(path).content.decode()
    answer = browser.post(path, {"username": "alice", "password": PASSWORD})
    assert answer["Location"] == "/permissions/?page=2"


def test_next_never_leads_to_another_site(alice: User) -> None:
    answer = Client().post(LOGIN, {"username": "alice", "password": PASSWORD, "next": "https://evil.example/"})
    assert answer["Location"] == "/"


@pytest.mark.parametrize("name", ["alice", "nobody", "+639170000000", "' OR 1=1 --", "a\x00b"])
def test_a_wrong_pair_is_refused_without_saying_which_half(alice: User, name: str) -> None:
    page = Client().post(LOGIN, {"username": name, "password": "wrong"})
    assert page.status_code == 200
    html = page.content.decode()
    assert "sessionid" not in page.cookies
    assert ("We do not know this name and password together" in html) is ("\x00" not in name)
    assert 'role="alert"' in html or "errorlist" in html


def test_each_empty_field_says_what_to_type() -> None:
    html = Client().post(LOGIN, {}).content.decode()
    assert "Type your phone number, e-mail or login." in html
    assert "Type your password." in html


def test_what_was_typed_stays_and_the_password_does_not(alice: User) -> None:
    html = Client().post(LOGIN, {"username": "alice", "password": "s3cret-typo"}).content.decode()
    assert 'value="alice"' in html
    assert "s3cret-typo" not in html


def test_password_managers_know_the_fields() -> None:
    html = Client().get(LOGIN).content.decode()
    assert re.search(r'<input[^>]*name="username"[^>]*autocomplete="username"', html)
    assert re.search(r'<input[^>]*name="password"[^>]*autocomplete="current-password"', html)


def test_a_deactivated_person_does_not_get_in(alice: User) -> None:
    User.objects.update(is_active=False)
    page = Client().post(LOGIN, {"username": "alice", "password": PASSWORD})
    assert "We do not know this name and password together" in page.content.decode()


def test_who_is_signed_in_is_sent_on(alice: User) -> None:
    browser = Client()
    browser.force_login(alice)
    assert browser.get(LOGIN)["Location"] == "/"


def test_sign_out_is_a_post(alice: User) -> None:
    browser = Client()
    browser.force_login(alice)
    assert browser.get("/accounts/logout/").status_code == 405
    assert browser.get("/").status_code == 200
    assert browser.post("/accounts/logout/")["Location"] == LOGIN
    assert browser.get("/")["Location"] == "/accounts/login/?next=/"
