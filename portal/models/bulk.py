"""What is done to a thousand rows at once, in the form that costs PostgreSQL and psycopg least.

Placeholders are what costs: psycopg, and PostgreSQL's parser, go through each. An array is one.
"""

from collections.abc import Sequence
from typing import Any

from django.db import connection, models
from django.db.models.lookups import In


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
        kind = str(field.db_type(connection)).partition("(")[0]  # with its length, a cast would cut what is too long
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
