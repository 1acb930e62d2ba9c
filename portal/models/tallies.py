"""What is counted out of the ledger, so that no page has to: sums a day, and how far the counting has come."""

from collections import Counter
from collections.abc import Mapping
from datetime import date

from django.db import models
from django.utils import timezone

from . import bulk
from .ledger import ConsentDecision
from .mini_programs import MiniProgram

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
        """Add these numbers to what is there, and to the totals, in one transaction of the caller's."""
        totals = Counter[tuple[date, str, str]]()
        for (day, _program, act, scope), count in counted.items():
            totals[day, act, scope] += count
        key = ("day", "act", "scope")
        bulk.add(DecisionDay, ("day", "mini_program", *key[1:]), ((*at, count) for at, count in counted.items()))
        bulk.add(DecisionTotal, key, ((*at, count) for at, count in totals.items()))


class DecisionTotal(models.Model):
    """The same of all mini-programs together: a year of it is read in no time, whatever their number."""

    day = models.DateField()
    act = models.CharField(max_length=16, choices=ConsentDecision.Act)
    scope = models.CharField(max_length=64, blank=True)
    count = models.PositiveBigIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["day", "act", "scope"], name="one_total_per_day"),)

    def __str__(self) -> str:
        return f"{self.act} {self.scope} on {self.day}"
