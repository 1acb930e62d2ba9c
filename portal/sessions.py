"""Sessions in the database, under the hash of their key, and read from the cache where all processes share it."""

import hashlib
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends import cached_db, db
from django.utils import timezone

from portal.cache import CacheDownError, attempt

LONGEST = 300  # seconds a copy stays in the cache: a sign-out that could not reach the cache is over by then


def stored_key(session_key: str) -> str:
    """What database and cache know of a session's key: 160 bits of its SHA-256, so that a dump signs nobody in."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:40]


class Copies:
    """The cache as cached_db uses it, except that a copy which cannot be read, kept or dropped is no error."""

    def __init__(self, cache: Any) -> None:
        self.cache = cache

    def get(self, key: str) -> Any:
        try:
            return attempt(self.cache.get, self._name(key))
        except CacheDownError:
            return None

    def set(self, key: str, data: Any, timeout: int) -> None:
        with suppress(CacheDownError):
            attempt(self.cache.set, self._name(key), data, min(timeout, LONGEST))

    def delete(self, key: str) -> None:
        with suppress(CacheDownError):
            attempt(self.cache.delete, self._name(key))

    def _name(self, key: str) -> str:
        return f"portal.sessions.{stored_key(key)}"

    def __contains__(self, key: str) -> bool:
        return self.get(key) is not None


class HashedSessions(db.SessionStore):
    """Django's sessions, found by the hash of what the cookie says."""

    def _get_session_from_db(self) -> Any:
        key = stored_key(self.session_key or "")
        row = self.model.objects.filter(session_key=key, expire_date__gt=timezone.now()).first()
        if row is None:
            self._session_key = None
        return row

    def exists(self, session_key: str) -> bool:
        return super().exists(stored_key(session_key))

    def create_model_instance(self, data: Any) -> Any:
        row = super().create_model_instance(data)
        row.session_key = stored_key(row.session_key)
        return row

    def delete(self, session_key: str | None = None) -> None:
        if key := session_key or self.session_key:
            super().delete(stored_key(key))


class CachedSessions(cached_db.SessionStore, HashedSessions):
    """Django's cached_db fails a page when the cache does: here the page is only slower."""

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self._cache = Copies(self._cache)  # type: ignore[has-type]


SessionStore = CachedSessions if settings.SHARED_CACHE else HashedSessions
