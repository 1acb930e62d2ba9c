"""What a row says, in bytes: hashed by the seals, and vouched for with a MAC until it is sealed (trust 31)."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.utils.crypto import salted_hmac

MAC_LENGTH = 32  # hexadecimal digits, 128 bits


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    raise TypeError(f"no canonical form for {type(value).__name__}")


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_plain).encode


def content(values: Mapping[str, Any]) -> bytes:
    """Canonical JSON of a row's columns, the same on every database: names in order, times in UTC with microseconds.

    NULL is left out, so that a column added later, NULL in the rows there are, changes nothing about them.
    """
    return _encode({name: value for name, value in values.items() if value is not None}).encode()


def digest(values: Mapping[str, Any]) -> bytes:
    """SHA-256 of the content, 32 bytes."""
    return hashlib.sha256(content(values)).digest()


@lru_cache(maxsize=8)
def _key(secret: str | bytes) -> bytes:
    """A key of its own for this one use, derived from SECRET_KEY."""
    return salted_hmac("portal.fingerprints", "mac", secret=secret, algorithm="sha256").digest()


def mac(values: Mapping[str, Any], secret: str | bytes = "") -> str:
    """HMAC-SHA-256 of the content under a key derived from SECRET_KEY, cut to 128 bits, hexadecimal."""
    return hmac.digest(_key(secret or settings.SECRET_KEY), content(values), "sha256").hex()[:MAC_LENGTH]


def is_vouched(values: Mapping[str, Any], claimed: str) -> bool:
    """Whether `claimed` is the MAC of these values, under SECRET_KEY or one of SECRET_KEY_FALLBACKS."""
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return any(hmac.compare_digest(mac(values, secret).encode(), claimed.encode()) for secret in secrets)
