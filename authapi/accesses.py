"""Counts what mini-programs read, beside the calls that read it (trust 27)."""

from collections.abc import Iterable
from datetime import datetime

from django.utils import timezone

from authapi import counting
from portal.models import AccessCount

Key = tuple[str, str]  # grant id, scope
Reads = tuple[int, datetime]  # how many, and when the last


class Counter(counting.Counter[Key, Reads]):
    """The reads that the database has not got yet."""

    what = "access counts"

    def note(self, grant_id: str, scopes: Iterable[str]) -> None:
        """One read of these scopes, just now."""
        now = timezone.now()
        with self._lock:
            for scope in scopes:
                times = self._counts.get((grant_id, scope), (0, now))[0]
                self._counts[grant_id, scope] = (times + 1, now)
        self._wake()

    def merged(self, earlier: Reads, later: Reads) -> Reads:
        return earlier[0] + later[0], later[1]

    def write(self, counts: dict[Key, Reads]) -> None:
        AccessCount.add(counts)


counter = Counter()
