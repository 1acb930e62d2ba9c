"""A token family: everything that came of one auth code, named by a UUID that knows when that was."""

import secrets
import time
import uuid
from datetime import UTC, datetime


def new() -> uuid.UUID:
    """A UUIDv7 (RFC 9562 section 5.7): 48 bits of Unix milliseconds, then 74 random ones."""
    value = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    return uuid.UUID(int=value & ~(0x3 << 62) | 0x2 << 62)


def born(family: uuid.UUID) -> datetime:
    """When the sign-in happened; it bounds every later refresh (trust 8) without a look at the database."""
    return datetime.fromtimestamp((family.int >> 80) / 1000, tz=UTC)


def eldest(born: datetime) -> uuid.UUID:
    """Below every family that began at this time or later: ages can be compared in SQL."""
    return uuid.UUID(int=int(born.timestamp() * 1000) << 80)
