"""`seal_ledger`: puts seals on what was written to the ledger, the error audit and the operators' log (trust 31)."""

import argparse
import logging
import signal
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DataError, InterfaceError, OperationalError, connection

from authapi import sealing
from portal import settled

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Seal the new rows of the ledger, the error audit and the operators' log. Until a row is sealed its removal "
        "cannot be seen, so run it all the time, with --forever. Several may run; one of them seals. It prints the "
        "head of each chain, CHAIN:NUMBER:HASH: keep these lines where nobody who can change the database can change "
        "them, and give them to verify_ledger --head."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--forever", action="store_true", help="until SIGTERM or SIGINT")
        parser.add_argument("--every", type=float, default=10, help="seconds between two looks (10)")

    def handle(self, *, forever: bool, every: float, **options: Any) -> None:
        if not 0 < every <= 86400:
            raise CommandError("--every must be above 0 and at most 86400 seconds.")
        if forever:
            self._watch(every)
        elif waiting := [chain for chain in sealing.CHAINS if not self._seal(chain)]:
            raise CommandError(f"Not sealed: {', '.join(waiting)}. The log says why.")

    def _watch(self, every: float) -> None:
        """Ends between two looks, never within one."""
        stopped = Event()
        usual = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            while not stopped.is_set():
                self._look()
                stopped.wait(every)
        finally:
            for number, handler in usual.items():
                signal.signal(number, handler)

    def _look(self) -> None:
        """One pass; a database that is away is waited for."""
        try:
            for chain in sealing.CHAINS:
                self._seal(chain, quiet=True)
        except (OperationalError, InterfaceError):
            logger.exception("the database cannot be reached")
            connection.close()  # the next pass opens a new one

    def _seal(self, chain: str, *, quiet: bool = False) -> bool:
        """False, and a line in the log, when that failed. `quiet` says nothing where nothing was sealed."""
        rows = 0
        try:
            for seal in sealing.seal(chain):
                rows += seal.count
        except settled.BusyError:
            logger.warning("%s: a transaction that writes there stays open; its rows wait for the next look", chain)
            return False
        except (ValueError, TypeError, DataError):
            logger.exception("%s: a row cannot be read; verify_ledger says after which seal", chain)
            return False
        if rows or not quiet:
            self.stdout.write(f"{sealing.head_of(chain) or chain + ' has no seal'}  rows sealed: {rows}")
        return True
