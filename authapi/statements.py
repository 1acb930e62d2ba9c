"""Runs the hand-written SQL of the paths that are called most: an ORM query costs several times its statement."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.models.base import ModelState

M = TypeVar("M", bound=models.Model)


def row(sql: str, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """The first row of one statement, or None."""
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(sql, values)
        found: tuple[Any, ...] | None = cursor.fetchone()
    return found


def execute(sql: str, values: Mapping[str, Any]) -> None:
    """One statement that gives nothing back."""
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(sql, values)


def model(cls: type[M], **columns: Any) -> M:
    """These columns as a model; the others are read when somebody asks for them.

    What Model.from_db gives, without its signals and its walk over every field: those cost more than the statement.
    """
    instance = cls.__new__(cls)
    instance._state = ModelState()
    instance._state.db, instance._state.adding = DEFAULT_DB_ALIAS, False
    instance.__dict__.update(columns)
    return instance


# --- Where SQLite and PostgreSQL differ -----------------------------------------------------------------------


def moment(value: datetime) -> Any:
    """A time as this database wants it."""
    return connection.ops.adapt_datetimefield_value(value)


def as_moment(value: datetime | None) -> datetime | None:
    """A time as it came from the database; SQLite's has no zone and means UTC."""
    return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


def as_uuid(value: uuid.UUID | str) -> uuid.UUID:
    """A UUID as it came from the database; SQLite's is text."""
    return value if isinstance(value, uuid.UUID) else uuid.UUID(value)


def joined(column: str) -> str:
    """SQL that makes one text of this column of a group, with blanks between."""
    return f"{'string_agg' if connection.vendor == 'postgresql' else 'group_concat'}({column}, ' ')"


def listed(table: str, columns: str, where: str) -> str:
    """SQL for these columns of the rows that fit, as JSON: a list of lists in the order of `id`, or NULL."""
    if connection.vendor == "postgresql":
        rows = f"json_agg(json_build_array({columns}) ORDER BY id)::text"
    else:
        rows = f"json_group_array(json_array({columns}))"  # an index ends in the row's id, so they come in its order
    return f"(SELECT {rows} FROM {table} WHERE {where})"  # noqa: S608 - made of constants
