"""getAuthCode: what a mini-program asks of a user, decided and answered (wire.md 1 and 2)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from django.db import transaction
from django.utils import timezone

from authapi import codes, results, statements
from portal import scopes, sheet
from portal.models import MiniProgram, MiniProgramGrant, PendingConsent, ScopeApproval, User
from portal.models.consents import AlreadyDecidedError, ConsentExpiredError, NotAskedError
from portal.models.mini_programs import USER_AUTHORIZATION
from portal.terms import Duration, Stored, Term

# Told to the mini-program's developer, as the user's refusal: the user can undo it.
PAUSED = "the user has paused this mini-program, and can let it go on under Permissions"


@dataclass
class Outcome:
    """A code with what it holds, or the consent that must be asked for first."""

    success_scopes: list[str] = field(default_factory=list)
    error_scopes: dict[str, str] = field(default_factory=dict)
    code: str = ""
    consent: PendingConsent | None = None


@dataclass
class _Call:
    """The asked scopes, sorted out."""

    names: list[str]
    errors: dict[str, str]
    to_ask: list[str]
    grant: MiniProgramGrant | None

    @property
    def allowed(self) -> list[str]:
        return [name for name in self.names if name not in self.errors]


def request(user: User, app_id: str, names: Sequence[str] | None) -> Outcome:
    """A code when nothing is left to ask, else a pending consent.

    `names` None means auth_base. Raises InvalidParameters (mini-program unknown, suspended or without the feature,
    or no scope of the call is usable), UnknownError (the user is not ACTIVE).
    """
    check_user(user)
    wanted = list(dict.fromkeys(names if names is not None else [scopes.DEFAULT]))
    if grant := _covering(user, app_id, wanted):
        return Outcome(wanted, code=codes.issue(grant, wanted))
    if user.get_deferred_fields():
        user.refresh_from_db()
    program = usable_mini_program(app_id)
    call = _sort_out(user, program, wanted)
    if call.to_ask:
        for name in sheet.undecidable(user, call.to_ask):
            call.errors[name] = results.SCOPE_UNDECIDED
            call.to_ask.remove(name)
    if call.to_ask:
        consent = PendingConsent.ask(user, program, call.names, asked=call.to_ask, errors=call.errors)
        return Outcome(error_scopes=call.errors, consent=consent)
    if not call.allowed:
        raise results.UnknownError("None of the scopes could be decided.", error_scopes=call.errors)
    grant = call.grant
    if grant is None or not grant.covers(call.allowed):
        grant = MiniProgramGrant.give(user, program, scopes.silent(call.allowed))  # the others are granted already
    return Outcome(call.allowed, call.errors, code=codes.issue(grant, call.allowed))


# The mini-program, whether it may call, and what this user granted it.
_COVERING = """
SELECT p.id, p.features, g.id, g.scopes, g.terms,
    (SELECT {joined} FROM portal_scopeapproval a WHERE a.mini_program_id = p.id AND a.state = 'APPROVED')
FROM portal_miniprogram p
JOIN portal_merchant m ON m.id = p.merchant_id
JOIN portal_miniprogramgrant g ON g.mini_program_id = p.id AND g.user_id = %(user)s
    AND g.ended_at IS NULL AND g.paused_at IS NULL AND (g.expires_at IS NULL OR g.expires_at > %(now)s)
WHERE p.client_id = %(app_id)s AND p.status = 'ACTIVE' AND m.status = 'ACTIVE' AND p.cut_offs = '[]'
"""


@cache
def _covering_sql() -> str:
    return _COVERING.format(joined=statements.joined("a.scope || ':' || a.purpose_version"))


def _covering(user: User, app_id: str, names: Sequence[str]) -> MiniProgramGrant | None:
    """The live grant, when every one of these scopes is granted and approved and nothing is to be said or asked.

    One statement, for what happens at nearly every start of a mini-program; None leaves it to the long way.
    """
    values = {"user": user.pk, "app_id": app_id, "now": statements.moment(timezone.now())}
    row = statements.row(_covering_sql(), values)
    if row is None:
        return None
    program_id, features, grant_id, granted, terms, approved = row
    versions = dict(pair.split(":") for pair in (approved or "").split())
    held = set(json.loads(granted)) & versions.keys() & scopes.catalogue().keys()
    if not held.issuperset(names) or USER_AUTHORIZATION not in json.loads(features):
        return None
    stored, now = json.loads(terms), timezone.now()
    if not all(_settled(stored, name, versions[name], now) for name in names):
        return None
    return statements.model(MiniProgramGrant, id=grant_id, user_id=user.pk, mini_program_id=program_id)


def _settled(stored: Stored, name: str, version: str, now: datetime) -> bool:
    """Whether this granted scope need not be asked. Most are granted plainly, for a purpose that never changed."""
    if (name not in stored and version == "1") or scopes.catalogue()[name].silent:
        return True
    return Term.read(stored, name).settles(int(version), now)


def decide(
    user: User,
    consent: PendingConsent,
    granted: Sequence[str],
    *,
    duration: Duration = Duration.ALWAYS,
    signed_in: bool,
) -> Outcome:
    """The user's answer, given through the JSON endpoint: decide, then hand out the code.

    `signed_in`: they have just shown who they are, which sensitive scopes ask for. Raises InvalidParameters
    (answered before, expired, a scope that was not asked, a required one left out), UnknownError (not signed in
    recently), Cancelled (nothing granted).
    """
    check_user(user)
    usable_mini_program(consent.mini_program.app_id)
    shown = sheet.of(consent)
    missing = [line.scope for line in shown.lines if line.required and line.scope not in granted]
    if granted and missing:
        raise results.InvalidParameters(f"grantedScopes: {', '.join(missing)} is required; grant it or refuse all.")
    if not signed_in and (lines := shown.sensitive(granted)):
        names = [line.scope for line in lines]
        raise results.UnknownError(
            f"{', '.join(names)} asks for a recent sign-in. Show consentUrl, which asks for the password.",
            error_scopes=dict.fromkeys(names, results.SCOPE_UNDECIDED),
        )
    try:
        consent.decide(granted, shown=shown.consent_text(), duration=duration)
    except AlreadyDecidedError as error:
        raise results.InvalidParameters("consentId: it was answered before.") from error
    except ConsentExpiredError as error:
        raise results.InvalidParameters("consentId: its time ran out. Call getAuthCode again.") from error
    except NotAskedError as error:
        raise results.InvalidParameters(f"grantedScopes: {error} was not asked.") from error
    return collect(user, consent)


def collect(user: User, consent: PendingConsent) -> Outcome:
    """The outcome of a consent: still open, refused, or its one code.

    Raises Cancelled (refused, or withdrawn since), InvalidParameters (expired, or the code was handed out before).
    """
    check_user(user)
    usable_mini_program(consent.mini_program.app_id)
    if consent.is_open:
        return Outcome(error_scopes=consent.errors, consent=consent)
    if not consent.decided_at:
        raise results.InvalidParameters("consentId: its time ran out. Call getAuthCode again.")
    errors = {**consent.errors, **dict.fromkeys(consent.asked, results.SCOPE_REFUSED)}
    for name in consent.granted:
        del errors[name]
    if not consent.granted:
        raise results.Cancelled(error_scopes=errors)
    return _hand_out(consent, errors)


@transaction.atomic
def _hand_out(consent: PendingConsent, errors: dict[str, str]) -> Outcome:
    """What was decided, less what was withdrawn or lost its approval since; once."""
    if not consent.collect():
        raise results.InvalidParameters("consentId: its code was handed out before. Call getAuthCode again.")
    grant = MiniProgramGrant.of(consent.user, consent.mini_program)
    held = grant.open_scopes() if grant and not grant.paused_at else set()
    approvals = consent.mini_program.approvals()
    for name in consent.scopes:
        if name not in errors and name not in approvals:
            errors[name] = results.SCOPE_NOT_APPROVED
        elif name not in errors and name not in held:
            errors[name] = results.SCOPE_REFUSED
    success = [name for name in consent.scopes if name not in errors]
    if grant is None or not success:
        raise results.Cancelled("it was withdrawn at once", error_scopes=errors)
    return Outcome(success, errors, code=codes.issue(grant, success))


def check_user(user: User) -> None:
    """Raises UnknownError for a user who is not ACTIVE (wire.md 2)."""
    if user.status != User.Status.ACTIVE:
        raise results.UnknownError(
            f"the user's account is {user.get_status_display().lower()}, so nothing can be authorized."
        )


def usable_mini_program(app_id: str) -> MiniProgram:
    """The mini-program, if it may call. Raises InvalidParameters."""
    program = MiniProgram.objects.select_related("merchant").filter(client_id=app_id).first()
    if program is None:
        raise results.InvalidParameters("appId is unknown.")
    if not program.is_active or not program.merchant.is_active:
        raise results.InvalidParameters("appId: this mini-program is suspended.")
    if not program.has_feature(USER_AUTHORIZATION):
        raise results.InvalidParameters(f"appId: this mini-program lacks the feature {USER_AUTHORIZATION}.")
    return program


def _sort_out(user: User, program: MiniProgram, names: list[str]) -> _Call:
    """Which scopes fail, which are there already, which must be asked."""
    known = scopes.catalogue()
    approvals = program.approvals()
    errors = {name: code for name in names if (code := _refused(name, approvals))}
    if len(errors) == len(names):
        raise results.InvalidParameters(f"scopes: none is usable ({_named(errors)}).", error_scopes=errors)
    grant = MiniProgramGrant.of(user, program)
    if grant and grant.paused_at:
        raise results.Cancelled(PAUSED, error_scopes={**dict.fromkeys(names, results.SCOPE_REFUSED), **errors})
    asked = [name for name in names if name not in errors and not known[name].silent]
    to_ask = [n for n in asked if not (grant and grant.settles(n, approvals[n].purpose_version))]
    return _Call(names, errors, to_ask, grant)


def _refused(name: str, approvals: dict[str, ScopeApproval]) -> str:
    if name not in scopes.catalogue():
        return results.SCOPE_UNKNOWN
    return "" if name in approvals else results.SCOPE_NOT_APPROVED


def _named(errors: dict[str, str]) -> str:
    words = {results.SCOPE_UNKNOWN: "unknown", results.SCOPE_NOT_APPROVED: "not approved for this mini-program"}
    return "; ".join(f"{name[:40]}: {words[code]}" for name, code in list(errors.items())[:4])
