"""What a consent sheet shows, the same for our page and for a container that draws its own (trust 22)."""

import logging
from dataclasses import dataclass
from typing import Any

from django.utils.translation import get_language

from portal import previews, scopes
from portal.models.consents import PendingConsent
from portal.models.grants import MiniProgramGrant, labels
from portal.models.ledger import ConsentText
from portal.models.mini_programs import MiniProgram
from portal.models.users import User

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


@dataclass(frozen=True)
class Sheet:
    """Who asks, for what, and what they have already."""

    consent: PendingConsent
    mini_program: MiniProgram
    lines: tuple[Line, ...]
    already: tuple[str, ...]

    def text(self) -> dict[str, Any]:
        """The words shown, without a person's values: what the ledger keeps."""
        return {
            "miniProgram": self.mini_program.name,
            "developer": self.mini_program.developer,
            "privacyPolicy": self.mini_program.privacy_policy_url,
            "lines": [
                {
                    "scope": line.scope,
                    "label": line.label,
                    "description": line.description,
                    "purpose": line.purpose,
                    "required": line.required,
                }
                for line in self.lines
            ],
            "already": list(self.already),
        }

    def consent_text(self) -> ConsentText:
        """The ledger's row for these words (trust 28)."""
        return ConsentText.of(self.text(), version=scopes.VERSION, language=get_language() or "en")


def of(consent: PendingConsent) -> Sheet:
    """The sheet for a pending consent, in the language now active. Four statements and the profile's rows."""
    program, approvals = consent.mini_program, consent.mini_program.approvals()
    grant = MiniProgramGrant.objects.live().filter(user=consent.user, mini_program=program).first()
    asked = [scopes.catalogue()[name] for name in consent.asked if name in scopes.catalogue()]
    lines = []
    for scope in asked:
        approval = approvals.get(scope.name)
        lines.append(
            Line(
                scope=scope.name,
                label=str(scope.label),
                description=str(scope.description),
                purpose=approval.purpose if approval else "",
                required=bool(approval and approval.required),
                sensitive=scope.sensitive,
                icon=scope.icon,
                preview=tuple(previews.if_readable(consent.user, scope)),
            )
        )
    return Sheet(consent, program, tuple(lines), tuple(labels(grant.scopes) if grant else ()))


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
