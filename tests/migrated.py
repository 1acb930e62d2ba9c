"""Migrating an empty database takes longer than most tests: a test run does it once for SQLite and once for
PostgreSQL, and copies.

    servers.copy(migrated.sqlite(), database)
    migrated.into(cluster)
"""

import fcntl
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests import postgres, servers

folder = Path(tempfile.gettempdir())  # conftest names one that this run's processes share


def sqlite() -> Path:
    """The file of an empty database, migrated."""
    return _made_once("migrated.sqlite3", _migrate)


def into(cluster: postgres.Cluster) -> None:
    """Migrate this new cluster's database."""

    def dump(draft: Path) -> None:
        _migrate(cluster.url)
        subprocess.run([cluster.programs / "pg_dump", "-f", draft, cluster.url], check=True)
        by_hand.append(draft)

    by_hand: list[Path] = []
    dumped = _made_once("migrated.sql", dump)
    if not by_hand:
        command = [cluster.programs / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", dumped, cluster.url]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _migrate(database: Path | str) -> None:
    servers.manage(database, folder / "var", "migrate", "--verbosity=0")


def _made_once(name: str, make: Callable[[Path], None]) -> Path:
    """By whoever asks first; the others wait."""
    made = folder / name
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            draft = folder / f"{name}.draft"
            make(draft)
            draft.rename(made)
    return made
