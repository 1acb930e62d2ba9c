"""A file of JSON objects, one a line (JSON Lines): read in bounded memory, and strictly."""

import json
import math
from collections.abc import Iterator
from typing import Any, BinaryIO

MAX_BYTES = 64 * 1024
MAX_DEPTH = 8
BOM = b"\xef\xbb\xbf"


class RejectedError(ValueError):
    """The line cannot be taken: the text names the field and the remedy; `record` is what a list may show of it."""

    def __init__(self, reason: str, record: dict[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.record = record


def lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """(line number, line) of each line that is not blank; one that is too long is cut off, and `parse` refuses it."""
    number = 0
    while raw := file.readline(MAX_BYTES + 3):
        number += 1
        rest = raw
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(MAX_BYTES)
        line = raw.removeprefix(BOM) if number == 1 else raw
        line = line if len(raw) > MAX_BYTES + 2 else line.strip()
        if line:
            yield number, line


def parse(raw: bytes) -> dict[str, Any]:
    """The object on this line, no key twice. Raises RejectedError."""
    if len(raw) > MAX_BYTES:
        raise RejectedError(f"The line is longer than {MAX_BYTES // 1024} kB. One user a line, without pictures.")
    try:
        record = json.loads(raw.decode("utf-8"), object_pairs_hook=_no_twice, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise RejectedError(f"Byte {error.start + 1} is not UTF-8. Save the file as UTF-8.") from error
    except RecursionError as error:
        raise RejectedError("The line is nested too deeply. Flatten it.") from error
    except RejectedError:
        raise
    except ValueError as error:
        raise RejectedError(f"The line is not valid JSON: {str(error)[:100]}.") from error
    if not isinstance(record, dict):
        raise RejectedError('The line is no JSON object. Write it like {"externalId": "1", "nickName": "Ada"}.')
    return record


def check_characters(raw: bytes, record: dict[str, Any]) -> None:
    """No NUL and no half of a surrogate pair, in keys or values: a database refuses both. Raises RejectedError."""
    if b"\\u" in raw:  # only an escape can say what UTF-8 cannot
        _check("", record)


def storable(name: str, value: Any) -> Any:
    """`value`, if a database can keep it and people can read it. Raises RejectedError."""
    if not _is_storable(value, MAX_DEPTH):
        raise RejectedError(f"{name}: it is nested deeper than {MAX_DEPTH} levels, or holds an infinite number.")
    return value


def _is_storable(value: Any, depth: int) -> bool:
    if isinstance(value, (dict, list)):
        inner = value.values() if isinstance(value, dict) else value
        return depth > 0 and all(_is_storable(item, depth - 1) for item in inner)
    return not isinstance(value, float) or math.isfinite(value)


def _check(name: str, value: Any) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _check(f"a key in {name or 'the line'}", key)
            _check(f"{name}.{key}" if name else key, inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            _check(f"{name}[{number}]", inner)
    elif isinstance(value, str) and ("\0" in value or not _is_text(value)):
        raise RejectedError(f"{name[:128]}: it holds a NUL character or half a surrogate pair. Remove it.")


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _no_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise RejectedError(f"{name[:64]}: it stands twice in one object. Keep one.")
        found[name] = value
    return found


def _no_constant(name: str) -> None:
    raise RejectedError(f"The line is not valid JSON: {name} is no JSON value.")
