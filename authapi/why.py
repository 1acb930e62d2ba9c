"""What getAuthCode would answer this person now, and why, for operators: reads, and writes nothing.

The decision is that of `judgements`, which the endpoint itself carries out; here it is only put into words.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from django.db.models import F
from django.utils import timezone

from authapi import judgements, results, serializers
from authapi.judgements import Judgement
from portal import scopes
from portal.admin.terms import when
from portal.models import ConsentDecision, MiniProgram, MiniProgramGrant, ScopeApproval, User
from portal.models.mini_programs import USER_AUTHORIZATION

logger = logging.getLogger(__name__)
DECISIONS = 50  # so far back it is looked for what became of a scope
State = ScopeApproval.State


@dataclass(frozen=True)
class Line:
    """One asked scope: what becomes of it, and why."""

    scope: str
    label: str
    becomes: str
    why: str
    purpose: str = ""


@dataclass
class Explanation:
    """An answer of getAuthCode without its code or consent, in HTTP's status and JSON, with its reasons."""

    headline: str
    answer: dict[str, Any]
    status: int = 200
    reasons: list[str] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    program: MiniProgram | None = None
    grant: MiniProgramGrant | None = None  # the last of this pair, whatever became of it


def explain(user: User, app_id: str, names: Sequence[str] | None) -> Explanation:
    """What this call would come to now. `names` None means that it names no scopes."""
    if not user.is_active:
        nobody = results.UnknownError("Authentication credentials were not provided.")
        reasons = ["The account is closed: is_active is off, so nobody can be signed in with it."]
        return Explanation("HTTP 401: nobody is signed in", serializers.jsapi_error(nobody), 401, reasons)
    try:
        params = serializers.check(serializers.GetAuthCodeParams, {"appId": app_id, "scopes": names})
    except serializers.UnfitError as error:
        refusal = results.InvalidParameters(str(error))
        return Explanation(f"Error 2: {refusal.message}", serializers.jsapi_error(refusal))
    case = _Case(user, params["app_id"])
    try:
        found = judgements.of(user, case.app_id, params.get("scopes"))
    except results.JsapiError as refused:
        return _refused(case, refused)
    except Exception as error:  # the endpoint answers whatever fails, too
        logger.exception("what getAuthCode would answer user %s in %s failed", user.pk, case.app_id)
        return _refused(case, results.UnknownError(), f"Our fault: {type(error).__name__}, see the log.")
    return _judged(case, found)


class _Case:
    """What is known of this person and this mini-program, each looked up when it is needed."""

    def __init__(self, user: User, app_id: str) -> None:
        self.user, self.app_id, self.now = user, app_id, timezone.now()

    @cached_property
    def program(self) -> MiniProgram | None:
        return MiniProgram.objects.select_related("merchant").filter(client_id=self.app_id).first()

    @cached_property
    def approvals(self) -> dict[str, ScopeApproval]:
        """In whatever state, by scope."""
        rows = self.program.scope_approvals.all() if self.program else []
        return {row.scope: row for row in rows}

    @cached_property
    def grant(self) -> MiniProgramGrant | None:
        """The last one of this pair: it may have ended."""
        rows = MiniProgramGrant.objects.filter(user=self.user, mini_program=self.program)
        latest = rows.select_related("mini_program").order_by(F("ended_at").desc(nulls_first=True))
        return latest.first() if self.program else None

    @cached_property
    def decisions(self) -> list[ConsentDecision]:
        """Newest first."""
        rows = ConsentDecision.objects.filter(user=self.user, mini_program=self.program).select_related("actor")
        return list(rows.order_by("-at", "-id")[:DECISIONS])


def _refused(case: _Case, refused: results.JsapiError, fault: str = "") -> Explanation:
    lines = [_failed(case, name, code) for name, code in refused.error_scopes.items()]
    reasons = [fault] if fault else _reasons(case) or [refused.reason]
    headline = f"Error {refused.error}: {refused.message}"
    answer = serializers.jsapi_error(refused)
    return Explanation(headline, answer, reasons=reasons, lines=lines, program=case.program, grant=case.grant)


def _reasons(case: _Case) -> list[str]:
    """All that stands in the way whatever scopes are asked, and not only what the answer names first."""
    found = []
    if case.user.status != User.Status.ACTIVE:
        found.append(f"The user is {case.user.get_status_display().lower()}.")
    if case.program is None:
        near = MiniProgram.objects.filter(client_id__iexact=case.app_id).first()
        return [*found, f"There is no such mini-program.{f' Did they mean {near.client_id}?' if near else ''}"]
    found += _stopped(case.program)
    if case.grant and case.grant.is_live and case.grant.paused_at:
        found.append(_ended(f"The user paused this mini-program on {when(case.grant.paused_at)}."))
    return found


def _stopped(program: MiniProgram) -> list[str]:
    checks = (
        (program.is_active, f"The mini-program {program.app_id} is suspended."),
        (program.merchant.is_active, f"Its merchant {program.merchant} is disabled."),
        (
            not isinstance(program.features, list) or USER_AUTHORIZATION in program.features,
            f"The mini-program lacks the feature {USER_AUTHORIZATION}.",
        ),
    )
    return [words for is_well, words in checks if not is_well]


def _judged(case: _Case, found: Judgement) -> Explanation:
    lines = [_line(case, found, name) for name in found.names]
    if found.to_ask:
        headline = f"Error {results.AGREEMENT_PENDING}: the user would be asked for {', '.join(found.to_ask)}"
        answer = {
            "error": results.AGREEMENT_PENDING,
            "errorMessage": serializers.AGREEMENT,
            "authErrorScopes": found.errors,
        }
    else:
        headline = f"A code for {', '.join(found.allowed)}"
        answer = {"authSuccessScopes": found.allowed, "authErrorScopes": found.errors}
    return Explanation(headline, answer, lines=lines, program=case.program, grant=case.grant)


def _line(case: _Case, found: Judgement, name: str) -> Line:
    if code := found.errors.get(name):
        return _failed(case, name, code)
    if name in found.to_ask:
        return _about(case, name, "asked", why_asked(case, name))
    if scopes.catalogue()[name].silent:
        return _about(case, name, "in the code", "It is silent: nobody is ever asked for it.")
    grant = found.grant if found.program else case.grant
    assert grant
    until = grant.term_of(name).until
    return _about(case, name, "in the code", f"Granted on {when(grant.since_of(name))}{_until(until)}.")


def _until(moment: datetime | None) -> str:
    return f", until {when(moment)}" if moment else ""


def _about(case: _Case, name: str, becomes: str, why: str) -> Line:
    scope, approval = scopes.catalogue().get(name), case.approvals.get(name)
    label, purpose = str(scope.label) if scope else "", approval.purpose if approval else ""
    return Line(name, label, becomes, _ended(why), purpose)


def _ended(sentence: str) -> str:
    """With one full stop: a time may end in one, as 2:38 a.m. does."""
    return sentence[:-1] if sentence.endswith("..") else sentence


# --- Why a scope fails ----------------------------------------------------------------------------------------


def _failed(case: _Case, name: str, code: str) -> Line:
    whys: dict[str, Callable[[_Case, str], str]] = {
        results.SCOPE_UNKNOWN: _unknown,
        results.SCOPE_NOT_APPROVED: _not_approved,
        results.SCOPE_REFUSED: lambda case, name: "The user paused this mini-program.",
        results.SCOPE_UNDECIDED: lambda case, name: "The stored value cannot be read: our fault, the log says more.",
    }
    return _about(case, name, f"fails with {code}", whys[code](case, name))


def _unknown(case: _Case, name: str) -> str:
    near = get_close_matches(name.upper(), {known.upper(): known for known in scopes.catalogue()}, 1)
    spelt = [known for known in scopes.catalogue() if near and known.upper() == near[0]]
    return f"No such scope exists.{f' Did they mean {spelt[0]}?' if spelt else ''}"


def _not_approved(case: _Case, name: str) -> str:
    approval = case.approvals.get(name)
    if approval is None:
        return "The mini-program never applied for it."
    if approval.state == State.REFUSED:
        return f"An operator refused it to the mini-program on {when(approval.decided_at)}."
    return "The mini-program applied for it, and no operator has decided so far."


# --- Why a scope is asked -------------------------------------------------------------------------------------


def why_asked(case: _Case, name: str) -> str:
    """What is missing for it to be in the code at once."""
    grant = case.grant
    if grant is None or grant.ended_at or name not in grant.scopes:
        return _not_there(case, name)
    term, version = grant.term_of(name), case.approvals[name].purpose_version
    if name in grant.cut():
        return "A mass revocation took it; its row has not followed so far."
    if term.once:
        return "It was allowed for one time only."
    if not term.is_open(case.now):
        return f"Its time ran out on {when(term.until)}."
    if not grant.is_live:
        return f"The grant's time ran out on {when(grant.expires_at)}."
    return f"Its purpose changed: the user agreed to version {term.purpose}, and it is version {version} now."


def _not_there(case: _Case, name: str) -> str:
    """From the ledger: who took it away last, or refused it."""
    for row in case.decisions:
        if name in row.scopes_before and name not in row.scopes_after:
            return f"{row.get_act_display()} on {when(row.at)}{_by(case, row)}."
        if row.act == ConsentDecision.Act.REFUSED and name in row.reason.removeprefix("refused: ").split(", "):
            return f"The user refused it on {when(row.at)}."
    return "Never given."


def _by(case: _Case, row: ConsentDecision) -> str:
    if row.actor_id is None:
        return f": {row.reason}" if row.reason else ""
    who = "the user" if row.actor_id == case.user.pk else f"{row.actor}"
    return f" by {who}{f' ({row.reason})' if row.reason else ''}"
