"""`pytest -p tests.postgres`: the same tests on a real PostgreSQL.

TEST_POSTGRES_URL may name a server; otherwise a throw-away cluster is started from the machine's own PostgreSQL
programs on a free port of 127.0.0.1, and removed afterwards. xdist's workers share it.
"""

import atexit
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

ADVICE = "PostgreSQL is not installed, so its tests were skipped. To run them: apt-get install postgresql"


def programs() -> Path | None:
    """The newest folder that holds initdb and pg_ctl."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


class Cluster:
    """A PostgreSQL of our own. It refuses to run as root, so root hands it to the user `postgres`.

    `options` are the server's; those of tests make it fast and forgetful.
    """

    def __init__(self, folder: Path, options: str = "-c fsync=off -c max_connections=300") -> None:
        self.programs, self.options = folder, options
        self.root = Path(tempfile.mkdtemp(prefix="portal-pg-"))
        self.owner = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        shutil.chown(self.root, self.owner)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres"

    def run(self, program: str, *arguments: str) -> None:
        as_owner = ["runuser", "-u", self.owner, "--"] if os.geteuid() == 0 else []
        command = [*as_owner, str(self.programs / program), "-D", str(self.root / "data"), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")

    def create(self) -> None:
        self.run("initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync")
        self.start()

    def start(self) -> None:
        options = f"-p {self.port} -k {self.root} -c listen_addresses=127.0.0.1 {self.options}"
        self.run("pg_ctl", "-w", "-l", str(self.root / "log"), "-o", options, "start")

    def stop(self) -> None:
        self.run("pg_ctl", "-w", "-m", "immediate", "stop")

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)


def database_url() -> str:
    """A server to test on; ends the run with one line when there is none, as a failure under CI."""
    if url := os.environ.get("TEST_POSTGRES_URL"):
        return url
    folder = programs()
    if folder is None:
        print(ADVICE)
        sys.exit(1 if os.environ.get("CI") else 0)
    cluster = Cluster(folder)
    cluster.create()
    atexit.register(cluster.remove)
    return cluster.url


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests() -> Generator[None]:
    """Before pytest-django reads the settings."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        os.environ["DATABASE_URL"] = database_url()
    yield
