"""The calls of an endpoint in an hour, and how long they took: enough for a mean and a good guess at a percentile."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from typing import Any

from django.db import models
from django.db.models import Sum

from portal.models import bulk

BOUNDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)  # milliseconds
BUCKETS = (*(f"upto_{bound}" for bound in BOUNDS), "above")
COLUMNS = ("calls", "microseconds", *BUCKETS)
HOUR = 3600


@dataclass(frozen=True)
class Times:
    """How long one endpoint took over a stretch of time, in milliseconds."""

    endpoint: str
    calls: int
    mean: float
    p95: float


class EndpointHourQuerySet(models.QuerySet["EndpointHour"]):
    """What the hours add up to."""

    def times(self, *, least: int = 1) -> list[Times]:
        """The endpoints that were called so often, the slowest first. One statement."""
        sums: Any = self.values("endpoint").annotate(**{f"all_{name}": Sum(name) for name in COLUMNS})
        found = [_times(row) for row in sums.filter(all_calls__gte=least)]
        return sorted(found, key=lambda times: (-times.p95, -times.mean, times.endpoint))


class EndpointHour(models.Model):
    """One endpoint in one hour: how many calls, how long they took together, and how many took up to how long."""

    hour = models.DateTimeField()
    endpoint = models.CharField(max_length=100)
    calls = models.PositiveBigIntegerField(default=0)
    microseconds = models.PositiveBigIntegerField(default=0)
    upto_1 = models.PositiveBigIntegerField(default=0)
    upto_2 = models.PositiveBigIntegerField(default=0)
    upto_5 = models.PositiveBigIntegerField(default=0)
    upto_10 = models.PositiveBigIntegerField(default=0)
    upto_20 = models.PositiveBigIntegerField(default=0)
    upto_50 = models.PositiveBigIntegerField(default=0)
    upto_100 = models.PositiveBigIntegerField(default=0)
    upto_200 = models.PositiveBigIntegerField(default=0)
    upto_500 = models.PositiveBigIntegerField(default=0)
    upto_1000 = models.PositiveBigIntegerField(default=0)
    upto_2000 = models.PositiveBigIntegerField(default=0)
    upto_5000 = models.PositiveBigIntegerField(default=0)
    above = models.PositiveBigIntegerField(default=0)

    objects = EndpointHourQuerySet.as_manager()

    class Meta:
        app_label = "authapi"
        constraints = (models.UniqueConstraint(fields=["hour", "endpoint"], name="one_row_per_hour"),)

    def __str__(self) -> str:
        return f"{self.endpoint} at {self.hour:%Y-%m-%d %H}h"

    @staticmethod
    def add(counted: Mapping[tuple[int, str], Sequence[int]]) -> None:
        """Add {(hours since 1970, endpoint): a number for each of COLUMNS}, in one transaction of the caller's."""
        rows = (
            (datetime.fromtimestamp(hour * HOUR, UTC), endpoint[:100], *numbers)
            for (hour, endpoint), numbers in counted.items()
        )
        bulk.add(EndpointHour, ("hour", "endpoint"), rows, COLUMNS)


def _times(sums: Mapping[str, Any]) -> Times:
    calls, buckets = sums["all_calls"], [sums[f"all_{name}"] for name in BUCKETS]
    mean = sums["all_microseconds"] / calls / 1000
    return Times(sums["endpoint"], calls, mean, percentile(buckets, 0.95))


def percentile(buckets: Sequence[int], share: float) -> float:
    """Below which time this share of the calls stayed, as if each bucket's calls were spread evenly in it.

    Of those above the last bound no more is known than that: it is the bound.
    """
    wanted = share * sum(buckets)
    for (before, upto), (low, high) in zip(_steps(buckets), pairwise((0, *BOUNDS)), strict=False):
        if upto >= wanted:
            return low + (high - low) * (wanted - before) / max(upto - before, 1)
    return float(BOUNDS[-1])


def _steps(buckets: Sequence[int]) -> Iterator[tuple[int, int]]:
    return pairwise(accumulate(buckets, initial=0))
