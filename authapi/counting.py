"""Counts in memory what is too frequent to be written down each time; a thread of each process writes the sums.

So no call waits for a write, and a hundred of the same thing are one. A process that is killed takes the counts of its
last ACCESS_COUNT_SECONDS with it.
"""

import logging
import os
from abc import ABC, abstractmethod
from multiprocessing.util import Finalize
from threading import Event, Lock, Thread
from typing import ClassVar, Generic, TypeVar

from django import db
from django.conf import settings

logger = logging.getLogger(__name__)

Key = TypeVar("Key")
Value = TypeVar("Value")


class Counter(ABC, Generic[Key, Value]):
    """The counts of one process that the database has not got yet; subclasses say of what, and how they are written.

    Whoever changes `_counts` does so under `_lock`, and calls `_wake` afterwards.
    """

    what: ClassVar[str]  # for the log
    SOON = 10_000  # different keys, at which the thread does not wait for its time
    MOST = 200_000  # of them in memory, while the database is away

    def __init__(self) -> None:
        self._counts: dict[Key, Value] = {}
        self._lock = Lock()
        self._full = Event()
        self._writer = 0  # the process whose thread writes: a fork has none

    @abstractmethod
    def merged(self, earlier: Value, later: Value) -> Value:
        """The two as one."""

    @abstractmethod
    def write(self, counts: dict[Key, Value]) -> None:
        """Add these to the database, in a transaction that is open."""

    def flush(self) -> int:
        """Add what was counted to the database; how many rows that were. What cannot be written now is kept."""
        with self._lock:
            counts, self._counts = self._counts, {}
        try:
            if counts:
                with db.transaction.atomic():
                    self.write(counts)
        except db.IntegrityError:
            logger.exception("%d %s are lost: what they count is gone", len(counts), self.what)
        except db.Error as error:
            logger.error("%s cannot be written now (%s)", self.what, type(error).__name__)
            self._put_back(counts)
            return 0
        return len(counts)

    def _put_back(self, counts: dict[Key, Value]) -> None:
        with self._lock:
            for key, value in counts.items():
                self._counts[key] = self.merged(value, self._counts[key]) if key in self._counts else value
            for key in list(self._counts)[: max(0, len(self._counts) - self.MOST)]:
                del self._counts[key]

    def _wake(self) -> None:
        """See to it that somebody writes: soon, where there is much."""
        if len(self._counts) >= self.SOON:
            self._full.set()
        if self._writer != os.getpid() and settings.ACCESS_COUNT_SECONDS:
            self._start()

    def _start(self) -> None:
        with self._lock:
            if self._writer == os.getpid():
                return
            self._writer = os.getpid()
        Thread(target=self._write_for_ever, name=self.what, daemon=True).start()
        # Unlike atexit, it runs in the workers of a server too, which are children of multiprocessing.
        Finalize(None, self.flush, exitpriority=1)

    def _write_for_ever(self) -> None:
        while True:
            self._full.wait(settings.ACCESS_COUNT_SECONDS)
            self._full.clear()
            try:
                self.flush()
            except Exception:
                logger.exception("%s could not be written", self.what)
            finally:
                db.connections.close_all()  # those of this thread: none is held while it waits
