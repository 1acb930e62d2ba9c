"""RSA256 request signing (wire.md 4): pure functions on bytes, no models, nothing of HTTP."""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

ALGORITHM = "RSA256"
_QUOTED = (("+", "%2B"), ("/", "%2F"), ("=", "%3D"))
_EPOCH_MS = re.compile(r"[0-9]{13}")
_COMPACT_OFFSET = re.compile(r"([+-][0-9]{2})([0-9]{2})$")


class MalformedError(ValueError):
    """A header that cannot be read; the text says which part and what to do."""


@dataclass(frozen=True)
class SignatureHeader:
    """The parts of `Signature: algorithm=RSA256, keyVersion=1, signature=<value>`."""

    algorithm: str
    key_version: int
    signature: bytes


def string_to_sign(path: str, client_id: str, time: str, body: bytes) -> bytes:
    r"""`POST <path with query>\n<Client-Id>.<time>.<body>`: what both sides sign. The body goes in as sent."""
    head = f"POST {path}\n{client_id}.{time}."
    return head.encode("utf-8", "surrogateescape") + body


def parse_header(text: str) -> SignatureHeader:
    """Read the Signature header as real clients write it: order, blanks and case are free, keyVersion may be absent.

    Raises MalformedError.
    """
    parts = {}
    for item in text.split(","):
        name, equals, value = item.strip().partition("=")
        if equals:
            parts[name.strip().lower()] = value.strip()
    if not parts.get("signature"):
        raise MalformedError("it has no part signature=<value>")
    version = parts.get("keyversion", "1")
    if not (version.isascii() and version.isdigit() and len(version) <= 9):
        raise MalformedError("keyVersion is not a number")
    return SignatureHeader(parts.get("algorithm", ALGORITHM), int(version), decode(parts["signature"]))


def decode(value: str) -> bytes:
    """The signature's bytes from urlEncode(base64), plain base64 or URL-safe base64, padded or not.

    Percent-decoded only where a `%` stands, and never with `+` as a blank. Raises MalformedError.
    """
    if "%" in value:
        for character, quoted in _QUOTED:
            value = value.replace(quoted, character)
    if "%" in value:  # lower case, or more than had to be
        value = unquote(value)
    value = value.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError("signature is neither base64 nor URL-encoded base64") from error


def parse_time(text: str) -> datetime:
    """A Request-Time: ISO-8601 with offset (`Z`, `+00:00`, `+0000`, fractions), or epoch milliseconds of 13 digits.

    Raises MalformedError.
    """
    try:
        if _EPOCH_MS.fullmatch(text):
            return datetime.fromtimestamp(int(text) / 1000, tz=UTC)
        moment = datetime.fromisoformat(_COMPACT_OFFSET.sub(r"\1:\2", text))
    except (ValueError, OverflowError) as error:
        raise MalformedError("use ISO-8601 with offset, like 2026-11-22T07:40:35+00:00") from error
    if moment.tzinfo is None:
        raise MalformedError("it has no offset; write one, like +00:00")
    return moment


def is_fresh(moment: datetime, now: datetime, window: timedelta) -> bool:
    """Whether a Request-Time lies within the window on either side of now (trust 13)."""
    return abs(now - moment) <= window


def verify(key: RSAPublicKey, message: bytes, signature: bytes) -> bool:
    """RSASSA-PKCS1-v1_5 with SHA-256."""
    try:
        key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def sign(key: RSAPrivateKey, message: bytes) -> bytes:
    """RSASSA-PKCS1-v1_5 with SHA-256."""
    return key.sign(message, padding.PKCS1v15(), hashes.SHA256())


def header(signature: bytes, key_version: str) -> str:
    """The value clients parse by position: three parts, this order, comma and one blank (wire.md 4.1)."""
    value = base64.b64encode(signature).decode()
    for character, quoted in _QUOTED:  # a tenth of the time of urllib's quote, which every answer would pay
        value = value.replace(character, quoted)
    return f"algorithm={ALGORITHM}, keyVersion={key_version}, signature={value}"


def load_private_key(pem: str) -> RSAPrivateKey:
    """A PKCS8 PEM; text before it is passed over. ValueError when it is no RSA key of 2048 bits or more."""
    start = pem.find("-----BEGIN")
    if start < 0:
        raise ValueError("there is no PEM in it")
    key = load_pem_private_key(pem[start:].encode(), password=None)
    if not isinstance(key, RSAPrivateKey) or key.key_size < 2048:
        raise ValueError("it is no RSA key of 2048 bits or more")
    return key
