"""OpenTelemetry traces of web processes, when OTEL_EXPORTER_OTLP_ENDPOINT is set; nothing imports this otherwise.

The standard OTEL_* variables hold (service name, headers, sampling). What leaves the process is listed here, not what
must not: instrumentations add addresses, query strings and messages of exceptions on their own.
"""

from collections.abc import Sequence

from django.http import HttpRequest, HttpResponse
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span, Status

from portal import endpoints

# A statement holds placeholders, its values are never captured. Paths and queries are left out: the endpoint says it.
SAFE = {
    "http.method",
    "http.request.method",
    "http.status_code",
    "http.response.status_code",
    "http.scheme",
    "url.scheme",
    "http.route",
    "db.system",
    "db.system.name",
    "db.name",
    "db.namespace",
    "db.statement",
    "db.query.text",
    "portal.trace_id",
    "portal.endpoint",
    "portal.code",
    "portal.client_id",
    "portal.app_id",
}


def start() -> None:
    """Trace requests and statements of this process from here on; before Django reads MIDDLEWARE."""
    provider = TracerProvider(resource=_resource())
    provider.add_span_processor(BatchSpanProcessor(SafeExporter(OTLPSpanExporter())))
    trace.set_tracer_provider(provider)
    DjangoInstrumentor().instrument(response_hook=_describe)
    PsycopgInstrumentor().instrument()


def _resource() -> Resource:
    """What the environment says of this service, `portal` where it does not name it."""
    resource = Resource.create()
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: "portal"}))
    return resource


def _describe(span: Span, request: HttpRequest, response: HttpResponse) -> None:
    name = endpoints.name(request)
    span.update_name(f"{request.method} {name}")
    span.set_attribute("portal.endpoint", name)
    for key in (endpoints.TRACE_ID, endpoints.CODE, endpoints.CLIENT_ID, endpoints.APP_ID):
        if value := request.META.get(key):
            span.set_attribute(key, value)


class SafeExporter(SpanExporter):
    """Hands on what SAFE names, and of an exception its type."""

    def __init__(self, inner: SpanExporter) -> None:
        self.inner = inner

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self.inner.export([_safe(span) for span in spans])

    def shutdown(self) -> None:
        self.inner.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return self.inner.force_flush(timeout_millis)


def _safe(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes={name: value for name, value in (span.attributes or {}).items() if name in SAFE},
        events=[_safe_event(event) for event in span.events],
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _safe_event(event: Event) -> Event:
    kept = {name: value for name, value in (event.attributes or {}).items() if name == "exception.type"}
    return Event(event.name, kept, event.timestamp)
