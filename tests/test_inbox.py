"""/inbox/: what the portal told a person, newest first; what is new stands out once, and the header counts it."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.models import ConsentDecision, InboxNotice, MiniProgram, MiniProgramGrant, User
from tests.conftest import Container, sign_in
from tests.pages import words

INBOX = "/inbox/"


@pytest.fixture
def grant(alices: Container, shop: MiniProgram) -> MiniProgramGrant:
    """What Alice gave to Shop: her nickname and her birthday."""
    alices.code("shop", ["auth_base", "USER_NICKNAME", "USER_BIRTHDAY"])
    return MiniProgramGrant.objects.get()


def notices(user: User, number: int, **fields: Any) -> None:
    """So many notices a minute apart, the first one the newest."""
    now = timezone.now()
    InboxNotice.objects.bulk_create(
        InboxNotice(**{"user": user, "kind": "report", "created": now - timedelta(minutes=n), **fields})
        for n in range(number)
    )


def shown(page: Any) -> list[str]:
    """Each notice as it is read."""
    parts = re.findall(r'<div class="row told.*?</li>', page.content.decode(), re.S)
    return [" ".join(re.sub(r"<[^>]+>", " ", part).split()) for part in parts]


def bell(page: Any) -> str:
    """The name of the header's link to the inbox."""
    (link,) = re.findall(r'<a href="/inbox/".*?</a>', page.content.decode(), re.S)
    link = re.sub(r'<span class="badge" aria-hidden="true">.*?</span>', "", link, flags=re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", link).split())


def test_the_inbox_needs_a_sign_in() -> None:
    assert Client().get(INBOX)["Location"] == "/accounts/login/?next=/inbox/"


def test_an_empty_inbox_says_what_will_come(browser: Client) -> None:
    page = browser.get(INBOX)
    assert "Nothing here yet" in words(page)
    assert shown(page) == []
    assert bell(page) == "Inbox"


def test_a_decision_is_there_with_its_receipt_and_counts_as_read(browser: Client, grant: MiniProgramGrant) -> None:
    decision = ConsentDecision.objects.get()
    page = browser.get(INBOX)
    (notice,) = shown(page)
    assert "Shop You allowed: Nickname and Birthday." in notice
    assert "Unread" not in notice
    assert bell(page) == "Inbox"
    assert f'href="/receipts/{decision.pk}/"' in page.content.decode()
    assert f'href="/permissions/{grant.pk}/"' in page.content.decode()


def test_what_an_operator_did_is_marked_and_new_until_it_was_shown(
    browser: Client, olga: User, grant: MiniProgramGrant
) -> None:
    grant.revoke(by=olga, scopes=["USER_BIRTHDAY"], reason="Nobody needs it for coffee")
    assert bell(browser.get("/")) == "Inbox 1 unread"
    page = browser.get(INBOX)
    newest = shown(page)[0]
    assert "Unread: Shop An operator took away: Birthday. Reason: Nobody needs it for coffee" in newest
    assert "By an operator" in newest
    assert "By an operator" not in shown(page)[1]
    assert bell(page) == "Inbox"
    assert "Unread" not in shown(browser.get(INBOX))[0]


@pytest.mark.trust(30)
def test_no_operator_is_named(browser: Client, olga: User, grant: MiniProgramGrant) -> None:
    grant.revoke(by=olga, reason="breach")
    assert "olga" not in words(browser.get(INBOX)).lower()


def test_a_changed_purpose_shows_both_and_leads_to_the_grant(
    browser: Client, alice: User, shop: MiniProgram, grant: MiniProgramGrant
) -> None:
    approval = shop.scope_approvals.get(scope="USER_NICKNAME")
    approval.reword("To call you", {}, by=None)
    approval.reword("To call you, and to write to you", {}, by=None)
    InboxNotice.objects.create(user=alice, kind="purpose", mini_program=shop, facts={"scope": "USER_NICKNAME"})
    page = browser.get(INBOX)
    assert "It changed what it asks this for: Nickname." in shown(page)[0]
    assert "Before To call you Now To call you, and to write to you" in shown(page)[0]
    assert page.content.decode().count(f'href="/permissions/{grant.pk}/"') == 2


def test_an_announced_version_is_told_as_it_was_then(browser: Client, alice: User, shop: MiniProgram) -> None:
    approval = shop.scope_approvals.get(scope="USER_NICKNAME")
    for purpose in ("Second", "Third", "Fourth"):
        approval.reword(purpose, {}, by=None)
    facts = {"scope": "USER_NICKNAME", "was": 1, "version": 3}
    InboxNotice.objects.create(user=alice, kind="purpose", mini_program=shop, facts=facts)
    assert "Before shop needs USER_NICKNAME Now Third" in shown(browser.get(INBOX))[0]


def test_a_purpose_is_read_in_the_readers_language(browser: Client, alice: User, shop: MiniProgram) -> None:
    approval = shop.scope_approvals.get(scope="USER_NICKNAME")
    approval.reword("To call you", {"id": "Untuk memanggil Anda"}, by=None)
    InboxNotice.objects.create(user=alice, kind="purpose", mini_program=shop, facts={"scope": "USER_NICKNAME"})
    page = browser.get(INBOX, headers={"Accept-Language": "id"})
    assert "Untuk memanggil Anda" in words(page)
    assert "To call you" not in words(page)


def test_a_scope_nobody_knows_any_more_is_told_by_its_name(browser: Client, alice: User, shop: MiniProgram) -> None:
    InboxNotice.objects.create(user=alice, kind="purpose", mini_program=shop, facts={"scope": "LOYALTY"})
    assert "It changed what it asks this for: LOYALTY." in shown(browser.get(INBOX))[0]


@pytest.mark.parametrize(
    ("kind", "facts", "told"),
    [
        ("unused", {"days": 90}, "You have not used it for 90 days. It can still see what you allowed."),
        ("report", {}, "We have looked at what you reported about it."),
        (
            "deletion",
            {"due": "2026-12-09T10:00:00+00:00"},
            "You asked us to delete your account. You could change your mind until 9 December 2026.",
        ),
        ("deletion", {}, "You decided to keep your account."),
    ],
)
def test_every_other_kind_has_its_words(
    browser: Client, alice: User, shop: MiniProgram, kind: str, facts: dict[str, Any], told: str
) -> None:
    program = None if kind == "deletion" else shop
    InboxNotice.objects.create(user=alice, kind=kind, mini_program=program, facts=facts)
    (notice,) = shown(browser.get(INBOX))
    assert f"Unread: {'Shop' if program else 'Your account'} {told}" in notice


def test_twenty_a_page_newest_first_and_only_those_shown_are_read(browser: Client, alice: User) -> None:
    notices(alice, 45)
    assert bell(browser.get("/")) == "Inbox 45 unread"
    first = browser.get(INBOX)
    times = re.findall(r'<time datetime="([^"]+)"', first.content.decode())
    assert len(times) == 20
    assert times == sorted(times, reverse=True)
    assert bell(first) == "Inbox 25 unread"
    assert "Page 1 of 3" in words(first)
    assert len(shown(browser.get(f"{INBOX}?page=3"))) == 5
    assert bell(browser.get("/")) == "Inbox 20 unread"
    assert browser.get(f"{INBOX}?page=elsewhere").status_code == 200


def test_more_than_99_are_not_counted(browser: Client, alice: User) -> None:
    notices(alice, 120)
    page = browser.get("/")
    assert bell(page) == "Inbox 99+ unread"
    assert re.search(r'class="badge" aria-hidden="true">\s*99\+\s*<', page.content.decode())


@pytest.mark.trust(25)
def test_bob_neither_sees_nor_reads_what_alice_was_told(alice: User, bob: User, shop: MiniProgram) -> None:
    notices(alice, 3, mini_program=shop)
    bobs = Client()
    sign_in(bobs, bob)
    page = bobs.get(INBOX)
    assert shown(page) == []
    assert bell(page) == "Inbox"
    assert InboxNotice.objects.unread().count() == 3


def test_a_page_of_200_notices_takes_8_statements(
    browser: Client, alice: User, olga: User, shop: MiniProgram, cafe: MiniProgram
) -> None:
    for program in (shop, cafe):
        program.scope_approvals.get(scope="USER_NICKNAME").reword("To call you", {}, by=None)
        MiniProgramGrant.give(alice, program, ["USER_NICKNAME"]).revoke(by=olga, reason="breach")
        MiniProgramGrant.give(alice, program, ["USER_NICKNAME"])
        decision = ConsentDecision.objects.filter(act="revoked").latest("pk")
        notices(alice, 30, kind="decision", mini_program=program, decision=decision)
        notices(alice, 40, kind="purpose", mini_program=program, facts={"scope": "USER_NICKNAME"})
        notices(alice, 40, kind="unused", mini_program=program, facts={"days": 90})
    with CaptureQueriesContext(
        connection,
    ) as captured:
        page = browser.get(INBOX)
    assert len({notice[:60] for notice in shown(page)}) > 3
    assert len(captured) <= 8, [query["sql"][:100] for query in captured]


def test_only_what_shows_the_header_counts(browser: Client, alices: Container, shop: MiniProgram) -> None:
    def statements(call: Any) -> int:
        with CaptureQueriesContext(connection) as captured:
            call()
        return sum("portal_inboxnotice" in query["sql"] for query in captured)

    assert statements(lambda: browser.get("/")) == 1
    assert statements(lambda: browser.get("/mini/shop/")) == 0
    assert statements(lambda: browser.get("/nowhere/")) == 0
    assert statements(lambda: alices.get_auth_code("shop", ["auth_base"])) == 0
