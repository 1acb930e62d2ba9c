"""Ends grants, one or a thousand, with all that goes with it: tokens, ledger, inbox, the merchant's notice."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING

from django.db import connection, models
from django.utils import timezone
from oauth2_provider.models import AccessToken, RefreshToken

from portal.middleware import current_trace_id

from .bulk import among
from .inbox import InboxNotice
from .ledger import ConsentDecision
from .notices import MerchantNotice
from .users import User

if TYPE_CHECKING:
    from .grants import MiniProgramGrant

Act = ConsentDecision.Act
NOTICES = {Act.WITHDRAWN: "USER_WITHDREW", Act.REVOKED: "OPERATOR_REVOKED", Act.EXPIRED: "EXPIRED"}  # wire.md 5.5


@dataclass(frozen=True, slots=True)
class Ending:
    """Why grants end: by the user, by an operator, or by nobody, their time having run out.

    `notice` is what the merchant is told where that is not plain: USER_DELETED.
    """

    by: User | None
    reason: str = ""
    notice: str = ""

    def act(self, grant: "MiniProgramGrant") -> ConsentDecision.Act:
        """What the ledger calls it when all of this grant ends."""
        return Act.EXPIRED if self.by is None else Act.WITHDRAWN if self.by.pk == grant.user_id else Act.REVOKED


def end(grants: "Sequence[MiniProgramGrant]", ending: Ending) -> int:
    """End these grants, which the caller has locked, in the caller's transaction; how many refresh tokens died.

    The same few statements for one as for a thousand of one mini-program.
    """
    now = timezone.now()
    type(grants[0]).objects.filter(pk__among=[grant.pk for grant in grants]).update(ended_at=now)
    killed = _kill_tokens(grants, now)
    record(grants, ending, {grant.pk: [] for grant in grants})
    told = [grant for grant in grants if (grant.user_id, grant.mini_program_id) in killed]
    MerchantNotice.objects.tell_all(
        (
            grant,
            {
                "authorizationNotifyType": "TOKEN_CANCELED",
                "reason": ending.notice or NOTICES[ending.act(grant)],
                "scopes": grant.names,
            },
        )
        for grant in told
    )
    return len(killed)


def record(grants: "Iterable[MiniProgramGrant]", ending: Ending, left: dict[str, list[str]]) -> None:
    """Write into ledger and inbox that of these grants only {grant id: scopes} are left; they are as they were."""
    at, trace_id = timezone.now(), current_trace_id()
    decisions = ConsentDecision.objects.write_all(
        ConsentDecision(
            at=at,
            act=_act(grant, ending, left[grant.pk]),
            user_id=grant.user_id,
            mini_program_id=grant.mini_program_id,
            grant_id=grant.pk,
            actor=ending.by,
            scopes_before=grant.names,
            scopes_after=left[grant.pk],
            terms=_terms_left(grant, left[grant.pk]) or None,
            reason=ending.reason,
            trace_id=trace_id,
        )
        for grant in grants
    )
    InboxNotice.objects.tell_all(decisions)


def _act(grant: "MiniProgramGrant", ending: Ending, left: list[str]) -> ConsentDecision.Act:
    if not left:
        return ending.act(grant)
    return Act.NARROWED if ending.by else Act.EXPIRED


def _terms_left(grant: "MiniProgramGrant", left: list[str]) -> dict[str, object]:
    """The ledger shows a grant that ended on the terms it had, and one that goes on with those of what is left."""
    return {name: term for name, term in grant.terms.items() if not left or name in left}


def _kill_tokens(grants: "Sequence[MiniProgramGrant]", now: datetime) -> set[tuple[int, int]]:
    """Revoke every token of these pairs; gives the pairs that had any. Codes die with the grant they point to."""
    killed = set()
    ordered = sorted(grants, key=lambda grant: grant.mini_program_id)
    for program, some in groupby(ordered, key=lambda grant: grant.mini_program_id):
        users = [grant.user_id for grant in some]
        killed |= {(user, program) for user in _revoked(program, users, now)}
        AccessToken.objects.filter(user_id__among=users, application=program, expires__gt=now).update(expires=now)
    return killed


def _revoked(program: int, users: list[int], now: datetime) -> set[int]:
    """Of whom refresh tokens were revoked; the ORM has no RETURNING for that."""
    theirs, parameters = among("user_id", users)
    sql = (
        f"UPDATE {RefreshToken._meta.db_table} SET revoked = %s "  # noqa: S608 - the model's own table
        f"WHERE application_id = %s AND {theirs} AND revoked IS NULL RETURNING user_id"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [connection.ops.adapt_datetimefield_value(now), program, *parameters])
        return {user for (user,) in cursor.fetchall()}


def lock(rows: "models.QuerySet[MiniProgramGrant]", most: int) -> "list[MiniProgramGrant]":
    """The first of these rows, all of one mini-program, as they are now, under a lock; in the order of their users."""
    return list(rows.select_for_update(no_key=True, of=("self",)).order_by("user_id")[:most])
