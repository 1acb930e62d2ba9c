"""What people reported, at the console: open ones first, words on their own page only, closed with a reason."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from portal.models import AbuseReport, ConsentDecision, InboxNotice, MiniProgram, User
from tests.conftest import PASSWORD, Container
from tests.operators import Desk, everything, in_role, last_log

LIST = "/admin/portal/abusereport/"
WORDS = "They call me every day at 7."
NOTHING = {"outcome": "nothing"}


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


def words(page: str) -> str:
    """What stands on it, on one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_open_reports_stand_first_and_the_oldest_of_them(
    support: Desk, alice: User, report: AbuseReport, other: AbuseReport
) -> None:
    newest = AbuseReport.objects.create(user=alice, mini_program=report.mini_program, kind="other")
    AbuseReport.objects.filter(pk=report.pk).update(created=timezone.now() - timedelta(days=5))
    page = support.page(LIST)
    assert page.index(url(report)) < page.index(url(other)) < page.index(url(newest))
    assert "3 open reports, the oldest 5 days old" in words(page)
    report.close(by=User.objects.get(username="the-support"))
    page = support.page(LIST)
    assert page.index(url(other)) < page.index(url(newest)) < page.index(url(report))
    AbuseReport.objects.update(state="CLOSED")
    assert "No report is open." in words(support.page(LIST))


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
    response = support.post(url(report, "act/close"), {"reason": "they stopped calling", "outcome": "told"})
    assert response["Location"] == url(report)
    report.refresh_from_db()
    assert (report.state, report.closed_by.username, report.outcome) == ("CLOSED", "the-support", "told")
    assert report.closed_at
    assert last_log() == ("the-support", str(report.pk), "Closed: Told the merchant. Why: they stopped calling")
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
    assert "Told the merchant" not in inbox


def test_several_are_closed_at_once_and_each_once(support: Desk, report: AbuseReport, other: AbuseReport) -> None:
    other.close(by=other.user)
    response = support.post(
        LIST, {"action": "close", "_selected_action": [report.pk, other.pk], "reason": "seen", **NOTHING}, follow=True
    )
    assert "Done: 1 of 2." in response.content.decode()
    assert InboxNotice.objects.filter(kind="report").count() == 2


@pytest.mark.trust(30)
def test_closing_needs_an_outcome_and_a_reason(support: Desk, report: AbuseReport) -> None:
    before = everything()
    for form in ({"reason": "seen"}, {"reason": "seen", "outcome": "other"}):
        assert support.post(url(report, "act/close"), form).status_code == 200
    response = support.post(url(report, "act/close"), {"reason": " ", **NOTHING})
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


# --- Who does what ------------------------------------------------------------------------------------------------


@pytest.mark.trust(30)
def test_a_report_is_taken_by_one_operator(support: Desk, olga: User, report: AbuseReport) -> None:
    assert "I look into it" in support.page(url(report, "act/take"))
    support.post(url(report, "act/take"), {"reason": "mine"})
    report.refresh_from_db()
    assert report.assigned_to
    assert (report.assigned_to.username, bool(report.assigned_at)) == ("the-support", True)
    assert last_log() == ("the-support", str(report.pk), "Taken. Why: mine")
    assert "1 taken by you" in words(support.page(LIST))
    assert url(report) in support.page(f"{LIST}?taken=me")
    assert url(report) not in support.page(f"{LIST}?taken=nobody")

    desk, before = Desk(olga), everything()
    assert url(report, "act/take") not in desk.page(url(report))
    assert "taken by the-support" in desk.page(url(report, "act/close"))
    for act in ("take", "close"):  # what is another's
        desk.post(url(report, f"act/{act}"), {"reason": "mine", **NOTHING})
        assert "Done: 0 of 1." in desk.page(LIST)
    assert everything() == before
    assert url(report) not in desk.page(f"{LIST}?taken=me")


@pytest.mark.trust(30)
def test_a_report_is_released_and_taken_by_another(support: Desk, olga: User, report: AbuseReport) -> None:
    report.take(by=User.objects.get(username="the-support"))
    desk = Desk(olga)
    desk.post(url(report, "act/release"), {"reason": "they are ill"})
    assert last_log() == ("olga", str(report.pk), "Released; it was with the-support. Why: they are ill")
    desk.post(url(report, "act/take"), {"reason": "mine"})
    desk.post(url(report, "act/close"), {"reason": "they stopped", "outcome": "told"})
    report.refresh_from_db()
    assert (report.state, report.assigned_to, report.closed_by) == ("CLOSED", olga, olga)
    before = everything()
    for act in ("take", "release", "close"):
        desk.post(url(report, f"act/{act}"), {"reason": "again", **NOTHING})
    assert everything() == before


@pytest.mark.trust(33)
def test_an_auditor_takes_and_releases_nothing(report: AbuseReport) -> None:
    desk, before = Desk(in_role("auditor")), everything()
    for act in ("take", "release"):
        assert desk.post(url(report, f"act/{act}"), {"reason": "mine"}).status_code == 403
    assert everything() == before


def test_a_report_leads_to_the_suspension_and_to_the_grants(
    support: Desk, shop: MiniProgram, report: AbuseReport
) -> None:
    suspend = f"/admin/portal/miniprogram/{shop.pk}/act/suspend/"
    page = support.page(url(report))
    assert "/admin/portal/miniprogramgrant/?program=shop" in page
    support.page("/admin/portal/miniprogramgrant/?program=shop")
    assert suspend not in page  # support does not suspend
    manager = Desk(in_role("manager"))
    assert "Suspend Shop" in manager.page(url(report))
    manager.post(suspend, {"reason": f"report #{report.pk}"})
    assert suspend not in manager.page(url(report))
    manager.post(url(report, "act/close"), {"reason": "five people", "outcome": "suspended"})
    assert last_log()[2] == "Closed: Mini-program suspended. Why: five people"


def test_it_is_counted_how_many_people_reported_a_mini_program_lately(
    support: Desk, alice: User, bob: User, shop: MiniProgram, report: AbuseReport, other: AbuseReport
) -> None:
    AbuseReport.objects.create(user=alice, mini_program=shop, kind="spam")
    AbuseReport.objects.create(user=bob, mini_program=shop, kind="spam")
    old = AbuseReport.objects.create(user=User.objects.create_user("old"), mini_program=shop, kind="spam")
    AbuseReport.objects.filter(pk=old.pk).update(created=timezone.now() - timedelta(days=31))
    assert "Mini-program People Reports Shop 2 3 Cafe 1 1" in words(support.page(LIST))
    assert "2 people, 3 reports" in support.page(url(report))


def test_fifty_reports_take_few_statements(
    support: Desk, alice: User, shop: MiniProgram, django_assert_max_num_queries: Any
) -> None:
    AbuseReport.objects.bulk_create(AbuseReport(user=alice, mini_program=shop, kind="spam") for _ in range(60))
    newest = AbuseReport.objects.latest("pk")
    newest.take(by=User.objects.get(username="the-support"))
    for path, there in ((LIST, 50), (url(newest), 0)):
        with django_assert_max_num_queries(12):
            assert support.page(path).count('class="action-select"') == there
