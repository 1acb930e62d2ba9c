"""What people answered, and what was taken back: by day, and who is refused most (portal.tallying)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import F, Q, QuerySet, Sum

from portal import charts, scopes
from portal.charts import Chart, Series
from portal.dashboard.memory import remembered
from portal.dashboard.periods import DAY, Period, label_of, listed, start_of
from portal.models import ConsentDecision, DecisionDay, DecisionTotal

LIST = "portal_consentdecision"
Act = ConsentDecision.Act
GIVEN = (Act.GIVEN, Act.WIDENED, Act.RENEWED)
KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Given", GIVEN),
    ("Withdrawn by users", (Act.WITHDRAWN, Act.NARROWED)),
    ("Refused", (Act.REFUSED,)),
    ("Revoked or expired", (Act.REVOKED, Act.EXPIRED)),
)
WORST = 10
LEAST_ASKED = 10  # a rate of fewer says nothing

ByDay = dict[date, dict[str, int]]  # {day: {act: decisions}}


@dataclass(frozen=True)
class Rate:
    """How many of the scopes that were asked for were refused: of a mini-program, or of one scope."""

    name: str
    asked: int
    refused: int
    url: str

    @property
    def share(self) -> float:
        return round(100 * self.refused / self.asked, 1)


def by_day(period: Period) -> ByDay:
    """How many decisions of each kind, on every day of the period and of the week before today. One statement."""
    rows = DecisionTotal.objects.filter(scope="", day__gte=period.counted_days[0] - DAY)
    found: ByDay = {}
    for day, act, count in rows.values_list("day", "act").annotate(Sum("count")):
        found.setdefault(day, {})[act] = count
    return found


def chart(period: Period, decisions: ByDay) -> Chart | None:
    """A line for each of KINDS; None when nothing was decided."""
    days = period.counted_days
    series = [_series(name, acts, days, decisions) for name, acts in KINDS]
    if not any(one.total for one in series):
        return None
    return charts.lines("decisions", "Permissions per day", [label_of(day) for day in days], series)


def _series(name: str, acts: Sequence[str], days: Sequence[date], decisions: ByDay) -> Series:
    values = [sum(decisions.get(day, {}).get(act, 0) for act in acts) for day in days]
    return Series(name, values, [_listed(day, acts) for day in days])


def _listed(day: date, acts: Sequence[str]) -> str:
    return listed(LIST, "at", start_of(day), start_of(day + DAY), act__in=",".join(acts))


def rates_of_programs(period: Period) -> list[Rate]:
    """The mini-programs that are refused most, of those that asked for a few scopes at least. One statement."""
    worst = remembered(
        "rates of programs", period, lambda: list(_worst(period, DecisionDay, "mini_program__client_id"))
    )
    return [
        Rate(name, asked, refused, listed(LIST, program=name, act__exact=Act.REFUSED))
        for name, asked, refused in worst
    ]


def rates_of_scopes(period: Period) -> list[Rate]:
    """The scopes that are refused most. One statement."""
    return [
        Rate(name, asked, refused, listed("portal_miniprogramgrant", scope=name))
        for name, asked, refused in _worst(period, DecisionTotal, "scope")
    ]


def _worst(period: Period, counts: type[DecisionDay | DecisionTotal], by: str) -> QuerySet[Any, Any]:
    """(name, scopes asked for, refused). Scopes, not sheets: these are granted in part. Silent ones nobody refuses."""
    asked: Any = counts._default_manager.filter(day__gte=period.counted_days[0], act__in=(*GIVEN, Act.REFUSED))
    asked = asked.exclude(scope__in=["", *scopes.silent(scopes.catalogue())])
    sums = asked.values(by).annotate(asked=Sum("count"), refused=Sum("count", filter=Q(act=Act.REFUSED), default=0))
    sums = sums.filter(asked__gte=LEAST_ASKED, refused__gt=0).annotate(share=F("refused") * 1.0 / F("asked"))
    ranked: QuerySet[Any, Any] = sums.order_by("-share", "-asked", by).values_list(by, "asked", "refused")
    return ranked[:WORST]
