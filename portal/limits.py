"""Counters with a limit and an end, in the cache (trust 19)."""

import ipaddress
from dataclasses import dataclass
from math import ceil
from time import time

from django.core.cache import cache
from django.utils.crypto import salted_hmac

from portal.cache import attempt

# One number holds the millisecond at which the window ends and, below it, the count: so both are read and counted up
# together, by an operation that every cache does atomically.
_MILLISECOND = 10**6


@dataclass(frozen=True)
class Over:
    """A count above its limit."""

    retry_after: int  # seconds until the window ends, at least 1
    first: bool  # the first one above it in this window


def hit(key: str, limit: int, seconds: int) -> Over | None:
    """Count one more under `key`; None up to `limit` in a window of `seconds`, which begins with its first hit.

    Of parallel callers exactly one is the first above the limit. Raises CacheDownError.
    """
    return attempt(_hit, _stored(key), limit, seconds)


def _hit(name: str, limit: int, seconds: int) -> Over | None:
    now = int(time() * 1000)
    fresh = (now + seconds * 1000) * _MILLISECOND + 1
    value = fresh if cache.add(name, fresh, seconds) else _increased(name)
    if value // _MILLISECOND <= now:  # the window ended between these two steps
        cache.set(name, fresh, seconds)
        value = fresh
    until, count = divmod(value, _MILLISECOND)
    # At most `seconds`: another caller may have begun the window after we looked at the clock.
    return Over(min(seconds, ceil((until - now) / 1000)), first=count == limit + 1) if count > limit else None


def _increased(name: str, by: int = 1) -> int:
    """The number after adding; 0 when there is none."""
    try:
        return cache.incr(name, by)
    except ValueError:
        return 0


def take_back(key: str) -> None:
    """Undo one hit. Raises CacheDownError."""
    attempt(_increased, _stored(key), -1)


def forget(key: str) -> None:
    """Begin again at nothing. Raises CacheDownError."""
    attempt(cache.delete, _stored(key))


def remember(key: str, seconds: int) -> None:
    """For `is_remembered`, during these seconds. Raises CacheDownError."""
    attempt(cache.set, _stored(key), 1, seconds)


def is_remembered(key: str) -> bool:
    """Whether `remember` was called for it. Raises CacheDownError."""
    return attempt(cache.get, _stored(key)) is not None


def network(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 of an IPv6 one, since a household has all of it."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def _stored(key: str) -> str:
    """The key as the cache sees it: nobody who reads the cache learns a login, an address or a part of a token."""
    return f"limit:{salted_hmac('portal.limits', key, algorithm='sha256').hexdigest()}"
