"""Bulk loading with COPY, for models whose values need no field code: what is not given gets the model's default."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from django.db import connection, models

LINES = 20_000  # a write


def copy(model: type[models.Model], columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]], **same: Any) -> None:
    """`rows` hold `columns`, `same` what every row has in common. Foreign keys are not checked."""
    same = {**defaults(model, {*columns, *same}), **same}
    tail = "".join("\t" + text(value) for value in same.values()) + "\n"
    names = ", ".join(f'"{name}"' for name in [*columns, *same])
    lines = ("\t".join(map(text, row)) + tail for row in rows)
    connection.ensure_connection()
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        with cursor.copy(f"COPY {model._meta.db_table} ({names}) FROM STDIN") as stream:
            while block := "".join(islice(lines, LINES)):
                stream.write(block)
        cursor.execute("SET session_replication_role = DEFAULT")
    settle(model)


def text(value: Any) -> str:
    """In COPY's text format. The values here hold no tab, line end or backslash."""
    return "\\N" if value is None else str(value)


def defaults(model: type[models.Model], given: set[str]) -> dict[str, Any]:
    """What the model itself puts into the other columns; its key is the database's."""
    found = {}
    for field in model._meta.concrete_fields:
        if field.column not in given and not field.primary_key:
            value = field.get_db_prep_save(field.get_default(), connection)
            found[field.column] = getattr(value, "obj", value)
    return {name: "[]" if value == [] else value for name, value in found.items()}


def next_id(model: type[models.Model]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {model._meta.db_table}")
        number: int = cursor.fetchone()[0]
        return number


def settle(model: type[models.Model]) -> None:
    """Let the sequence go on behind the ids that were given."""
    if isinstance(model._meta.pk, models.AutoField):
        with connection.cursor() as cursor:
            table = model._meta.db_table
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}")
