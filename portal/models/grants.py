"""What a mini-program may do for a person, now: given, widened, narrowed and ended here only."""

import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from django.db import IntegrityError, models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from oauth2_provider.models import AccessToken, RefreshToken

from portal import scopes as catalogue
from portal.middleware import current_trace_id
from portal.terms import Duration, Term

from .granted_scopes import TERMS, GrantedScopes
from .inbox import InboxNotice
from .ledger import ConsentDecision, ConsentText
from .mini_programs import MiniProgram
from .notices import MerchantNotice
from .users import User

Act = ConsentDecision.Act
OVER = "its time ran out"
NOTICES = {Act.WITHDRAWN: "USER_WITHDREW", Act.REVOKED: "OPERATOR_REVOKED", Act.EXPIRED: "EXPIRED"}  # wire.md 5.5


def new_grant_id() -> str:
    """32 URL-safe characters, 192 bits."""
    return secrets.token_urlsafe(24)


class GrantQuerySet(models.QuerySet["MiniProgramGrant"]):
    """Chains for the states a grant can be in."""

    def live(self) -> "GrantQuerySet":
        """Not ended and not past its time."""
        return self.filter(ended_at=None).filter(models.Q(expires_at=None) | models.Q(expires_at__gt=timezone.now()))

    def usable(self) -> "GrantQuerySet":
        """Live and not paused: what opens anything."""
        return self.live().filter(paused_at=None)


class MiniProgramGrant(GrantedScopes):
    """What one mini-program may do for one person. One live row for each pair; dead rows stay as history."""

    id = models.CharField(max_length=32, primary_key=True, default=new_grant_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="grants")
    mini_program = models.ForeignKey(
        MiniProgram, on_delete=models.PROTECT, related_name="grants", verbose_name=_("mini-program")
    )
    since = models.DateTimeField(_("since"), default=timezone.now)
    # When its user was reminded that it is not used, and when they asked the merchant to delete what it has.
    reminded_at = models.DateTimeField(null=True, editable=False)
    deletion_asked_at = models.DateTimeField(null=True, editable=False)
    objects = GrantQuerySet.as_manager()

    class Meta:
        ordering = ("-since",)
        verbose_name = _("grant")
        permissions = (
            ("revoke_grant", "Can revoke one grant"),
            ("bulk_revoke_grants", "Can revoke many grants at once"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=["user", "mini_program"],
                condition=models.Q(ended_at__isnull=True),
                name="one_live_grant",
            ),
        )
        indexes = (
            models.Index(
                fields=["next_end_at"],
                condition=models.Q(ended_at=None, next_end_at__isnull=False),
                name="grants_to_end",
            ),
        )

    def __str__(self) -> str:
        return f"grant {self.pk[:6]}…"

    @classmethod
    @transaction.atomic
    def give(
        cls,
        user: User,
        mini_program: MiniProgram,
        names: Iterable[str],
        *,
        shown: ConsentText | None = None,
        terms: Mapping[str, Term] = MappingProxyType({}),
    ) -> "MiniProgramGrant":
        """Add scopes to the live grant of this pair, or start one; a ledger row when anything changed.

        `terms` are those of the scopes that were put to the user, who may have them already.
        """
        grant = cls._locked(user, mini_program)
        before, terms_before = grant.names, grant.terms
        added = [name for name in names if name not in grant.scopes]
        grant.scopes = {**grant.scopes, **dict.fromkeys(added, timezone.now().isoformat())}
        grant.set_terms(terms)
        if added or grant.terms != terms_before:
            grant.save(update_fields=["scopes", *TERMS])
            act = Act.GIVEN if not before else Act.WIDENED if added else Act.RENEWED
            grant._write(act, actor=user, before=before, shown=shown)
        return grant

    @transaction.atomic
    def retime(self, duration: Duration, *, by: User) -> bool:
        """Allow what is open for this long from now, under the operators' limits; False when nothing changed."""
        grant = self._lock()
        if not grant.is_live:
            return False
        now, approvals, before = timezone.now(), grant.mini_program.approvals(), grant.terms
        limits = {name: approval.max_days for name, approval in approvals.items()}
        asked = [scope.name for scope in catalogue.known(grant.open_scopes()) if not scope.silent]
        terms = {
            name: Term.of(duration, now, max_days=limits.get(name), purpose=grant.term_of(name).purpose)
            for name in asked
        }
        grant.set_terms(terms)
        if grant.terms == before:
            return False
        grant.save(update_fields=[*TERMS])
        grant._write(Act.RETIMED, actor=by, before=grant.names)
        self.refresh_from_db()
        return True

    @transaction.atomic
    def pause(self, *, by: User) -> bool:
        """Let it open nothing until `resume`; False when it was paused or over."""
        return self._set_paused(timezone.now(), Act.PAUSED, by)

    @transaction.atomic
    def resume(self, *, by: User) -> bool:
        """Let it open what it opened before; False when it was not paused, or over."""
        return self._set_paused(None, Act.RESUMED, by)

    def _set_paused(self, at: datetime | None, act: ConsentDecision.Act, by: User) -> bool:
        grant = self._lock()
        if not grant.is_live or bool(grant.paused_at) == bool(at):
            return False
        grant.paused_at = at
        grant.save(update_fields=["paused_at"])
        grant._write(act, actor=by, before=grant.names)
        self.refresh_from_db()
        return True

    def _lock(self) -> "MiniProgramGrant":
        """This row as it is now, under a lock."""
        return type(self).objects.select_for_update(no_key=True, of=("self",)).get(pk=self.pk)

    @transaction.atomic
    def ask_deletion(self) -> bool:
        """Ask the merchant to delete what it got, once, when all is over; False when it is not, or cannot be asked."""
        grant = self._lock()
        if grant.is_live or grant.deletion_asked_at:
            return False
        if not MerchantNotice.objects.tell(grant, authorizationNotifyType="DATA_DELETION_REQUESTED"):
            return False
        grant.deletion_asked_at = timezone.now()
        grant.save(update_fields=["deletion_asked_at"])
        self.refresh_from_db()
        return True

    @transaction.atomic
    def revoke(
        self, *, by: User | None, scopes: Iterable[str] | None = None, reason: str = "", notice: str = ""
    ) -> bool:
        """End this grant, or with `scopes` only those; False when there was nothing left to take.

        `by` is the user (withdrawn, narrowed), an operator (revoked, narrowed) or None (its time ran out). The one
        way access ends: tokens, ledger row and the merchant's notice go in one transaction (wire.md 6). `notice` is
        what the merchant is told where that is not plain: USER_DELETED.
        """
        grant = self._lock()
        taken = set(grant.scopes) if scopes is None else set(scopes) & grant.scopes.keys()
        if grant.ended_at or not taken:
            return False
        before = grant.names
        if scopes is not None and taken < grant.scopes.keys():
            grant.scopes = {name: since for name, since in grant.scopes.items() if name not in taken}
            grant.set_terms({})
            grant.save(update_fields=["scopes", *TERMS])
            grant._write(Act.NARROWED if by else Act.EXPIRED, actor=by, before=before, reason=reason)
        else:
            grant._end(by, reason, notice)
        self.refresh_from_db()
        return True

    def _end(self, by: User | None, reason: str, notice: str) -> None:
        act = Act.EXPIRED if by is None else Act.WITHDRAWN if by.pk == self.user_id else Act.REVOKED
        before = self.names
        self.ended_at = timezone.now()
        self.save(update_fields=["ended_at"])
        killed = self._kill_tokens()
        self._write(act, actor=by, before=before, after=[], reason=reason)
        if killed:
            MerchantNotice.objects.tell(
                self, authorizationNotifyType="TOKEN_CANCELED", reason=notice or NOTICES[act], scopes=before
            )

    def _kill_tokens(self) -> int:
        """Revoke every token of this pair. Codes die with the grant they point to."""
        now = timezone.now()
        pair = {"user_id": self.user_id, "application_id": self.mini_program_id}
        killed = RefreshToken.objects.filter(**pair, revoked=None).update(revoked=now)
        AccessToken.objects.filter(**pair, expires__gt=now).update(expires=now)
        return killed

    def _write(
        self, act: ConsentDecision.Act, *, before: list[str], after: list[str] | None = None, **fields: Any
    ) -> None:
        decision = ConsentDecision.objects.write(
            act=act,
            user_id=self.user_id,
            mini_program_id=self.mini_program_id,
            grant=self,
            scopes_before=before,
            scopes_after=self.names if after is None else after,
            terms=self.terms or None,
            trace_id=current_trace_id(),
            **fields,
        )
        InboxNotice.objects.tell(decision)

    @classmethod
    def _locked(cls, user: User, mini_program: MiniProgram) -> "MiniProgramGrant":
        """The live grant of this pair under a row lock; an expired one is ended first."""
        rows = cls.objects.select_for_update(no_key=True, of=("self",))
        while True:
            grant = rows.filter(user=user, mini_program=mini_program, ended_at=None).first()
            if grant and (lapsed := grant.lapsed()):
                grant.revoke(by=None, scopes=lapsed, reason=OVER)
                continue
            if grant:
                return grant
            try:
                with transaction.atomic():
                    return cls.objects.create(user=user, mini_program=mini_program)
            except IntegrityError:  # another request made it first
                continue


def labels(names: Iterable[str]) -> list[str]:
    """The catalogue's labels of these scopes, each once."""
    return list(dict.fromkeys(str(scope.label) for scope in catalogue.known(names)))
