"""Writes the error audit: one row a refusal, and never a failure of the answer itself."""

import ipaddress
import logging
import re
from collections.abc import Iterable

from django.db import transaction
from django.http import HttpRequest

from authapi.models import ErrorAudit
from portal.middleware import current_trace_id

logger = logging.getLogger(__name__)

# What looks like a code or a token: a caller may have put one where none belongs.
_SECRET = re.compile(r"(?=[\w-]*[a-z])(?=[\w-]*[A-Z0-9])[\w-]{32,}", re.ASCII)


def write(
    request: HttpRequest,
    *,
    code: str,
    reason: str,
    app_id: str = "",
    client_id: str = "",
    user_id: int | None = None,
    scopes: Iterable[str] = (),
) -> None:
    """One ErrorAudit row. Text from a caller is cut to the column and stripped of what a database refuses."""
    try:
        with transaction.atomic():
            ErrorAudit.objects.write(
                endpoint=_clean(request.path, 200),
                code=code,
                reason=_masked(reason, 500),
                app_id=_clean(app_id, 128),
                client_id=_clean(client_id, 128),
                user_id=user_id,
                scopes=[_masked(scope, 64) for scope in list(scopes)[:50]],
                address=address(request),
                trace_id=current_trace_id(),
            )
    except Exception:
        logger.exception("error audit row lost: %s at %s", code, request.path)


def address(request: HttpRequest) -> str | None:
    """The caller's address as the server in front of us reports it."""
    try:
        return str(ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")))
    except ValueError:  # a Unix socket has none
        return None


def _clean(text: object, length: int) -> str:
    return str(text).encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")[:length]


def _masked(text: object, length: int) -> str:
    """Cleaned, and without anything that looks like a secret (trust 7)."""
    return _SECRET.sub("•••", _clean(text, length))
