"""What is counted out of the ledger, so that no page has to: sums a day, and how far the counting has come."""

from collections.abc import Mapping
from datetime import date

from django.db import connection, models
from django.utils import timezone

from .ledger import ConsentDecision
from .mini_programs import MiniProgram

ROWS = 500  # a statement

_ADD = """
INSERT INTO portal_decisionday (day, mini_program_id, act, scope, count) VALUES {rows}
ON CONFLICT (day, mini_program_id, act, scope) DO UPDATE SET count = portal_decisionday.count + excluded.count
"""

# (day, primary key of a mini-program, act, scope or "")
Key = tuple[date, int, str, str]


class WatermarkManager(models.Manager["Watermark"]):
    """How a worker takes one."""

    def take(self, name: str) -> "Watermark | None":
        """The row of this name, made when it is new, for this transaction alone; None while another worker has it."""
        self.get_or_create(name=name)
        return self.select_for_update(skip_locked=True).filter(name=name).first()


class Watermark(models.Model):
    """How far an append-only table was counted: up to which number, and when somebody looked last."""

    name = models.CharField(max_length=64, primary_key=True)
    last_pk = models.BigIntegerField(default=0)
    at = models.DateTimeField(default=timezone.now)

    objects = WatermarkManager()

    def __str__(self) -> str:
        return f"{self.name} up to {self.last_pk}"

    def move(self, last_pk: int) -> None:
        """All rows up to this number are counted, as of now."""
        self.last_pk, self.at = last_pk, timezone.now()
        self.save(update_fields=["last_pk", "at"])


class DecisionDay(models.Model):
    """How often people, operators or time did one thing to a mini-program's permissions on one day (portal.tallying).

    A row without a scope counts decisions. One with a scope counts the decisions that gave, took or refused that
    scope: a sheet that was granted in part is one `given` without a scope, and a `given` or `refused` for each scope.
    """

    day = models.DateField()
    mini_program = models.ForeignKey(MiniProgram, on_delete=models.CASCADE, related_name="+")
    act = models.CharField(max_length=16, choices=ConsentDecision.Act)
    scope = models.CharField(max_length=64, blank=True)
    count = models.PositiveBigIntegerField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["day", "mini_program", "act", "scope"], name="one_count_per_day"),
        )

    def __str__(self) -> str:
        return f"{self.act} {self.scope} on {self.day}"

    @staticmethod
    def add(counted: Mapping[Key, int]) -> None:
        """Add these numbers to what is there, in one transaction of the caller's."""
        rows = [
            (connection.ops.adapt_datefield_value(day), program, act, scope, count)
            for (day, program, act, scope), count in sorted(counted.items())
        ]
        with connection.cursor() as cursor:
            for start in range(0, len(rows), ROWS):
                part = rows[start : start + ROWS]
                values = ", ".join(["(%s, %s, %s, %s, %s)"] * len(part))
                cursor.execute(_ADD.format(rows=values), [value for row in part for value in row])
