"""Seals the ledger, the error audit and the operators' log: chains of signed digests, behind the writers (trust 31).

Writers take no lock and wait for nobody. The sealer comes after them and seals what can no longer change its place.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib.admin.models import LogEntry
from django.db import DataError, IntegrityError, models, transaction

from authapi import platform
from authapi.models import ErrorAudit
from portal import fingerprints, settled
from portal.models import ConsentDecision, Seal
from portal.models.seals import BATCH, SUSPECT, vouched_columns
from portal.settled import AFTER_ALL, BEFORE_ALL

logger = logging.getLogger(__name__)

CHAINS: dict[str, type[models.Model]] = {model._meta.label: model for model in (ConsentDecision, ErrorAudit, LogEntry)}
# Columns of other tables that a row's digest covers too: what it says is not complete without them.
BESIDE = {"portal.ConsentDecision": ["shown__version", "shown__language"]}

Values = dict[str, Any]


def seal(chain: str) -> Iterator[Seal]:
    """Seal what is there, up to a thousand rows a seal; gives each seal when it is saved. Raises settled.BusyError.

    Several sealers may run: a number is given once, and whoever comes second leaves the rest to the first.
    """
    model, head = CHAINS[chain], head_of(chain)
    upto = settled.upto(model)
    while batch := page(chain, head.last_pk if head else BEFORE_ALL, upto):
        suspects = suspicious(model, batch)
        digests = {row["id"]: SUSPECT if row["id"] in suspects else fingerprints.digest(row) for row in batch}
        head = Seal.after(chain, head, digests)
        head.signature, head.key_version = platform.sign(head.signed_message())
        try:
            with transaction.atomic():
                head.save(force_insert=True)
        except IntegrityError:
            return
        yield head


class NotSealedError(Exception):
    """Some chains had to wait; the log says why."""


def seal_all() -> dict[str, int]:
    """Seal every chain: {chain: rows}. Raises NotSealedError once all were tried."""
    rows, waiting = dict[str, int](), list[str]()
    for chain in CHAINS:
        try:
            rows[chain] = sum(made.count for made in seal(chain))
        except settled.BusyError:
            logger.warning("%s: a transaction that writes there stays open; its rows wait for the next look", chain)
            waiting.append(chain)
        except (ValueError, TypeError, DataError):
            logger.exception("%s: a row cannot be read; verify_ledger says after which seal", chain)
            waiting.append(chain)
    if waiting:
        raise NotSealedError(", ".join(waiting))
    return rows


def head_of(chain: str) -> Seal | None:
    """The newest seal."""
    return Seal.objects.filter(chain=chain).order_by("-number").first()


def rows(chain: str, after: int, upto: int = AFTER_ALL) -> "models.QuerySet[Any, Values]":
    """What digests cover, of the rows with after < pk <= upto in their order."""
    model = CHAINS[chain]
    columns = [field.attname for field in model._meta.concrete_fields] + BESIDE.get(chain, [])
    return model._default_manager.filter(pk__gt=after, pk__lte=upto).order_by("pk").values(*columns)


def page(chain: str, after: int, upto: int = AFTER_ALL) -> list[Values]:
    """The first thousand of these rows."""
    return list(rows(chain, after, upto)[:BATCH])


def suspicious(model: type[models.Model], batch: Sequence[Values]) -> set[int]:
    """Which of these unsealed rows are not as they were written: a wrong MAC, or an earlier row's put in again."""
    if "mac" not in batch[0]:
        return set()
    names = [field.attname for field in vouched_columns(model)]
    forged = {row["id"] for row in batch if not fingerprints.is_vouched({n: row[n] for n in names}, str(row["mac"]))}
    return forged | _copies(model, batch)


def _copies(model: type[models.Model], batch: Sequence[Values]) -> set[int]:
    """A row copied by SQL has the MAC of its original, which covers the time: the lowest pk was the first."""
    first: dict[str, int] = {}
    same_time = model._default_manager.filter(at__in={row["at"] for row in batch})
    for pk, mac in same_time.order_by("pk").values_list("pk", "mac"):
        first.setdefault(mac, pk)
    return {row["id"] for row in batch if first.get(row["mac"], row["id"]) != row["id"]}
