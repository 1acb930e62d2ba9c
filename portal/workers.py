"""A worker: does the queue's jobs in its main thread and what is due again and again in another; a third says that it
is alive, so that others know when to take its work over.
"""

import logging
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread
from uuid import uuid4

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, connection
from redis import RedisError

from portal import background, periodic, queues
from portal.models import Job, Worker

logger = logging.getLogger(__name__)

PAUSE = 0.5  # seconds before an empty queue is asked again
AWAY = 2.0  # before a database that is away is


def work(names: list[str], stopped: Event, *, regularly: bool = True) -> None:
    """Until `stopped`, and then to the end of the step at hand. `regularly`: also settings.PERIODIC_WORK."""
    hand = background.hand = background.Hand(new_name(), stopped)
    life = Life(hand, names)
    _patiently(life.beat, stopped)
    threads = [Thread(target=life.run, daemon=True, name="heartbeat")]
    if regularly:
        threads.append(Thread(target=_repeat, args=[_regular(hand), stopped, PAUSE], name="periodic"))
    for thread in threads:
        thread.start()
    try:
        _repeat(Turns(life, names).take, stopped, 0)
        for thread in threads[1:]:
            thread.join()
    finally:
        life.end()
        background.hand = None


def work_off(names: list[str] | None = None) -> int:
    """Do what waits, here and now, and no more; how many messages those were. For tests and `work --once`."""
    hand = background.hand = background.Hand(new_name(), Event())
    life, brought = Life(hand, names or settings.TASK_QUEUES), 0
    life.beat()
    try:
        background.resend(idle=False)
        while queues.bring(life.names, hand.worker):
            brought += 1
    finally:
        life.end()
        background.hand = None
    return brought


def new_name() -> str:
    """Which machine, which process; never the same twice."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid4().hex[:6]}"


class Life:
    """Says that this worker is there, several times within the lease."""

    def __init__(self, hand: background.Hand, names: list[str]) -> None:
        self.hand, self.names = hand, names
        self.over = Event()
        self.lease = settings.WORKER_LEASE.total_seconds()
        self.unheard_at = -self.lease  # when it could not say so the last time

    def beat(self) -> None:
        """Once."""
        Worker.objects.beat(self.hand.worker, self.hand.doing, ", ".join(self.names))

    def run(self) -> None:
        """In a thread of its own, so that a long step does not look like a death."""
        while not self.over.wait(self.lease / 6):
            try:
                self.beat()
            except (OperationalError, InterfaceError):
                self.unheard_at = time.monotonic()
                connection.close()
        connection.close()

    def end(self) -> None:
        """Gone in good order; a database that is away finds out by itself."""
        self.over.set()
        with suppress(OperationalError, InterfaceError):
            Worker.objects.filter(name=self.hand.worker).delete()

    def hears(self) -> bool:
        """Whether the dead can be told: not soon after an outage, when all look dead until they were heard again."""
        return time.monotonic() - self.unheard_at >= self.lease


class Turns:
    """What the main thread does: the next job, and now and then a look at what was forgotten on the way."""

    def __init__(self, life: Life, names: list[str]) -> None:
        self.life, self.names = life, names
        self.looked_at = -PAUSE

    def take(self) -> None:
        """One turn; it rests when there was nothing to do."""
        brought = queues.bring(self.names, self.life.hand.worker)
        if time.monotonic() - self.looked_at >= PAUSE:
            self.look(idle=not brought)
            self.looked_at = time.monotonic()
        if not brought:
            self.life.hand.stopped.wait(PAUSE)

    def look(self, *, idle: bool) -> None:
        """Take over what dead workers left (and what this one did when the database went), and send what is due."""
        if self.life.hears():
            for job in Job.objects.reclaim(self.life.hand.worker):
                logger.warning("%s was left by %s", job, job.worker)
        background.resend(idle=idle)


def _regular(hand: background.Hand) -> Callable[[], None]:
    def turn() -> None:
        periodic.run_due(hand.worker, hand.stopped)

    return turn


def _repeat(turn: Callable[[], None], stopped: Event, pause: float) -> None:
    """Until `stopped`; a database or a Redis that is away is waited for."""
    while not stopped.is_set():
        close_old_connections()
        _patiently(turn, stopped)
        stopped.wait(pause)
    connection.close()


def _patiently(turn: Callable[[], None], stopped: Event) -> None:
    try:
        turn()
    except (OperationalError, InterfaceError):
        logger.exception("the database cannot be reached")
        connection.close()
        stopped.wait(AWAY)
    except RedisError as error:
        logger.error("Redis cannot be reached (%s)", type(error).__name__)
        stopped.wait(AWAY)
