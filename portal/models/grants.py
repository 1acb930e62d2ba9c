"""What a mini-program may do for a person, now: given, widened, narrowed and ended here only."""

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from oauth2_provider.models import AccessToken, RefreshToken

from portal import scopes as catalogue
from portal.middleware import current_trace_id

from .ledger import ConsentDecision, ConsentText
from .mini_programs import MiniProgram
from .notices import MerchantNotice
from .users import User

Act = ConsentDecision.Act
LAST_USED_PRECISION = timedelta(minutes=5)


def new_grant_id() -> str:
    """32 URL-safe characters, 192 bits."""
    return secrets.token_urlsafe(24)


class GrantQuerySet(models.QuerySet["MiniProgramGrant"]):
    """Chains for the states a grant can be in."""

    def live(self) -> "GrantQuerySet":
        """Not ended and not past its time."""
        return self.filter(ended_at=None).filter(models.Q(expires_at=None) | models.Q(expires_at__gt=timezone.now()))


class MiniProgramGrant(models.Model):
    """What one mini-program may do for one person. One live row for each pair; dead rows stay as history."""

    id = models.CharField(max_length=32, primary_key=True, default=new_grant_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="grants")
    mini_program = models.ForeignKey(
        MiniProgram, on_delete=models.PROTECT, related_name="grants", verbose_name=_("mini-program")
    )
    # {scope: since, ISO-8601}; PostgreSQL keeps no order of keys.
    scopes = models.JSONField(default=dict)
    since = models.DateTimeField(_("since"), default=timezone.now)
    expires_at = models.DateTimeField(_("until"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

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

    def __str__(self) -> str:
        return f"grant {self.pk[:6]}…"

    @property
    def is_live(self) -> bool:
        """Neither ended nor past its time."""
        return self.ended_at is None and (self.expires_at is None or self.expires_at > timezone.now())

    @property
    def names(self) -> list[str]:
        """The granted scopes in the catalogue's order."""
        order = {name: place for place, name in enumerate(catalogue.catalogue())}
        return sorted(self.scopes, key=lambda name: (order.get(name, len(order)), name))

    def covers(self, names: Iterable[str]) -> bool:
        """Whether every one of these scopes is granted now."""
        return self.is_live and set(names) <= self.scopes.keys()

    def since_of(self, name: str) -> datetime:
        """When this scope was given."""
        return datetime.fromisoformat(self.scopes[name])

    def touch(self) -> None:
        """Remember that it was used, to five minutes: most calls write nothing."""
        now = timezone.now()
        if self.last_used_at is None or self.last_used_at < now - LAST_USED_PRECISION:
            type(self).objects.filter(pk=self.pk).update(last_used_at=now)
            self.last_used_at = now

    @classmethod
    @transaction.atomic
    def give(
        cls,
        user: User,
        mini_program: MiniProgram,
        names: Iterable[str],
        *,
        shown: ConsentText | None = None,
    ) -> "MiniProgramGrant":
        """Add scopes to the live grant of this pair, or start one; a ledger row when anything changed."""
        grant = cls._locked(user, mini_program)
        before = grant.names
        added = [name for name in names if name not in grant.scopes]
        if added:
            now = timezone.now().isoformat()
            grant.scopes.update(dict.fromkeys(added, now))
            grant.save(update_fields=["scopes"])
            grant._write(Act.WIDENED if before else Act.GIVEN, actor=user, before=before, shown=shown)
        return grant

    @transaction.atomic
    def revoke(self, *, by: User | None, scopes: Iterable[str] | None = None, reason: str = "") -> bool:
        """End this grant, or with `scopes` only those; False when there was nothing left to take.

        `by` is the user (withdrawn, narrowed), an operator (revoked, narrowed) or None (its time ran out). The one
        way access ends: tokens, ledger row and the merchant's notice go in one transaction (wire.md 6).
        """
        grant = type(self).objects.select_for_update(no_key=True, of=("self",)).get(pk=self.pk)
        taken = set(grant.scopes) if scopes is None else set(scopes) & grant.scopes.keys()
        if grant.ended_at or not taken:
            return False
        before = grant.names
        if scopes is not None and taken < grant.scopes.keys():
            grant.scopes = {name: since for name, since in grant.scopes.items() if name not in taken}
            grant.save(update_fields=["scopes"])
            grant._write(Act.NARROWED, actor=by, before=before, reason=reason)
        else:
            grant._end(by, reason)
        self.refresh_from_db()
        return True

    def _end(self, by: User | None, reason: str) -> None:
        act = Act.EXPIRED if by is None else Act.WITHDRAWN if by.pk == self.user_id else Act.REVOKED
        before = self.names
        self.ended_at = timezone.now()
        self.save(update_fields=["ended_at"])
        killed = self._kill_tokens()
        self._write(act, actor=by, before=before, after=[], reason=reason)
        if killed and self.mini_program.merchant.notify_url:
            self._tell_merchant(act, before)

    def _kill_tokens(self) -> int:
        """Revoke every token of this pair. Codes die with the grant they point to."""
        now = timezone.now()
        pair = {"user_id": self.user_id, "application_id": self.mini_program_id}
        killed = RefreshToken.objects.filter(**pair, revoked=None).update(revoked=now)
        AccessToken.objects.filter(**pair, expires__gt=now).update(expires=now)
        return killed

    def _tell_merchant(self, act: ConsentDecision.Act, names: list[str]) -> None:
        """Queue authNotify in this transaction (wire.md 5.5)."""
        merchant = self.mini_program.merchant
        reasons = {Act.WITHDRAWN: "USER_WITHDREW", Act.REVOKED: "OPERATOR_REVOKED", Act.EXPIRED: "EXPIRED"}
        MerchantNotice.objects.create(
            merchant=merchant,
            body={
                "authorizationNotifyType": "TOKEN_CANCELED",
                "authClientId": merchant.client_id,
                "appId": self.mini_program.app_id,
                "customerId": merchant.sector.user_id(self.user.uuid.bytes),
                "reason": reasons[act],
                "scopes": names,
            },
        )

    def _write(self, act: ConsentDecision.Act, *, before: list[str], **fields: Any) -> None:
        fields.setdefault("after", self.names)
        ConsentDecision.objects.write(
            act=act,
            user_id=self.user_id,
            mini_program_id=self.mini_program_id,
            grant=self,
            scopes_before=before,
            scopes_after=fields.pop("after"),
            trace_id=current_trace_id(),
            **fields,
        )

    @classmethod
    def _locked(cls, user: User, mini_program: MiniProgram) -> "MiniProgramGrant":
        """The live grant of this pair under a row lock; an expired one is ended first."""
        rows = cls.objects.select_for_update(no_key=True, of=("self",))
        while True:
            grant = rows.filter(user=user, mini_program=mini_program, ended_at=None).first()
            if grant and not grant.is_live:
                grant.revoke(by=None, reason="its time ran out")
            elif grant:
                return grant
            try:
                with transaction.atomic():
                    return cls.objects.create(user=user, mini_program=mini_program)
            except IntegrityError:  # another request made it first
                continue


def labels(names: Iterable[str]) -> list[str]:
    """The catalogue's labels of these scopes, each once."""
    return list(dict.fromkeys(str(scope.label) for scope in catalogue.known(names)))
