"""`manage.py tend_grants`: what ran out ends, what nobody uses is pointed out and ends, changed purposes are told."""

import io
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal import tending
from portal.models import ConsentDecision, InboxNotice, MerchantNotice, MiniProgram, MiniProgramGrant, User
from portal.showcase import on
from portal.terms import Duration
from tests.conftest import Container
from tests.merchants import MerchantServer
from tests.test_terms import allow, grant

NICKNAME, NAME = "USER_NICKNAME", "USER_NAME"
MONTH, DAY, SECOND = timedelta(days=30), timedelta(days=1), timedelta(seconds=1)


def tend(after: timedelta = timedelta(0), **options: Any) -> dict[str, int]:
    """What it says it did, when it runs so much later: {"Grants ended": 1, ...}, without the zeros."""
    out = io.StringIO()
    with on(timezone.now() + after):
        call_command("tend_grants", stdout=out, **options)
    lines = [line.rsplit(": ", 1) for line in out.getvalue().splitlines()]
    assert len(lines) == 6
    return {what: int(number) for what, number in lines if number != "0"}


@pytest.fixture
def shops(alices: Container, shop: MiniProgram) -> MiniProgramGrant:
    """What Alice lets Shop see, just now."""
    alices.code("shop", ["auth_base", NICKNAME])
    return MiniProgramGrant.objects.get()


def many(shop: MiniProgram, number: int, **fields: Any) -> None:
    """So many grants to Shop, each of another person."""
    start = User.objects.count()
    people = User.objects.bulk_create(User(username=f"user{start + n}") for n in range(number))
    scopes = {NICKNAME: timezone.now().isoformat()}
    MiniProgramGrant.objects.bulk_create(
        MiniProgramGrant(user=user, mini_program=shop, scopes=scopes, **fields) for user in people
    )


# --- Time that ran out ------------------------------------------------------------------------------------------


@pytest.mark.trust(10)
def test_a_grant_ends_when_its_time_runs_out(
    alices: Container, shop: MiniProgram, shop_server: MerchantServer, audited: Callable[..., Any]
) -> None:
    type(shop.merchant).objects.update(notify_url="https://shop.example/notify")
    pair = shop_server.exchange(allow(alices, ["auth_base", NICKNAME], Duration.MONTH))
    assert tend(MONTH - SECOND) == {}
    assert tend(MONTH) == {"Grants ended": 1}
    assert tend(MONTH) == {}

    assert MiniProgramGrant.objects.get().ended_at
    row = ConsentDecision.objects.latest("id")
    assert (row.act, row.actor, row.scopes_after, row.reason) == ("expired", None, [], "its time ran out")
    assert MerchantNotice.objects.get().body["reason"] == "EXPIRED"
    assert InboxNotice.objects.get(decision=row).read_at is None
    assert shop_server.user_info(pair["accessToken"])["result"]["resultCode"] == "INVALID_ACCESS_TOKEN"
    audited("INVALID_ACCESS_TOKEN")


@pytest.mark.trust(28)
def test_one_scope_runs_out_and_the_others_stay(alices: Container, shop: MiniProgram) -> None:
    allow(alices, ["auth_base", NICKNAME])
    allow(alices, [NAME], Duration.YEAR)
    assert tend(timedelta(days=365)) == {"Grants ended": 1, "Reminders sent": 1}
    assert grant().names == ["auth_base", NICKNAME]
    assert grant().next_end_at is None
    row = ConsentDecision.objects.latest("id")
    assert (row.act, row.scopes_before, row.scopes_after) == (
        "expired",
        ["auth_base", NICKNAME, NAME],
        ["auth_base", NICKNAME],
    )


def test_an_end_that_was_set_by_hand_counts_too(shops: MiniProgramGrant) -> None:
    MiniProgramGrant.objects.update(expires_at=timezone.now() + DAY)
    assert tend() == {}
    assert tend(DAY) == {"Grants ended": 1}


def test_what_is_paused_runs_out_all_the_same(alices: Container, alice: User, shop: MiniProgram) -> None:
    allow(alices, [NICKNAME], Duration.MONTH)
    grant().pause(by=alice)
    assert tend(MONTH) == {"Grants ended": 1}


def test_a_grant_that_cannot_be_read_holds_up_no_other(
    alices: Container, bob: User, cafe: MiniProgram, shop: MiniProgram, caplog: pytest.LogCaptureFixture
) -> None:
    allow(alices, [NICKNAME], Duration.MONTH)
    past = timezone.now() - DAY
    broken = {"scopes": {NAME: past.isoformat()}, "terms": {NAME: {"until": "soon"}}, "next_end_at": past}
    for pk in ("-", "~"):  # before and after all others
        MiniProgramGrant.objects.create(pk=pk, user=bob, mini_program=shop if pk == "-" else cafe, **broken)
    assert tend(MONTH, batch=1) == {"Grants ended": 1}
    assert "grant - could not be ended; the next round tries again" in caplog.text
    assert MiniProgramGrant.objects.filter(ended_at=None).count() == 2


# --- Grants that nobody uses ------------------------------------------------------------------------------------


def test_people_are_reminded_once_of_what_they_do_not_use(
    shops: MiniProgramGrant, alice: User, shop: MiniProgram
) -> None:
    assert tend(90 * DAY - SECOND * 60) == {}
    assert tend(94 * DAY) == {"Reminders sent": 1}
    assert tend(100 * DAY) == {}
    notice = InboxNotice.objects.get(kind="unused")
    assert (notice.user, notice.mini_program, notice.facts, notice.read_at) == (alice, shop, {"days": 94}, None)

    with on(timezone.now() + 101 * DAY):
        grant().touch()
    assert tend(101 * DAY + 90 * DAY) == {"Reminders sent": 1}
    assert InboxNotice.objects.filter(kind="unused").count() == 2


@pytest.mark.trust(28)
def test_what_stays_unused_ends(shops: MiniProgramGrant) -> None:
    assert tend(90 * DAY) == {"Reminders sent": 1}
    assert tend(364 * DAY) == {}
    assert tend(365 * DAY) == {"Unused grants ended": 1}
    row = ConsentDecision.objects.latest("id")
    assert (row.act, row.actor, row.reason, row.scopes_after) == ("expired", None, "not used for 365 days", [])
    assert tend(366 * DAY) == {}


def test_nothing_ends_without_a_week_to_use_it(shops: MiniProgramGrant, settings: Any) -> None:
    assert tend(500 * DAY) == {"Reminders sent": 1}
    assert tend(506 * DAY) == {}
    assert tend(507 * DAY) == {"Unused grants ended": 1}


def test_the_reminder_comes_before_the_end_when_that_is_sooner(shops: MiniProgramGrant, settings: Any) -> None:
    settings.GRANT_UNUSED_EXPIRE = 20 * DAY
    assert tend(20 * DAY) == {"Reminders sent": 1}
    assert tend(27 * DAY) == {"Unused grants ended": 1}


def test_what_is_used_meanwhile_does_not_end(shops: MiniProgramGrant) -> None:
    assert tend(500 * DAY) == {"Reminders sent": 1}
    with on(timezone.now() + 501 * DAY):
        grant().touch()
    assert tend(508 * DAY) == {}


def test_what_is_paused_waits_and_gets_its_week(shops: MiniProgramGrant, alice: User) -> None:
    shops.pause(by=alice)
    assert tend(500 * DAY) == {}
    with on(timezone.now() + 501 * DAY):
        grant().resume(by=alice)
    assert tend(501 * DAY) == {"Reminders sent": 1}
    assert tend(508 * DAY) == {"Unused grants ended": 1}


def test_zero_is_never(shops: MiniProgramGrant, settings: Any) -> None:
    settings.GRANT_UNUSED_EXPIRE = timedelta(0)
    assert tend(4000 * DAY) == {"Reminders sent": 1}
    assert tend(4100 * DAY) == {}
    settings.GRANT_UNUSED_REMIND = timedelta(0)
    MiniProgramGrant.objects.update(reminded_at=None)
    assert tend(4200 * DAY) == {}


def test_the_statements_grow_with_the_pages_not_with_the_rows(shop: MiniProgram) -> None:
    def statements(number: int, batch: int) -> int:
        many(shop, number)
        with CaptureQueriesContext(connection) as captured:
            assert tend(91 * DAY, batch=batch) == {"Reminders sent": number}
        return len(captured)

    tend()  # the first time ever leaves a note of how far it has counted
    assert statements(90, batch=100) == statements(10, batch=100)
    assert statements(25, batch=10) == statements(5, batch=10) + 2 * 6  # look, begin, lock, tell, mark, commit


# --- Purposes that changed --------------------------------------------------------------------------------------


def told() -> list[tuple[str, dict[str, Any]]]:
    rows = InboxNotice.objects.filter(kind="purpose").order_by("pk")
    return [(row.user.username, row.facts) for row in rows]


def test_a_changed_purpose_is_told_to_whoever_agreed_to_another(
    shops: MiniProgramGrant, bobs: Container, olga: User, shop: MiniProgram
) -> None:
    approval = shop.scope_approvals.get(scope=NICKNAME)
    approval.reword("to greet you and your friends", {}, by=olga)
    bobs.code("shop", [NICKNAME])  # agrees to it
    assert tend() == {"Changed purposes told": 1}
    assert told() == [("alice", {"scope": NICKNAME, "version": 2, "was": 1})]
    assert tend() == {}

    approval.refresh_from_db()
    approval.reword("to sell it", {}, by=olga)
    assert tend() == {"Changed purposes told": 2}
    facts = {"scope": NICKNAME, "version": 3}
    assert sorted(told()[1:]) == [("alice", {**facts, "was": 1}), ("bob", {**facts, "was": 2})]


def test_nobody_is_told_twice_when_it_is_interrupted(shop: MiniProgram, olga: User) -> None:
    many(shop, 25)
    approval = shop.scope_approvals.get(scope=NICKNAME)
    approval.reword("to greet you and your friends", {}, by=olga)
    assert tend(batch=10) == {"Changed purposes told": 25}
    # As if it had been killed after the first page.
    type(approval).objects.filter(pk=approval.pk).update(announced_version=1)
    InboxNotice.objects.filter(pk__in=InboxNotice.objects.order_by("-pk")[:15].values("pk")).delete()
    assert tend(batch=10) == {"Changed purposes told": 15}
    assert InboxNotice.objects.values("user").distinct().count() == 25
    assert tend(batch=10) == {}


@pytest.mark.parametrize("state", ["REQUESTED", "REFUSED"])
def test_a_purpose_that_is_not_approved_is_not_told(
    shops: MiniProgramGrant, olga: User, shop: MiniProgram, state: str
) -> None:
    approval = shop.scope_approvals.get(scope=NICKNAME)
    approval.reword("to sell it", {}, by=olga)
    shop.scope_approvals.filter(pk=approval.pk).update(state=state)
    assert tend() == {}
    shop.scope_approvals.filter(pk=approval.pk).update(state="APPROVED")
    assert tend() == {"Changed purposes told": 1}


def test_whoever_withdrew_is_not_told(shops: MiniProgramGrant, alice: User, olga: User, shop: MiniProgram) -> None:
    shops.revoke(by=alice, scopes=[NICKNAME])
    shop.scope_approvals.get(scope=NICKNAME).reword("to sell it", {}, by=olga)
    assert tend() == {}
    assert shop.scope_approvals.get(scope=NICKNAME).announced_version == 2


# --- The rest ---------------------------------------------------------------------------------------------------


def test_accounts_are_erased_when_their_day_has_come(shops: MiniProgramGrant, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(deletion_due_at=timezone.now() + DAY)
    assert tend(DAY - SECOND * 60) == {}
    assert tend(DAY) == {"Accounts erased": 1}
    assert ConsentDecision.objects.latest("id").act == "withdrawn"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_worker_tends_until_it_is_told_to_end(shop: MiniProgram, number: int) -> None:
    many(shop, 3, next_end_at=timezone.now(), expires_at=timezone.now())
    usual = signal.getsignal(number)
    threading.Timer(0.3, os.kill, [os.getpid(), number]).start()
    out = io.StringIO()
    call_command("tend_grants", "--forever", "--every", "0.1", stdout=out)
    assert signal.getsignal(number) == usual
    assert out.getvalue() == "Grants ended: 3\n"  # nothing is said where nothing was done


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--every", "0"], "--every must be above 0 and at most 86400"),
        (["--every", "nan"], "--every must be above 0"),
        (["--batch", "0"], "--batch must be from 1 to 10000"),
        (["--batch", "10001"], "--batch must be from 1 to 10000"),
    ],
)
def test_a_senseless_argument_is_named(db: None, arguments: list[str], error: str) -> None:
    with pytest.raises(CommandError, match=error):
        call_command("tend_grants", *arguments)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_two_workers_do_everything_once(shop: MiniProgram, olga: User) -> None:
    past = timezone.now() - SECOND
    many(shop, 30, next_end_at=past, expires_at=past)
    many(shop, 60, since=timezone.now() - 91 * DAY)
    shop.scope_approvals.get(scope=NICKNAME).reword("to greet you and your friends", {}, by=olga)

    def work(batch: int) -> dict[str, int]:
        try:
            return tending.tidy(batch) | tending.tend(batch)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(work, [7, 7, 10, 13]))
    assert sum(counts["Grants ended"] for counts in done) == 30
    assert ConsentDecision.objects.filter(act="expired").count() == 30
    assert sum(counts["Reminders sent"] for counts in done) == 60
    assert InboxNotice.objects.filter(kind="unused").values("user").distinct().count() == 60
    work(10)
    purposes = InboxNotice.objects.filter(kind="purpose")
    assert purposes.count() == purposes.values("user").distinct().count() == 60
