"""What a receipt can say of a decision: read from the ledger, so that it says the same whenever it is asked for."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.translation import override

from portal import history, scopes
from portal.models import ConsentDecision, ConsentText
from portal.terms import Term

Act = ConsentDecision.Act
_NAMESPACE = uuid.UUID("6b0d5c6e-2f0c-4c5e-9d3c-1f3a5d8b7e11")  # of receipt ids
_UNKNOWN = scopes.Scope("", "", "", ())
Words = Mapping[str, Mapping[str, Any]]  # {scope: its line on the sheet that was answered}


@dataclass(frozen=True)
class Line:
    """One scope: what it is called, what it was asked for, on what terms."""

    scope: scopes.Scope
    name: str
    label: str
    purpose: str
    required: bool
    term: Term


@dataclass(frozen=True)
class Facts:
    """One decision, without a single value of the person but their userId at this merchant."""

    decision: ConsentDecision
    id: str
    by: str  # user, operator, or time: nobody did it, it ran out
    told: str
    language: str
    user_id: str
    mini_program: str
    developer: str
    policy_url: str
    about: list[Line]  # the scopes it decided on
    holds: list[Line]  # the scopes that are granted after it

    @property
    def at(self) -> datetime:
        return self.decision.at

    @property
    def reason(self) -> str:
        """What an operator gave as the reason."""
        return self.decision.reason if self.by == "operator" else ""


def of(decision: ConsentDecision) -> Facts:
    """The facts, in the language of the sheet that was answered last. One statement, and those of `decision`."""
    agreed = _Agreed(decision)
    language = agreed.sheet.language if agreed.sheet else settings.LANGUAGE_CODE
    shown, program = agreed.sheet.text if agreed.sheet else {}, decision.mini_program
    with override(language):
        held, terms = agreed.words, decision.terms or {}
        asked = lines_of(decision.shown) if decision.act == Act.REFUSED else held
        return Facts(
            decision=decision,
            id=str(uuid.uuid5(_NAMESPACE, f"{decision.pk} {decision.at.isoformat()} {decision.trace_id}")),
            by={None: "time", decision.user_id: "user"}.get(decision.actor_id, "operator"),
            told=history.told(decision),
            language=language,
            user_id=program.merchant.sector.user_id(decision.user.uuid.bytes),
            mini_program=shown.get("miniProgram", program.name),
            developer=shown.get("developer", program.developer),
            policy_url=shown.get("privacyPolicy", program.privacy_policy_url),
            about=[_line(name, asked, terms) for name in _about(decision, agreed)],
            holds=[_line(name, held, terms) for name in decision.scopes_after],
        )


class _Agreed:
    """What the person had read and agreed to, up to this decision: earlier rows of the same grant say it."""

    def __init__(self, decision: ConsentDecision) -> None:
        self.words: dict[str, Mapping[str, Any]] = {}
        self.fresh: set[str] = set()  # the scopes that the last row gave, or gave on other terms
        self.sheet: ConsentText | None = None
        self._terms: Mapping[str, Any] = {}
        for row in _rows(decision):
            self._read(row)

    def _read(self, row: ConsentDecision) -> None:
        lines, terms = lines_of(row.shown), row.terms or {}
        given = (name for name in row.scopes_after if name not in row.scopes_before)
        self.fresh = {*given, *(name for name in row.scopes_after if terms.get(name) != self._terms.get(name))}
        self.words |= {name: lines[name] for name in self.fresh & lines.keys()}
        self.sheet, self._terms = row.shown or self.sheet, terms


def _rows(decision: ConsentDecision) -> Iterable[ConsentDecision]:
    if decision.grant_id is None:
        return [decision]
    rows = ConsentDecision.objects.filter(grant=decision.grant_id, pk__lte=decision.pk)
    return rows.select_related("shown").order_by("pk")


def lines_of(shown: ConsentText | None) -> Words:
    """The lines of a sheet by scope."""
    return {line["scope"]: line for line in shown.text.get("lines", [])} if shown else {}


def _about(decision: ConsentDecision, agreed: _Agreed) -> list[str]:
    before, after = decision.scopes_before, decision.scopes_after
    if decision.act == Act.REFUSED:
        return list(lines_of(decision.shown))
    if decision.act in (Act.PAUSED, Act.RESUMED):
        return list(after)
    return [name for name in before if name not in after] or [name for name in after if name in agreed.fresh]


def _line(name: str, words: Words, terms: Mapping[str, Any]) -> Line:
    """In the words that were agreed to; in the catalogue's where no sheet showed any."""
    scope, read = scopes.catalogue().get(name, _UNKNOWN), words.get(name, {})
    return Line(
        scope=scope,
        name=name,
        label=read.get("label") or str(scope.label) or name,
        purpose=read.get("purpose") or str(scope.description),
        required=read.get("required", False),
        term=Term.read(terms, name),
    )
