"""What may be told of a request: its endpoint's name, its result code, and whose call it was. Never what it carried.

Views write these into the request's META as they come to know them; metrics, logs and traces read them.
"""

from typing import Any

from django.http import HttpRequest

ENDPOINT = "portal.endpoint"  # the wire's name, or that of the URL
CODE = "portal.code"  # a result code, or a JSAPI error
CLIENT_ID = "portal.client_id"  # of who proved to be it
APP_ID = "portal.app_id"  # of a mini-program that exists
TRACE_ID = "portal.trace_id"
KINDS = {100 * kind: f"{kind}xx" for kind in range(1, 6)}
UNKNOWN = "unknown"


class Named:
    """A view that is called on the wire what its class is called here: ApplyToken is `applyToken`."""

    wire_name = UNKNOWN

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.wire_name = cls.__name__[:1].lower() + cls.__name__[1:]


def name(request: HttpRequest) -> str:
    """The endpoint this request met: one of as many names as the portal has addresses, `unknown` for no address."""
    told: str | None = request.META.get(ENDPOINT)
    if told is not None:
        return told
    match = request.resolver_match
    return match.view_name if match else UNKNOWN


def code(request: HttpRequest) -> str:
    """The result code or JSAPI error of the answer; "" where an endpoint has none."""
    told: str = request.META.get(CODE, "")
    return told


def kind(status: int) -> str:
    """200 is `2xx`."""
    return KINDS.get(status - status % 100, "other")
