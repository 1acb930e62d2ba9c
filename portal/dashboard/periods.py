"""Over what time the dashboard looks back."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LEAST_DAYS = 7  # what is counted by day is shown for no less


@dataclass(frozen=True)
class Period:
    """A stretch of time that ends now."""

    key: str
    label: str
    days: int
    now: datetime
    by_hour: bool = False

    @property
    def today(self) -> date:
        return timezone.localdate(self.now)

    @property
    def counted_days(self) -> list[date]:
        """For what is counted by the day."""
        return _days(self.today, max(self.days, LEAST_DAYS))

    @property
    def counted_label(self) -> str:
        return f"last {len(self.counted_days)} days"

    @property
    def slots(self) -> list[datetime]:
        """The hours or days of it, each by its beginning: for what is counted by the hour."""
        if self.by_hour:
            hour = timezone.localtime(self.now).replace(minute=0, second=0, microsecond=0)
            return [hour - HOUR * back for back in reversed(range(24))]
        return [start_of(day) for day in _days(self.today, self.days)]

    @property
    def since(self) -> datetime:
        return self.slots[0]

    def label_of(self, slot: datetime) -> str:
        return f"{slot:%H:%M}" if self.by_hour else label_of(slot)

    def end_of(self, slot: datetime) -> datetime:
        return slot + HOUR if self.by_hour else start_of(timezone.localdate(slot) + DAY)


CHOICES = {"24h": ("24 hours", 1), "7d": ("7 days", 7), "30d": ("30 days", 30), "90d": ("90 days", 90)}
USUAL = "30d"


def of(text: str) -> Period:
    """The one an address asks for; the usual one for anything that is none."""
    key = text if text in CHOICES else USUAL
    label, days = CHOICES[key]
    return Period(key, label, days, timezone.now(), by_hour=days == 1)


def _days(last: date, number: int) -> list[date]:
    return [last - DAY * back for back in reversed(range(number))]


def start_of(day: date) -> datetime:
    """Midnight in the portal's time zone."""
    return timezone.make_aware(datetime.combine(day, time.min))


def label_of(day: date) -> str:
    """`5 Mar`."""
    return f"{day.day} {day:%b}"


def listed(model: str, field: str = "", *stretch: datetime, **filters: Any) -> str:
    """The address of a console's list, narrowed: of `portal_consentdecision`, from a moment on, and up to another."""
    for lookup, moment in zip(("gte", "lt"), stretch, strict=False):
        filters[f"{field}__{lookup}"] = moment.isoformat()
    address = reverse(f"admin:{model}_changelist")
    return f"{address}?{urlencode(filters)}" if filters else address
