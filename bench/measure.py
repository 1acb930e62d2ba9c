"""Rounds: every system in turn runs an operation for some seconds, and what that cost is read from /proc and SQL."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import sleep

from bench import load, plan
from bench.database import Database
from bench.systems import System


@dataclass(frozen=True)
class Round:
    """One system, one operation, some seconds. Times are CPU milliseconds a request, latencies milliseconds."""

    rate: float
    p50: float
    p99: float
    server_ms: float
    postgres_ms: float
    statements: float
    frames: float
    wrk_cpu: float


@dataclass
class Result:
    """All rounds of one operation on one system."""

    operation: str
    system: str
    rounds: list[Round] = field(default_factory=list)

    def middle(self, name: str) -> float:
        """The median of one figure."""
        return median(getattr(one, name) for one in self.rounds)

    @property
    def rate(self) -> float:
        return self.middle("rate")


def compare(
    database: Database, systems: Sequence[System], operation: str, rounds: int, seconds: int
) -> Iterator[Result]:
    """Yields after each round of each system, so that somebody can watch."""
    able = [system for system in systems if operation in system.operations]
    results = {system.name: Result(operation, system.name) for system in able}
    expected = {system.name: warm_up(system, operation) for system in able}
    for _ in range(rounds):
        for system in able:
            count = int(expected[system.name] * seconds * 1.5) + 500
            one = run(database, system, operation, count, seconds)
            expected[system.name] = max(expected[system.name], one.rate)
            results[system.name].rounds.append(one)
            yield results[system.name]


def warm_up(system: System, operation: str) -> float:
    """Requests per second, roughly; after a look at one answer."""
    file = system.stock(operation, plan.WARM_UP_REQUESTS)
    load.probe(system.port, file, system.answers[operation])
    seen = load.drive(system.port, file, system.marker(operation), plan.WARM_UP_SECONDS, least=0)
    return seen.answers / seen.seconds


def run(database: Database, system: System, operation: str, count: int, seconds: int) -> Round:
    file = system.stock(operation, count)
    server, postgres = system.cpu_seconds(), database.cpu_seconds()
    before = database.statements(system.name)
    seen = load.drive(system.port, file, system.marker(operation), seconds)
    sleep(0.2)  # what was under way when wrk went is still answered, and counts below
    after = database.statements(system.name)
    served = seen.answers + plan.CONNECTIONS
    file.unlink()
    return Round(
        rate=seen.answers / seen.seconds,
        p50=seen.p50,
        p99=seen.p99,
        server_ms=(system.cpu_seconds() - server) * 1000 / served,
        postgres_ms=(database.cpu_seconds() - postgres) * 1000 / served,
        statements=(after.work - before.work) / served,
        frames=(after.frames - before.frames) / served,
        wrk_cpu=seen.wrk_cpu,
    )
