"""A person's mini-programs as cards: found by name, counted by state, with what deserves a look marked."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, TextChoices, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal import scopes
from portal.models import ConsentDecision, MassRevocation, MiniProgram, MiniProgramGrant
from portal.models.grants import labels

SOON = timedelta(days=14)
Act = ConsentDecision.Act


Grants = QuerySet[Any]  # of MiniProgramGrant, with the `state` of `found`


class State(TextChoices):
    """What became of a grant; the values stand in the page's address."""

    ACTIVE = "active", _("Active")
    PAUSED = "paused", _("Paused")
    EXPIRED = "expired", _("Expired")
    WITHDRAWN = "withdrawn", _("Withdrawn")


@dataclass(frozen=True)
class Card:
    """One mini-program: what it sees now, and whether that ends soon or is used at all."""

    grant: MiniProgramGrant
    labels: list[str]
    next_end: datetime | None
    unused_days: int
    by_operator: bool

    @property
    def ends_soon(self) -> bool:
        """All of it within SOON."""
        return self.grant.is_live and _is_soon(self.grant.expires_at)

    @property
    def part_ends_soon(self) -> bool:
        """Not all of it, but some within SOON."""
        return self.grant.is_live and not self.ends_soon and _is_soon(self.next_end)

    @property
    def ends_today(self) -> bool:
        """So soon that a date says too little."""
        end = self.grant.expires_at
        return bool(end and self.grant.is_live and end - timezone.now() < timedelta(days=1))

    @property
    def ended_at(self) -> datetime | None:
        """When it was over, also where nobody has written that down so far."""
        return self.grant.ended_at or self.grant.expires_at


def found(user_id: int | None, query: str = "") -> Grants:
    """This person's grants, each with its `state`; with a query those of the mini-programs whose name contains it.

    A state costs a look into the ledger: expired and withdrawn grants end the same way.
    """
    rows = MiniProgramGrant.objects.filter(user=user_id)
    if query:
        rows = rows.filter(mini_program__in=_named(user_id, query))
    taken = ConsentDecision.objects.filter(grant=OuterRef("pk"), act__in=(Act.WITHDRAWN, Act.REVOKED))
    cut = Exists(MassRevocation.ending())
    live = Q(ended_at=None) & (Q(expires_at=None) | Q(expires_at__gt=timezone.now())) & ~Q(cut)
    return rows.annotate(
        state=Case(
            When(live & Q(paused_at=None), then=Value(State.ACTIVE.value)),
            When(live, then=Value(State.PAUSED.value)),
            When(Exists(taken) | cut, then=Value(State.WITHDRAWN.value)),
            default=Value(State.EXPIRED.value),
        )
    )


def counts(grants: Grants) -> dict[str, int]:
    """{state: how many}, every state. One statement."""
    found = dict(grants.order_by().values_list("state").annotate(Count("pk")))
    return {state.value: found.get(state.value, 0) for state in State}


def of_state(grants: Grants, state: State) -> Grants:
    """Those in this state: live ones by last use, ended ones by their end, newest first."""
    rows: Grants = grants.filter(state=state).select_related("mini_program__merchant")
    if state in (State.ACTIVE, State.PAUSED):
        return rows.order_by(F("last_used_at").desc(nulls_last=True), "-since", "pk")
    revoked = ConsentDecision.objects.filter(grant=OuterRef("pk"), act=Act.REVOKED)
    rows = rows.annotate(by_operator=Exists(revoked))
    return rows.order_by(Coalesce("ended_at", "expires_at").desc(), "pk")


def card(grant: MiniProgramGrant) -> Card:
    """The card of a row of `of_state`."""
    names = grant.open_scopes() if grant.is_live else grant.scopes
    ends = [end for name in names if (end := grant.term_of(name).until)]
    return Card(
        grant=grant,
        labels=told(names),
        next_end=min(ends, default=None),
        unused_days=unused_days(grant),
        by_operator=getattr(grant, "by_operator", False),
    )


def told(names: Iterable[str]) -> list[str]:
    """What a mini-program sees, in words; the user ID, which all of them get, only where it is alone."""
    held = set(names)
    return labels(held.difference(scopes.silent(held)) or held)


def unused_days(grant: MiniProgramGrant) -> int:
    """The days since an open grant was used, or given; 0 while that is less than GRANT_UNUSED_REMIND."""
    if not settings.GRANT_UNUSED_REMIND or not grant.is_live or grant.paused_at:
        return 0
    span = timezone.now() - (grant.last_used_at or grant.since)
    return span.days if span >= settings.GRANT_UNUSED_REMIND else 0


def _named(user_id: int | None, query: str) -> list[int]:
    """The mini-programs of this person with such a name: compared here, for no database knows É from e alike."""
    rows = MiniProgram.objects.filter(grants__user=user_id).distinct().values_list("pk", "name")
    wanted = plain(query)
    return [pk for pk, name in rows.order_by() if wanted in plain(name)]


def plain(text: str) -> str:
    """Without capitals, accents and other marks on letters, however it is encoded: Café as cafe."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(letter for letter in letters if not unicodedata.combining(letter)).split())


def _is_soon(end: datetime | None) -> bool:
    return end is not None and end - timezone.now() < SOON
