"""What getAuthCode would answer now, and on what grounds: reads, and writes nothing (wire.md 1 and 2).

`authorizations.request` carries out what is found here; the console's "Why?" shows it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from django.utils import timezone

from authapi import results, statements
from portal import scopes, sheet
from portal.models import MiniProgram, MiniProgramGrant, ScopeApproval, User
from portal.models.mini_programs import USER_AUTHORIZATION
from portal.terms import Stored, Term

# Told to the mini-program's developer, as the user's refusal: the user can undo it.
PAUSED = "the user has paused this mini-program, and can let it go on under Permissions"


@dataclass
class Judgement:
    """The asked scopes, sorted out: which fail and with what code, which must be put to the user.

    `is_covered`: the grant opens everything that does not fail, so that nothing is to be given or asked. Then
    `program` is None: one statement found all that is needed.
    """

    names: list[str]
    errors: dict[str, str] = field(default_factory=dict)
    to_ask: list[str] = field(default_factory=list)
    grant: MiniProgramGrant | None = None
    program: MiniProgram | None = None
    is_covered: bool = False

    @property
    def allowed(self) -> list[str]:
        """What the code would hold."""
        return [name for name in self.names if name not in self.errors]


def of(user: User, app_id: str, names: Sequence[str] | None) -> Judgement:
    """What becomes of this call. `names` None means auth_base.

    Raises InvalidParameters (mini-program unknown, suspended or without the feature, or no scope of the call is
    usable), UnknownError (the user is not ACTIVE, or no scope can be decided), Cancelled (the user paused it).
    """
    check_user(user)
    wanted = list(dict.fromkeys(names if names is not None else [scopes.DEFAULT]))
    if grant := _covering(user, app_id, wanted):
        return Judgement(wanted, grant=grant, is_covered=True)
    if user.get_deferred_fields():
        user.refresh_from_db()
    found = _sort_out(user, usable_mini_program(app_id), wanted)
    for name in sheet.undecidable(user, found.to_ask):
        found.errors[name] = results.SCOPE_UNDECIDED
        found.to_ask.remove(name)
    if not found.allowed:
        raise results.UnknownError("None of the scopes could be decided.", error_scopes=found.errors)
    found.is_covered = not found.to_ask and found.grant is not None and found.grant.covers(found.allowed)
    return found


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


def _sort_out(user: User, program: MiniProgram, names: list[str]) -> Judgement:
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
    return Judgement(names, errors, to_ask, grant, program)


def _refused(name: str, approvals: dict[str, ScopeApproval]) -> str:
    if name not in scopes.catalogue():
        return results.SCOPE_UNKNOWN
    return "" if name in approvals else results.SCOPE_NOT_APPROVED


def _named(errors: dict[str, str]) -> str:
    words = {results.SCOPE_UNKNOWN: "unknown", results.SCOPE_NOT_APPROVED: "not approved for this mini-program"}
    return "; ".join(f"{name[:40]}: {words[code]}" for name, code in list(errors.items())[:4])
