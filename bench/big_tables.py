"""`cleanup` on the big tables: how long a million expired tokens take, and what that does to the traffic beside it."""

import sys
import time
from dataclasses import dataclass

from bench import load, plan, processes
from bench.systems import BigPortal

OPERATION = "inquiryUserInfo"


@dataclass(frozen=True)
class Cleanup:
    """Seconds it took, what it said, and the traffic before it and during it."""

    seconds: float
    said: str
    before: load.Load
    during: load.Load

    @property
    def slowdown(self) -> float:
        """p99 during it by p99 before it."""
        return self.during.p99 / self.before.p99


def measure(portal: BigPortal) -> Cleanup:
    """Loads the expired tokens, then runs the command while user info is asked for at a part of the full speed."""
    portal.data("expired", str(plan.EXPIRED_PAIRS))
    file, marker = portal.stock(OPERATION, plan.CLEANUP_REQUESTS), portal.marker(OPERATION)
    for _ in range(2):  # the first one warms up
        fastest = load.drive(portal.port, file, marker, plan.WARM_UP_SECONDS, least=0)
    # A connection's cycle at that part of the speed, less what an answer takes when nobody waits for it.
    pause = plan.CONNECTIONS * 1000 / (plan.CLEANUP_LOAD * fastest.answers / fastest.seconds) - fastest.p50 / 2
    before = load.Wrk(portal.port, file, marker, plan.CLEANUP_BASE_SECONDS, pause=pause).result()
    traffic = load.Wrk(portal.port, file, marker, plan.SETUP_SECONDS, pause=pause)
    begun = time.monotonic()
    try:
        command = [sys.executable, "manage.py", "cleanup"]
        said = processes.run(command, portal.environment(), plan.SETUP_SECONDS)
        seconds = time.monotonic() - begun
    finally:
        traffic.end()
    return Cleanup(seconds, said, before, traffic.result())
