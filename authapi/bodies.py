"""Reads a JSON body strictly: one object, no duplicate keys, nothing a database refuses (trust 36)."""

import json
from typing import Any

from django.http import HttpRequest

MAX_BYTES = 64 * 1024
MAX_DEPTH = 8
# So much of a body that is too large is read and thrown away: closing the connection on someone who still writes
# would cost them the answer that says what is wrong.
MAX_THROWN_AWAY = 16 * 1024 * 1024
TOO_LARGE = "The body is larger than 64 kB."


class MalformedError(ValueError):
    """The body cannot be read; the text says why."""


def read(request: HttpRequest) -> bytes:
    """The body as transmitted, in chunks or not. Raises MalformedError when it is too large or broke off."""
    try:
        if request.META.get("HTTP_TRANSFER_ENCODING"):
            return _read_chunked(request)
        if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BYTES:
            _throw_away(request._stream)
            raise MalformedError(TOO_LARGE)
        return bytes(request.body)
    except OSError as error:  # UnreadablePostError, or the server's own
        raise MalformedError("The body broke off.") from error


def _read_chunked(request: HttpRequest) -> bytes:
    """A body without Content-Length: Django would take it for an empty one. Only of a server that marks its end."""
    stream = request.META["wsgi.input"]
    if not hasattr(request, "_body") and request.META.get("wsgi.input_terminated"):
        request._body = stream.read(MAX_BYTES + 1)
        if len(request._body) > MAX_BYTES:
            _throw_away(stream)
    if len(request.body) > MAX_BYTES:
        raise MalformedError(TOO_LARGE)
    return bytes(request.body)


def _throw_away(stream: Any) -> None:
    left = MAX_THROWN_AWAY
    while left > 0 and (piece := stream.read(64 * 1024)):
        left -= len(piece)


def parse(raw: bytes, *, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """The object in `raw`; an empty body is an empty object. Raises MalformedError."""
    if len(raw) > max_bytes:
        raise MalformedError(TOO_LARGE)
    if not raw.strip():
        return {}
    body = _load(raw)
    if not isinstance(body, dict):
        raise MalformedError("The body must be a JSON object.")
    if _depth(body) > MAX_DEPTH:
        raise MalformedError(f"The body is nested deeper than {MAX_DEPTH} levels.")
    return body


def _load(raw: bytes) -> Any:
    try:
        body = json.loads(raw.decode("utf-8"), object_pairs_hook=_no_twice, parse_constant=_no_constant)
        if b"\\u" in raw:  # the only way to write a lone surrogate, which fails here
            json.dumps(body, ensure_ascii=False).encode("utf-8")
    except UnicodeError as error:
        raise MalformedError("The body is not valid UTF-8.") from error
    except RecursionError as error:
        raise MalformedError("The body is nested too deeply.") from error
    except MalformedError:
        raise
    except ValueError as error:
        raise MalformedError(f"The body is not valid JSON: {str(error)[:100]}.") from error
    return body


def dump(answer: dict[str, Any]) -> bytes:
    """Compact UTF-8 JSON: the bytes that are signed and sent."""
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()


def _no_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise MalformedError(f"{_printable(name[:64])}: it stands twice in one object.")
        found[name] = value
    return found


def _printable(text: str) -> str:
    """Without the lone surrogates that no answer can be written with."""
    return text.encode("utf-8", "replace").decode()


def _no_constant(name: str) -> None:
    raise MalformedError(f"The body is not valid JSON: {name} is no JSON value.")


def _depth(body: Any) -> int:
    """Level by level, so that no nesting exhausts the stack."""
    depth, level = 0, [body]
    while level := [node for node in level if isinstance(node, (dict, list))]:
        depth += 1
        level = [child for node in level for child in (node.values() if isinstance(node, dict) else node)]
    return depth
