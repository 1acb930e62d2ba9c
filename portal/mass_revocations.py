"""Counts what a mass revocation would take, and ends the rows of one that is in effect (see models.MassRevocation).

Any number of workers may carry one out beside each other, and be killed at any time: each page is a transaction of its
own, which moves the mark of how far it is, and holds the batch's row until then.
"""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from oauth2_provider.models import RefreshToken

from portal import background
from portal.background import Progress
from portal.models import MassRevocation, MiniProgram, MiniProgramGrant, User, endings
from portal.models.endings import Ending
from portal.models.granted_scopes import TERMS

logger = logging.getLogger(__name__)

PAGE = 1000  # grants a transaction
State = MassRevocation.State
Grants = QuerySet[MiniProgramGrant]


def about(
    programs: Iterable[MiniProgram], scopes: Iterable[str], since: datetime | None, until: datetime | None
) -> Grants:
    """The grants that have not ended and that a mass revocation of these would take from."""
    rows = MiniProgramGrant.objects.filter(ended_at=None, mini_program__in=programs)
    rows = rows.filter(since__gte=since) if since else rows
    rows = rows.filter(since__lt=until) if until else rows
    named = Q()
    for scope in scopes:
        named |= Q(scopes__has_key=scope)
    return rows.filter(named)


def count(grants: Grants, programs: Iterable[MiniProgram], scopes: Iterable[str]) -> dict[str, int]:
    """A dry run: {"users": n, "grants": n, "tokens": n}. Tokens die where the whole grant ends. Two statements."""
    found: dict[str, int] = grants.aggregate(users=Count("user", distinct=True), grants=Count("pk"))
    tokens = RefreshToken.objects.filter(revoked=None, application__in=programs, user__in=grants.values("user"))
    return {**found, "tokens": 0 if list(scopes) else tokens.count()}


@background.task(queue="bulk", atomic=False)
def follow(key: int) -> Progress | None:
    """The next page as a background job, which shows how far it is."""
    if _page(key) is None:
        return None
    batch = MassRevocation.objects.get(pk=key)
    return Progress(batch.grants_ended, batch.counted.get("grants"))


def carry_on(stopped: Callable[[], bool] = lambda: False) -> int:
    """Carry out what is in effect and not finished, the oldest first; how many grants that were."""
    keys = MassRevocation.objects.filter(state=State.RUNNING).order_by("pk").values_list("pk", flat=True)
    return sum(carry_out(key, stopped) for key in list(keys))


def carry_out(key: int, stopped: Callable[[], bool] = lambda: False) -> int:
    """End the rows of this one, page by page until it is done or `stopped`; how many grants that were.

    Another worker at it, or an end that came meanwhile, ends this too.
    """
    done = 0
    while not stopped():
        ended = _page(key)
        if ended is None:
            break
        done += ended
    return done


@transaction.atomic
def _page(key: int) -> int | None:
    """The next page; None when there is nothing to do here (any more)."""
    rows = MassRevocation.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
    batch = rows.select_related("decided_by").filter(pk=key, state=State.RUNNING).first()
    if batch is None:
        return None
    for program in batch.programs.filter(pk__gte=batch.program_done).select_related("merchant__sector"):
        after = batch.user_done if program.pk == batch.program_done else 0
        rows_left = about([program], batch.scopes, batch.since, batch.until).filter(user__gt=after)
        page = endings.lock(rows_left, PAGE)
        if page:
            grants, tokens = _end(batch, [_with(program, grant) for grant in page])
            batch.add(grants, tokens, program_done=program.pk, user_done=page[-1].user_id)
            return grants
    _finish(batch)
    return None


def _finish(batch: MassRevocation) -> None:
    """The mini-programs forget it, and the operators' log remembers what it came to."""
    batch.finish()
    assert batch.decided_by
    LogEntry.objects.create(
        user=batch.decided_by,
        content_type=ContentType.objects.get_for_model(MassRevocation),
        object_id=str(batch.pk),
        object_repr=str(batch),
        action_flag=CHANGE,
        change_message=f"Done: {batch.grants_ended} grants and {batch.tokens_ended} tokens ended. Why: {batch.reason}",
    )
    logger.info("%s is done", batch)


def _end(batch: MassRevocation, grants: list[MiniProgramGrant]) -> tuple[int, int]:
    """Take from these grants what is left to take; how many grants that were, and how many tokens died."""
    cut = batch.cut_off
    taken = {grant.pk: cut.takes(grant.scopes, grant.since) for grant in grants}
    whole = [grant for grant in grants if taken[grant.pk] == grant.scopes.keys()]
    part = [grant for grant in grants if set() < taken[grant.pk] < grant.scopes.keys()]
    ending = Ending(batch.decided_by, batch.told)
    if part:
        _narrow(part, taken, ending)
    return len(whole) + len(part), _end_whole(whole, ending)


def _with(program: MiniProgram, grant: MiniProgramGrant) -> MiniProgramGrant:
    grant.mini_program = program
    return grant


def _end_whole(grants: list[MiniProgramGrant], ending: Ending) -> int:
    if not grants:
        return 0
    if grants[0].mini_program.merchant.notify_url:  # whom it is about is told to nobody else
        people: dict[int, Any] = User.objects.only("uuid").in_bulk([grant.user_id for grant in grants])
        for grant in grants:
            grant.user = people[grant.user_id]
    return endings.end(grants, ending)


def _narrow(grants: list[MiniProgramGrant], taken: dict[str, set[str]], ending: Ending) -> None:
    left = {grant.pk: [name for name in grant.names if name not in taken[grant.pk]] for grant in grants}
    endings.record(grants, ending, left)
    for grant in grants:
        grant.drop(taken[grant.pk])
    MiniProgramGrant.objects.bulk_update(grants, ["scopes", *TERMS], batch_size=PAGE)
