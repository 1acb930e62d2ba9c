"""How long each endpoint takes, by the hour: counted beside the calls, for the operators' dashboard."""

from bisect import bisect_left
from time import perf_counter, time

from authapi import counting
from authapi.endpoint_hours import BOUNDS, COLUMNS, HOUR, EndpointHour

_NOTHING = [0] * len(COLUMNS)

Key = tuple[int, str]  # which hour since 1970, which endpoint


class Counter(counting.Counter[Key, list[int]]):
    """The calls that the database has not got yet."""

    what = "times of endpoints"

    def note(self, endpoint: str, began: float) -> None:
        """One call of this endpoint that began at that `perf_counter` and is over now. About a microsecond."""
        microseconds = int((perf_counter() - began) * 1_000_000)
        bucket = 2 + bisect_left(BOUNDS, microseconds / 1000)
        key = (int(time()) // HOUR, endpoint)
        with self._lock:
            row = self._counts.get(key)
            if row is None:
                row = self._counts[key] = _NOTHING.copy()
            row[0] += 1
            row[1] += microseconds
            row[bucket] += 1
        self._wake()

    def merged(self, earlier: list[int], later: list[int]) -> list[int]:
        return [one + other for one, other in zip(earlier, later, strict=True)]

    def write(self, counts: dict[Key, list[int]]) -> None:
        EndpointHour.add(counts)


counter = Counter()
