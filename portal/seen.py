"""What a mini-program sees of a person, line by line: the thing, the value, the reason, since and until when."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypedDict

from django.db.models import OuterRef, Subquery, prefetch_related_objects
from django.utils import timezone
from django.utils.translation import get_language

from portal import previews, scopes, values
from portal.models import AccessCount, MiniProgramGrant, ScopeApproval
from portal.scopes import Scope
from portal.terms import Term

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations


class Reads(TypedDict):
    """How often a scope was read under a grant, and when last; None for never."""

    times: int | None
    last_read: datetime | None


@dataclass(frozen=True)
class Line:
    """One scope of a grant as its user reads it."""

    scope: Scope
    since: datetime
    term: Term
    purpose: str
    # It is asked for something else now than what was agreed to.
    changed: bool
    # Operators still let this mini-program have it.
    passed_on: bool
    max_days: int | None
    preview: list[str]
    gets: values.Told
    times: int
    last_read: datetime | None

    @property
    def withdrawable(self) -> bool:
        """A silent scope comes back unasked at the next call: it ends with everything else, or not at all."""
        return not self.scope.silent

    @property
    def is_over(self) -> bool:
        """Its time ran out, and nobody has taken it away so far."""
        return not self.term.is_open(timezone.now())


def lines(grant: MiniProgramGrant, full_url: values.FullUrl) -> list[Line]:
    """A line for each scope; silent ones of the same label, `auth_base` and USER_ID, are one thing to a person.

    One statement, and one for each kind of rows of the profile that they show.
    """
    found: dict[str, Line] = {}
    approvals, known = _approvals(grant), scopes.known(grant.scopes)
    prefetch_related_objects([grant.user], *previews.rows_of(known))
    user_id = grant.mini_program.merchant.sector.user_id(grant.user.uuid.bytes)
    for scope in known:
        told = values.told(grant.user, scope, user_id=user_id, full_url=full_url)
        line = _line(grant, scope, approvals.get(scope.name), told)
        found.setdefault(str(scope.label) if scope.silent else scope.name, line)
    return list(found.values())


def ends_apart(found: list[Line]) -> bool:
    """Whether what was asked for does not all end at the same time."""
    return len({line.term.until for line in found if line.withdrawable}) > 1


def _approvals(grant: MiniProgramGrant) -> "dict[str, WithAnnotations[ScopeApproval, Reads]]":
    counts = AccessCount.objects.filter(grant=grant, scope=OuterRef("scope"))
    rows = grant.mini_program.scope_approvals.annotate(
        times=Subquery(counts.values("count")), last_read=Subquery(counts.values("last_at"))
    )
    return {row.scope: row for row in rows}


def _line(
    grant: MiniProgramGrant, scope: Scope, row: "WithAnnotations[ScopeApproval, Reads] | None", told: values.Told
) -> Line:
    term, passed_on = grant.term_of(scope.name), bool(row and row.state == ScopeApproval.State.APPROVED)
    return Line(
        scope=scope,
        since=grant.since_of(scope.name),
        term=term,
        purpose=row.purpose_in(get_language() or "en") if row and passed_on else "",
        changed=bool(row and passed_on and term.purpose < row.purpose_version and not scope.silent),
        passed_on=passed_on,
        max_days=row.max_days if row else None,
        preview=previews.if_readable(grant.user, scope),
        gets=told if passed_on else [],
        times=(row.times or 0) if row else 0,
        last_read=row.last_read if row else None,
    )
