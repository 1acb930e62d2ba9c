"""Verifies the ledger in the background, a second's worth of seals a step, for the console's page (trust 31): when an
operator asks, and once a day.

A worker that is killed leaves the check at the seal it had come to; the next one goes on there.
"""

import logging
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from authapi import inspection, sealing
from authapi.ledger_checks import LedgerCheck
from portal import background
from portal.background import Progress
from portal.models import Seal, User

logger = logging.getLogger(__name__)

STEP = 1.0  # seconds
SHOWN = 100  # findings of a chain that are kept; the others are counted
TEXTS = "portal.ConsentText"
PARTS = (TEXTS, *sealing.CHAINS)


class AlreadyRunningError(Exception):
    """One is enough: it reads everything."""


@transaction.atomic
def ask(by: User | None, kept: dict[str, dict[int, str]] | None = None) -> LedgerCheck:
    """Promise a check, and write down which operator asked, if one did. Raises AlreadyRunningError.

    It compares with the heads in `kept`, and with those that the newest sound check came to: who cuts off the newest
    seals with their rows has to know of these, too.
    """
    newest = LedgerCheck.objects.select_related("job").first()
    if newest and newest.is_running:
        raise AlreadyRunningError
    check = LedgerCheck.objects.create(asked_by=by, kept=_with_own(kept or {}))
    check.job = carry_on.enqueue(key=check.pk)
    check.save(update_fields=["job"])
    log(check, ADDITION, "Verification of the ledger asked for")
    return check


def ask_regularly() -> None:
    """For once a day: an alarm that only rings when somebody asks is none."""
    with suppress(AlreadyRunningError):
        ask(None)


def _with_own(kept: dict[str, dict[int, str]]) -> dict[str, dict[int, str]]:
    sound = LedgerCheck.objects.filter(wrong=0).exclude(finished_at=None).first()
    for part in sound.found.values() if sound else ():
        if part["head"]:
            chain, number, digest = part["head"].split(":")
            kept = {**kept, chain: {int(number): digest, **kept.get(chain, {})}}
    return kept


def log(check: LedgerCheck, flag: int, words: str) -> None:
    """A line in the operators' log, under whoever asked; the log is about operators' acts."""
    if check.asked_by_id is None:
        return
    LogEntry.objects.create(
        user_id=check.asked_by_id,
        content_type=ContentType.objects.get_for_model(LedgerCheck),
        object_id=str(check.pk),
        object_repr=str(check),
        action_flag=flag,
        change_message=words,
    )


@background.task(queue="bulk", atomic=False)
def carry_on(key: int) -> Progress | None:
    """One step. It only reads, and writes how far it is at the end: repeating it does no harm."""
    check = LedgerCheck.objects.get(pk=key)
    if check.finished_at:
        return None
    chain = next((name for name in PARTS if not check.part(name)["over"]), None)
    if chain is None:
        _finish(check)
        return None
    if chain == TEXTS:
        _note(check.part(TEXTS), inspection.texts())
        check.part(TEXTS)["over"] = True
    else:
        _walk(chain, check.part(chain))
    check.rows, check.wrong = (sum(check.found[name][what] for name in check.found) for what in ("rows", "wrong"))
    LedgerCheck.objects.filter(pk=key, finished_at=None).update(found=check.found, rows=check.rows, wrong=check.wrong)
    return Progress(sum(part["seals"] for part in check.found.values()), _seals())


def _walk(chain: str, part: dict[str, Any]) -> None:
    """As far as one second goes, from where it is."""
    until = time.monotonic() + STEP
    walk = inspection.Inspection(
        chain, {int(number): digest for number, digest in part["kept"].items()}, pause=lambda: time.monotonic() > until
    )
    if part["seals"]:
        walk.head = Seal.objects.filter(chain=chain, number=int(part["head"].split(":")[1])).first()
    _note(part, walk.problems())
    part["rows"] += walk.rows
    part["seals"] += walk.seals
    part["unsealed"] += walk.unsealed
    part |= {"over": not walk.is_paused, "head": str(walk.head or ""), "kept": walk.kept}


def _note(part: dict[str, Any], problems: Iterable[str]) -> None:
    for problem in problems:
        part["wrong"] += 1
        if len(part["findings"]) < SHOWN:
            part["findings"].append(problem)


def _seals() -> int:
    """How many seals there are to check, as their numbers say."""
    newest = Seal.objects.values("chain").order_by("chain").annotate(newest=Max("number"))
    return sum(row["newest"] for row in newest)


@transaction.atomic
def _finish(check: LedgerCheck) -> None:
    if not LedgerCheck.objects.filter(pk=check.pk, finished_at=None).update(finished_at=timezone.now()):
        return
    check.finished_at = timezone.now()
    log(check, CHANGE, f"Ledger verified: {check.result.lower()}, {check.rows:,} rows checked")
    if check.wrong:
        logger.error("the ledger was tampered with: %d findings of %s", check.wrong, check)
