"""What merchants get wrong when they sign, as other strings that may have been signed and other ways to encode it."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC
from itertools import combinations
from typing import Any
from urllib.parse import unquote, urlsplit

from authapi import signing
from authapi.pasted_requests import PastedRequest

LAYOUT = "POST {path}\n{client_id}.{time}."  # wire.md 4; the body follows


@dataclass(frozen=True)
class Mistake:
    """One thing that went wrong at the caller's, and what to do about it."""

    what: str
    remedy: str
    is_line_end: bool = False  # which may be the paste's doing


@dataclass(frozen=True)
class Recipe:
    """How a string to sign is made."""

    path: str
    client_id: str
    time: str
    body: bytes
    layout: str = LAYOUT
    wrap: Callable[[bytes], bytes] = bytes

    def message(self) -> bytes:
        """The bytes that are hashed and signed."""
        head = self.layout.format(path=self.path, client_id=self.client_id, time=self.time)
        return self.wrap(head.encode("utf-8", "replace") + self.body)


@dataclass(frozen=True)
class Variant:
    """Another recipe by one mistake; of each `group` a string has at most one."""

    group: str
    mistake: Mistake
    changes: dict[str, Any]


def right(request: PastedRequest) -> Recipe:
    """What should have been signed."""
    return Recipe(request.path, request.header("Client-Id"), request.header("Request-Time"), request.body)


def recipes(request: PastedRequest, prefixes: list[str]) -> Iterator[tuple[Recipe, list[Mistake]]]:
    """The right one, then those with one mistake, then those with two."""
    plain = right(request)
    found = [variant for variant in _variants(request, prefixes) if replace(plain, **variant.changes) != plain]
    yield plain, []
    for one in found:
        yield replace(plain, **one.changes), [one.mistake]
    for one, two in combinations(found, 2):
        if one.group != two.group and not one.changes.keys() & two.changes.keys():
            yield replace(plain, **one.changes, **two.changes), [one.mistake, two.mistake]


def _variants(request: PastedRequest, prefixes: list[str]) -> Iterator[Variant]:
    for group, mistakes in (
        ("body", _bodies(request.body)),
        ("path", _paths(request, prefixes)),
        ("time", _times(request.header("Request-Time"))),
        ("client_id", _client_ids(request)),
    ):
        for value, what, remedy in mistakes:
            yield Variant(group, Mistake(what, remedy, what in LINE_ENDS), {group: value})
    for layout, body, what in _LAYOUTS:
        left_out = {} if body else {"body": b""}
        yield Variant("layout", Mistake(what, SIGN_THIS), {"layout": layout, **left_out})
    for wrap, what in _WRAPS:
        yield Variant(
            "wrap", Mistake(what, "Give the string itself to SHA256withRSA: it does the hashing."), {"wrap": wrap}
        )


SIGN_ONCE = "Give the string itself to SHA256withRSA: it does the hashing."
SIGN_THIS = "Sign POST, a blank, the path, one LF, then Client-Id, a dot, Request-Time, a dot and the body."
_LAYOUTS = (
    ("POST {path}\n{client_id}.{time}.", False, "the body was left out of the string"),
    ("POST {path}\n{client_id}.{time}", False, "the last part, a dot and the body, was left out of the string"),
    ("POST {path}\n{client_id}.{time}", True, "the dot before the body was left out"),
    ("POST {path}\r\n{client_id}.{time}.", True, "a CRLF stood after the path, where one LF belongs"),
    ("POST {path}\\n{client_id}.{time}.", True, r"the two characters \n stood after the path, where one LF belongs"),
    ("POST {path}{client_id}.{time}.", True, "the LF after the path was left out"),
    ("POST {path} {client_id}.{time}.", True, "a blank stood after the path, where one LF belongs"),
    ("{path}\n{client_id}.{time}.", True, "the method was left out of the string"),
    ("post {path}\n{client_id}.{time}.", True, "the method was written in lower case"),
    ("GET {path}\n{client_id}.{time}.", True, "the method was GET in the string"),
    ("POST\n{path}\n{client_id}.{time}.", True, "an LF stood after the method, where a blank belongs"),
    ("{client_id}.{time}.", True, "the first line, method and path, was left out of the string"),
    ("POST {path}\n{time}.{client_id}.", True, "Client-Id and Request-Time were swapped"),
    ("POST {path}\n{client_id}\n{time}\n", True, "line ends stood where dots belong"),
    ("POST {path}\n{client_id}{time}", True, "the dots were left out"),
    ("", True, "only the body was signed"),
)
_WRAPS: tuple[tuple[Callable[[bytes], bytes], str], ...] = (
    (lambda text: hashlib.sha256(text).digest(), "the string was hashed before it was signed, so twice in all"),
    (lambda text: hashlib.sha256(text).hexdigest().encode(), "the hexadecimal hash of the string was signed"),
    (lambda text: base64.b64encode(hashlib.sha256(text).digest()), "the base64 hash of the string was signed"),
    (base64.b64encode, "the string was written in base64 before it was signed"),
    (lambda text: text + b"\n", "a line end was added at the end of the string"),
)


# --- Parts of the string ----------------------------------------------------------------------------------------

Found = Iterator[tuple[Any, str, str]]  # the other value, what went wrong, the remedy
LINE_ENDS = (
    "the body had CRLF line ends when it was signed",
    "the body ended in a line end when it was signed",
    "the body did not end in a line end when it was signed",
)
AS_SENT = "Sign the bytes that are sent: make the body once, sign it, and send that same string."


def _bodies(body: bytes) -> Found:
    crlf, ended, bare = LINE_ENDS
    yield body.replace(b"\n", b"\r\n"), crlf, AS_SENT
    yield body.rstrip(b"\n") + b"\n", ended, AS_SENT
    yield body.rstrip(b"\r\n"), bare, AS_SENT
    yield body.strip(), "the body had no blanks around it when it was signed", AS_SENT
    yield b"\xef\xbb\xbf" + body, "the body began with a byte order mark when it was signed", AS_SENT
    with suppress(UnicodeError):
        yield body.decode().encode("latin-1"), "the body was signed in Latin-1, and sent in UTF-8", "Sign UTF-8 bytes."
    with suppress(ValueError, RecursionError):
        parsed = json.loads(body)
        for written, how in _written(parsed):
            what = f"the JSON was written again after it was signed (it was signed {how})"
            yield written.encode("utf-8", "replace"), what, AS_SENT


def _written(parsed: Any) -> Iterator[tuple[str, str]]:
    for ascii_only, escapes in ((False, ""), (True, r", with \u escapes")):
        options = {"ensure_ascii": ascii_only}
        yield json.dumps(parsed, separators=(",", ":"), **options), f"without blanks{escapes}"  # type: ignore[arg-type]
        yield json.dumps(parsed, **options), f"with blanks after commas and colons{escapes}"  # type: ignore[arg-type]
        for indent, width in ((2, "2"), (4, "4"), ("\t", "a tab")):
            text = json.dumps(parsed, indent=indent, ensure_ascii=ascii_only)
            yield text, f"indented by {width}{escapes}"
            yield text.replace("\n", "\r\n"), f"indented by {width}, with CRLF{escapes}"
    yield json.dumps(parsed, sort_keys=True, separators=(",", ":"), ensure_ascii=False), "with its keys sorted"


ONLY_PATH = "Sign the path as it is called, with every prefix and its query, and without scheme and host."


def _paths(request: PastedRequest, prefixes: list[str]) -> Found:
    path, parts = request.path, urlsplit(request.target)
    bare, query = path.partition("?")[0], path.partition("?")[2]
    hosts = {host for host in (parts.netloc, request.header("Host")) if host}
    for host in sorted(hosts):
        for scheme in ("https", "http"):
            yield f"{scheme}://{host}{path}", "the whole URL, with its host, was signed", ONLY_PATH
        yield f"{host}{path}", "the host was signed before the path", ONLY_PATH
    yield bare, "the query was left out of the path", ONLY_PATH
    if api := re.search(r"/v[0-9]+/.*", path):
        yield api[0], "a prefix of the path was left out", ONLY_PATH
        for prefix in prefixes:
            yield f"/{prefix.strip('/')}{api[0]}", f"the path was signed with the prefix {prefix}", ONLY_PATH
    yield path.lstrip("/"), "the slash before the path was left out", ONLY_PATH
    slashed = bare.rstrip("/") if bare.endswith("/") else f"{bare}/"
    yield f"{slashed}?{query}" if query else slashed, "the path was signed with another slash at its end", ONLY_PATH
    yield unquote(path), "the path was signed without its escapes", ONLY_PATH
    raw = f"{parts.path}?{parts.query}" if parts.query else parts.path
    yield raw, "the path was signed with more escapes than it needs", ONLY_PATH


SAME_TIME = "Make the time once, sign it, and send that same text as Request-Time."


def _times(text: str) -> Found:
    with suppress(signing.MalformedError):
        for other in _other_times(signing.parse_time(text if len(text) != 10 else f"{text}000")):
            yield other, f"another text of the time was signed: {other}", SAME_TIME


def _other_times(moment: Any) -> Iterator[str]:
    here, ms = moment.astimezone(UTC), int(moment.timestamp() * 1000)
    plain = here.strftime("%Y-%m-%dT%H:%M:%S")
    for fraction in ("", f".{here.microsecond // 1000:03d}", f".{here.microsecond:06d}"):
        for offset in ("Z", "+00:00", "+0000", ""):
            yield f"{plain}{fraction}{offset}"
    yield from (str(ms), str(ms // 1000), moment.isoformat(), plain.replace("T", " "))


SAME_CLIENT = "Sign the Client-Id letter by letter as the header has it."


def _client_ids(request: PastedRequest) -> Found:
    sent = request.header("Client-Id")
    named: dict[str, Any] = {}
    with suppress(ValueError, RecursionError):
        body = json.loads(request.body)
        named = body if isinstance(body, dict) else {}
    for name in ("authClientId", "appId", "referenceClientId"):
        if isinstance(value := named.get(name), str):
            yield (
                value,
                f"the body's {name} was signed in place of Client-Id",
                "Sign the Client-Id that the header has.",
            )
    for other in (sent.lower(), sent.upper()):
        yield other, f"Client-Id was signed as {other}", "Sign it letter by letter as the header has it."


# --- The signature's own text -----------------------------------------------------------------------------------


def signatures(value: str) -> Iterator[tuple[bytes, list[Mistake]]]:
    """The signature's bytes as we read them, then as they may have been meant."""
    tries: list[tuple[str, str, str]] = [(value, "", "")]
    tries += [
        (value.replace(" ", "+"), "a + of the base64 turned into a blank", "URL-encode the base64, so that + is %2B."),
        (unquote(value), "the signature was URL-encoded twice", "URL-encode it once."),
        (value.strip("\"'"), "quotes stand around the signature", "Leave them out."),
        (re.sub(r"\\[rn]|%0[AaDd]|\s", "", value), "the base64 has line ends in it", "Use base64 without line ends."),
    ]
    for text, what, remedy in tries:
        with suppress(signing.MalformedError):
            yield signing.decode(text), [Mistake(what, remedy)] if what else []
    with suppress(ValueError):
        yield bytes.fromhex(value), [Mistake("the signature is hexadecimal", "Write it in base64.")]
    with suppress(signing.MalformedError, binascii.Error, ValueError):
        twice = base64.b64decode(signing.decode(value), validate=True)
        yield twice, [Mistake("the signature was written in base64 twice", "Write it in base64 once.")]
