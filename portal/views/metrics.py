"""GET /metrics: what Prometheus reads, and nobody else."""

import ipaddress

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from portal import metrics
from portal.gauges import Gauges


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """With METRICS_TOKEN as a bearer token; where there is none, to this machine alone. 404 for anybody else."""
    if not _may_read(request):
        raise Http404
    response = HttpResponse(metrics.page(Gauges()), content_type=CONTENT_TYPE_LATEST)
    response["Cache-Control"] = "no-store"
    return response


def _may_read(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN or settings.PUBLIC:
        return metrics.may_read(request.META.get("HTTP_AUTHORIZATION", ""))
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:  # a Unix socket has none
        return False
