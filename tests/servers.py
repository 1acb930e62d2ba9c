"""A real granian for tests: raw sockets, the official SDK or a browser on one end, the demo's cast on the other.

    with servers.running(tmp_path) as portal:
        portal.base_url                             # http://127.0.0.1:<a free port>
        portal.program("coffee")["privateKey"]      # `seed_demo --json`, by appId
        portal.code("alice", "coffee", ["auth_base"])

Its database is a SQLite file of its own, whatever DATABASE_URL the tests run on: migrated and seeded once a test run,
copied for each server. Its keys and uploads lie beside it, so that a developer's `var/` is never touched.
"""

import atexit
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 30


@dataclass(frozen=True)
class Stage:
    """The seeded database file that servers copy, the folder of its keys and uploads, and the demo's cast."""

    database: Path
    var_dir: Path
    demo: dict[str, Any]


@cache
def stage() -> Stage:
    """Made once a process of a test run, removed at its end."""
    from tests import migrated  # which runs our commands

    folder = Path(tempfile.mkdtemp(prefix="portal-stage-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    database, var_dir = folder / "stage.sqlite3", folder / "var"
    copy(migrated.sqlite(), database)
    demo = json.loads(manage(database, var_dir, "seed_demo", "--json"))
    return Stage(database, var_dir, demo)


def environment(database: Path | str, var_dir: Path) -> dict[str, str]:
    """Ours, with the settings that make a portal of this machine only, on this database (SQLite file or URL)."""
    return {
        "ACCESS_COUNT_SECONDS": "0",  # no thread writes while a test compares tables
        **os.environ,
        "DATABASE_URL": database if isinstance(database, str) else f"sqlite:///{database}",
        "VAR_DIR": str(var_dir),
        "ALLOWED_HOSTS": "127.0.0.1,localhost",
        "DEBUG": "False",
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "RECENT_SIGN_IN_SECONDS": "86400",  # sessions last as long as the tests that share them
    }


def manage(database: Path | str, var_dir: Path, *command: str) -> str:
    """Run one management command on that database; gives what it printed."""
    done = subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env=environment(database, var_dir),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class PortalServer:
    """One granian process and its database file. `stop` ends it; `running` does that by itself."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        workers: int = 1,
        options: Sequence[str] = (),
        application: str = "portal.wsgi:application",
    ) -> None:
        self.demo = stage().demo
        self.sessions: dict[str, requests.Session] = {}
        self.database = folder / "portal.sqlite3"
        copy(stage().database, self.database)
        self.port = port or free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "granian.log"
        command = ["-m", "granian", *options, "--interface", "wsgi", "--host", "127.0.0.1"]
        command += ["--workers", str(workers), "--port"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command, str(self.port), application],
                cwd=ROOT,
                env=environment(self.database, stage().var_dir),
                stdout=log,
                stderr=log,
            )
        self._wait()

    def _wait(self) -> None:
        """Until it answers; its log is the reason when it never does."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if requests.get(f"{self.base_url}/healthz", timeout=2).ok:
                    return
            except requests.RequestException:  # nobody there yet, or a busy machine
                time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"granian did not start:\n{self.log.read_text()}")

    def stop(self) -> None:
        """End the process we started."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def sql(self, statement: str, *values: Any) -> list[Any]:
        """Run one statement on its database, beside the server; gives the rows."""
        connection = sqlite3.connect(self.database, timeout=20)
        try:
            with connection:
                return connection.execute(statement, values).fetchall()
        finally:
            connection.close()

    def change(self, login: str, **profile: Any) -> None:
        """Give this person these fields of User; they are encrypted, which is nothing to say in SQL."""
        code = f"from portal.models import User; User.objects.filter(username={login!r}).update(**{profile!r})"
        manage(self.database, stage().var_dir, "shell", "-c", code)

    def last_refusal(self) -> str:
        """The code of the newest row of the error audit."""
        rows = self.sql("SELECT code FROM authapi_erroraudit ORDER BY id DESC LIMIT 1")
        return str(rows[0][0]) if rows else ""

    def program(self, app_id: str) -> dict[str, Any]:
        """A demo mini-program: appId, clientId, keyVersion, privateKey, scopes, status."""
        found: dict[str, Any] = next(row for row in self.demo["miniPrograms"] if row["appId"] == app_id)
        return found

    def signed_in(self, login: str) -> requests.Session:
        """A session of this demo person, with its CSRF token as a header; the same one each time."""
        if login not in self.sessions:
            password = next(row["password"] for row in self.demo["users"] if row["login"] == login)
            self.sessions[login] = sign_in(self.base_url, login, password)
        return self.sessions[login]

    def code(self, login: str, app_id: str, scopes: list[str]) -> str:
        """An auth code for these scopes, consenting to whatever is asked."""
        http = self.signed_in(login)
        path = f"{self.base_url}/v1/authorizations"
        answer = http.post(f"{path}/getAuthCode", json={"appId": app_id, "scopes": scopes}, timeout=10).json()
        if "consentId" in answer:
            url = f"{path}/consents/{answer['consentId']}/decision"
            asked = [line["scope"] for line in http.get(url.removesuffix("/decision"), timeout=10).json()["scopes"]]
            answer = http.post(url, json={"grantedScopes": asked}, timeout=10).json()
        return str(answer["authCode"])


def sign_in(base_url: str, login: str, password: str) -> requests.Session:
    """A session that has filled in the sign-in form, with its CSRF token as a header."""
    http = requests.Session()
    http.cookies["csrftoken"] = "x" * 32
    form = {"username": login, "password": password, "csrfmiddlewaretoken": "x" * 32}
    answer = http.post(f"{base_url}/accounts/login/", form, allow_redirects=False, timeout=10)
    assert answer.status_code == 302, answer.text
    http.headers["X-CSRFToken"] = [c.value for c in http.cookies if c.name == "csrftoken"][-1] or ""
    return http


@contextmanager
def running(folder: Path, **options: Any) -> Iterator[PortalServer]:
    """A server with its database in `folder`, for the time of the block."""
    server = PortalServer(folder, **options)
    try:
        yield server
    finally:
        server.stop()


def copy(source: Path, target: Path) -> None:
    """A database file with whatever still stands in its write-ahead log."""
    there, here = sqlite3.connect(source), sqlite3.connect(target)
    there.backup(here)
    there.close()
    here.close()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
