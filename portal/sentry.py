"""Unforeseen errors told to Sentry, when SENTRY_DSN is set; nothing imports this otherwise.

A report says where in our code it happened, and under which trace id the log tells the rest. It is made anew from
what is listed here: no request, header or cookie, no value of a variable, no message of an exception leaves.
"""

from typing import Any

import sentry_sdk
from django.conf import settings
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.integrations.excepthook import ExcepthookIntegration
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.types import Event, Hint

from portal import logs, middleware

KEPT = ("event_id", "timestamp", "level", "logger", "platform", "release", "environment", "server_name", "sdk")
OF_FRAME = (
    "filename",
    "abs_path",
    "module",
    "function",
    "lineno",
    "in_app",
    "pre_context",
    "context_line",
    "post_context",
)


def start() -> None:
    """Report from here on; SENTRY_ENVIRONMENT says from where."""
    sentry_sdk.init(
        dsn=settings.SENTRY_DSN,
        release=settings.RELEASE or None,
        send_default_pii=False,
        max_request_body_size="never",
        include_local_variables=False,
        max_breadcrumbs=0,
        auto_session_tracking=False,
        send_client_reports=False,
        default_integrations=False,
        integrations=[
            AtexitIntegration(callback=lambda pending, timeout: None),
            DedupeIntegration(),
            DjangoIntegration(),
            ExcepthookIntegration(),
            LoggingIntegration(level=None),
        ],
        before_send=report,
    )


def report(event: Event, hint: Hint) -> Event:
    """What may be told of this event."""
    whole: Any = event
    made: Any = {name: whole[name] for name in KEPT if name in whole}
    made["tags"] = {"trace_id": middleware.current_trace_id()}
    if words := (whole.get("logentry") or {}).get("message"):
        made["logentry"] = {"message": logs.masked(words)}  # as it stands in our code, without its values
    if errors := (whole.get("exception") or {}).get("values"):
        made["exception"] = {"values": [_error(error) for error in errors]}
    told: Event = made
    return told


def _error(error: Any) -> dict[str, Any]:
    frames = (error.get("stacktrace") or {}).get("frames") or []
    kept = [{name: frame[name] for name in OF_FRAME if name in frame} for frame in frames]
    named = {name: error[name] for name in ("type", "module") if error.get(name)}
    handled = (error.get("mechanism") or {}).get("handled")
    return {**named, "stacktrace": {"frames": kept}, "mechanism": {"type": "portal", "handled": bool(handled)}}
