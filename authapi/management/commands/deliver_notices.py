"""`deliver_notices`: tells merchants whose tokens died (wire.md 5.5), once or until it is stopped."""

import argparse
import logging
import signal
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError, connection

from authapi import notices

logger = logging.getLogger(__name__)

PAUSE = 2  # seconds between two looks


class Command(BaseCommand):
    help = "Send the merchants' notices that are due. Several may run at once: each notice is sent by one of them."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--watch", action="store_true", help="look every 2 seconds, until SIGTERM or SIGINT")

    def handle(self, *, watch: bool, **options: Any) -> None:
        if watch:
            self._watch()
        else:
            self._report()

    def _watch(self) -> None:
        """Ends between two notices, never within one."""
        stopped = Event()
        usual = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            while not stopped.is_set():
                self._look(stopped)
                stopped.wait(PAUSE)
        finally:
            for number, handler in usual.items():
                signal.signal(number, handler)

    def _look(self, stopped: Event) -> None:
        """One pass; a database that is away is waited for."""
        try:
            self._report(stopped)
        except (OperationalError, InterfaceError):
            logger.exception("the database cannot be reached")
            connection.close()  # the next pass opens a new one

    def _report(self, stopped: Event | None = None) -> None:
        counts = notices.deliver_due(stopped)
        if stopped is None or counts:
            self.stdout.write(f"Notices sent: {counts['sent']}, failed: {counts['failed']}.")
