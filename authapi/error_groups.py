"""Gathers the error audit into groups and hours, for pages that must not read it (ErrorGroup, ErrorHour).

Any number of processes may do this beside each other and be killed at any time: one gathers at a time, and how far it
came is written in the transaction of the numbers. So each row is counted once, also by who comes after a crash.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import (
    BigIntegerField,
    Case,
    Count,
    ExpressionWrapper,
    F,
    FloatField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Cast, Coalesce, Round
from django.db.models.lookups import GreaterThan
from django.utils import timezone

from authapi import error_causes
from authapi.error_causes import Place
from authapi.error_counts import LATEST, ErrorGroup, ErrorHour
from authapi.models import ErrorAudit
from portal import settled
from portal.models import Merchant, MiniProgram, Watermark

logger = logging.getLogger(__name__)

BATCH = 5000
ROWS = 500  # a statement
ERRORS = "authapi.ErrorAudit"
COLUMNS = ("pk", "at", "code", "endpoint", "app_id", "client_id", "reason")
MOST = 200  # causes of one code at one endpoint of one caller
SPIKE, LEAST = 3, 20  # times the usual, and errors an hour
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
State = ErrorGroup.State

Row = dict[str, Any]
Gathered = dict[Place, list[Row]]


def gather(batch: int = BATCH) -> int:
    """Gather the errors written since the last time, and say anew what is new or spiking; how many errors those were.

    For once a minute. Rows of transactions that are still open are waited for; where that takes long they are left to
    the next time.
    """
    try:
        upto = settled.upto(ErrorAudit)
    except settled.BusyError:
        logger.info("errors are not gathered now: a transaction that writes them is open")
        return 0
    total = 0
    while gathered := _gather_page(upto, batch):
        total += gathered
    judge()
    return total


@transaction.atomic
def _gather_page(upto: int, batch: int) -> int:
    mark = Watermark.objects.take(ERRORS)
    if mark is None:
        return 0
    new = ErrorAudit.objects.filter(pk__gt=mark.last_pk, pk__lte=upto).order_by("pk")
    rows = list(new.values(*COLUMNS)[:batch])
    if rows:
        _add(_bounded(_by_place(rows)))
    mark.move(rows[-1]["pk"] if rows else mark.last_pk)
    return len(rows)


def _by_place(rows: list[Row]) -> Gathered:
    programs = _known(MiniProgram, {row["app_id"] for row in rows})
    merchants = _known(Merchant, {row["client_id"] for row in rows})
    found: Gathered = defaultdict(list)
    for row in rows:
        place = Place(
            row["code"],
            error_causes.endpoint(row["endpoint"]),
            error_causes.named(row["app_id"], programs),
            error_causes.named(row["client_id"], merchants),
            error_causes.cause(row["reason"]),
        )
        found[place].append(row)
    return found


def _known(model: type[MiniProgram] | type[Merchant], names: set[str]) -> set[str]:
    return set(model._default_manager.filter(client_id__in=names - {""}).values_list("client_id", flat=True))


def _bounded(gathered: Gathered) -> Gathered:
    """Causes beyond MOST of one kind as one: what callers can write in ever new words must not become ever new groups.

    One gathers at a time, so nobody adds to the number meanwhile.
    """
    stored = _stored(gathered)
    new = [place for place in gathered if place.fingerprint() not in stored]
    there = _causes(new)
    for place in new:
        there[place.kind] += 1
        if there[place.kind] > MOST and place.cause != error_causes.OTHERS:
            gathered[place._replace(cause=error_causes.OTHERS)] += gathered.pop(place)
    return gathered


def _stored(places: Iterable[Place]) -> dict[str, ErrorGroup]:
    rows = ErrorGroup.objects.filter(fingerprint__in=[place.fingerprint() for place in places])
    return {row.fingerprint: row for row in rows}


def _causes(new: list[Place]) -> Counter[tuple[str, ...]]:
    """{kind: groups there are}, and perhaps of some other kinds."""
    if not new:
        return Counter()
    columns = dict(zip(Place._fields[:-1], map(set, zip(*(place.kind for place in new), strict=True)), strict=True))
    rows = ErrorGroup.objects.filter(**{f"{name}__in": values for name, values in columns.items()}).order_by()
    counted = rows.values_list(*columns).annotate(Count("pk"))
    return Counter({tuple(kind): count for *kind, count in counted})


def _add(gathered: Gathered) -> None:
    stored = _stored(gathered)
    groups = [_grown(place, rows, stored.get(place.fingerprint())) for place, rows in gathered.items()]
    made = ErrorGroup.objects.bulk_create(
        groups,
        batch_size=ROWS,
        update_conflicts=True,
        unique_fields=["fingerprint"],
        update_fields=["sample_reason", "first_at", "last_at", "count", "latest"],
    )
    ErrorHour.add(_hours(zip(made, gathered.values(), strict=True)))


def _grown(place: Place, rows: list[Row], before: ErrorGroup | None) -> ErrorGroup:
    """The group with these rows, to be written over what is there; what operators know of it is left alone."""
    times = [row["at"] for row in rows] + ([before.first_at, before.last_at] if before else [])
    latest = [row["pk"] for row in reversed(rows[-LATEST:])] + (before.latest if before else [])
    return ErrorGroup(
        fingerprint=place.fingerprint(),
        **place._asdict(),
        sample_reason=rows[-1]["reason"],
        first_at=min(times),
        last_at=max(times),
        count=len(rows) + (before.count if before else 0),
        latest=latest[:LATEST],
    )


def _hours(gathered: Iterable[tuple[ErrorGroup, list[Row]]]) -> Counter[tuple[int, datetime]]:
    return Counter((group.pk, hour_of(row["at"])) for group, rows in gathered for row in rows)


def hour_of(moment: datetime) -> datetime:
    """When its hour began, in UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


# --- What is new, and what spikes -------------------------------------------------------------------------------


@transaction.atomic
def judge() -> None:
    """Say of each group that moved lately whether it is new or spiking. Two statements, whatever their number.

    Spiking: more than 20 in the last hour, and more than three times as many as in an hour of the day before it.
    """
    if Watermark.objects.take(ERRORS) is None:
        return
    now = timezone.now()
    moved = Q(last_at__gt=now - DAY - 2 * HOUR) | Q(last_hour__gt=0) | Q(day_before__gt=0)
    groups = ErrorGroup.objects.filter(moved | Q(state__in=(State.NEW, State.SPIKING)))
    last_hour, day_before = _sums(now)
    groups.update(last_hour=last_hour, day_before=day_before)
    groups.update(state=_state(now))


def _state(now: datetime) -> Case:
    pace = ExpressionWrapper(F("last_hour") * 24, output_field=BigIntegerField())
    return Case(
        When(known_at__isnull=False, then=Value(State.KNOWN)),
        When(Q(last_hour__gt=LEAST) & GreaterThan(pace, F("day_before") * SPIKE), then=Value(State.SPIKING)),
        When(first_at__gt=now - DAY, then=Value(State.NEW)),
        default=Value(State.USUAL),
    )


def _sums(now: datetime) -> tuple[Coalesce, Coalesce]:
    """About how many in the last hour, and in the 24 hours before: of an hour that is half in, half its errors."""
    this = hour_of(now)
    gone = (now - this) / HOUR
    edge, far = this - HOUR, this - DAY - HOUR
    last = Case(When(hour__gt=edge, then=1.0), When(hour=edge, then=1 - gone), default=0.0)
    before = Case(
        When(hour__gt=edge, then=0.0), When(hour=edge, then=gone), When(hour=far, then=1 - gone), default=1.0
    )
    hours = ErrorHour.objects.filter(group=OuterRef("pk"), hour__gte=far)
    return _weighed(hours, last), _weighed(hours, before)


def _weighed(hours: "QuerySet[ErrorHour]", weight: Case) -> Coalesce:
    total = Sum(F("count") * weight, output_field=FloatField())
    sums = hours.order_by().values("group").annotate(total=Cast(Round(total), BigIntegerField())).values("total")
    return Coalesce(Subquery(sums), Value(0), output_field=BigIntegerField())
