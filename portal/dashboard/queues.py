"""What waits for an operator or a worker: the numbers at the top of the dashboard, and the health of the queues."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from portal.dashboard import heaps
from portal.dashboard.heaps import Heap
from portal.dashboard.periods import listed
from portal.models import (
    AbuseReport,
    ConsentDecision,
    Job,
    MassRevocation,
    MerchantNotice,
    MiniProgramGrant,
    ScopeApproval,
    Seal,
    Watermark,
)
from portal.tallying import DECISIONS

STALE = timedelta(minutes=10)  # a worker that looks every minute is gone

Rows = tuple[QuerySet[Any, Any], str]  # and the field that says since when


@dataclass(frozen=True)
class Queue:
    """A line of the queues' health."""

    name: str
    told: str
    oldest: datetime | None
    url: str = ""
    is_bad: bool = False
    hint: str = ""


def _rows(model: Any, *which: Q, order: str = "", since: str = "", **states: Any) -> Callable[[], Rows]:
    """Ordered as an index finds them, so that no more are read than are counted."""
    return lambda: (model.objects.filter(*which, **states).order_by(*filter(None, [order])), since)


def unsealed(model: Any) -> QuerySet[Any]:
    """The rows behind the newest seal: at night nobody writes any, and then none has to be sealed."""
    seals = Seal.objects.filter(chain=model._meta.label).order_by("-number").values("last_pk")
    rows: QuerySet[Any] = model._default_manager.filter(pk__gt=Coalesce(Subquery(seals[:1]), 0)).order_by("pk")
    return rows


# What is counted, which permission shows it, and the rows. An index finds each of them, or its table is small.
WAITING: Mapping[str, tuple[str, Callable[[], Rows | None]]] = {
    "grants": ("portal.view_miniprogramgrant", _rows(MiniProgramGrant, ended_at=None)),
    "reports": ("portal.view_abusereport", _rows(AbuseReport, order="created", since="created", state="OPEN")),
    "scopes": ("portal.view_scopeapproval", _rows(ScopeApproval, ScopeApproval.WAITING, since="entered_at")),
    "revocations": ("portal.view_massrevocation", _rows(MassRevocation, since="asked_at", state="ASKED")),
    "waiting": ("portal.view_merchantnotice", _rows(MerchantNotice, order="due_at", since="created", state="WAITING")),
    "parked": ("portal.view_merchantnotice", _rows(MerchantNotice, order="due_at", since="created", state="PARKED")),
    "tasks": ("portal.view_job", _rows(Job, order="due_at", since="due_at", state="WAITING")),
    "failed": ("portal.view_job", _rows(Job, order="due_at", since="created", state="STUCK")),
    "counted": ("portal.view_consentdecision", _rows(Watermark, since="at", name=DECISIONS)),
    "unsealed": ("portal.view_consentdecision", lambda: (unsealed(ConsentDecision), "at")),
}


def count(user: Any) -> dict[str, Heap]:
    """The heaps this operator may view. One statement."""
    chosen = {name: rows() for name, (permission, rows) in WAITING.items() if user.has_perm(permission)}
    indexes = {"grants_about": "one_live_grant"} if "grants" in chosen else {}
    return heaps.count({name: rows for name, rows in chosen.items() if rows}, **indexes)


def lines(found: Mapping[str, Heap]) -> list[Queue]:
    """The health of the queues, of those that are among the heaps."""
    now = timezone.now()
    return [_line(name, heap, now) for name, heap in found.items() if name in NAMES]


# Name, the hint where it is bad, and the list with its filter.
NAMES: Mapping[str, tuple[str, str, tuple[str, str]]] = {
    "waiting": (
        "Notices to merchants, waiting",
        "Nobody sends them: is a worker running (manage.py work)?",
        ("portal_merchantnotice", "WAITING"),
    ),
    "parked": (
        "Notices to merchants, parked",
        "These merchants could not be reached for a day.",
        ("portal_merchantnotice", "PARKED"),
    ),
    "tasks": ("Background work, waiting", "Is a worker running (manage.py work)?", ("portal_job", "WAITING")),
    "failed": ("Background work, stuck", "Look at why, and try it again.", ("portal_job", "STUCK")),
    "counted": ("Decisions counted", "Is a worker running (manage.py work)? These numbers are old.", ("", "")),
    "unsealed": (
        "Ledger, not sealed",
        "Is a worker running (manage.py work)? Unsealed rows are not protected.",
        ("", ""),
    ),
}


def _line(name: str, heap: Heap, now: datetime) -> Queue:
    label, hint, (model, state) = NAMES[name]
    is_bad = _is_bad(name, heap, now)
    told = heap.told if name != "counted" else "" if heap.oldest else "never"
    url = listed(model, state__exact=state) if model else ""
    return Queue(label, told, heap.oldest, url, is_bad, hint if is_bad else "")


def _is_bad(name: str, heap: Heap, now: datetime) -> bool:
    """Whether somebody should look: anything parked or failed, and what waits or was last done for too long."""
    is_late = heap.oldest is None or now - heap.oldest > STALE
    match name:
        case "parked" | "failed":
            return heap.count > 0
        case "counted":
            return is_late
    return heap.count > 0 and is_late
