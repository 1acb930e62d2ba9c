"""getAuthCode: what a mini-program asks of a user, decided and answered (wire.md 1 and 2)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import transaction

from authapi import codes, judgements, results
from portal import scopes, sheet
from portal.models import MiniProgramGrant, PendingConsent, User
from portal.models.consents import AlreadyDecidedError, ConsentExpiredError, NotAskedError
from portal.terms import Duration


@dataclass
class Outcome:
    """A code with what it holds, or the consent that must be asked for first."""

    success_scopes: list[str] = field(default_factory=list)
    error_scopes: dict[str, str] = field(default_factory=dict)
    code: str = ""
    consent: PendingConsent | None = None


def request(user: User, app_id: str, names: Sequence[str] | None) -> Outcome:
    """A code when nothing is left to ask, else a pending consent.

    `names` None means auth_base. Raises what `judgements.of` raises.
    """
    found = judgements.of(user, app_id, names)
    grant = found.grant
    if found.to_ask:
        assert found.program
        consent = PendingConsent.ask(user, found.program, found.names, asked=found.to_ask, errors=found.errors)
        return Outcome(error_scopes=found.errors, consent=consent)
    if not found.is_covered:
        assert found.program
        silent = scopes.silent(found.allowed)  # the others are granted already
        grant = MiniProgramGrant.give(user, found.program, silent)
    assert grant
    return Outcome(found.allowed, found.errors, code=codes.issue(grant, found.allowed))


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
    judgements.check_user(user)
    judgements.usable_mini_program(consent.mini_program.app_id)
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
    judgements.check_user(user)
    judgements.usable_mini_program(consent.mini_program.app_id)
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
