"""How far an append-only table can be read in the order of its numbers without passing over a row to come.

Writers take no lock and wait for nobody: a row of a transaction that is still open may have a lower number than those
that are there. Who goes through the table once, to seal it or to count it, waits for such transactions here.
"""

import time

from django.db import connection, models

BEFORE_ALL = -(2**63) - 1
AFTER_ALL = 2**63
PATIENCE = 5.0  # seconds to wait for open transactions
PAUSE = 0.02

_WRITERS = """
    SELECT virtualtransaction FROM pg_locks
    WHERE locktype = 'relation' AND relation = %s::regclass AND mode = 'RowExclusiveLock' AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND pid IS DISTINCT FROM pg_backend_pid()
"""


class BusyError(Exception):
    """A transaction that writes to the table has been open for longer than PATIENCE."""


def upto(model: type[models.Model]) -> int:
    """The highest pk given so far, once whoever was given a lower one is done; BEFORE_ALL if none. Raises BusyError.

    An INSERT locks the table against changes of its shape before it asks for a number, and until its transaction
    ends; it is enough to wait for those who hold that lock now, for later ones get higher numbers. A number that
    somebody made up, beyond the given ones, does not count: it would cover the rows to come.
    SQLite has one writer at a time, who has given up or ended when we read.
    """
    if connection.vendor == "postgresql":
        given = _last_number(model._meta.db_table)
        _wait_for_writers(model._meta.db_table)
        return given
    newest = model._default_manager.order_by("-pk").values_list("pk", flat=True).first()
    return BEFORE_ALL if newest is None else int(newest)


def _last_number(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [table])
        cursor.execute(f"SELECT last_value FROM {cursor.fetchone()[0]}")  # noqa: S608  (quoted by PostgreSQL)
        return int(cursor.fetchone()[0])


def _wait_for_writers(table: str) -> None:
    there, deadline = _writers(table), time.monotonic() + PATIENCE
    while there:
        if time.monotonic() > deadline:
            raise BusyError
        time.sleep(PAUSE)
        there &= _writers(table)


def _writers(table: str) -> set[str]:
    """The transactions that may have written to this table and are open."""
    with connection.cursor() as cursor:
        cursor.execute(_WRITERS, [table])
        return {name for (name,) in cursor.fetchall()}
