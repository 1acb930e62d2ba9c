"""Counts what mini-programs read, in memory; a thread of each process adds the sums to the database (trust 27).

So no call waits for a write, and a hundred reads of the same thing are one. A process that is killed takes the counts
of its last ACCESS_COUNT_SECONDS with it.
"""

import logging
import os
from collections.abc import Iterable
from datetime import datetime
from multiprocessing.util import Finalize
from threading import Event, Lock, Thread

from django import db
from django.conf import settings
from django.utils import timezone

from portal.models import AccessCount

logger = logging.getLogger(__name__)

SOON = 10_000  # different (grant, scope) pairs, at which the thread does not wait for its time
MOST = 200_000  # of them in memory, while the database is away

Counts = dict[tuple[str, str], tuple[int, datetime]]


class Counter:
    """The counts of one process that the database has not got yet."""

    def __init__(self) -> None:
        self._counts: Counts = {}
        self._lock = Lock()
        self._full = Event()
        self._writer = 0  # the process whose thread writes: a fork has none

    def note(self, grant_id: str, scopes: Iterable[str]) -> None:
        """One read of these scopes, just now."""
        now = timezone.now()
        with self._lock:
            for scope in scopes:
                times = self._counts.get((grant_id, scope), (0, now))[0]
                self._counts[grant_id, scope] = (times + 1, now)
        if len(self._counts) >= SOON:
            self._full.set()
        if self._writer != os.getpid() and settings.ACCESS_COUNT_SECONDS:
            self._start()

    def flush(self) -> int:
        """Add what was counted to the database; how many rows that were. What cannot be written now is kept."""
        with self._lock:
            counts, self._counts = self._counts, {}
        try:
            if counts:
                with db.transaction.atomic():
                    AccessCount.add(counts)
        except db.IntegrityError:
            logger.exception("%d access counts are lost: a grant of theirs is gone", len(counts))
        except db.Error as error:
            logger.error("access counts cannot be written now (%s)", type(error).__name__)
            self._put_back(counts)
            return 0
        return len(counts)

    def _put_back(self, counts: Counts) -> None:
        with self._lock:
            for key, (times, last) in counts.items():
                newer = self._counts.get(key, (0, last))
                self._counts[key] = (newer[0] + times, newer[1])
            for key in list(self._counts)[: max(0, len(self._counts) - MOST)]:
                del self._counts[key]

    def _start(self) -> None:
        with self._lock:
            if self._writer == os.getpid():
                return
            self._writer = os.getpid()
        Thread(target=self._write, name="access counts", daemon=True).start()
        # Unlike atexit, it runs in the workers of a server too, which are children of multiprocessing.
        Finalize(None, self.flush, exitpriority=1)

    def _write(self) -> None:
        while True:
            self._full.wait(settings.ACCESS_COUNT_SECONDS)
            self._full.clear()
            try:
                self.flush()
            except Exception:
                logger.exception("access counts could not be written")
            finally:
                db.connections.close_all()  # those of this thread: none is held while it waits


counter = Counter()
