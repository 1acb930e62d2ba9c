"""Sessions in the database, read from the cache, and from the database alone while the cache is down."""

from contextlib import suppress
from typing import Any

from django.contrib.sessions.backends import cached_db

from portal.cache import CacheDownError, attempt

LONGEST = 300  # seconds a copy stays in the cache: a sign-out that could not reach the cache is over by then


class Copies:
    """The cache as cached_db uses it, except that a copy which cannot be read, kept or dropped is no error."""

    def __init__(self, cache: Any) -> None:
        self.cache = cache

    def get(self, key: str) -> Any:
        try:
            return attempt(self.cache.get, key)
        except CacheDownError:
            return None

    def set(self, key: str, data: Any, timeout: int) -> None:
        with suppress(CacheDownError):
            attempt(self.cache.set, key, data, min(timeout, LONGEST))

    def delete(self, key: str) -> None:
        with suppress(CacheDownError):
            attempt(self.cache.delete, key)

    def __contains__(self, key: str) -> bool:
        return self.get(key) is not None


class SessionStore(cached_db.SessionStore):
    """Django's cached_db fails a page when the cache does: here the page is only slower."""

    cache_key_prefix = "portal.sessions"

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self._cache = Copies(self._cache)  # type: ignore[has-type]
