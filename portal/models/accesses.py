"""How often a mini-program read what it was allowed to see, and when last (trust 27)."""

from collections.abc import Mapping
from datetime import datetime

from django.db import models
from django.utils.translation import gettext_lazy as _

from . import bulk
from .grants import MiniProgramGrant


class AccessCount(models.Model):
    """The reads of one scope under one grant. Counted in memory first: see authapi.accesses."""

    grant = models.ForeignKey(MiniProgramGrant, on_delete=models.CASCADE, related_name="access_counts")
    scope = models.CharField(_("scope"), max_length=64)
    count = models.PositiveBigIntegerField(_("times read"), default=0)
    last_at = models.DateTimeField(_("last read"))

    class Meta:
        constraints = (models.UniqueConstraint(fields=["grant", "scope"], name="one_count_per_scope"),)

    def __str__(self) -> str:
        return f"{self.scope} of {self.grant_id[:6]}…"

    @staticmethod
    def add(counted: Mapping[tuple[str, str], tuple[int, datetime]]) -> None:
        """Add {(grant id, scope): (times, last)} to what is there, in one transaction of the caller's."""
        rows = ((*key, *times_and_last) for key, times_and_last in counted.items())
        bulk.add(AccessCount, ("grant", "scope"), rows, latest=("last_at",))
