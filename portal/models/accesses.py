"""How often a mini-program read what it was allowed to see, and when last (trust 27)."""

from collections.abc import Mapping
from datetime import datetime

from django.db import connection, models
from django.utils.translation import gettext_lazy as _

from .grants import MiniProgramGrant

ROWS = 500  # a statement

# Many processes add what they counted, in one order, so that none waits for another in a circle.
_ADD = """
INSERT INTO portal_accesscount (grant_id, scope, count, last_at) VALUES {rows}
ON CONFLICT (grant_id, scope) DO UPDATE SET count = portal_accesscount.count + excluded.count,
    last_at = CASE WHEN excluded.last_at > portal_accesscount.last_at
        THEN excluded.last_at ELSE portal_accesscount.last_at END
"""


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
        rows = [
            (grant, scope, times, connection.ops.adapt_datetimefield_value(last))
            for (grant, scope), (times, last) in sorted(counted.items())
        ]
        with connection.cursor() as cursor:
            for start in range(0, len(rows), ROWS):
                part = rows[start : start + ROWS]
                values = ", ".join(["(%s, %s, %s, %s)"] * len(part))
                cursor.execute(_ADD.format(rows=values), [value for row in part for value in row])
