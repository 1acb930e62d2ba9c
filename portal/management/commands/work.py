"""`work`: does background work (portal.background) and what is due again and again (portal.periodic)."""

import argparse
import os
import signal
from threading import Event
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal import workers

NICENESS = 5  # people wait for the web processes of the same machine, nobody for this one


class Command(BaseCommand):
    help = (
        "Do what the portal promised to do later, and what is due again and again. Run it all the time; several may "
        "run. SIGTERM and SIGINT end it after the step at hand; one that is killed is taken over by the others."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        queues = ", ".join(settings.TASK_QUEUES)
        parser.add_argument("--queue", action="append", default=[], help=f"of {queues}; may be repeated (all)")
        parser.add_argument("--once", action="store_true", help="do what waits now, then end")
        parser.add_argument("--no-periodic", action="store_true", help="leave notices, seals and grants to others")

    def handle(self, *, queue: list[str], once: bool, no_periodic: bool, **options: Any) -> None:
        if unknown := set(queue) - set(settings.TASK_QUEUES):
            raise CommandError(f"No such queue: {', '.join(sorted(unknown))}.")
        names = queue or settings.TASK_QUEUES
        if once:
            self.stdout.write(f"Jobs brought: {workers.work_off(names)}.")
        else:
            self._work(names, regularly=not no_periodic)

    def _work(self, names: list[str], *, regularly: bool) -> None:
        os.nice(NICENESS)
        stopped = Event()
        usual = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            workers.work(names, stopped, regularly=regularly)
        finally:
            for number, handler in usual.items():
                signal.signal(number, handler)
