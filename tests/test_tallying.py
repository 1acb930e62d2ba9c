"""The ledger's sums a day: each decision counted once, whoever counts and whatever happens to them."""

import io
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone

from portal import settled, tallying
from portal.models import ConsentDecision, DecisionDay, DecisionTotal, MiniProgram, MiniProgramGrant, User, Watermark
from tests.conftest import Container, make_program

SHEET = ["USER_NICKNAME", "USER_AVATAR"]


def counts(**fields: Any) -> dict[tuple[str, str], int]:
    """{(act, scope): count} after a look at the ledger."""
    tallying.tally()
    rows = DecisionDay.objects.filter(**fields).values_list("act", "scope").annotate(Sum("count"))
    return {(act, scope): count for act, scope, count in rows}


def decide(alices: Container, asked: list[str], granted: list[str]) -> None:
    alices.decide(alices.get_auth_code("shop", asked)["consentId"], granted)


def write(user: User, program: MiniProgram, **fields: Any) -> ConsentDecision:
    return ConsentDecision.objects.write(user=user, mini_program=program, **{"act": "paused", "actor": user, **fields})


def test_what_is_given_is_counted_for_the_act_and_for_each_scope(alices: Container, shop: MiniProgram) -> None:
    decide(alices, ["auth_base", *SHEET], SHEET)
    assert counts() == {
        ("given", ""): 1,
        ("given", "auth_base"): 1,
        ("given", "USER_NICKNAME"): 1,
        ("given", "USER_AVATAR"): 1,
    }


def test_a_scope_refused_on_a_sheet_that_is_granted_in_part_counts_as_refused(
    alices: Container, shop: MiniProgram
) -> None:
    decide(alices, SHEET, SHEET[:1])
    assert counts() == {("given", ""): 1, ("given", "USER_NICKNAME"): 1, ("refused", "USER_AVATAR"): 1}


def test_a_sheet_refused_in_whole_counts_once_and_for_each_scope(alices: Container, shop: MiniProgram) -> None:
    decide(alices, SHEET, [])
    assert counts() == {("refused", ""): 1, ("refused", "USER_NICKNAME"): 1, ("refused", "USER_AVATAR"): 1}


def test_what_is_widened_narrowed_and_withdrawn_is_counted(alices: Container, alice: User, shop: MiniProgram) -> None:
    decide(alices, SHEET[:1], SHEET[:1])
    decide(alices, SHEET, SHEET[1:])
    grant = MiniProgramGrant.objects.get()
    grant.revoke(by=alice, scopes=SHEET[:1])
    grant.revoke(by=alice)
    assert counts(act="widened") == {("widened", ""): 1, ("widened", "USER_AVATAR"): 1}
    assert counts(act="narrowed") == {("narrowed", ""): 1, ("narrowed", "USER_NICKNAME"): 1}
    assert counts(act="withdrawn") == {("withdrawn", ""): 1, ("withdrawn", "USER_AVATAR"): 1}


def test_looking_again_counts_nothing_twice(alices: Container, bobs: Container, shop: MiniProgram) -> None:
    decide(alices, SHEET, SHEET)
    assert (tallying.tally(), tallying.tally()) == (1, 0)
    decide(bobs, SHEET, [])
    assert (tallying.tally(), tallying.tally()) == (1, 0)
    assert counts(scope="") == {("given", ""): 1, ("refused", ""): 1}


def test_it_counts_page_by_page(alice: User, shop: MiniProgram, cafe: MiniProgram) -> None:
    for number in range(7):
        write(alice, shop if number % 2 else cafe)
    assert tallying.tally(batch=2) == 7
    assert list(DecisionTotal.objects.values_list("act", "scope", "count")) == [("paused", "", 7)]
    assert counts(mini_program=shop) == {("paused", ""): 3}
    assert counts(mini_program=cafe) == {("paused", ""): 4}


def test_a_day_is_one_of_the_portals_time_zone(alice: User, shop: MiniProgram) -> None:
    with timezone.override("Asia/Manila"):
        write(alice, shop, at=datetime(2026, 3, 1, 15, 59, tzinfo=UTC))
        write(alice, shop, at=datetime(2026, 3, 1, 16, 0, tzinfo=UTC))
        tallying.tally()
    days = DecisionDay.objects.order_by("day").values_list("day", "count")
    assert list(days) == [(date(2026, 3, 1), 1), (date(2026, 3, 2), 1)]


def test_who_dies_before_the_end_leaves_nothing_half_counted(
    alice: User, shop: MiniProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(alice, shop)

    def die(*args: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(Watermark, "move", die)
        with pytest.raises(SystemExit):
            tallying.tally()
    assert not DecisionDay.objects.exists()
    assert counts() == {("paused", ""): 1}


def test_the_worker_that_tends_grants_counts_too(alice: User, shop: MiniProgram) -> None:
    write(alice, shop)
    call_command("tend_grants", stdout=io.StringIO())
    assert DecisionDay.objects.get().act == "paused"


def test_a_look_at_nothing_new_costs_little(
    alice: User, shop: MiniProgram, django_assert_max_num_queries: Any
) -> None:
    write(alice, shop)
    tallying.tally()
    with django_assert_max_num_queries(9):
        tallying.tally()


# --- Beside each other -------------------------------------------------------------------------------------------


@pytest.fixture
def cast(transactional_db: None) -> tuple[User, MiniProgram]:
    return User.objects.create_user("ann"), make_program("shop", ["auth_base"])


def write_at_random(cast: tuple[User, MiniProgram], seed: int, deadline: float) -> int:
    """In transactions that take their time, a third of them rolled back; how many rows stayed."""
    kept = number = 0
    while time.monotonic() < deadline:
        number += 1
        lost = (number + seed) % 3 == 0
        with transaction.atomic():
            for _row in range(1 + number % 3):
                write(*cast)
                time.sleep(0.001 * ((number * 7 + seed) % 13))
            transaction.set_rollback(lost)
        kept += 0 if lost else 1 + number % 3
    connection.close()
    return kept


def tally_all_the_time(deadline: float) -> int:
    counted = 0
    while time.monotonic() < deadline:
        counted += tallying.tally(batch=5)
    connection.close()
    return counted


@pytest.mark.postgres
def test_decisions_written_while_workers_count_are_counted_once_each(cast: tuple[User, MiniProgram]) -> None:
    deadline = time.monotonic() + 3
    with ThreadPoolExecutor(8) as pool:
        writers = [pool.submit(write_at_random, cast, seed, deadline) for seed in range(6)]
        counters = [pool.submit(tally_all_the_time, deadline) for _number in range(2)]
        kept, early = (sum(job.result() for job in jobs) for jobs in (writers, counters))
    assert early > 30
    assert counts() == {("paused", ""): kept}
    assert ConsentDecision.objects.count() == kept


@pytest.fixture
def dawdler(cast: tuple[User, MiniProgram]) -> Iterator[threading.Event]:
    """A transaction that has written a decision and ends when the event is set."""
    begun, may_end = threading.Event(), threading.Event()

    def dawdle() -> None:
        with transaction.atomic():
            write(*cast)
            begun.set()
            may_end.wait(30)
        connection.close()

    thread = threading.Thread(target=dawdle)
    thread.start()
    assert begun.wait(10)
    yield may_end
    may_end.set()
    thread.join()


@pytest.mark.postgres
def test_a_row_of_an_open_transaction_is_not_passed_over(
    cast: tuple[User, MiniProgram], dawdler: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settled, "PATIENCE", 0.1)
    write(*cast)
    assert counts() == {}
    dawdler.set()
    monkeypatch.setattr(settled, "PATIENCE", 5)
    assert counts() == {("paused", ""): 2}
