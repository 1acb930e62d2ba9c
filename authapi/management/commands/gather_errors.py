"""`gather_errors`: groups what the error audit got since the last time, for the operators' console."""

import argparse
import logging
import signal
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, connection

from authapi import error_groups

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Gather new rows of the error audit into groups of the same cause, and say which are new or spiking. Run it "
        "all the time, with --forever; several may run."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--forever", action="store_true", help="until SIGTERM or SIGINT")
        parser.add_argument("--every", type=float, default=60, help="seconds between two looks (60)")
        parser.add_argument("--batch", type=int, default=error_groups.BATCH, help="rows a page (5000)")

    def handle(self, *, forever: bool, every: float, batch: int, **options: Any) -> None:
        if not 0 < every <= 86400:
            raise CommandError("--every must be above 0 and at most 86400 seconds.")
        if not 1 <= batch <= 10000:
            raise CommandError("--batch must be from 1 to 10000.")
        if forever:
            self._watch(every, batch)
        else:
            self.stdout.write(f"Errors gathered: {error_groups.gather(batch)}")

    def _watch(self, every: float, batch: int) -> None:
        """Ends between two looks; a database that is away is waited for."""
        stopped = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
        while not stopped.is_set():
            try:
                error_groups.gather(batch)
            except (OperationalError, InterfaceError):
                logger.exception("the database cannot be reached")
                connection.close()  # the next look opens a new one
            stopped.wait(every)
