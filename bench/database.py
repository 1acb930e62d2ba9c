"""A throw-away PostgreSQL with its default durability (fsync on), which counts the statements it is sent."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bench import processes
from tests import postgres

OPTIONS = "-c shared_preload_libraries=pg_stat_statements -c max_connections=200"
COUNTS = """
SELECT coalesce(sum(calls) FILTER (WHERE NOT frames), 0)::int, coalesce(sum(calls) FILTER (WHERE frames), 0)::int
FROM (SELECT calls, query ~* '^\\s*(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|START TRANSACTION)' AS frames
      FROM pg_stat_statements JOIN pg_database ON pg_database.oid = dbid
      WHERE datname = %s AND NOT query ~ '^SELECT \\S+ FROM ONLY .* FOR KEY SHARE OF x$') AS counted
"""  # the last line leaves out PostgreSQL's own checks of deferred foreign keys: nobody sent those


@dataclass(frozen=True)
class Statements:
    """How many were sent: those that do something, and BEGIN, COMMIT and their like."""

    work: int
    frames: int


class Database:
    """The cluster of a run. Use `running()`."""

    def __init__(self, cluster: postgres.Cluster) -> None:
        self.cluster = cluster
        self.pid = int((cluster.root / "data" / "postmaster.pid").read_text().split()[0])
        self.sql("CREATE EXTENSION pg_stat_statements")

    def url(self, name: str) -> str:
        return f"postgres://postgres@127.0.0.1:{self.cluster.port}/{name}"

    def sql(self, statement: str, *values: Any, name: str = "postgres") -> list[tuple[Any, ...]]:
        """One statement on a database of the cluster; gives the rows, if there are any."""
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            cursor = connection.execute(statement, values or None)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def create(self, name: str) -> str:
        """A new database; gives its URL."""
        self.sql(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def statements(self, name: str) -> Statements:
        """Sent to this database so far."""
        return Statements(*self.sql(COUNTS, name)[0])

    def cpu_seconds(self) -> float:
        return processes.cpu_seconds(self.pid)


@contextmanager
def running(options: str = "") -> Iterator[Database]:
    """A cluster for the time of the block; `options` are the server's."""
    folder: Path | None = postgres.programs()
    if folder is None:
        raise processes.BenchError("PostgreSQL is not installed: apt-get install postgresql")
    cluster = postgres.Cluster(folder, f"{OPTIONS} {options}")
    try:
        cluster.create()
        yield Database(cluster)
    finally:
        cluster.remove()
