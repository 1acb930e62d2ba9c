"""What Prometheus reads (the page: views/metrics.py; what is counted when it asks: gauges.py).

Several worker processes share the files in PROMETHEUS_MULTIPROC_DIR, so that whichever is asked answers for all. Every
label has few values: names of endpoints, codes and acts that we utter, never an id.
"""

import hmac
import logging
import socketserver
from collections.abc import Callable, Iterable
from threading import Thread
from time import perf_counter
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from portal import endpoints

logger = logging.getLogger(__name__)

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
REQUESTS = Counter(
    "portal_requests", "Requests by endpoint, class of status and result code.", ["endpoint", "status", "code"]
)
SECONDS = Histogram("portal_request_seconds", "How long requests took.", ["endpoint"], buckets=BUCKETS)
DATABASE_SECONDS = Counter("portal_database_seconds", "Time spent waiting for the database.", ["endpoint"])
DATABASE_STATEMENTS = Counter("portal_database_statements", "SQL statements.", ["endpoint"])
TOKENS = Counter(
    "portal_tokens", "Token pairs issued (code SUCCESS) and refused, by grant type and code.", ["grant_type", "code"]
)
ISSUED = {name: TOKENS.labels(name, "SUCCESS") for name in ("AUTHORIZATION_CODE", "REFRESH_TOKEN")}
DECISIONS = Counter("portal_decisions", "Lines of the ledger: given, refused, withdrawn ...", ["act"])
NOTICES = Counter(
    "portal_notice_attempts", "Notices to merchants that were sent, failed and wait, or were parked.", ["outcome"]
)


class Clock:
    """Counts the statements of one connection, and the time they take; wraps their execution."""

    def __init__(self) -> None:
        self.seconds, self.statements = 0.0, 0

    def __call__(self, execute: Callable[..., Any], *call: Any) -> Any:
        started = perf_counter()
        try:
            return execute(*call)
        finally:
            self.seconds += perf_counter() - started
            self.statements += 1


def clock() -> Clock:
    """That of this thread's connection."""
    wrappers = connections[DEFAULT_DB_ALIAS].execute_wrappers
    for wrapper in wrappers:
        if type(wrapper) is Clock:
            return wrapper
    made = Clock()
    wrappers.insert(0, made)  # whoever wraps for a while takes the last one off again
    return made


# Looked up once for each combination of labels: the library's own look-up costs more than the counting.
_counted: dict[tuple[str, int, str], Counter] = {}
_timed: dict[str, tuple[Histogram, Counter, Counter]] = {}


class MetricsMiddleware:
    """Counts each request, and how long it and its statements took."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started, database = perf_counter(), clock()
        seconds, statements = database.seconds, database.statements
        response = self.get_response(request)
        name = endpoints.name(request)
        _counter(name, response.status_code, endpoints.code(request)).inc()
        took, waited, made = _timed.get(name) or _timers(name)
        took.observe(perf_counter() - started)
        if database.statements != statements:
            waited.inc(database.seconds - seconds)
            made.inc(database.statements - statements)
        return response


def _counter(name: str, status: int, code: str) -> Counter:
    found = _counted.get((name, status, code))
    if found is None:
        found = _counted[name, status, code] = REQUESTS.labels(name, endpoints.kind(status), code)
    return found


def _timers(name: str) -> tuple[Histogram, Counter, Counter]:
    found = SECONDS.labels(name), DATABASE_SECONDS.labels(name), DATABASE_STATEMENTS.labels(name)
    return _timed.setdefault(name, found)


def page(*more: Any) -> bytes:
    """Everything counted so far, by all processes that share our files, and by these collectors."""
    registry = CollectorRegistry()
    if settings.METRICS_FOLDER:
        MultiProcessCollector(registry, settings.METRICS_FOLDER)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)  # which can be collected like what is in it
    for collector in more:
        registry.register(collector)
    return generate_latest(registry)


def may_read(authorization: str) -> bool:
    """Whether this Authorization header holds METRICS_TOKEN; compared in constant time."""
    expected = f"Bearer {settings.METRICS_TOKEN}"
    return bool(settings.METRICS_TOKEN) and hmac.compare_digest(authorization.encode(), expected.encode())


# --- A port of its own, for a process that answers no requests ------------------------------------------------


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    timeout = 10  # seconds a caller may be silent

    def log_message(self, *args: Any) -> None:
        pass


def serve(port: int) -> WSGIServer | None:
    """Answer /metrics on this port in a thread, with METRICS_TOKEN if there is one; None when the port is taken."""
    try:
        server = make_server("", port, _answer, server_class=_Server, handler_class=_Quiet)
    except OSError as error:
        logger.warning("no metrics on port %d: %s", port, error.strerror)
        return None
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server


def _answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    allowed = may_read(environ.get("HTTP_AUTHORIZATION", "")) or not (settings.METRICS_TOKEN or settings.PUBLIC)
    if not allowed or environ["PATH_INFO"] != "/metrics":
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"Not found\n"]
    start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
    return [page()]
