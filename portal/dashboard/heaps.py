"""What lies and waits: how much of it and since when, of several tables with one statement, no further than counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime

MOST = 10_000

_NEVER = "CAST(NULL AS timestamp with time zone)"
_ESTIMATE = f"SELECT '{{name}}', CAST(reltuples AS bigint), {_NEVER} FROM pg_class WHERE oid = to_regclass(%s)"  # noqa: S608


@dataclass(frozen=True)
class Heap:
    """So many rows, MOST + 1 for more than that, and the time of the oldest of them."""

    count: int = 0
    oldest: datetime | None = None

    @property
    def is_endless(self) -> bool:
        return self.count > MOST

    @property
    def told(self) -> str:
        return f"{MOST:,}+" if self.is_endless else f"{self.count:,}"


def count(rows: Mapping[str, tuple[QuerySet[Any, Any], str]], **indexes: str) -> dict[str, Heap]:
    """A heap for each of {name: (rows, the field that says since when, or "")}. One statement.

    The rows' order says which of them are looked at, where there are more than MOST. On PostgreSQL also a heap for
    each of `indexes`, {name: an index}: about how many rows it holds, as the last ANALYZE found.
    """
    if not rows:
        return {}
    parts, values = list[str](), list[Any]()
    for name, (queryset, field) in rows.items():
        statement, parameters = queryset.values(field or "pk")[: MOST + 1].query.sql_with_params()
        column = queryset.model._meta.get_field(field).column if field else ""
        oldest = f"min({connection.ops.quote_name(column)})" if field else _NEVER
        parts.append(f"SELECT '{name}', count(*), {oldest} FROM ({statement}) {name}")  # noqa: S608  (names are ours)
        values += parameters
    for name, index in indexes.items() if connection.vendor == "postgresql" else ():
        parts.append(_ESTIMATE.format(name=name))
        values.append(index)
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), values)
        return {name: Heap(number, _moment(oldest)) for name, number, oldest in cursor.fetchall()}


def _moment(value: Any) -> datetime | None:
    """SQLite has no times, only texts."""
    if isinstance(value, str):
        found = parse_datetime(value)
        return found.replace(tzinfo=UTC) if found else None
    return value  # type: ignore[no-any-return]
