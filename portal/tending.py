"""What becomes of grants while nobody looks: their time runs out, they are forgotten, what they were for changes.

Any number of processes may do this beside each other and be killed at any time: each step is a transaction of its own
that looks again, under a lock, whether there is still something to do, and leaves to others what they are at.
"""

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from portal import erasure, mass_revocations
from portal.models import InboxNotice, MiniProgramGrant, ScopeApproval
from portal.models.grants import OVER

logger = logging.getLogger(__name__)
Rows = QuerySet[Any, Any]

BATCH = 1000
NOTICE = timedelta(days=7)  # between the reminder and the end


def tend(batch: int = BATCH) -> dict[str, int]:
    """End what ran out, tell of changed purposes, erase the accounts whose day has come; how many of each."""
    return {
        "Grants ended by mass revocations": mass_revocations.carry_on(),
        "Grants ended": end_what_ran_out(batch),
        "Changed purposes told": announce(batch),
        "Accounts erased": erasure.erase_due(),
    }


def tidy(batch: int = BATCH) -> dict[str, int]:
    """Find the grants that nobody uses: remind, and end those that stay unused. For once a day.

    It reads every live grant, in pages by primary key. An index would find them sooner, and would cost each call that
    uses a grant more than the walk costs: with `last_used_at` in an index PostgreSQL could not update it in place.
    """
    _schedule()
    return {"Reminders sent": remind(batch), "Unused grants ended": end_unused(batch)}


# --- Time that ran out ------------------------------------------------------------------------------------------


def end_what_ran_out(batch: int = BATCH) -> int:
    """End each scope whose time is over, and with the last of them the grant."""
    return _each(_over(), batch, lambda grant: grant.revoke(by=None, scopes=grant.lapsed(), reason=OVER))


def _schedule() -> None:
    """Whatever was given an end otherwise than by `set_terms` is found by it from now on."""
    rows = MiniProgramGrant.objects.filter(ended_at=None, next_end_at=None).exclude(expires_at=None)
    rows.update(next_end_at=F("expires_at"))


def _over() -> Rows:
    return MiniProgramGrant.objects.filter(ended_at=None, next_end_at__lte=timezone.now())


# --- Grants that nobody uses ------------------------------------------------------------------------------------


def remind(batch: int = BATCH) -> int:
    """Tell people, once each time, of what they have not used for long."""
    return sum(_remind(keys) for keys in _pages(_to_remind(), batch)) if _patience() else 0


@transaction.atomic
def _remind(keys: list[str]) -> int:
    now = timezone.now()
    rows = _taken(_to_remind().filter(pk__in=keys)).values_list("pk", "user_id", "mini_program_id", "used_at")
    found = list(rows)
    InboxNotice.objects.bulk_create(
        (
            InboxNotice(
                kind=InboxNotice.Kind.UNUSED,
                user_id=user,
                mini_program_id=program,
                facts={"days": (now - used_at).days},
            )
            for _key, user, program, used_at in found
        ),
        batch_size=BATCH,
    )
    MiniProgramGrant.objects.filter(pk__in=[row[0] for row in found]).update(reminded_at=now)
    return len(found)


def _patience() -> timedelta:
    """How long it is unused until we remind: never after the day it could end. Zero: never."""
    spans = [span for span in (settings.GRANT_UNUSED_REMIND, settings.GRANT_UNUSED_EXPIRE) if span]
    return min(spans, default=timedelta(0))


def _to_remind() -> Rows:
    """Not reminded since it was used last."""
    return _unused(_patience()).filter(Q(reminded_at=None) | Q(reminded_at__lt=F("used_at")))


def end_unused(batch: int = BATCH) -> int:
    """End what is unused for GRANT_UNUSED_EXPIRE, a week after the reminder at the earliest."""
    span = settings.GRANT_UNUSED_EXPIRE
    reason = f"not used for {span.days} days"
    return _each(_to_end(), batch, lambda grant: grant.revoke(by=None, reason=reason)) if span else 0


def _to_end() -> Rows:
    rows = _unused(settings.GRANT_UNUSED_EXPIRE)
    return rows.filter(reminded_at__gte=F("used_at"), reminded_at__lte=timezone.now() - NOTICE)


def _unused(span: timedelta) -> Rows:
    """Unused for this long, since they were given if they never were. What is paused opens nothing, and waits."""
    rows = MiniProgramGrant.objects.usable().annotate(used_at=Coalesce("last_used_at", "since"))
    return rows.filter(used_at__lte=timezone.now() - span)


# --- Purposes that changed --------------------------------------------------------------------------------------


def announce(batch: int = BATCH) -> int:
    """Tell whoever agreed to an earlier purpose of a scope that it changed; once per person and version."""
    changed = ScopeApproval.objects.filter(
        state=ScopeApproval.State.APPROVED, purpose_version__gt=F("announced_version")
    )
    return sum(_announce(approval, batch) for approval in changed)


def _announce(approval: ScopeApproval, batch: int) -> int:
    """Page by page; `announced_version` last, so that whoever is interrupted begins anew and finds who was told."""
    told = 0
    holders = MiniProgramGrant.objects.live().filter(
        mini_program=approval.mini_program_id, scopes__has_key=approval.scope
    )
    for keys in _pages(holders, batch):
        if (number := _tell_page(approval, keys)) is None:
            return told
        told += number
    with transaction.atomic():
        if _is_mine(approval):
            ScopeApproval.objects.filter(pk=approval.pk).update(announced_version=approval.purpose_version)
    return told


@transaction.atomic
def _tell_page(approval: ScopeApproval, keys: list[str]) -> int | None:
    """How many of these were told; None when somebody else is at it, or it changed again."""
    if not _is_mine(approval):
        return None
    facts = {"scope": approval.scope, "version": approval.purpose_version}
    common = {"kind": InboxNotice.Kind.PURPOSE, "mini_program_id": approval.mini_program_id}
    grants = MiniProgramGrant.objects.filter(pk__in=keys).only("user_id", "terms")
    agreed = {grant.user_id: grant.term_of(approval.scope).purpose for grant in grants}
    told = InboxNotice.objects.filter(**common, user__in=agreed, facts__scope=approval.scope)
    knowing = set(told.filter(facts__version=approval.purpose_version).values_list("user_id", flat=True))
    notices = [
        InboxNotice(**common, user_id=user, facts={**facts, "was": version})
        for user, version in agreed.items()
        if version < approval.purpose_version and user not in knowing
    ]
    InboxNotice.objects.bulk_create(notices, batch_size=BATCH)
    return len(notices)


def _is_mine(approval: ScopeApproval) -> bool:
    """Whether this version is still to be told and nobody else is telling it; holds its row until the commit."""
    rows = ScopeApproval.objects.filter(pk=approval.pk, state=ScopeApproval.State.APPROVED)
    rows = rows.filter(purpose_version=approval.purpose_version, announced_version__lt=approval.purpose_version)
    return _taken(rows).values_list("pk", flat=True).first() is not None


# --- One after the other ----------------------------------------------------------------------------------------


def _pages(rows: Rows, size: int) -> Iterator[list[str]]:
    """The primary keys of these rows, `size` at a time in their order: every row is looked at once."""
    keys = rows.order_by("pk").values_list("pk", flat=True)
    found = list(keys[:size])
    while found:
        yield found
        found = list(keys.filter(pk__gt=found[-1])[:size]) if len(found) == size else []


def _each(rows: Rows, size: int, do: Callable[[MiniProgramGrant], bool]) -> int:
    """`do` to each of these grants, in a transaction of its own; how many it changed. A bad one is logged."""
    done = 0
    for keys in _pages(rows, size):
        for key in keys:
            try:
                done += _one(rows.filter(pk=key), do)
            except (OperationalError, InterfaceError):
                raise
            except Exception:
                logger.exception("grant %s could not be ended; the next round tries again", key[:6])
    return done


@transaction.atomic
def _one(rows: Rows, do: Callable[[MiniProgramGrant], bool]) -> bool:
    grant = _taken(rows).first()
    return bool(grant and do(grant))


def _taken(rows: Rows) -> Rows:
    """These rows under a lock, but for those that another process holds."""
    return rows.select_for_update(skip_locked=True, no_key=True)
