"""What is counted when Prometheus asks, and not before: queues, connections, and which build this is."""

import platform
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from functools import cache
from typing import Any

import django
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from portal.models import Job, MerchantNotice

_CONNECTIONS = """
SELECT COALESCE(state, 'unknown'), count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' GROUP BY 1
"""


class Gauges:
    """A collector; a database that is away costs the lines that need it, and says so in `portal_database_up`."""

    def describe(self) -> list[Metric]:
        """Nothing beforehand: that would ask the database once more."""
        return []

    def collect(self) -> Iterator[Metric]:
        yield _build()
        found: list[Metric] = []
        with suppress(DatabaseError, InterfaceError):
            found = [*_notices(), *_tasks(), *_connections()]
        yield GaugeMetricFamily("portal_database_up", "Whether the database answered just now.", 1 if found else 0)
        yield from found


def _build() -> Metric:
    labels = {
        "version": _version(),
        "release": settings.RELEASE,
        "python": platform.python_version(),
        "django": django.get_version(),
    }
    family = GaugeMetricFamily("portal_build_info", "Which build answers; always 1.", labels=list(labels))
    family.add_metric(list(labels.values()), 1)
    return family


@cache
def _version() -> str:
    project = settings.BASE_DIR / "pyproject.toml"
    return str(tomllib.loads(project.read_text())["project"]["version"]) if project.is_file() else "unknown"


def _family(name: str, text: str, label: str, values: dict[str, Any]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def _notices() -> Iterator[Metric]:
    """Both counts read an index that holds nothing but the rows they count."""
    states = (MerchantNotice.State.WAITING, MerchantNotice.State.PARKED)
    counts = {state.lower(): MerchantNotice.objects.filter(state=state).count() for state in states}
    yield _family("portal_notices", "Notices to merchants, by state.", "state", counts)
    first = MerchantNotice.objects.due().values_list("due_at", flat=True).first()
    yield GaugeMetricFamily(
        "portal_notices_late_seconds", "How long the notice that is due longest has been due.", _age(first)
    )


def _age(moment: datetime | None) -> float:
    return (timezone.now() - moment).total_seconds() if moment else 0.0


def _tasks() -> Iterator[Metric]:
    """Background work; its rows are the truth, whatever queue carries their numbers."""
    states = (Job.State.WAITING, Job.State.RUNNING, Job.State.STUCK, Job.State.GIVEN_UP)
    counts = {state.lower(): Job.objects.filter(state=state).count() for state in states}
    yield _family("portal_tasks", "Background tasks, by state.", "state", counts)
    first = Job.objects.due().values_list("due_at", flat=True).first()
    yield GaugeMetricFamily(
        "portal_tasks_late_seconds", "How long the task that is due longest has been due.", _age(first)
    )


def _connections() -> Iterator[Metric]:
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(_CONNECTIONS)
        counts = dict(cursor.fetchall())
    yield _family("portal_database_connections", "Connections to our database, by what they do.", "state", counts)
