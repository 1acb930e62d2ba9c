"""Stops PostgreSQL under a running portal and starts it again, while everybody goes on calling (trust 11).

Each call is either bright (it did what it should) or dark (it said, in its own form, that the portal cannot). Anything
else ends the outage at once: a traceback, another status, something internal in an answer, an answer that hangs.
"""

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event

import requests

from tests.crashes import USED, hear
from tests.killable import KillablePortal, RemoteMerchant
from tests.reckoning import Books, Chain

CALLERS = (("alice", "coffee"), ("bob", "coffee"), ("bob", "coffee2"))
CODES = 12  # for each caller; then it refreshes the last one's tokens on and on
SECONDS = 1.5  # of each phase: before, without PostgreSQL, after
HANGING = 5.0  # seconds an answer may take at most
PAUSE = 0.02
UNKNOWN = {
    "resultStatus": "U",
    "resultCode": "UNKNOWN_EXCEPTION",
    "resultMessage": "Something failed on our side. Send the same request again later.",
}
INTERNAL = ("Traceback", "psycopg", "OperationalError", "pg-", "django", "SELECT")
SLOWEST = "milliseconds of the slowest answer"
POOLED = 8  # connections: two workers with four threads


@dataclass
class Phases:
    """When PostgreSQL was told to stop, was gone, was told to start, was back."""

    stopping: float = 0.0
    gone: float = 0.0
    starting: float = 0.0
    back: float = float("inf")


@dataclass
class Outage:
    """One stop and start; `calls` are (kind, begun, ended, whether bright), `traces` the Trace-Ids of dark answers."""

    portal: KillablePortal
    chains: list[Chain] = field(default_factory=list)
    calls: list[tuple[str, float, float, bool]] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)
    phases: Phases = field(default_factory=Phases)
    over: Event = field(default_factory=Event)

    def run(self) -> Counter[str]:
        """AssertionError for what is not in order; otherwise counts of what happened."""
        makers = [self.walker(*caller) for caller in CALLERS]
        makers += [self.reader("alice", "coffee2"), self.asker("carol", "coffee"), self.page("alice")]
        makers += [self.monitor("/readyz", 503), self.monitor("/healthz", 200)]
        with ThreadPoolExecutor(len(makers)) as pool:
            jobs = [pool.submit(self.repeat, *maker) for maker in makers]
            try:
                self.stop_and_start(jobs)
            finally:
                self.over.set()
            for job in jobs:
                job.result()
        problems = Books(self.portal.sql).problems(self.chains)
        assert not problems, "\n".join(problems[:20])
        return self.summary()

    def stop_and_start(self, jobs: "list[Future[None]]") -> None:
        time.sleep(SECONDS)
        self.phases.stopping = time.monotonic()
        self.portal.cluster.stop()
        self.phases.gone = time.monotonic()
        time.sleep(SECONDS)
        self.phases.starting = time.monotonic()
        self.portal.cluster.start()
        self.phases.back = time.monotonic()
        time.sleep(SECONDS)
        assert not any(job.done() for job in jobs), [job.exception() for job in jobs if job.done()]

    def repeat(self, kind: str, call: Callable[[], bool]) -> None:
        """The same call on and on, until the outage is over."""
        while not self.over.is_set():
            begun = time.monotonic()
            bright = call()
            self.calls.append((kind, begun, time.monotonic(), bright))
            time.sleep(PAUSE)

    # --- Callers: each gives its kind and a call that says whether it was bright ---------------------------------

    def walker(self, login: str, app_id: str) -> tuple[str, Callable[[], bool]]:
        """A merchant who exchanges codes and refreshes; after a U it sends the same call again."""
        merchant, choose = self.portal.merchant(app_id), random.Random(login + app_id)
        todo = [Chain(self.portal.code(login, app_id)) for _ in range(CODES)]
        self.chains += todo

        def call() -> bool:
            while len(todo) > 1 and (todo[0].is_over or (not todo[0].unanswered and choose.random() < 0.2)):
                todo.pop(0)
            return self.step(merchant, todo[0])

        return "exchange or refresh", call

    def step(self, merchant: RemoteMerchant, chain: Chain) -> bool:
        again = bool(chain.unanswered)
        chain.unanswered = "refresh" if chain.pairs else "exchange"
        answer = merchant.refresh(chain.pairs[-1][1]) if chain.pairs else merchant.exchange(chain.code)
        if self.is_dark(merchant, answer):
            return False
        chain.unanswered = ""
        result = hear(chain, answer)
        assert again or result not in USED, answer
        return True

    def is_dark(self, merchant: RemoteMerchant, answer: dict[str, dict[str, str]]) -> bool:
        if answer["result"]["resultStatus"] != "U":
            return False
        assert answer == {"result": UNKNOWN}, answer
        self.traces.append(merchant.trace_id)
        return True

    def reader(self, login: str, app_id: str) -> tuple[str, Callable[[], bool]]:
        merchant = self.portal.merchant(app_id)
        token = merchant.exchange(self.portal.code(login, app_id))["accessToken"]

        def call() -> bool:
            answer = merchant.user_info(token)
            if self.is_dark(merchant, answer):
                return False
            assert answer["userInfo"]["userId"], answer
            return True

        return "inquiryUserInfo", call

    def asker(self, login: str, app_id: str) -> tuple[str, Callable[[], bool]]:
        def call() -> bool:
            answer = self.portal.get_auth_code(login, app_id)
            if "authCode" in answer:
                return True
            assert answer["error"] == 3, answer
            assert answer["errorMessage"] == "Unknown error", answer
            return False

        self.portal.signed_in(login)
        return "getAuthCode", call

    def page(self, login: str) -> tuple[str, Callable[[], bool]]:
        http = self.portal.signed_in(login)

        def call() -> bool:
            page = http.get(f"{self.portal.base_url}/permissions/", timeout=HANGING, allow_redirects=False)
            if page.status_code == 200:
                return True
            assert page.status_code in (500, 503), (page.status_code, page.text[:500])
            assert "Something broke on our side" in page.text, page.text
            assert not [word for word in INTERNAL if word in page.text], page.text
            return False

        return "page", call

    def monitor(self, path: str, dark: int) -> tuple[str, Callable[[], bool]]:
        def call() -> bool:
            answer = requests.get(self.portal.base_url + path, timeout=HANGING)
            assert answer.status_code in (200, dark), answer.text
            return answer.status_code == 200

        return path, call

    # --- Afterwards -----------------------------------------------------------------------------------------------

    def summary(self) -> Counter[str]:
        """While it was gone everything was dark, afterwards everything was bright but for a call per connection."""
        counts: Counter[str] = Counter()
        seen: dict[str, set[bool]] = defaultdict(set)
        for kind, begun, ended, bright in self.calls:
            assert ended - begun < HANGING, (kind, ended - begun)
            if begun > self.phases.gone and ended < self.phases.starting:
                seen[kind].add(bright)
                counts["dark while PostgreSQL was gone"] += not bright
            elif begun > self.phases.back:
                counts["dark after it was back"] += not bright
                counts["bright after it was back"] += bright
        for kind, brightness in seen.items():
            assert brightness == {kind == "/healthz"}, (kind, brightness)
        assert len(seen) == len({kind for kind, *_rest in self.calls}), seen.keys()
        assert counts["dark after it was back"] <= POOLED, counts
        counts[SLOWEST] = round(1000 * max(ended - begun for _kind, begun, ended, _bright in self.calls))
        return counts
