"""The append-only history of decisions: who gave or took what, and what they were shown (trust 28)."""

import hashlib
import json
from typing import Any

from django.db import models, transaction
from django.utils.translation import gettext_lazy as _

from portal import metrics

from .mini_programs import MiniProgram
from .seals import VouchedManager, VouchedRow
from .users import User


class ConsentText(models.Model):
    """The words a consent sheet showed, kept once per wording; a decision points to them by hash."""

    hash = models.CharField(max_length=64, primary_key=True)
    version = models.CharField(max_length=32)
    language = models.CharField(max_length=16)
    text = models.JSONField()
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.hash[:12]} ({self.language})"

    @classmethod
    def of(cls, text: dict[str, Any], *, version: str, language: str) -> "ConsentText":
        """The row for this wording, made when it is new."""
        row, _made = cls.objects.get_or_create(
            hash=cls.hash_of(text), defaults={"version": version, "language": language, "text": text}
        )
        return row

    @staticmethod
    def hash_of(text: Any) -> str:
        """SHA-256 of the wording as canonical JSON, hexadecimal."""
        canonical = json.dumps(text, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


class ConsentDecision(VouchedRow):
    """One act on what a mini-program may do for a person. Written by `objects.write`, never updated, never deleted."""

    class Act(models.TextChoices):
        GIVEN = "given", _("Given")
        WIDENED = "widened", _("Widened")
        NARROWED = "narrowed", _("Narrowed")
        WITHDRAWN = "withdrawn", _("Withdrawn")
        REVOKED = "revoked", _("Revoked")
        EXPIRED = "expired", _("Expired")
        REFUSED = "refused", _("Refused")
        RENEWED = "renewed", _("Renewed")  # on other terms: a changed purpose, another time
        RETIMED = "retimed", _("Duration changed")
        PAUSED = "paused", _("Paused")
        RESUMED = "resumed", _("Resumed")

    act = models.CharField(_("act"), max_length=16, choices=Act)
    # The indexes below begin with these two.
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="consent_decisions", db_index=False)
    mini_program = models.ForeignKey(
        MiniProgram, on_delete=models.PROTECT, related_name="+", verbose_name=_("mini-program"), db_index=False
    )
    # Empty for a refusal that left no grant.
    grant = models.ForeignKey("portal.MiniProgramGrant", on_delete=models.PROTECT, null=True, related_name="decisions")
    # Who did it: the user, an operator, or nobody (time ran out).
    actor = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    scopes_before = models.JSONField(_("before"), default=list)
    scopes_after = models.JSONField(_("after"), default=list)
    # On what terms, where any is limited: see portal.terms. Empty for rows from before there were terms.
    terms = models.JSONField(_("terms"), null=True)
    # Empty where no sheet was shown: silent scopes, withdrawals, revocations.
    shown = models.ForeignKey(ConsentText, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    trace_id = models.CharField(_("trace id"), max_length=32, blank=True)

    objects = VouchedManager()

    class Meta:
        ordering = ("-at", "-id")
        verbose_name = _("decision")
        permissions = (("export_rows", "Can take lists of the console along as files"),)
        indexes = (
            models.Index(fields=["user", "mini_program", "-at"]),
            models.Index(fields=["-at"]),
            models.Index(fields=["mini_program", "-at"], name="decisions_of_program"),
            models.Index(fields=["act", "-at"], name="decisions_by_act"),
            models.Index(fields=["trace_id"], name="decisions_by_trace_id"),
        )

    def __str__(self) -> str:
        return f"{self.act} #{self.pk}"

    def written(self) -> None:
        transaction.on_commit(metrics.DECISIONS.labels(self.act).inc)
