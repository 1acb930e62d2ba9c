"""What the console's start page shows this operator: nothing of which they may not view the list."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.timesince import timesince

from portal.charts import short
from portal.dashboard import decisions, failures, periods, queues
from portal.dashboard.decisions import ByDay
from portal.dashboard.heaps import Heap
from portal.dashboard.periods import DAY, Period, listed, start_of

WEEK = 7 * DAY


@dataclass(frozen=True)
class Card:
    """A number that an operator looks at first, with the list behind it."""

    label: str
    value: str
    url: str
    note: str = ""
    is_due: bool = False


def context(request: HttpRequest) -> dict[str, Any]:
    """For templates/admin/index.html. At most six statements."""
    user, period = request.user, periods.of(request.GET.get("range", ""))
    found = queues.count(user)
    context: dict[str, Any] = {
        "period": period,
        "choices": [(key, label) for key, (label, _days) in periods.CHOICES.items()],
        "cards": _cards(found),
        "queues": queues.lines(found),
    }
    if user.has_perm("portal.view_consentdecision"):
        context |= _of_decisions(period)
        context["cards"].insert(1 if "grants" in found else 0, _today(period, context.pop("by_day")))
    if user.has_perm("authapi.view_erroraudit"):
        context |= {"shows_errors": True, "errors": failures.errors(period), "slowest": failures.slowest(period)}
    return context


def _of_decisions(period: Period) -> dict[str, Any]:
    by_day = decisions.by_day(period)
    return {
        "shows_decisions": True,
        "by_day": by_day,
        "decisions": decisions.chart(period, by_day),
        "rates": [
            ("Refused most, by mini-program", "Mini-program", decisions.rates_of_programs(period)),
            ("Refused most, by scope", "Scope", decisions.rates_of_scopes(period)),
        ],
    }


def _today(period: Period, by_day: ByDay) -> Card:
    today, before = (sum(by_day.get(day, {}).values()) for day in (period.today, period.today - WEEK))
    url = listed("portal_consentdecision", "at", start_of(period.today))
    return Card("Decisions today", f"{today:,}", url, f"{before:,} on {period.today - WEEK:%A} last week, all day")


# What waits for an operator: the number's name, the list behind it, and its filter.
CARDS: Mapping[str, tuple[str, str, dict[str, str]]] = {
    "reports": ("Open reports", "portal_abusereport", {"state__exact": "OPEN"}),
    "scopes": ("Scopes to review", "portal_scopeapproval", {}),
    "revocations": ("Mass revocations to approve", "portal_massrevocation", {"state__exact": "ASKED"}),
    "parked": ("Parked notices", "portal_merchantnotice", {"state__exact": "PARKED"}),
}


def _cards(found: dict[str, Heap]) -> list[Card]:
    """The first row of the page."""
    cards = []
    if heap := found.get("grants"):
        cards.append(
            Card(
                "Live grants",
                _grants(heap, found.get("grants_about")),
                listed("portal_miniprogramgrant", state="live"),
            )
        )
    for name, (label, model, filters) in CARDS.items():
        if heap := found.get(name):
            cards.append(Card(label, heap.told, listed(model, **filters), _since(heap), is_due=heap.count > 0))
    return cards


def _since(heap: Heap) -> str:
    return f"oldest {timesince(heap.oldest, timezone.now(), depth=1)}" if heap.oldest and heap.count else ""


def _grants(heap: Heap, about: Heap | None) -> str:
    """Counted while there are few; of many, what PostgreSQL last found in the index of the live ones."""
    is_known = heap.is_endless and about and about.count > 0
    return f"about {short(about.count)}" if is_known and about else heap.told
