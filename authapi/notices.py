"""Delivers merchant notices: a signed POST that must be answered with result S (wire.md 5.5)."""

import json
import logging
import re
import socket
from collections import Counter
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from threading import Event, Timer
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

from django.utils import timezone

from authapi import bodies, platform
from portal.models import MerchantNotice

logger = logging.getLogger(__name__)

TIMEOUT = 5  # seconds, for connecting and for each wait
DEADLINE = 15  # seconds for the whole call, however slowly it drips
MAX_ANSWER = 64 * 1024
CONNECTIONS: dict[str, type[HTTPConnection]] = {"http": HTTPConnection, "https": HTTPSConnection}
_CODE = re.compile(r"[A-Z0-9_]{1,64}")


class UnreachableError(Exception):
    """The merchant's server gave no answer in time; its other notices would wait for nothing now."""


class RefusedError(Exception):
    """The merchant's server answered something other than result S."""


def deliver_due(stopped: Event | None = None) -> Counter[str]:
    """Send what is due now, each notice once, until there is no more or `stopped` is set: {"sent": n, "failed": n}.

    Several workers may run. A merchant who cannot be reached is left alone for the rest of this pass, so that its
    timeouts do not hold up the others.
    """
    counts: Counter[str] = Counter()
    unreachable: set[int] = set()
    while not (stopped and stopped.is_set()) and (notice := MerchantNotice.objects.claim_next(skip=unreachable)):
        try:
            send(notice)
        except (RefusedError, UnreachableError) as error:
            notice.failed(str(error))
            counts["failed"] += 1
            logger.warning("%s to %s failed: %s", notice, notice.merchant.client_id, error)
            if isinstance(error, UnreachableError):
                unreachable.add(notice.merchant_id)
        else:
            notice.sent()
            counts["sent"] += 1
    return counts


def send(notice: MerchantNotice) -> None:
    """One attempt, freshly signed. Raises UnreachableError, RefusedError; their texts hold nothing of the body."""
    try:
        url = urlsplit(notice.merchant.notify_url)
        connection = _connection(url)
    except ValueError as error:
        raise UnreachableError("The merchant has no usable notify URL.") from error
    target = quote(url.path or "/", safe=_SAFE) + (f"?{quote(url.query, safe=_SAFE)}" if url.query else "")
    body = bodies.dump(
        {
            **notice.body,
            "notifyId": str(notice.notify_id),
            "notifyTime": timezone.now().isoformat(timespec="milliseconds"),
        }
    )
    signed = platform.signed_headers(target, notice.merchant.client_id, body, prefix="request")
    headers = {name.title(): value for name, value in signed.items()}
    headers |= {"Content-Type": "application/json; charset=UTF-8", "Accept": "application/json", "Connection": "close"}
    status, answer = _post(connection, target, body, headers)
    if status != 200:
        raise RefusedError(f"HTTP {status}")
    _check(answer)


_SAFE = "%/:?@!$&'()*+,;=~[]"


def _connection(url: SplitResult) -> HTTPConnection:
    """Not opened yet. Raises ValueError for a URL that is not http or https."""
    if url.scheme not in CONNECTIONS or not url.hostname:
        raise ValueError("neither http nor https")
    return CONNECTIONS[url.scheme](url.hostname, url.port, timeout=TIMEOUT)


def _post(connection: HTTPConnection, target: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    """Status and the first MAX_ANSWER bytes of the answer; redirects are answers like any other."""
    watch = None
    try:
        connection.connect()
        watch = Timer(DEADLINE, _break_off, [connection.sock])
        watch.start()
        connection.request("POST", target, body, headers)
        response = connection.getresponse()
        return response.status, response.read(MAX_ANSWER)
    except (OSError, HTTPException, ValueError) as error:
        raise UnreachableError(f"no answer: {type(error).__name__}") from error
    finally:
        if watch:
            watch.cancel()
        connection.close()


def _break_off(wire: socket.socket) -> None:
    """Ends a call that drips past its deadline: the thread that reads sees the connection closed."""
    with suppress(OSError):  # it ended by itself
        wire.shutdown(socket.SHUT_RDWR)


def _check(answer: bytes) -> None:
    """Raises RefusedError unless it says result.resultStatus S."""
    try:
        result: Any = json.loads(answer)["result"]
        status, code = result["resultStatus"], result.get("resultCode")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise RefusedError("the answer holds no result.resultStatus") from error
    if status != "S":
        named = code if isinstance(code, str) and _CODE.fullmatch(code) else "no resultCode"
        raise RefusedError(f"the answer was not S but {named}")
