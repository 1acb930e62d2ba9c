"""What the last verifications of the ledger found; carried out in authapi.verification."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from portal.models import Job


class LedgerCheck(models.Model):
    """One comparison of the ledger, the error audit and the operators' log with their seals: by whom, how far, what
    was found.

    `found` holds, for each chain, how far it is and the first of its findings; see authapi.verification.
    """

    asked_by = models.ForeignKey(  # nobody did, where it is the day's own
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name="asked by", null=True
    )
    asked_at = models.DateTimeField("asked", default=timezone.now)
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    kept = models.JSONField(default=dict)  # heads that must be there: {chain: {number: hash}}
    found = models.JSONField(default=dict)
    rows = models.PositiveBigIntegerField("rows checked", default=0)
    wrong = models.PositiveBigIntegerField("findings", default=0)
    finished_at = models.DateTimeField("finished", null=True)

    class Meta:
        ordering = ("-id",)
        verbose_name = "ledger verification"
        verbose_name_plural = "ledger"
        default_permissions = ("view",)
        permissions = (("verify_ledger", "Can have the ledger verified"),)

    def __str__(self) -> str:
        return f"verification #{self.pk}"

    @property
    def result(self) -> str:
        """In words."""
        if self.wrong:
            return f"{self.wrong:,} findings" if self.wrong > 1 else "1 finding"
        if self.finished_at:
            return "Sound"
        if self.job is None or self.job.state not in Job.OPEN:
            return "Given up"
        return {"WAITING": "Waiting", "STUCK": "Stuck"}.get(self.job.state, "Running")

    @property
    def is_running(self) -> bool:
        """Somebody is at it, or will be."""
        return not self.finished_at and self.job is not None and self.job.state in ("WAITING", "RUNNING")

    def part(self, chain: str) -> dict[str, Any]:
        """How far this chain is; to be changed, and saved with `found`."""
        started = {"over": False, "rows": 0, "seals": 0, "unsealed": 0, "head": "", "wrong": 0, "findings": []}
        part: dict[str, Any] = self.found.setdefault(chain, started | {"kept": self.kept.get(chain, {})})
        return part
