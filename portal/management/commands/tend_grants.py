"""`tend_grants`: ends what ran out or is not used, tells of changed purposes, erases accounts whose day has come."""

import argparse
import logging
import signal
import time
from collections.abc import Callable
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, connection

from portal import tallying, tending

logger = logging.getLogger(__name__)
DAY = 24 * 60 * 60


class Command(BaseCommand):
    help = (
        "End what ran out, tell people of changed purposes, erase the accounts whose day has come; and once a day "
        "remind people of grants they do not use, and end those that stay unused. Run it all the time, with "
        "--forever; several may run."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--forever", action="store_true", help="until SIGTERM or SIGINT")
        parser.add_argument("--every", type=float, default=60, help="seconds between two looks (60)")
        parser.add_argument("--batch", type=int, default=tending.BATCH, help="rows a page (1000)")

    def handle(self, *, forever: bool, every: float, batch: int, **options: Any) -> None:
        if not 0 < every <= 86400:
            raise CommandError("--every must be above 0 and at most 86400 seconds.")
        if not 1 <= batch <= 10000:
            raise CommandError("--batch must be from 1 to 10000.")
        if forever:
            self._watch(every, batch)
        else:
            self._tell(tending.tidy(batch) | tend(batch))

    def _watch(self, every: float, batch: int) -> None:
        """Ends between two looks, never within one; the first look, and one a day, goes through all grants."""
        stopped, tidied = Event(), -float(DAY)
        usual = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            while not stopped.is_set():
                if time.monotonic() - tidied >= DAY and self._look(tending.tidy, batch):
                    tidied = time.monotonic()
                self._look(tend, batch)
                stopped.wait(every)
        finally:
            for number, handler in usual.items():
                signal.signal(number, handler)

    def _look(self, work: Callable[[int], dict[str, int]], batch: int) -> bool:
        """One pass; a database that is away is waited for."""
        try:
            self._tell({what: number for what, number in work(batch).items() if number})
        except (OperationalError, InterfaceError):
            logger.exception("the database cannot be reached")
            connection.close()  # the next pass opens a new one
            return False
        return True

    def _tell(self, counts: dict[str, int]) -> None:
        for what, number in counts.items():
            self.stdout.write(f"{what}: {number}")


def tend(batch: int) -> dict[str, int]:
    """What is told, and then the day's sums, which are no news."""
    counts = tending.tend(batch)
    tallying.tally()
    return counts
