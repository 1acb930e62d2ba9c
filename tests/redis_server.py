"""A real Redis of our own for tests, on a free port of 127.0.0.1, keeping nothing; it can be stopped, hung and begun
again at the same address."""

import os
import signal
import subprocess
import time
from pathlib import Path

import redis

from tests.machine import need
from tests.servers import free_port


class RedisServer:
    """One redis-server process; `stop` ends it."""

    def __init__(self, folder: Path) -> None:
        self.program = need("redis-server", package="redis-server")
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.folder)]
        self.process = subprocess.Popen([self.program, *options], stdout=subprocess.DEVNULL)
        client = redis.Redis(port=self.port)
        for _attempt in range(100):
            try:
                client.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.05)

    def hang(self) -> None:
        """It accepts connections and never answers."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(10)
