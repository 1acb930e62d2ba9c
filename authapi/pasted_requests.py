"""A request as somebody pasted it: first line, headers and body, in the many ways people copy them."""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from django.utils.encoding import escape_uri_path

_FIRST = re.compile(r"(?:([A-Za-z]+)\s+)?(https?://\S+|/\S*)(?:\s+HTTP/[0-9.]+)?\s*", re.IGNORECASE)
_HEADER = re.compile(r"([A-Za-z0-9-]+)\s*:[ \t]*(.*)")
_PROMPT = re.compile(r"^[><*] ?", re.MULTILINE)  # what `curl -v` puts before each line


@dataclass(frozen=True)
class PastedRequest:
    """The parts of it that matter to a signature. `headers` by their name in lower case, the last of each."""

    method: str
    target: str  # as pasted: a path with its query, or a whole URL
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    is_exact: bool = False  # the body's bytes are what was sent: a form keeps no line ends

    @property
    def path(self) -> str:
        """What stands in the string to sign: the path as our server reads it, with its query, and no host."""
        parts = urlsplit(self.target)
        path = escape_uri_path(unquote(parts.path))
        return f"{path}?{parts.query}" if parts.query else path

    def header(self, name: str) -> str:
        """Its value as a server gets it, "" when it is missing."""
        return self.headers.get(name.lower(), "").strip()


def read(text: str, body: bytes | None = None) -> PastedRequest:
    """First line, headers, and after an empty line the body, unless its very bytes are given apart."""
    text = _plain(text)
    head, _, rest = text.partition("\n\n")
    lines = head.split("\n")
    first = _FIRST.fullmatch(lines[0].strip())
    method, target = (first[1] or "POST", first[2]) if first else ("POST", "")
    found = (_HEADER.fullmatch(line.strip("\n")) for line in (lines[1:] if first else lines))
    headers = {match[1].lower(): match[2] for match in found if match}
    return PastedRequest(
        method.upper(), target, headers, rest.encode("utf-8", "replace") if body is None else body, body is not None
    )


def _plain(text: str) -> str:
    """A form sends every line end as CRLF; which of the two it was, nobody knows any more."""
    text = text.replace("\r\n", "\n").lstrip("\n")
    return _PROMPT.sub("", text) if text.startswith("> ") else text


# --- Making visible ---------------------------------------------------------------------------------------------

LF = "⟨LF⟩"
_MARKS = {"\r": "⟨CR⟩", "\n": f"{LF}\n", "\t": "⟨TAB⟩", "\0": "⟨NUL⟩"}


def visible(message: bytes) -> str:
    """The string with what cannot be seen made visible: line ends, tabs, blanks at a line's end, odd characters."""
    shown = "".join(map(_shown, message.decode("utf-8", "backslashreplace")))
    lines = shown.split("\n")
    return "\n".join(_ended(line) for line in lines)


def _shown(character: str) -> str:
    if character in _MARKS:
        return _MARKS[character]
    plain = character == " " or (character.isprintable() and not character.isspace())
    return character if plain else f"⟨U+{ord(character):04X}⟩"


def _ended(line: str) -> str:
    """Blanks before the line end, as dots."""
    text, mark = (line.removesuffix(LF), LF) if line.endswith(LF) else (line, "")
    bare = text.rstrip(" ")
    return bare + "·" * (len(text) - len(bare)) + mark
