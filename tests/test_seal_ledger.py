"""`manage.py seal_ledger`: seals come behind the writers, hold nobody up and leave no row out (trust 31)."""

import io
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from authapi import sealing
from authapi.models import ErrorAudit
from portal import settled
from portal.models import ConsentDecision, MiniProgram, Seal, User
from portal.models.seals import vouch_for_all
from tests.ledgers import AUDIT, pks, seal, sql, verify

pytestmark = pytest.mark.trust(31)


def write(code: str) -> ErrorAudit:
    return ErrorAudit.objects.write(endpoint="/", code=code, reason="x", trace_id="0" * 32)


def test_it_tells_the_head_of_each_chain(written: None) -> None:
    lines = seal()
    heads = Seal.objects.all()
    assert sorted(lines) == sorted(f"{head}  rows sealed: 8" for head in heads)
    assert all(str(head) == f"{head.chain}:1:{head.hash}" and len(head.hash) == 64 for head in heads)
    assert sorted(seal()) == sorted(f"{head}  rows sealed: 0" for head in heads)


def test_an_empty_ledger_gets_no_seal(db: None) -> None:
    assert all(line.endswith("has no seal  rows sealed: 0") for line in seal())
    assert not Seal.objects.exists()


def test_a_row_and_its_mac_are_written_with_one_statement(
    alice: User, shop: MiniProgram, django_assert_num_queries: Callable[[int], Any]
) -> None:
    with django_assert_num_queries(1):
        ConsentDecision.objects.write(act="given", user=alice, mini_program=shop, actor=alice)
    assert verify() == []


def test_a_mac_fits_what_the_database_gives_back(db: None) -> None:
    for address in ("10.0.0.1", "::FFFF:10.0.0.1", "2001:DB8:0:0::1", None):
        for scopes in ([], ("é", "\u2028", " a  b "), [1, 1.5, True, None, {"b": 1, "a": [2]}]):
            ErrorAudit.objects.write(endpoint=" /é ", code="X", reason="\n", address=address, scopes=scopes)
    assert verify() == []


def test_rows_from_before_the_macs_are_vouched_for(written: None, small_seals: None) -> None:
    """As the migration that adds the column does."""
    sql("UPDATE authapi_erroraudit SET mac = ''")
    assert len(verify("--all")) == 8
    vouch_for_all(ErrorAudit, "default")
    assert verify() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_worker_seals_until_it_is_told_to_end(written: None, number: int) -> None:
    usual = signal.getsignal(number)
    threading.Timer(0.5, os.kill, [os.getpid(), number]).start()
    out = io.StringIO()
    call_command("seal_ledger", "--forever", "--every", "0.1", stdout=out)
    assert signal.getsignal(number) == usual
    assert len(out.getvalue().splitlines()) == 3  # nothing is said where nothing is new
    assert {head.count for head in Seal.objects.all()} == {8}


@pytest.mark.parametrize("every", ["0", "-1", "86401", "nan"])
def test_a_pause_that_is_none_is_refused(db: None, every: str) -> None:
    with pytest.raises(CommandError, match="--every"):
        call_command("seal_ledger", "--every", every, stdout=io.StringIO())


def write_at_random(seed: int, deadline: float) -> int:
    """Write in transactions that take their time, and roll a third of them back; gives how many rows stayed."""
    dice, kept = random.Random(seed), 0
    while time.monotonic() < deadline:
        number, lost = dice.randint(1, 3), dice.random() < 0.34
        with transaction.atomic():
            for _row in range(number):
                write(str(seed))
                time.sleep(dice.random() * 0.02)
            transaction.set_rollback(lost)
        kept += 0 if lost else number
    connection.close()
    return kept


def seal_all_the_time(deadline: float) -> int:
    number = 0
    while time.monotonic() < deadline:
        number += sum(row.count for row in sealing.seal(AUDIT))
    connection.close()
    return number


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_rows_written_while_sealers_run_are_sealed_once_each() -> None:
    deadline = time.monotonic() + 4
    with ThreadPoolExecutor(10) as pool:
        writers = [pool.submit(write_at_random, seed, deadline) for seed in range(8)]
        sealers = [pool.submit(seal_all_the_time, deadline) for _number in range(2)]
        kept, early = (sum(job.result() for job in jobs) for jobs in (writers, sealers))
    assert early > 50  # it did seal behind writers at work
    seal()
    assert verify() == []
    seals = Seal.objects.filter(chain=AUDIT)
    entries = [pk for row in seals for pk in row.digests()]
    assert sorted(entries) == pks(AUDIT)
    assert len(entries) == kept
    assert [row.number for row in seals] == list(range(1, len(seals) + 1))


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_writer_that_does_not_end_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settled, "PATIENCE", 0.1)
    begun, may_end = threading.Event(), threading.Event()

    def dawdle() -> None:
        with transaction.atomic():
            write("SLOW")
            begun.set()
            may_end.wait(30)
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(dawdle)
        assert begun.wait(10)
        write("QUICK")
        with pytest.raises(CommandError, match=f"Not sealed: {AUDIT}"):
            seal()
        assert not Seal.objects.exists()
        may_end.set()
        slow.result()
    seal()
    assert [row.count for row in Seal.objects.all()] == [2]
    assert verify() == []
