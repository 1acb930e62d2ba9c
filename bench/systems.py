"""What a run compares: a server with its database, how it is pre-loaded, and how a success looks."""

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from bench import processes
from bench.database import Database
from bench.plan import GRANIAN, HOST, OPERATIONS, SETUP_SECONDS, WORKERS
from tests.servers import free_port


class System(ABC):
    """One server on a database of its own. Subclasses say how it is set up, started and pre-loaded."""

    name: ClassVar[str]
    operations: Sequence[str] = OPERATIONS
    # What stands in the answer to a success, by operation; the first word in the body of no other answer.
    answers: ClassVar[dict[str, tuple[str, ...]]]

    def __init__(self, database: Database, folder: Path) -> None:
        self.folder = folder / self.name
        self.folder.mkdir()
        self.port = free_port()
        self.database_url = database.create(self.name)
        self.server: processes.Server | None = None

    @abstractmethod
    def set_up(self) -> None:
        """Load what the runs need."""

    @abstractmethod
    def command(self) -> list[str]:
        """What starts the server."""

    def environment(self) -> dict[str, str]:
        return {**os.environ, "DATABASE_URL": self.database_url}

    @abstractmethod
    def stock(self, operation: str, count: int) -> Path:
        """Pre-load what so many requests need; gives the file of the requests."""

    def start(self) -> None:
        log = self.folder / "server.log"
        self.server = processes.Server(self.command(), self.environment(), log)
        self.server.wait_until_it_answers(f"http://{HOST}:{self.port}/")

    def marker(self, operation: str) -> str:
        """What wrk looks for in every answer."""
        return self.answers[operation][0]

    def stop(self) -> None:
        if self.server:
            self.server.stop()

    def cpu_seconds(self) -> float:
        return processes.cpu_seconds(self._running.process.pid)

    def worker_megabytes(self, kind: str) -> float:
        """Of the largest worker now; `Rss` or `Pss`."""
        return max(processes.memory(pid, kind) for pid in self._running.workers(WORKERS))

    @property
    def _running(self) -> processes.Server:
        assert self.server, f"{self.name} is not started"
        return self.server


class Portal(System):
    """This portal, as the README deploys it, on tables of ordinary size."""

    name = "portal"
    size = "SMALL"
    answers = {
        "applyToken_code": ('"accessToken"', '"refreshToken"', '"SUCCESS"', "\nsignature: "),
        "applyToken_refresh": ('"accessToken"', '"refreshToken"', '"SUCCESS"', "\nsignature: "),
        "inquiryUserInfo": ('"birthDate"', '"userId"', '"nickName"', '"fullName"', '"contactNo"', "\nsignature: "),
        "getAuthCode_silent": ('"authCode"', '"authSuccessScopes"'),
    }

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "VAR_DIR": str(self.folder),
            "ALLOWED_HOSTS": "127.0.0.1,localhost",
            "DEBUG": "False",
            "LOG_LEVEL": "WARNING",
            "CACHE_URL": "locmemcache://",
        }

    def data(self, *words: str) -> None:
        command = [sys.executable, "-m", "bench.portal_data", *words]
        processes.run(command, self.environment(), SETUP_SECONDS)

    def set_up(self) -> None:
        self.data("setup", self.size, str(self.folder))

    def command(self) -> list[str]:
        place = ["--host", HOST, "--port", str(self.port)]
        return [sys.executable, "-m", "granian", *GRANIAN, *place, "portal.wsgi:application"]

    def stock(self, operation: str, count: int) -> Path:
        file = self.folder / f"{operation}.requests"
        self.data("stock", operation, str(count), str(self.folder), str(self.port), str(file))
        return file


class BigPortal(Portal):
    """The same with 1,000,000 grants and 2,000,000 tokens."""

    name = "portal_big"
    size = "BIG"
