"""What every request passes first: absolute-form targets made plain, and a trace id."""

import logging
import uuid
from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponse

from portal import endpoints

GetResponse = Callable[[HttpRequest], HttpResponse]

_trace_id: ContextVar[str] = ContextVar("trace_id", default="-")


def current_trace_id() -> str:
    """The id of the request being answered, `-` outside one."""
    return _trace_id.get()


class TraceIdFilter(logging.Filter):
    """Puts `trace_id` on every log record, so that a log line, an audit row and an answer can be matched."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)  # Django tells of a refused one when its middleware is through
        told = getattr(request, "META", {}).get(endpoints.TRACE_ID)
        record.trace_id = told or current_trace_id()
        return True


class TraceIdMiddleware:
    """A fresh 32-character id a request, answered as `Trace-Id` (wire.md 3)."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        trace_id = request.META[endpoints.TRACE_ID] = uuid.uuid4().hex
        token = _trace_id.set(trace_id)
        try:
            response = self.get_response(request)
        finally:
            _trace_id.reset(token)
        response["Trace-Id"] = trace_id
        return response


class AbsoluteFormMiddleware:
    """`POST https://host/path HTTP/1.1` becomes `/path` with that Host (wire.md 4.1, RFC 9112 section 3.2.2).

    The official Python SDK sends the whole URL. The host then stands in `HTTP_HOST`, where Django checks it
    against ALLOWED_HOSTS like any other.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        raw = str(request.META.get("PATH_INFO", "")).lstrip("/")
        if raw.startswith(("http://", "https://", "http:/", "https:/")):
            host, _slash, path = raw.partition(":")[2].lstrip("/").partition("/")
            request.META["HTTP_HOST"] = host
            request.path = request.path_info = request.META["PATH_INFO"] = f"/{path}"
        return self.get_response(request)
