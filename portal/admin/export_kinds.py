"""The forms an exported list can have: each written record by record, in pieces; no list is ever held whole."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

RISKY = ("=", "+", "-", "@", "\t", "\r", "\n")  # what a spreadsheet takes for the beginning of a formula
PIECE = 500  # records that are sent together

Record = dict[str, Any]


class _Echo:
    """Gives the csv module's lines back instead of keeping them."""

    def write(self, text: str) -> str:
        return text


def csv_lines(columns: Sequence[str], records: Iterable[Record]) -> Iterator[str]:
    """RFC 4180, with a line of names; no text begins like a formula."""
    writer = csv.writer(_Echo())
    yield writer.writerow(columns)
    for record in records:
        yield writer.writerow([_cell(record[column]) for column in columns])


def _cell(value: Any) -> Any:
    """A number stays one; a text that a spreadsheet might run gets an apostrophe (OWASP, CSV injection)."""
    if value is None or isinstance(value, (int, float)):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text.startswith(RISKY) else text


def json_lines(columns: Sequence[str], records: Iterable[Record]) -> Iterator[str]:
    """An object a line."""
    for record in records:
        yield json.dumps(record, ensure_ascii=False) + "\n"


@dataclass(frozen=True)
class Kind:
    """A form, and how it is written."""

    label: str
    ending: str
    content_type: str
    lines: Callable[[Sequence[str], Iterable[Record]], Iterator[str]]

    def pieces(self, columns: Sequence[str], records: Iterable[Record]) -> Iterator[bytes]:
        """The file, a few hundred records at a time: each sent piece costs a server something."""
        lines = self.lines(columns, records)
        while piece := "".join(islice(lines, PIECE)):
            yield piece.encode()


KINDS = {
    "csv": Kind("CSV", "csv", "text/csv; charset=utf-8", csv_lines),
    "jsonl": Kind("JSON Lines", "jsonl", "application/jsonl; charset=utf-8", json_lines),
}
