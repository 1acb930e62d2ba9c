"""What went wrong, and what was slow: from the hours' sums of the API, which the portal reaches by name alone."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db.models import Sum
from django.db.models.functions import Trunc

from portal import charts
from portal.charts import Chart, Series
from portal.dashboard.memory import remembered
from portal.dashboard.periods import Period, listed

LIST = "authapi_erroraudit"
TOP = 6  # codes with a colour of their own
OTHERS = "others"
SLOWEST = 10
LEAST_CALLS = 10

Sums = Counter[tuple[str, datetime]]  # {(code, slot): errors}


@dataclass(frozen=True)
class Slow:
    """An endpoint, how often it was called and how long it took, in milliseconds; `share` is of the slowest."""

    name: str
    calls: int
    mean: float
    p95: float
    share: float


def errors(period: Period) -> Chart | None:
    """Errors by code, a stack for each hour or day; None when there were none, or nobody counts. One statement."""
    if not (hours := _model("ErrorHour")):
        return None
    slot = Trunc("hour", "hour" if period.by_hour else "day")
    rows = hours.objects.filter(hour__gte=period.since).annotate(slot=slot).order_by()
    sums = rows.values_list("group__code", "slot").annotate(Sum("count"))
    return chart(period, remembered("errors", period, lambda: list(sums)))


def chart(period: Period, rows: Iterable[tuple[str, datetime, int]]) -> Chart | None:
    """Of (code, beginning of a slot, errors)."""
    sums, totals = Sums(), Counter[str]()
    for code, slot, count in rows:
        sums[code, slot] += count
        totals[code] += count
    if not totals:
        return None
    top = [code for code, _count in totals.most_common(TOP)]
    series = [_series(period, code, sums) for code in top]
    if len(totals) > TOP:
        series.append(_others(period, set(top), sums))
    title = f"Errors by code, per {'hour' if period.by_hour else 'day'}"
    return charts.stacks("errors", title, [period.label_of(slot) for slot in period.slots], series)


def _series(period: Period, code: str, sums: Sums) -> Series:
    urls = [listed(LIST, "at", slot, period.end_of(slot), code=code) for slot in period.slots]
    return Series(code, [sums[code, slot] for slot in period.slots], urls)


def _others(period: Period, top: set[str], sums: Sums) -> Series:
    left = Counter[datetime]()
    for (code, slot), count in sums.items():
        left[slot] += 0 if code in top else count
    urls = [listed(LIST, "at", slot, period.end_of(slot)) for slot in period.slots]
    return Series(OTHERS, [left[slot] for slot in period.slots], urls)


def slowest(period: Period) -> list[Slow]:
    """The slowest endpoints, of those that were called a few times at least. One statement."""
    hours = _model("EndpointHour")
    rows = hours.objects.filter(hour__gte=period.since) if hours else None
    found = remembered("slowest", period, lambda: rows.times(least=LEAST_CALLS)[:SLOWEST]) if rows is not None else []
    longest = found[0].p95 if found else 0
    return [Slow(one.endpoint, one.calls, one.mean, one.p95, round(100 * one.p95 / longest, 1)) for one in found]


def _model(name: str) -> Any:
    try:
        return apps.get_model("authapi", name)
    except LookupError:
        return None
