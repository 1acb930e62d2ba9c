"""What monitors ask: is the process up, and can it work."""

import secrets
from collections.abc import Callable

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse

from portal import keys
from portal.models import PlatformKey


def healthz(request: HttpRequest) -> HttpResponse:
    """200 as long as the process answers."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """200 when database, migrations, keys and cache are in order, else 503; names what is not, and nothing secret."""
    checks = {name: _try(check) for name, check in CHECKS.items()}
    ready = all(state == "ok" for state in checks.values())
    return JsonResponse({"status": "ok" if ready else "failed", "checks": checks}, status=200 if ready else 503)


def _try(check: Callable[[], str]) -> str:
    try:
        return check() or "ok"
    except Exception as error:  # noqa: BLE001 - whatever it is, the monitor is told, without the details
        return type(error).__name__


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return ""


def _migrations() -> str:
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return f"{len(waiting)} not applied" if waiting else ""


def _keys() -> str:
    """The environment's key and, once it was rotated, the one that signs."""
    return keys.problem_of(settings.PLATFORM_SIGNING_KEY) or PlatformKey.objects.problem()


def _cache() -> str:
    """Written and read, as a Redis that refuses writes serves nobody."""
    text = secrets.token_hex(8)
    cache.set(f"readyz:{text}", text, 60)
    return "" if cache.get(f"readyz:{text}") == text else "it forgets"


CHECKS: dict[str, Callable[[], str]] = {
    "database": _database,
    "migrations": _migrations,
    "keys": _keys,
    "cache": _cache,
}
