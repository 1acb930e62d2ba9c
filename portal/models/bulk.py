"""What is done to a thousand rows at once, in the form that costs PostgreSQL and psycopg least.

Placeholders are what costs: psycopg, and PostgreSQL's parser, go through each. An array is one.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db import connection, models
from django.db.models.lookups import In

PLACEHOLDERS = 5000  # a statement, where there are no arrays

_ADD = """
INSERT INTO {table} ({columns}) {rows}
ON CONFLICT ({key}) DO UPDATE SET {sets}
"""
_SUM = "{0} = {1}.{0} + excluded.{0}"
_LATER = "{0} = CASE WHEN excluded.{0} > {1}.{0} THEN excluded.{0} ELSE {1}.{0} END"


def insert(rows: "Sequence[models.Model]") -> None:
    """As bulk_create of new rows of one model, which get their numbers. What they have in common is sent once."""
    model = type(rows[0])
    if connection.vendor != "postgresql" or len(rows) == 1:
        model._default_manager.bulk_create(rows)
        return
    same: list[tuple[str, str, Any]] = []  # column, what is selected for it, and its parameter
    each: list[tuple[str, str, Any]] = []
    for field in model._meta.concrete_fields:
        if field.primary_key:
            continue
        values = [getattr(row, field.attname) for row in rows]
        kind = _kind(field)
        if all(value == values[0] for value in values):
            same.append((str(field.column), f"%s::{kind}", field.get_db_prep_save(values[0], connection)))
        else:
            saved = [field.get_db_prep_save(value, connection) for value in values]
            each.append((str(field.column), f"%s::{kind}[]", saved))
    if not each:
        model._default_manager.bulk_create(rows)
        return
    columns = ", ".join(f'"{column}"' for column, _place, _value in [*same, *each])
    alike, arrays = ([place for _column, place, _value in some] for some in (same, each))
    sql = (
        f"INSERT INTO {model._meta.db_table} ({columns}) "  # noqa: S608 - the model's own names
        f"SELECT {', '.join([*alike, 'one.*'])} FROM unnest({', '.join(arrays)}) AS one RETURNING id"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [value for _column, _place, value in [*same, *each]])
        for row, (number,) in zip(rows, cursor.fetchall(), strict=True):
            row.pk = number
            row._state.adding, row._state.db = False, connection.alias


def add(
    model: type[models.Model],
    key: Sequence[str],
    rows: Iterable[tuple[Any, ...]],
    sums: Sequence[str] = ("count",),
    latest: Sequence[str] = (),
) -> None:
    """Add `rows`, each (*key, *sums, *latest), to what is there, in one transaction of the caller's.

    Of `latest` the later one stays. Many processes add, in one order, so that none waits for another in a circle.
    """
    fields: list[Any] = [model._meta.get_field(name) for name in (*key, *sums, *latest)]
    table, columns = model._meta.db_table, [field.column for field in fields]
    sets = [_SUM.format(name, table) for name in sums] + [_LATER.format(name, table) for name in latest]
    names = {"table": table, "columns": ", ".join(columns), "key": ", ".join(columns[: len(key)])}
    with connection.cursor() as cursor:
        for places, values in _placed(fields, sorted(rows)):
            cursor.execute(_ADD.format(**names, rows=places, sets=", ".join(sets)), values)


def _placed(fields: list[Any], rows: list[tuple[Any, ...]]) -> Iterator[tuple[str, list[Any]]]:
    """What to insert, with its parameters: all rows at once as arrays, or as many as one statement takes.

    psycopg knows numbers, texts and times as they are.
    """
    if rows and connection.vendor == "postgresql":
        arrays = ", ".join(f"%s::{_kind(field)}[]" for field in fields)
        yield f"SELECT * FROM unnest({arrays})", [list(column) for column in zip(*rows, strict=True)]  # noqa: S608
        return
    mark, most = f"({', '.join(['%s'] * len(fields))})", PLACEHOLDERS // len(fields)
    for start in range(0, len(rows), most):
        part = rows[start : start + most]
        values = [fields[place].get_db_prep_save(value, connection) for row in part for place, value in enumerate(row)]
        yield f"VALUES {', '.join([mark] * len(part))}", values


def _kind(field: Any) -> str:
    """A column's type, without its length, with which a cast would cut what is too long."""
    return str(field.db_type(connection)).partition("(")[0]


def among(column: str, values: Sequence[Any]) -> tuple[str, list[Any]]:
    """`column IN values` for SQL of our own: a condition, and its parameters."""
    if connection.vendor == "postgresql":
        return f"{column} = ANY(%s)", [list(values)]
    return f"{column} IN ({', '.join(['%s'] * len(values))})", list(values)


@models.ForeignKey.register_lookup  # which does not look at what a plain Field has
@models.Field.register_lookup
class Among(In):
    """`field__among=values`: as `field__in`, of plain numbers or texts."""

    lookup_name = "among"

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        """`= ANY(array)`."""
        column, parameters = self.process_lhs(compiler, connection)
        _places, values = self.process_rhs(compiler, connection)
        return f"{column} = ANY(%s)", [*parameters, list(values)]
