"""/accounts/login/ and /admin/login/: too many tries are 429 with Retry-After, for nobody else (trust 19)."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.cache import caches
from django.test import Client

from portal import limits, sign_in
from portal.models import User
from tests.conftest import PASSWORD

pytestmark = pytest.mark.trust(19)
LOGIN, CONSOLE = "/accounts/login/", "/admin/login/"
HOME, ELSEWHERE = "203.0.113.7", "198.51.100.66"


def attempt(name: str, password: str = "wrong", address: str = HOME, path: str = LOGIN) -> Any:
    return Client().post(path, {"username": name, "password": password}, REMOTE_ADDR=address)


def statuses(answers: Iterator[Any]) -> list[int]:
    return [answer.status_code for answer in answers]


# --- One name from one address ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [LOGIN, CONSOLE])
def test_the_eleventh_try_is_429_even_with_the_right_password(olga: User, path: str) -> None:
    assert statuses(attempt("olga", path=path) for _ in range(10)) == [200] * 10
    page = attempt("olga", PASSWORD, path=path)
    assert page.status_code == 429
    assert "sessionid" not in page.cookies
    assert 880 <= int(page["Retry-After"]) <= 900
    html = page.content.decode()
    assert "There were too many tries. Wait 15 minutes, then try again." in html
    assert 'value="olga"' in html
    assert PASSWORD not in html


def test_both_doors_share_the_counters(olga: User) -> None:
    for path in (LOGIN, CONSOLE) * 5:
        assert attempt("olga", path=path).status_code == 200
    assert attempt("olga", path=CONSOLE).status_code == 429


def test_nobody_else_waits_for_that(alice: User, bob: User) -> None:
    for _ in range(11):
        attempt("alice", address=ELSEWHERE)
    assert attempt("alice", PASSWORD, HOME).status_code == 302
    assert attempt("bob", PASSWORD, ELSEWHERE).status_code == 302


def test_the_right_password_begins_anew(alice: User) -> None:
    for _ in range(3):
        assert statuses(attempt("alice") for _ in range(9)) == [200] * 9
        assert attempt("alice", PASSWORD).status_code == 302


def test_spellings_of_one_name_count_together(alice: User) -> None:
    names = ["0917 123 4567", "+639171234567", "63-9171234567", "0917-123-4567", "+63 917 123 4567"]
    assert statuses(attempt(name) for name in names * 2) == [200] * 10
    assert attempt("09171234567", PASSWORD).status_code == 429
    assert statuses(attempt(name) for name in ["ALICE@example.org", " alice@EXAMPLE.org "] * 5) == [200] * 10
    assert attempt("alice@example.org", PASSWORD).status_code == 429


def test_a_name_nobody_has_is_limited_in_the_same_words(alice: User) -> None:
    pages = []
    for name in ("alice", "nobody"):
        for _ in range(10):
            attempt(name)
        pages.append(attempt(name).content.decode().replace(name, ""))
    assert len({page.split("csrfmiddlewaretoken")[0] for page in pages}) == 1


def test_a_try_without_password_is_none(alice: User) -> None:
    assert statuses(attempt("alice", "") for _ in range(12)) == [200] * 12
    assert attempt("alice", PASSWORD).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_parallel_tries_do_not_outrun_the_limit(alice: User, settings: Any) -> None:
    settings.SIGN_IN_TRIES = 3
    checked: list[bool] = []

    def start(_number: int) -> None:
        request = Client().get(LOGIN).wsgi_request
        checked.append(sign_in.Tries(request, "alice").start() is None)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(start, range(24)))
    assert checked.count(True) == 3


# --- One address, one name from everywhere --------------------------------------------------------------------------


def test_an_address_that_tries_many_names_is_429_and_signing_in_does_not_count(alice: User, settings: Any) -> None:
    settings.SIGN_IN_TRIES_OF_ADDRESS = 5
    assert statuses(attempt("alice", PASSWORD) for _ in range(7)) == [302] * 7
    assert statuses(attempt(f"name{n}") for n in range(7)) == [200] * 5 + [429] * 2
    assert attempt("alice", PASSWORD, ELSEWHERE).status_code == 302


def test_a_name_tried_from_everywhere_is_429_but_not_where_its_owner_signed_in_before(alice: User) -> None:
    assert attempt("alice", PASSWORD, HOME).status_code == 302
    answers = [attempt("alice", address=f"198.51.{n // 10}.1") for n in range(102)]
    assert statuses(iter(answers)) == [200] * 100 + [429] * 2
    assert 3500 <= int(answers[-1]["Retry-After"]) <= 3600
    assert attempt("alice", PASSWORD, ELSEWHERE).status_code == 429
    assert attempt("alice", PASSWORD, HOME).status_code == 302
    assert statuses(attempt("alice", address=HOME) for _ in range(11))[-1] == 429


def test_a_single_address_cannot_use_up_the_tries_of_a_name(alice: User) -> None:
    for _ in range(110):
        attempt("alice", address=ELSEWHERE)
    assert attempt("alice", PASSWORD, "192.0.2.1").status_code == 302


# --- What is kept and told ------------------------------------------------------------------------------------------


@pytest.mark.trust(7)
@pytest.mark.parametrize(
    ("name", "shown"), [("+639171234567", "+63 ••• ••• 4567"), ("alice", "al•••"), ("my\npass-word", "my\\n•••")]
)
def test_reaching_a_limit_is_logged_once_without_the_name(
    db: None, caplog: pytest.LogCaptureFixture, name: str, shown: str
) -> None:
    for _ in range(15):
        attempt(name, "hunter2")
    told = [record for record in caplog.records if record.name == "portal.sign_in"]
    words = f"limit reached: sign-ins with this name from this address ('{shown}', {HOME})"
    assert [(record.levelno, record.getMessage()) for record in told] == [(logging.WARNING, words)]
    assert "hunter2" not in caplog.text


@pytest.mark.trust(7)
def test_the_cache_holds_no_name(alice: User) -> None:
    attempt("alice@example.org")
    attempt("alice", PASSWORD)
    stored = str(caches["default"]._cache)  # type: ignore[attr-defined]
    assert stored.count("limit:") >= 3
    for text in ("alice", HOME, PASSWORD):
        assert text not in stored


def test_the_tries_end_with_their_window(alice: User) -> None:
    for _ in range(11):
        attempt("alice")
    limits.forget(f"sign-in as {'alice'!r} from {HOME}")  # what the end of the window does
    assert attempt("alice", PASSWORD).status_code == 302
