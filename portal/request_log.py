"""One log line a request (LOG_REQUESTS): which endpoint, what it answered, how long it took, and whose call it was."""

import logging
from collections.abc import Callable
from time import perf_counter

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse

from portal import endpoints

logger = logging.getLogger("portal.requests")
PROBES = {"healthz", "readyz", "metrics"}  # asked every few seconds, and of interest when they fail


class RequestLogMiddleware:
    """Not there at all unless LOG_REQUESTS is on."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        if not settings.LOG_REQUESTS:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = perf_counter()
        response = self.get_response(request)
        name = endpoints.name(request)
        if name not in PROBES or response.status_code >= 400:
            _tell(request, response, name, (perf_counter() - started) * 1000)
        return response


def _tell(request: HttpRequest, response: HttpResponse, name: str, ms: float) -> None:
    """The path is left out, and so is whatever else the caller wrote."""
    method = request.method if request.method in METHODS else "other"
    code, status = endpoints.code(request), response.status_code
    said = {
        "method": method,
        "endpoint": name,
        "status": status,
        "code": code,
        "ms": round(ms, 2),
        "client_id": request.META.get(endpoints.CLIENT_ID),
        "app_id": request.META.get(endpoints.APP_ID),
    }
    logger.info("%s %s %d %s %.1f ms", method, name, status, code or "-", ms, extra=said)


METHODS = {"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"}
