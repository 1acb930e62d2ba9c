"""Processes of ours: started in a session of their own, measured as a tree from /proc, ended as a whole."""

import os
import re
import signal
import subprocess
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

from bench.plan import ROOT, START_SECONDS

TICKS = os.sysconf("SC_CLK_TCK")  # a second of CPU time, as /proc counts it


class BenchError(Exception):
    """Something that ends the run; its text is what the caller reads."""


class Server:
    """One server program with its children, and a log for what they say."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path, folder: Path = ROOT) -> None:
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def wait_until_it_answers(self, url: str) -> None:
        """Any HTTP answer will do. Raises BenchError with the end of its log."""
        deadline = monotonic() + START_SECONDS
        while not answers(url):
            if self.process.poll() is not None or monotonic() > deadline:
                raise BenchError(f"{url} does not answer. The end of {self.log.name}:\n{self.last_words()}")
            sleep(0.1)

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]

    def workers(self, number: int) -> list[int]:
        """The process ids of the largest children: helpers that a runtime starts beside them are small."""
        return sorted(tree(self.process.pid)[1:], key=lambda pid: memory(pid, "Rss"))[-number:]

    def stop(self) -> None:
        """Ask; after ten seconds, and for whatever it left behind, do not ask."""
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def run(command: list[str], environment: dict[str, str], seconds: float, folder: Path = ROOT) -> str:
    """Run a program to its end; gives what it printed. Raises BenchError with what it complained of."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, complaint = process.communicate(timeout=seconds)
    except BaseException as error:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise BenchError(f"{' '.join(command[:4])} took more than {seconds:.0f} seconds.") from error
        raise
    if process.returncode:
        raise BenchError(f"{' '.join(command[:6])} failed:\n{(complaint or out)[-3000:]}")
    return out


def tree(root: int) -> list[int]:
    """This process and everything below it, itself first."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents.setdefault(int(fields(stat)[1]), []).append(int(stat.parent.name))
    found = [root]
    for pid in found:  # grows as we go
        found += parents.get(pid, [])
    return found


def cpu_seconds(root: int) -> float:
    """User and system time of a tree, with that of its members that have ended."""
    ticks = 0
    for pid in tree(root):
        with suppress(OSError):
            ticks += sum(int(field) for field in fields(Path(f"/proc/{pid}/stat"))[11:15])
    return ticks / TICKS


def fields(stat: Path) -> list[str]:
    """What follows the program's name, which may hold spaces: state, parent, ... (proc(5), from field 3 on)."""
    return stat.read_text().rpartition(")")[2].split()


def memory(pid: int, kind: str) -> float:
    """Megabytes (10^6 bytes): `Rss` counts shared pages in full, `Pss` in proportion. 0 for a process that is gone."""
    with suppress(OSError):
        found = re.search(rf"^{kind}:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        return int(found[1]) * 1024 / 1e6 if found else 0.0
    return 0.0
