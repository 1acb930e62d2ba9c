"""What people reported, at the console: open ones first, words on their own page only, closed with a reason."""

from typing import Any

import pytest
from django.test import Client

from portal.models import AbuseReport, ConsentDecision, InboxNotice, MiniProgram, User
from tests.conftest import PASSWORD, Container
from tests.operators import Desk, everything, in_role, last_log

LIST = "/admin/portal/abusereport/"
WORDS = "They call me every day at 7."


@pytest.fixture
def support(db: None) -> Desk:
    return Desk(in_role("support"))


@pytest.fixture
def report(alice: User, shop: MiniProgram) -> AbuseReport:
    return AbuseReport.objects.create(user=alice, mini_program=shop, kind="spam", words=WORDS)


@pytest.fixture
def other(bob: User, cafe: MiniProgram) -> AbuseReport:
    return AbuseReport.objects.create(user=bob, mini_program=cafe, kind="impostor")


def url(report: AbuseReport, end: str = "change") -> str:
    return f"{LIST}{report.pk}/{end}/"


def test_open_reports_stand_first(support: Desk, report: AbuseReport, other: AbuseReport) -> None:
    page = support.page(LIST)
    assert page.index(url(other)) < page.index(url(report))  # the newer one
    other.close(by=User.objects.get(username="the-support"))
    page = support.page(LIST)
    assert page.index(url(report)) < page.index(url(other))


@pytest.mark.parametrize(
    "query", ["state__exact=OPEN", "kind__exact=spam", "program=shop", "q=shop", "q=%2B639171234567"]
)
def test_the_list_is_narrowed(support: Desk, report: AbuseReport, other: AbuseReport, query: str) -> None:
    other.close(by=other.user)
    page = support.page(f"{LIST}?{query}")
    assert url(report) in page
    assert url(other) not in page


@pytest.mark.trust(32)
def test_the_list_shows_neither_words_nor_a_whole_phone_number(
    support: Desk, alice: User, report: AbuseReport
) -> None:
    User.objects.filter(pk=alice.pk).update(username="+639171234567")
    page = support.page(LIST)
    assert "It sends me messages I do not want" in page
    assert WORDS not in page
    assert "4567" in page
    assert "9171234567" not in page
    page = support.page(url(report))
    assert WORDS in page
    assert "9171234567" not in page


@pytest.mark.trust(30)
def test_closing_leaves_who_and_why_and_tells_the_reporter(support: Desk, alice: User, report: AbuseReport) -> None:
    asked = support.page(url(report, "act/close"))
    assert "Whoever reported it is told" in asked
    response = support.post(url(report, "act/close"), {"reason": "they stopped calling"})
    assert response["Location"] == url(report)
    report.refresh_from_db()
    assert (report.state, report.closed_by.username) == ("CLOSED", "the-support")
    assert report.closed_at
    assert last_log() == ("the-support", str(report.pk), "Closed. Why: they stopped calling")
    notice = InboxNotice.objects.get()
    assert (notice.user, notice.kind, notice.mini_program_id, notice.read_at) == (
        alice,
        "report",
        report.mini_program_id,
        None,
    )
    assert url(report, "act/close") not in support.page(url(report))
    browser = Client()
    browser.login(username="alice", password=PASSWORD)
    inbox = browser.get("/inbox/").content.decode()
    assert "We have looked at what you reported about it." in inbox
    assert "they stopped calling" not in inbox


def test_several_are_closed_at_once_and_each_once(support: Desk, report: AbuseReport, other: AbuseReport) -> None:
    other.close(by=other.user)
    response = support.post(
        LIST, {"action": "close", "_selected_action": [report.pk, other.pk], "reason": "seen"}, follow=True
    )
    assert "Done: 1 of 2." in response.content.decode()
    assert InboxNotice.objects.filter(kind="report").count() == 2


@pytest.mark.trust(30)
def test_closing_needs_a_reason(support: Desk, report: AbuseReport) -> None:
    before = everything()
    response = support.post(url(report, "act/close"), {"reason": " "})
    assert "Say why: the reason goes into the record." in response.content.decode()
    assert everything() == before


def test_what_a_person_reports_on_a_page_lands_here(support: Desk, alices: Container, shop: MiniProgram) -> None:
    alices.code("shop", ["USER_NICKNAME"])
    grant = ConsentDecision.objects.get().grant_id
    browser = Client()
    browser.login(username="alice", password=PASSWORD)
    browser.post(f"/permissions/{grant}/report/", {"kind": "misuse", "words": WORDS})
    assert WORDS in support.page(url(AbuseReport.objects.get()))


def test_the_page_of_a_person_leads_to_what_they_reported(support: Desk, alice: User, report: AbuseReport) -> None:
    link = f"{LIST}?user__id__exact={alice.pk}"
    assert link in support.page(f"/admin/portal/user/{alice.pk}/change/")
    assert url(report) in support.page(link)


def test_fifty_reports_take_few_statements(
    support: Desk, alice: User, shop: MiniProgram, django_assert_max_num_queries: Any
) -> None:
    AbuseReport.objects.bulk_create(AbuseReport(user=alice, mini_program=shop, kind="spam") for _ in range(60))
    with django_assert_max_num_queries(12):
        assert support.page(LIST).count('class="action-select"') == 50
