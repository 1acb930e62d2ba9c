"""The kill switch: taking from many people at once what they granted, asked by one operator, approved by another."""

from typing import Any, Self

from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .cut_offs import CutOff
from .merchants import Merchant
from .mini_programs import MiniProgram
from .users import User


class OwnRequestError(Exception):
    """Whoever asked for a mass revocation cannot approve it."""


class NotWaitingError(Exception):
    """It was approved or refused before."""


class MassRevocation(models.Model):
    """One batch: whose grants, which scopes, given when, why; and how far its rows are.

    From `approve` on nothing it names opens anything (CutOff); portal.mass_revocations ends the rows one by one. There
    is no way back: what people granted is theirs to grant again.
    """

    class State(models.TextChoices):
        ASKED = "ASKED", _("Waits for a second manager")
        RUNNING = "RUNNING", _("In effect, rows follow")
        DONE = "DONE", _("Done")
        REFUSED = "REFUSED", _("Refused")

    mini_program = models.ForeignKey(
        MiniProgram,
        on_delete=models.PROTECT,
        null=True,
        related_name="mass_revocations",
        verbose_name=_("mini-program"),
    )
    # Instead of a mini-program: all of this merchant's.
    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, null=True, related_name="mass_revocations")
    scopes = models.JSONField(_("scopes"), default=list)  # empty: everything
    since = models.DateTimeField(_("given from"), null=True)
    until = models.DateTimeField(_("given before"), null=True)
    reason = models.CharField(_("reason"), max_length=400)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.ASKED)
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(_("asked"), default=timezone.now)
    decided_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    effective_at = models.DateTimeField(_("in effect since"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    # The dry run when it was asked for: {"users": n, "grants": n, "tokens": n}.
    counted = models.JSONField(default=dict)
    # How far the rows are: the program, and the user whose grant was done last, and how many grants and tokens.
    program_done = models.BigIntegerField(default=0)
    user_done = models.BigIntegerField(default=0)
    grants_ended = models.PositiveBigIntegerField(_("grants ended"), default=0)
    tokens_ended = models.PositiveBigIntegerField(_("tokens ended"), default=0)

    class Meta:
        ordering = ("-id",)
        verbose_name = _("mass revocation")
        permissions = (("approve_massrevocation", "Can approve mass revocations that others asked for"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(mini_program=None) ^ Q(merchant=None), name="one_mini_program_or_one_merchant"
            ),
        )
        indexes = (models.Index(fields=["id"], condition=Q(state="RUNNING"), name="mass_revocations_running"),)

    def __str__(self) -> str:
        return f"mass revocation #{self.pk}"

    @property
    def told(self) -> str:
        """The reason as each grant's ledger row gives it."""
        return f"{self.reason} ({self})"

    @property
    def programs(self) -> "models.QuerySet[MiniProgram]":
        """The mini-programs it is about, in the order they are worked through."""
        rows = MiniProgram.objects.order_by("pk")
        if self.merchant_id:
            return rows.filter(merchant=self.merchant_id)
        return rows.filter(pk=self.mini_program_id or 0)

    @property
    def cut_off(self) -> CutOff:
        """What takes effect; only once it is approved."""
        assert self.effective_at
        return CutOff(self.pk, self.effective_at, self.since, self.until, tuple(self.scopes))

    @transaction.atomic
    def approve(self, *, by: User) -> None:
        """Let it take effect, in this one transaction. Raises OwnRequestError, NotWaitingError.

        One row a mini-program is written, whatever the number of grants.
        """
        row = self._waiting()
        if row.asked_by_id == by.pk:
            raise OwnRequestError
        row.state, row.decided_by, row.effective_at = self.State.RUNNING, by, timezone.now()
        row.save(update_fields=["state", "decided_by", "effective_at"])
        for program in row.programs.select_for_update(no_key=True):
            program.cut_offs = [*program.cut_offs, row.cut_off.stored()]
            program.save(update_fields=["cut_offs"])
        self.refresh_from_db()

    @transaction.atomic
    def refuse(self, *, by: User) -> None:
        """Let nothing come of it; whoever asked may do that too. Raises NotWaitingError."""
        row = self._waiting()
        row.state, row.decided_by, row.finished_at = self.State.REFUSED, by, timezone.now()
        row.save(update_fields=["state", "decided_by", "finished_at"])
        self.refresh_from_db()

    def _waiting(self) -> Self:
        row = type(self).objects.select_for_update(no_key=True, of=("self",)).get(pk=self.pk)
        if row.state != self.State.ASKED:
            raise NotWaitingError
        return row

    @transaction.atomic
    def finish(self) -> None:
        """All rows have followed: the mini-programs need not remember it any more."""
        for program in self.programs.select_for_update(no_key=True):
            program.cut_offs = [cut for cut in program.cut_offs if cut["revocation"] != self.pk]
            program.save(update_fields=["cut_offs"])
        self.state, self.finished_at = self.State.DONE, timezone.now()
        self.save(update_fields=["state", "finished_at"])

    @classmethod
    def ending(cls) -> "models.QuerySet[MassRevocation]":
        """For `Exists` on grants: those in effect that end the whole grant, rather than some scopes of it."""
        outer = models.OuterRef
        rows = cls.objects.filter(state=cls.State.RUNNING, scopes=[], effective_at__gte=outer("since"))
        rows = rows.filter(Q(since=None) | Q(since__lte=outer("since")), Q(until=None) | Q(until__gt=outer("since")))
        program = Q(mini_program=outer("mini_program")) | Q(merchant__mini_programs=outer("mini_program"))
        return rows.filter(program)

    def add(self, grants: int, tokens: int, **place: Any) -> None:
        """So many rows more; `place` is program_done and user_done."""
        rows = type(self).objects.filter(pk=self.pk)
        rows.update(grants_ended=F("grants_ended") + grants, tokens_ended=F("tokens_ended") + tokens, **place)
