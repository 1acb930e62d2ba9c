"""Counts the ledger by day, mini-program, act and scope, for pages that must not read it (DecisionDay).

Any number of processes may do this beside each other and be killed at any time: one counts at a time, and how far it
came is written in the transaction of the numbers. So each row is counted once, also by who comes after a crash.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from django.db import transaction
from django.utils import timezone

from portal import settled
from portal.models import ConsentDecision, ConsentText, DecisionDay, Watermark
from portal.models.tallies import Key

logger = logging.getLogger(__name__)

BATCH = 5000
DECISIONS = "portal.ConsentDecision"
REFUSED = "refused: "  # what the reason of a refusal begins with: see PendingConsent
Act = ConsentDecision.Act
ANSWERS = (Act.GIVEN, Act.WIDENED, Act.RENEWED)  # a sheet, granted at least in part
COLUMNS = ("pk", "at", "mini_program", "act", "scopes_before", "scopes_after", "reason", "shown")

Row = dict[str, Any]


def tally(batch: int = BATCH) -> int:
    """Count the decisions written since the last time; how many those were. For once a minute.

    Rows of transactions that are still open are waited for; where that takes long they are left to the next time.
    """
    try:
        upto = settled.upto(ConsentDecision)
    except settled.BusyError:
        logger.info("decisions are not counted now: a transaction that writes them is open")
        return 0
    total = 0
    while counted := _count_page(upto, batch):
        total += counted
    return total


@transaction.atomic
def _count_page(upto: int, batch: int) -> int:
    mark = Watermark.objects.take(DECISIONS)
    if mark is None:
        return 0
    new = ConsentDecision.objects.filter(pk__gt=mark.last_pk, pk__lte=upto).order_by("pk")
    rows = list(new.values(*COLUMNS)[:batch])
    DecisionDay.add(_counts(rows))
    mark.move(rows[-1]["pk"] if rows else mark.last_pk)
    return len(rows)


def _counts(rows: list[Row]) -> dict[Key, int]:
    texts, counted = _texts(rows), Counter[Key]()
    for row in rows:
        day, program = timezone.localdate(row["at"]), row["mini_program"]
        counted[day, program, row["act"], ""] += 1
        for act, scope in _scopes(row, texts.get(row["shown"], [])):
            counted[day, program, act, scope] += 1
    return counted


def _texts(rows: Iterable[Row]) -> dict[str, list[str]]:
    """{hash: the scopes it asked for} of the sheets that were answered with yes, at least in part."""
    hashes = {row["shown"] for row in rows if row["shown"] and row["act"] in ANSWERS}
    found = ConsentText.objects.filter(hash__in=hashes).values_list("hash", "text__lines") if hashes else ()
    return {key: [line["scope"] for line in lines or []] for key, lines in found}


def _scopes(row: Row, asked: list[str]) -> Iterator[tuple[str, str]]:
    """(act, scope) of each scope that this decision gave, took or refused.

    What was asked and is not held afterwards was refused: the ledger has no row of its own for that. Whoever keeps
    what they had on the old terms, and refuses the new ones, counts as one who gave it.
    """
    act, before, after = row["act"], row["scopes_before"], row["scopes_after"]
    if act in ANSWERS:
        given = dict.fromkeys([name for name in after if name not in before or name in asked])
        yield from ((act, name) for name in given)
        yield from ((Act.REFUSED, name) for name in asked if name not in after)
    elif act == Act.REFUSED:
        yield from ((act, name) for name in row["reason"].removeprefix(REFUSED).split(", ") if name)
    else:
        yield from ((act, name) for name in before if name not in after)
