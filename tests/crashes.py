"""Kills a portal in the middle of exchanges and refreshes, again and again (trust 11).

`test_crashes.py` does it a few times, `make bench-crash` two hundred times.
"""

import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

from requests.exceptions import ChunkedEncodingError, ConnectionError
from urllib3.exceptions import NewConnectionError

from tests.killable import KillablePortal, RemoteMerchant
from tests.reckoning import Books, Chain

# Each caller has a grant of its own: callers of one grant would mostly wait for each other.
CALLERS = tuple(product(("alice", "bob", "carol"), ("coffee", "coffee2")))
CODES = 6
REFRESHES = 3  # of each code, at most
LONGEST = 0.15  # seconds of traffic before the kill: it would last a little longer
USED = ("USED_AUTHCODE", "USED_REFRESH_TOKEN")


class Crashes:
    """Rounds of traffic, each ended by a SIGKILL; `counts` says what happened."""

    def __init__(self, portal: KillablePortal, seed: int) -> None:
        self.portal, self.random = portal, random.Random(seed)
        self.chains: list[Chain] = []
        self.counts: Counter[str] = Counter()
        self.merchants = [(login, portal.merchant(app_id)) for login, app_id in CALLERS]

    def run(self, kills: int) -> Iterator[int]:
        """Yields after each kill, when everything was checked. AssertionError says what was not in order."""
        self.portal.start()
        for number in range(1, kills + 1):
            self.one_round()
            yield number

    def one_round(self) -> None:
        """Codes, traffic, SIGKILL, restart; then the books, the same calls again, and the books once more."""
        with ThreadPoolExecutor(len(CALLERS)) as pool:
            mine = list(pool.map(self.codes, self.merchants))
            seeds = [self.random.random() for _ in CALLERS]
            jobs = [pool.submit(self.walk, *job) for job in zip(self.merchants, mine, seeds, strict=True)]
            time.sleep(self.random.uniform(0, LONGEST))
            self.portal.kill()
            cut_off = sum(job.result() for job in jobs)
        self.counts["kills"] += 1
        self.counts["kills with a call in flight"] += bool(cut_off)
        self.counts["calls in flight"] += cut_off
        self.portal.wait_until_forgotten()
        self.portal.start()
        books = self.check()
        for (_login, merchant), chains in zip(self.merchants, mine, strict=True):
            for chain in chains:
                if chain.unanswered:
                    self.repeat(merchant, chain, done=books.was_done(chain))
        self.check()

    def codes(self, caller: tuple[str, RemoteMerchant]) -> list[Chain]:
        login, merchant = caller
        made = [Chain(self.portal.code(login, merchant.app_id)) for _ in range(CODES)]
        self.chains += made
        return made

    def walk(self, caller: tuple[str, RemoteMerchant], chains: list[Chain], seed: float) -> bool:
        """Exchange and refresh until the portal dies. Whether a call was cut off, rather than never heard."""
        choose = random.Random(seed)
        try:
            for chain in chains:
                for _call in range(1 + choose.randint(0, REFRESHES)):
                    call(caller[1], chain)
                    self.counts["calls answered"] += 1
        except (ConnectionError, ChunkedEncodingError) as error:  # the second: cut off in the middle of the answer
            return not isinstance(getattr(error.args[0], "reason", None), NewConnectionError)
        return False

    def check(self) -> Books:
        """Every code and token of every round so far."""
        books = Books(self.portal.sql)
        problems = books.problems(self.chains)
        assert not problems, "\n".join(problems[:20])
        return books

    def repeat(self, merchant: RemoteMerchant, chain: Chain, *, done: bool) -> None:
        """The same call again: it works if nothing had been done; otherwise it says so, or replaces what was lost."""
        kind = chain.unanswered
        result = call(merchant, chain)
        assert result == "SUCCESS" or (done and result in USED), (kind, result, done)
        assert not (kind == "exchange" and done and result == "SUCCESS"), "a code worked twice"
        self.counts[f"{kind} {'done, answer lost' if done else 'not done'}, then {result}"] += 1


def call(merchant: RemoteMerchant, chain: Chain) -> str:
    """The chain's next call: exchange its code or refresh its newest pair; notes the answer, gives its resultCode."""
    chain.unanswered = "refresh" if chain.pairs else "exchange"
    answer = merchant.refresh(chain.pairs[-1][1]) if chain.pairs else merchant.exchange(chain.code)
    chain.unanswered = ""
    return hear(chain, answer)


def hear(chain: Chain, answer: dict[str, Any]) -> str:
    """Note what the merchant was told."""
    code = str(answer["result"]["resultCode"])
    if code == "SUCCESS":
        chain.pairs.append((answer["accessToken"], answer["refreshToken"]))
    elif code in USED:
        chain.is_over = True
    else:
        raise AssertionError(f"{answer}")
    return code
