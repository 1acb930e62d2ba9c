"""Bulk loading with COPY, for models whose values need no field code: what is not given gets the model's default."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from django.db import connection, models

LINES = 20_000  # a write
INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid = %s::regclass AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""
Model = type[models.Model]


def copy(model: Model, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]], **same: Any) -> None:
    """`rows` hold `columns`, `same` what every row has in common. Foreign keys are not checked."""
    copy_lines(model, columns, ("\t".join(map(text, row)) for row in rows), **same)


def copy_lines(model: Model, columns: tuple[str, ...], lines: Iterable[str], **same: Any) -> None:
    """As `copy`, of rows that are in COPY's text format already: values with tabs between, no line end."""
    same = {**defaults(model, {*columns, *same}), **same}
    tail = "".join("\t" + text(value) for value in same.values()) + "\n"
    names = ", ".join(f'"{name}"' for name in [*columns, *same])
    rows = (line + tail for line in lines)
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        with cursor.copy(f"COPY {model._meta.db_table} ({names}) FROM STDIN") as stream:
            while block := "".join(islice(rows, LINES)):
                stream.write(block)
        cursor.execute("SET session_replication_role = DEFAULT")
    settle(model)


def text(value: Any) -> str:
    """In COPY's text format. The values here hold no tab, line end or backslash."""
    return "\\N" if value is None else str(value)


def defaults(model: Model, given: set[str]) -> dict[str, Any]:
    """What the model itself puts into the other columns; its key is the database's."""
    found = {}
    for field in model._meta.concrete_fields:
        if field.column not in given and not field.primary_key:
            value = field.get_db_prep_save(field.get_default(), connection)
            found[str(field.column)] = getattr(value, "obj", value)
    return found


def next_id(model: Model) -> int:
    """The number that the next row would get if none was ever deleted."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {model._meta.db_table}")  # noqa: S608  our own table
        number: int = cursor.fetchone()[0]
        return number


def settle(model: Model) -> None:
    """Let the sequence go on behind the ids that were given."""
    if isinstance(model._meta.pk, models.AutoField):
        with connection.cursor() as cursor:
            table = model._meta.db_table
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}")  # noqa: S608


@contextmanager
def without_indexes(model: Model) -> Iterator[None]:
    """Its indexes are built anew, each in one go, when all is loaded; those of constraints stay. In a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(INDEXES, [model._meta.db_table])
        indexes = cursor.fetchall()
        for name, _definition in indexes:
            cursor.execute(f"DROP INDEX {name}")
        yield
        cursor.execute("SET LOCAL maintenance_work_mem = '512MB'")
        for _name, definition in indexes:
            cursor.execute(definition)
