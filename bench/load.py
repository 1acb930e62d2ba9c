"""Drives one server with wrk: a file of ready-made requests, each sent once, every answer looked at."""

import json
import os
import shutil
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


def drive(port: int, file: Path, marker: str, seconds: int, *, least: float = 0.5) -> Load:
    """Send the file's requests for some seconds, or until it is used up.

    Raises BenchError when an answer is no success (a fast refusal must never look like speed), when a connection
    broke, or when the file lasted for less than `least` of the time.
    """
    script = str(HERE / "wrk.lua")
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout=20s", "-s", script]
    command += [f"http://{HOST}:{port}", "--", str(file), marker]
    before = os.times()
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 60)
    after = os.times()
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise BenchError(f"wrk failed:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
    said = json.loads(lines[-1])
    _check(said, seconds * least, file)
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
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
