"""Drives one server with wrk: a file of ready-made requests, each sent once, every answer looked at."""

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.plan import CONNECTIONS, HERE, HOST
from bench.processes import BenchError


@dataclass(frozen=True)
class Load:
    """What wrk saw: good answers, over how many seconds, latencies in ms, its own CPU as a share of one core."""

    answers: int
    seconds: float
    p50: float
    p99: float
    wrk_cpu: float


def check_wrk() -> None:
    if not shutil.which("wrk"):
        raise BenchError("wrk makes the load, and is not installed: apt-get install wrk")


def write_requests(file: Path, requests: Iterable[bytes]) -> None:
    """As wrk.lua reads them."""
    with file.open("wb") as out:
        for request in requests:
            out.write(b"%d\n" % len(request) + request)


def http(method: str, port: int, path: str, body: str, headers: dict[str, str]) -> bytes:
    """A raw HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {HOST}:{port}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def probe(port: int, file: Path, words: Iterable[str]) -> None:
    """Send the file's first request by hand: each word must stand in the answer. (wrk never sends the first one.)"""
    with file.open("rb") as requests, socket.create_connection((HOST, port), timeout=20) as connection:
        raw = requests.read(int(requests.readline()))
        connection.sendall(raw.replace(b"\r\nHost:", b"\r\nConnection: close\r\nHost:", 1))
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode(errors="replace")
    missing = [word for word in words if word not in answer]
    if missing:
        raise BenchError(f"{file.name}: there is no {' and no '.join(missing)} in the answer:\n{answer[:1500]}")


def drive(port: int, file: Path, marker: str, seconds: int, *, least: float = 0.5) -> Load:
    """Send the file's requests for some seconds, or until it is used up.

    Raises BenchError when an answer is no success (a fast refusal must never look like speed), when a connection
    broke, or when the file lasted for less than `least` of the time.
    """
    return Wrk(port, file, marker, seconds).result(least)


class Wrk:
    """One run of wrk, begun. `pause`: see wrk.lua."""

    def __init__(self, port: int, file: Path, marker: str, seconds: int, *, pause: float | None = None) -> None:
        self.file, self.seconds = file, seconds
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout=20s", "-s", str(HERE / "wrk.lua")]
        command += [f"http://{HOST}:{port}", "--", str(file), marker]
        command += [] if pause is None else [f"{pause:.1f}"]
        self.before = os.times()
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def end(self) -> None:
        """Before its time; it still reports."""
        self.process.send_signal(signal.SIGINT)

    def result(self, least: float = 0.0) -> Load:
        """Waits for its end; raises as `drive` says."""
        try:
            out, complaint = self.process.communicate(timeout=self.seconds + 60)
        except BaseException:
            self.process.kill()
            raise
        after = os.times()
        lines = [line for line in out.splitlines() if line.startswith("{")]
        if self.process.returncode or not lines:
            raise BenchError(f"wrk failed:\n{out[-1000:]}{complaint[-1000:]}")
        said = json.loads(lines[-1])
        _check(said, self.seconds * least, self.file)
        cpu = after.children_user + after.children_system - self.before.children_user - self.before.children_system
        return Load(said["good"], said["seconds"], said["p50"], said["p99"], cpu / said["seconds"])


def _check(said: dict[str, float], least: float, file: Path) -> None:
    if said["bad"]:
        raise BenchError(
            f"{said['bad']} of {said['bad'] + said['good']} answers were no success ({file.name}). "
            f"The first: {said['example']}"
        )
    if said["broken"] or not said["good"]:
        raise BenchError(f"{said['broken']} connections broke or timed out, {said['good']} answers ({file.name}).")
    if said["dry"] and said["seconds"] < least:
        raise BenchError(f"{file.name} lasted for {said['seconds']:.1f} s only: too few requests were pre-loaded.")
