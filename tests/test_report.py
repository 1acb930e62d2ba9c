"""/permissions/<grant>/report/: telling operators that something is wrong with a mini-program."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client

from portal.models import AbuseReport, MiniProgram, MiniProgramGrant, User
from tests.pages import words


@pytest.fixture
def path(alice: User, shop: MiniProgram) -> str:
    return f"/permissions/{MiniProgramGrant.give(alice, shop, ['auth_base', 'USER_NICKNAME']).pk}/report/"


def send(browser: Client, path: str, kind: str = "misuse", what: str = "They sold it.") -> Any:
    return browser.post(path, {"kind": kind, "words": what}, follow=True)


def test_the_page_asks_what_is_wrong(browser: Client, path: str) -> None:
    page = browser.get(path)
    html = page.content.decode()
    assert "What is wrong with Shop?" in words(page)
    assert html.count('type="radio"') == len(AbuseReport.Kind.choices)
    assert "checked" not in html
    assert 'maxlength="2000"' in html
    assert f'href="{path.removesuffix("report/")}"' in html


def test_a_report_reaches_the_operators(browser: Client, alice: User, shop: MiniProgram, path: str) -> None:
    page = send(browser, path)
    assert page.redirect_chain == [(path.removesuffix("report/"), 302)]
    assert "Thank you. Operators will look at it" in words(page)
    report = AbuseReport.objects.get()
    assert (report.user, report.mini_program, report.kind, report.words, report.state) == (
        alice,
        shop,
        "misuse",
        "They sold it.",
        "OPEN",
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT words FROM portal_abusereport")
        assert "sold" not in cursor.fetchone()[0]


def test_words_are_not_needed(browser: Client, path: str) -> None:
    send(browser, path, "spam", "")
    assert AbuseReport.objects.get().words == ""


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ({"words": "It is wrong."}, "Choose what is wrong."),
        ({"kind": "nonsense", "words": "It is wrong."}, "Choose what is wrong."),
        ({"kind": "other", "words": "x" * 2001}, "at most 2000 characters"),
        ({"kind": "other", "words": "nul \x00"}, "Null characters are not allowed."),
    ],
)
def test_a_report_that_cannot_be_sent_is_kept_on_the_page(
    browser: Client, path: str, sent: dict[str, str], says: str
) -> None:
    page = browser.post(path, sent)
    assert page.status_code == 422
    assert says in words(page)
    assert sent["words"].replace("\x00", "") in page.content.decode().replace("\x00", "")
    assert not AbuseReport.objects.exists()


def test_pressing_twice_sends_one(browser: Client, path: str) -> None:
    for _ in range(2):
        assert "Thank you." in words(send(browser, path))
    assert AbuseReport.objects.count() == 1


def test_five_wait_at_most(browser: Client, path: str, bob: User, shop: MiniProgram) -> None:
    for number in range(6):
        page = send(browser, path, what=f"number {number}")
    assert "Operators are looking at what you reported before." in words(page)
    assert AbuseReport.objects.count() == 5
    AbuseReport.objects.update(state="CLOSED")
    assert "Thank you." in words(send(browser, path, what="number 6"))
    bobs = Client()
    bobs.force_login(bob)
    grant = MiniProgramGrant.give(bob, shop, ["auth_base"])
    assert "Thank you." in words(send(bobs, f"/permissions/{grant.pk}/report/"))


def test_what_has_ended_can_be_reported_too(browser: Client, alice: User, path: str) -> None:
    MiniProgramGrant.objects.get().revoke(by=alice)
    assert "Report it" in words(browser.get(path.removesuffix("report/")))
    assert "Thank you." in words(send(browser, path))


def test_reporting_needs_a_csrf_token(alice: User, path: str) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    assert strict.post(path, {"kind": "other"}).status_code == 403
    assert not AbuseReport.objects.exists()
