"""Reads a JSON body strictly: one object, no duplicate keys, nothing a database refuses (trust 36)."""

import json
from typing import Any

MAX_BYTES = 64 * 1024
MAX_DEPTH = 8


class MalformedError(ValueError):
    """The body cannot be read; the text says why."""


def parse(raw: bytes) -> dict[str, Any]:
    """The object in `raw`; an empty body is an empty object. Raises MalformedError."""
    if len(raw) > MAX_BYTES:
        raise MalformedError("The body is larger than 64 kB.")
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
        json.dumps(body, ensure_ascii=False).encode("utf-8")  # a lone surrogate fails here
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
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _value in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise MalformedError(f"{twice[:64]}: it stands twice in one object.")
    return found


def _no_constant(name: str) -> None:
    raise MalformedError(f"The body is not valid JSON: {name} is no JSON value.")


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0
