"""A question put to a user: which scopes, until when, and what they answered."""

import logging
import secrets
from collections.abc import Iterable, Mapping

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal import scopes as catalogue
from portal.middleware import current_trace_id
from portal.terms import Duration, Term

from .grants import MiniProgramGrant
from .inbox import InboxNotice
from .ledger import ConsentDecision, ConsentText
from .mini_programs import MiniProgram
from .users import User

logger = logging.getLogger(__name__)


class AlreadyDecidedError(Exception):
    """The sheet was answered before."""


class ConsentExpiredError(Exception):
    """The sheet's time ran out, or one of its two sides was stopped."""


class NotAskedError(Exception):
    """An answer grants a scope that the sheet did not ask for; `scopes` names them."""

    def __init__(self, scopes: Iterable[str]) -> None:
        self.scopes = sorted(scopes)
        super().__init__(", ".join(self.scopes))


def new_consent_id() -> str:
    """32 URL-safe characters, 192 bits."""
    return secrets.token_urlsafe(24)


class PendingConsent(models.Model):
    """One consent sheet: bound to a user, a mini-program and its scopes; nothing a client sends changes that."""

    id = models.CharField(max_length=32, primary_key=True, default=new_consent_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="pending_consents")
    mini_program = models.ForeignKey(
        MiniProgram, on_delete=models.CASCADE, related_name="pending_consents", verbose_name=_("mini-program")
    )
    scopes = models.JSONField(help_text=_("Every scope of the call, in the order asked."))
    asked = models.JSONField(help_text=_("Those of them the sheet puts to the user."))
    # {scope: code of wire.md 1} for the scopes that failed before the user was asked.
    errors = models.JSONField(default=dict)
    created = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    granted = models.JSONField(default=list)
    collected_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"consent {self.pk[:6]}…"

    @classmethod
    def ask(
        cls,
        user: User,
        mini_program: MiniProgram,
        names: Iterable[str],
        *,
        asked: Iterable[str],
        errors: Mapping[str, str],
    ) -> "PendingConsent":
        """Put these scopes to the user, for CONSENT_LIFETIME."""
        return cls.objects.create(
            user=user,
            mini_program=mini_program,
            scopes=list(names),
            asked=list(asked),
            errors=dict(errors),
            expires_at=timezone.now() + settings.CONSENT_LIFETIME,
        )

    @property
    def is_open(self) -> bool:
        """Not answered, in time, and neither side was stopped meanwhile: mini-program, merchant, user."""
        in_time = self.decided_at is None and self.expires_at > timezone.now()
        can_ask = self.mini_program.is_active and self.mini_program.merchant.is_active
        return in_time and can_ask and self.user.status == User.Status.ACTIVE

    @transaction.atomic
    def decide(
        self, granted: Iterable[str], *, shown: ConsentText | None, duration: Duration = Duration.ALWAYS
    ) -> MiniProgramGrant | None:
        """Write the user's answer and the grant it leads to; None when everything was refused.

        `duration` is that of the scopes put to the user, under the operators' limits. Raises AlreadyDecidedError,
        ConsentExpiredError, or NotAskedError for a scope that the call did not ask for (trust 20). A refusal leaves
        the grant as it was.
        """
        row = type(self).objects.select_for_update(of=("self",)).get(pk=self.pk)
        if row.decided_at:
            raise AlreadyDecidedError
        if not self.is_open:
            raise ConsentExpiredError
        chosen = set(granted)
        # Naming a silent or already granted scope of this call is harmless; anything else would widen it.
        if surplus := chosen - (set(row.scopes) - row.errors.keys()):
            raise NotAskedError(surplus)
        self.decided_at, self.granted = timezone.now(), [name for name in row.asked if name in chosen]
        self.save(update_fields=["decided_at", "granted"])
        if self.granted:
            terms = self._terms(duration)
            return MiniProgramGrant.give(self.user, self.mini_program, self._to_give(), shown=shown, terms=terms)
        self._write_refusal(shown)
        return None

    def _to_give(self) -> list[str]:
        """What was ticked, and the silent scopes of the call.

        Not what the user had granted when the sheet came up: withdrawn since, it must be asked again (trust 21).
        """
        return [*catalogue.silent(name for name in self.scopes if name not in self.errors), *self.granted]

    def _terms(self, duration: Duration) -> dict[str, Term]:
        """The terms of what was ticked: as long as chosen and allowed, for the purposes as they are now."""
        now, approvals = timezone.now(), self.mini_program.approvals()
        return {
            name: Term.of(duration, now, max_days=approval.max_days, purpose=approval.purpose_version)
            for name in self.granted
            if (approval := approvals.get(name))
        }

    def _write_refusal(self, shown: ConsentText | None) -> None:
        grant = MiniProgramGrant.of(self.user, self.mini_program)
        held = grant.names if grant else []
        decision = ConsentDecision.objects.write(
            act=ConsentDecision.Act.REFUSED,
            user=self.user,
            mini_program=self.mini_program,
            grant=grant,
            actor=self.user,
            scopes_before=held,
            scopes_after=held,
            shown=shown,
            reason="refused: " + ", ".join(self.asked),
            terms=(grant.terms or None) if grant else None,
            trace_id=current_trace_id(),
        )
        InboxNotice.objects.tell(decision)

    def collect(self) -> bool:
        """Claim the one code this decision yields; False when it was handed out before."""
        rows = type(self).objects.filter(pk=self.pk, collected_at=None)
        return bool(rows.update(collected_at=timezone.now()))
