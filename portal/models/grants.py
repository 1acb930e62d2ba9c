"""What a mini-program may do for a person, now: given, widened, narrowed and ended here only."""

import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from django.db import IntegrityError, connection, models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal import scopes as catalogue
from portal.middleware import current_trace_id
from portal.terms import Duration, Term

from . import endings
from .cut_offs import CutOff
from .endings import Ending
from .granted_scopes import TERMS, GrantedScopes
from .inbox import InboxNotice
from .ledger import ConsentDecision, ConsentText
from .mass_revocations import MassRevocation
from .mini_programs import MiniProgram
from .notices import MerchantNotice
from .users import User

Act = ConsentDecision.Act
OVER = "its time ran out"


def new_grant_id() -> str:
    """32 URL-safe characters, 192 bits."""
    return secrets.token_urlsafe(24)


class ScopeNames(models.Func):
    """The names of granted scopes, without since when, as PostgreSQL's JSON: of these there are few combinations."""

    template = "jsonb_path_query_array(%(expressions)s, '$.keyvalue().key', '{}', true)"
    output_field = models.JSONField()


class GrantQuerySet(models.QuerySet["MiniProgramGrant"]):
    """Chains for the states a grant can be in."""

    def live(self) -> "GrantQuerySet":
        """Not ended, not past its time, and not ended by a mass revocation whose rows have not followed."""
        rows = self.filter(ended_at=None).filter(models.Q(expires_at=None) | models.Q(expires_at__gt=timezone.now()))
        return rows.exclude(models.Exists(MassRevocation.ending()))

    def usable(self) -> "GrantQuerySet":
        """Live and not paused: what opens anything."""
        return self.live().filter(paused_at=None)

    def holding(self, scope: str) -> "GrantQuerySet":
        """Those with this scope; by an index of their names alone where there is one (grants_scopes)."""
        if connection.vendor != "postgresql":
            return self.filter(scopes__has_key=scope)
        return self.alias(scope_names=ScopeNames("scopes")).filter(models.Q(scope_names__contains=[scope]))


class MiniProgramGrant(GrantedScopes):
    """What one mini-program may do for one person. One live row for each pair; dead rows stay as history."""

    id = models.CharField(max_length=32, primary_key=True, default=new_grant_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="grants")
    mini_program = models.ForeignKey(
        MiniProgram, on_delete=models.PROTECT, related_name="grants", verbose_name=_("mini-program"), db_index=False
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
                fields=["mini_program", "user"],  # in this order: a mass revocation walks along it
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
            # The console's lists, newest first. None holds `last_used_at`, which most calls of a merchant may write.
            models.Index(fields=["-since"], name="grants_newest"),
            models.Index(fields=["mini_program", "-since"], name="grants_of_program"),
            models.Index(fields=["-since"], condition=models.Q(ended_at=None), name="grants_open"),
            models.Index(fields=["-since"], condition=models.Q(ended_at__isnull=False), name="grants_ended"),
            models.Index(
                fields=["-since"],
                condition=models.Q(ended_at=None, paused_at__isnull=False),
                name="grants_paused",
            ),
        )

    def __str__(self) -> str:
        return f"grant {self.pk[:6]}…"

    @classmethod
    def of(cls, user: User, mini_program: MiniProgram) -> "MiniProgramGrant | None":
        """The live grant of this pair. One statement."""
        grant = cls.objects.live().filter(user=user, mini_program=mini_program).first()
        if grant:
            grant.mini_program = mini_program
        return grant

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

    def cut(self) -> set[str]:
        """What mass revocations took of it that is not written down here."""
        return set().union(*(cut.takes(self.scopes, self.since) for cut in self._cut_offs()))

    def _cut_offs(self) -> list[CutOff]:
        return [CutOff.read(stored) for stored in self.mini_program.cut_offs]

    def catch_up(self) -> bool:
        """Write down what mass revocations took, for a caller who cannot wait for them; False when it was nothing."""
        changed = False
        for cut in self._cut_offs():
            if names := cut.takes(self.scopes, self.since):
                revocation = MassRevocation.objects.select_related("decided_by").get(pk=cut.revocation)
                changed |= self.revoke(by=revocation.decided_by, scopes=names, reason=revocation.told)
        return changed

    def _lock(self) -> "MiniProgramGrant":
        """This row as it is now, under a lock."""
        rows = type(self).objects.select_for_update(no_key=True, of=("self",))
        return rows.select_related("mini_program").get(pk=self.pk)

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
        names = set(grant.scopes) if scopes is None else set(scopes) & grant.scopes.keys()
        if grant.ended_at or not names:
            return False
        ending = Ending(by, reason, notice)
        if scopes is not None and names < grant.scopes.keys():
            grant._narrow(names, ending)
        else:
            endings.end([grant], ending)
        self.refresh_from_db()
        return True

    def _narrow(self, names: set[str], ending: Ending) -> None:
        """Take these scopes, of several, from a locked row."""
        endings.record([self], ending, {self.pk: [name for name in self.names if name not in names]})
        self.drop(names)
        self.save(update_fields=["scopes", *TERMS])

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
        rows = cls.objects.select_for_update(no_key=True, of=("self",)).select_related("mini_program")
        while True:
            grant = rows.filter(user=user, mini_program=mini_program, ended_at=None).first()
            if grant and grant.catch_up():
                continue
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
