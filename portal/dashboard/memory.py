"""Keeps for a minute what takes long to add up: the sums move once a minute, and many operators look at one page."""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar, cast

from django.core.cache import cache

from portal.cache import CacheDownError, attempt
from portal.dashboard.periods import Period

T = TypeVar("T")
SECONDS = 60


def remembered(name: str, period: Period, work: Callable[[], T]) -> T:
    """What `work` gave less than a minute ago for a period of this length, or what it gives now."""
    key = f"dashboard:{name.replace(' ', '_')}:{period.key}"
    with suppress(CacheDownError):
        if (found := attempt(cache.get, key)) is not None:
            return cast("T", found)
    found = work()
    with suppress(CacheDownError):
        attempt(cache.set, key, found, SECONDS)
    return found
