"""What a consent sheet shows, the same for our page and for a container that draws its own (trust 22)."""

import logging
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import prefetch_related_objects
from django.utils.translation import get_language

from portal import additions, durations, previews, scopes
from portal.models.consents import PendingConsent
from portal.models.grants import MiniProgramGrant, labels
from portal.models.ledger import ConsentText
from portal.models.mini_programs import MiniProgram
from portal.models.scope_approvals import PurposeVersion, ScopeApproval
from portal.models.users import User
from portal.scopes import Scope

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Line:
    """One scope on the sheet: the thing, the masked values, the reason."""

    scope: str
    label: str
    description: str
    purpose: str
    required: bool
    sensitive: bool
    icon: str
    preview: tuple[str, ...]
    # Whether it shows anything of the profile, whether there is nothing to show, and whether that can be put right
    # beside the sheet.
    opens: bool = True
    is_missing: bool = False
    can_add: bool = False
    # Whether it is allowed already, for another purpose, and what that purpose was.
    changed: bool = False
    before: str = ""
    # The operators' longest time in days, and the same where it is less than what can be chosen.
    max_days: int | None = None
    at_most: int | None = None


@dataclass(frozen=True)
class Sheet:
    """Who asks, for what, for how long, and what they have already."""

    consent: PendingConsent
    mini_program: MiniProgram
    lines: tuple[Line, ...]
    already: tuple[str, ...]
    durations: tuple[durations.Choice, ...]

    def text(self) -> dict[str, Any]:
        """The words shown, without a person's values: what the ledger keeps."""
        return {
            "miniProgram": self.mini_program.name,
            "developer": self.mini_program.developer,
            "verified": self.mini_program.merchant.verified,
            "privacyPolicy": self.mini_program.privacy_policy_url,
            "lines": [
                {
                    "scope": line.scope,
                    "label": line.label,
                    "description": line.description,
                    "purpose": line.purpose,
                    "required": line.required,
                    "changed": line.changed,
                    "before": line.before,
                    "atMostDays": line.at_most,
                }
                for line in self.lines
            ],
            "durations": [choice.label for choice in self.durations],
            "already": list(self.already),
        }

    @property
    def hash(self) -> str:
        """Of these words, as the ledger counts them: goes out with the form and must come back with the answer."""
        return ConsentText.hash_of(self.text())

    @property
    def sees(self) -> bool:
        """Whether it is asked to see something, and not only to do something."""
        return any(line.opens for line in self.lines)

    def consent_text(self) -> ConsentText:
        """The ledger's row for these words (trust 28)."""
        return ConsentText.of(self.text(), version=scopes.VERSION, language=get_language() or "en")

    def required(self) -> list[str]:
        """The scopes that go with every yes."""
        return [line.scope for line in self.lines if line.required]

    def can_add(self, scope: str) -> bool:
        """Whether this line lacks its value, and people can fill it in beside the sheet."""
        return any(line.can_add for line in self.lines if line.scope == scope)

    def sensitive(self, granted: Collection[str]) -> list[Line]:
        """Those of the granted lines that ask for a recent sign-in."""
        return [line for line in self.lines if line.sensitive and line.scope in granted]


def of(consent: PendingConsent) -> Sheet:
    """The sheet for a pending consent, in the language now active.

    Two statements, one for each kind of rows that it previews, and one more when a purpose has changed.
    """
    program, approvals = consent.mini_program, consent.mini_program.approvals()
    grant = MiniProgramGrant.of(consent.user, program)
    asked = [scopes.catalogue()[name] for name in consent.asked if name in scopes.catalogue()]
    found = [approvals.get(scope.name) for scope in asked]
    limits = [approval.max_days if approval else None for approval in found]
    earlier = _earlier(grant, filter(None, found)) if grant else {}
    prefetch_related_objects([consent.user], *previews.rows_of(asked))
    lines = [
        _line(consent.user, scope, approval, earlier=earlier.get(scope.name), longest=durations.longest(limits))
        for scope, approval in zip(asked, found, strict=True)
    ]
    already = labels(grant.open_scopes().difference(consent.asked)) if grant else []
    return Sheet(consent, program, tuple(lines), tuple(already), tuple(durations.offered(limits)))


def _line(
    user: User, scope: Scope, approval: ScopeApproval | None, *, earlier: str | None, longest: int | None
) -> Line:
    preview = tuple(previews.if_readable(user, scope))
    is_missing = not preview and previews.shows_profile(scope)
    max_days = approval.max_days if approval else None
    return Line(
        scope=scope.name,
        label=str(scope.label),
        description=str(scope.description),
        purpose=approval.purpose_in(get_language() or "en") if approval else "",
        required=bool(approval and approval.required),
        sensitive=scope.sensitive,
        icon=scope.icon,
        preview=preview,
        opens=bool(scope.fields),
        is_missing=is_missing,
        can_add=is_missing and additions.can_add(scope),
        changed=earlier is not None,
        before=earlier or "",
        max_days=max_days,
        at_most=max_days if max_days != longest else None,
    )


def _earlier(grant: MiniProgramGrant, approvals: Iterable[ScopeApproval]) -> dict[str, str]:
    """The purposes that were agreed to, by scope, where the grant stands and the purpose is another one now."""
    held = grant.open_scopes()
    changed = [
        approval
        for approval in approvals
        if approval.scope in held and grant.term_of(approval.scope).purpose < approval.purpose_version
    ]
    if not changed:
        return {}
    rows = PurposeVersion.objects.filter(approval__in=changed)
    texts = {(row.approval_id, row.version): row.purpose_in(get_language() or "en") for row in rows}
    return {
        approval.scope: texts.get((approval.pk, grant.term_of(approval.scope).purpose), "") for approval in changed
    }


def undecidable(user: User, names: list[str]) -> list[str]:
    """Those of these scopes whose values cannot be read (our fault): they are left off the sheet, code 3."""
    broken = []
    for scope in scopes.known(names):
        try:
            previews.preview(user, scope)
        except Exception:
            logger.exception("scope %s of user %s cannot be previewed", scope.name, user.pk)
            broken.append(scope.name)
    return broken
