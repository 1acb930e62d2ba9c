"""`manage.py work` as a process: killed, told to stop, two of them, a database or a Redis that goes away."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings

from tests import machine, migrated, postgres, servers
from tests.redis_server import RedisServer

pytestmark = pytest.mark.process
PATIENCE = 60.0
JOBS = "SELECT state, takes, failures, error, worker FROM portal_job ORDER BY id"
STEPS = "SELECT name FROM auth_group WHERE name LIKE 'step%' ORDER BY id"


class Workshop:
    """A database, and the workers that were started on it; `end` kills what is left of them."""

    def __init__(self, database: Path | str, folder: Path, **environment: str) -> None:
        self.database, self.var_dir, self.log = database, folder / "var", folder / "log"
        self.environment = {
            **servers.environment(database, self.var_dir),
            "WORKER_LEASE_SECONDS": "2",
            **environment,
        }
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            command = [sys.executable, "manage.py", "work", *arguments]
            process = subprocess.Popen(command, cwd=servers.ROOT, env=self.environment, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def shell(self, code: str) -> None:
        """Run this with the tests' tasks at hand."""
        command = [sys.executable, "manage.py", "shell", "-v0", "-c", f"from tests import chores\n{code}"]
        done = subprocess.run(command, cwd=servers.ROOT, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        if isinstance(self.database, str):
            with psycopg.connect(self.database, connect_timeout=5) as connection:
                return connection.execute(statement).fetchall()  # type: ignore[arg-type]
        connection = sqlite3.connect(self.database, timeout=20)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def wait(self, what: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not what():
            assert time.monotonic() < deadline, (self.sql(JOBS), self.log.read_text()[-3000:])
            time.sleep(0.05)

    def wait_until_done(self) -> None:
        self.wait(lambda: {row[0] for row in self.sql(JOBS)} == {"DONE"})

    def wait_for_steps(self, number: int) -> None:
        self.wait(lambda: len(self.sql(STEPS)) >= number)

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


def steps(number: int) -> list[tuple[str]]:
    return [(f"step-{step}",) for step in range(number)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgres.Cluster]:
    programs = postgres.programs()
    if programs is None:
        machine.absent(postgres.ADVICE)
    assert programs
    cluster = postgres.Cluster(programs)
    cluster.create()
    migrated.into(cluster)
    yield cluster
    cluster.remove()


@pytest.fixture
def on_postgres(cluster: postgres.Cluster, tmp_path: Path) -> Iterator[Workshop]:
    shop = Workshop(cluster.url, tmp_path)
    tables = "portal_job, portal_worker, portal_periodicrun, django_tasks_database_dbtaskresult"
    with psycopg.connect(cluster.url) as connection:
        connection.execute(f"TRUNCATE {tables} CASCADE")  # type: ignore[arg-type]
        connection.execute("DELETE FROM auth_group WHERE name LIKE 'step%'")
    yield shop
    shop.end()


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Workshop]:
    servers.copy(servers.stage().database, tmp_path / "portal.sqlite3")
    shop = Workshop(tmp_path / "portal.sqlite3", tmp_path)
    yield shop
    shop.end()


@pytest.fixture(params=["postgres", "sqlite"])
def workshop(request: pytest.FixtureRequest) -> Workshop:
    found: Workshop = request.getfixturevalue(f"on_{request.param}")
    return found


def test_what_a_killed_worker_began_is_done_once_by_another(workshop: Workshop) -> None:
    workshop.shell("chores.count.enqueue(name='step', upto=6, pause=0.4)")
    first = workshop.start()
    workshop.wait_for_steps(2)
    first.kill()
    first.wait()
    assert workshop.sql(JOBS)[0][0] == "RUNNING"
    workshop.start()
    workshop.wait_until_done()
    assert workshop.sql(STEPS) == steps(6)
    assert workshop.sql(JOBS)[0][1:4] == (2, 0, "")
    done = "SELECT count(*) FROM portal_periodicrun WHERE succeeded_at IS NOT NULL"
    workshop.wait(lambda: workshop.sql(done) == [(len(settings.PERIODIC_WORK),)])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_ends_after_the_step_when_told_to(on_sqlite: Workshop, number: int) -> None:
    on_sqlite.shell("chores.count.enqueue(name='step', upto=1000, pause=0.2)")
    worker = on_sqlite.start("--no-periodic")
    on_sqlite.wait_for_steps(1)
    os.kill(worker.pid, number)
    assert worker.wait(20) == 0
    assert on_sqlite.sql(JOBS)[0][:4] == ("WAITING", 1, 0, "")
    assert on_sqlite.sql("SELECT * FROM portal_worker") == []
    assert "Traceback" not in on_sqlite.log.read_text()


def test_two_workers_share_the_work_and_do_each_once(workshop: Workshop) -> None:
    # SQLite has one writer, who may keep the other waiting for longer than the other tests' short lease.
    workshop.environment["WORKER_LEASE_SECONDS"] = "30"
    workshop.start("--no-periodic")
    workshop.start("--no-periodic")
    workshop.wait(lambda: workshop.sql("SELECT count(*) FROM portal_worker") == [(2,)])
    workshop.shell("for n in range(60): chores.count.enqueue(name=f'step{n:02}', upto=1, pause=0.03)")
    workshop.wait_until_done()
    rows = workshop.sql(JOBS)
    assert {row[1:4] for row in rows} == {(1, 0, "")}
    assert len({row[4] for row in rows}) == 2
    assert sorted(workshop.sql(STEPS)) == [(f"step{number:02}-0",) for number in range(60)]


def test_a_database_that_is_away_is_waited_for(on_postgres: Workshop, cluster: postgres.Cluster) -> None:
    on_postgres.shell("chores.count.enqueue(name='step', upto=12, pause=0.2)")
    worker = on_postgres.start()
    on_postgres.wait_for_steps(2)
    cluster.stop()
    time.sleep(3)
    cluster.start()
    on_postgres.wait_until_done()
    assert on_postgres.sql(STEPS) == steps(12)
    assert worker.poll() is None


# --- Redis ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def with_redis(on_sqlite: Workshop, redis: RedisServer) -> Workshop:
    on_sqlite.environment |= {"TASKS_BACKEND": "redis", "REDIS_URL": redis.url}
    return on_sqlite


def test_redis_carries_the_work(with_redis: Workshop) -> None:
    with_redis.shell("for n in range(5): chores.count.enqueue(name=f'step{n}', upto=2)")
    assert with_redis.sql("SELECT * FROM django_tasks_database_dbtaskresult") == []
    with_redis.start()
    with_redis.wait_until_done()
    assert {row[1:4] for row in with_redis.sql(JOBS)} == {(1, 0, "")}
    assert len(with_redis.sql(STEPS)) == 10


def test_what_a_worker_killed_with_redis_began_is_done_once(with_redis: Workshop) -> None:
    with_redis.shell("chores.count.enqueue(name='step', upto=6, pause=0.4)")
    first = with_redis.start()
    with_redis.wait_for_steps(2)
    first.kill()
    first.wait()
    with_redis.start()
    with_redis.wait_until_done()
    assert with_redis.sql(STEPS) == steps(6)
    assert with_redis.sql(JOBS)[0][1:4] == (2, 0, "")


def test_what_was_promised_while_redis_was_away_is_done_when_it_is_back(
    with_redis: Workshop, redis: RedisServer
) -> None:
    worker = with_redis.start("--no-periodic")
    with_redis.wait(lambda: bool(with_redis.sql("SELECT * FROM portal_worker")))
    redis.stop()
    with_redis.shell("chores.count.enqueue(name='step', upto=2)")
    time.sleep(1)
    assert with_redis.sql(JOBS)[0][0] == "WAITING"
    redis.start()
    with_redis.wait_until_done()
    assert worker.poll() is None
