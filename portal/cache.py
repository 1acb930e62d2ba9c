"""The cache as something that may be down: said once a minute, and not waited for by every caller."""

import logging
from collections.abc import Callable
from time import monotonic
from typing import Any, TypeVar

T = TypeVar("T")
logger = logging.getLogger(__name__)

PAUSE = 1.0  # seconds without another try, so that a cache that hangs holds up one caller and not all
SILENCE = 60.0  # seconds between two log lines

_paused_until = 0.0
_silent_until = 0.0


class CacheDownError(Exception):
    """The cache cannot be used now; what that means, the caller decides."""


def attempt(operation: Callable[..., T], *args: Any) -> T:
    """What `operation(*args)` on the cache gives. Raises CacheDownError whatever failed; see PAUSE."""
    global _paused_until
    if monotonic() < _paused_until:
        raise CacheDownError
    try:
        return operation(*args)
    except Exception as error:
        _paused_until = monotonic() + PAUSE
        _tell(error)
        raise CacheDownError from error


def _tell(error: Exception) -> None:
    global _silent_until
    if monotonic() >= _silent_until:
        _silent_until = monotonic() + SILENCE
        logger.error("the cache is down (%s): nobody can sign in, failed calls are not limited", type(error).__name__)
