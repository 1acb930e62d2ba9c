"""A receipt as compact JSON Web Signature (RFC 7515), with the platform's keys: RS256 and nothing else."""

import base64
import json
import re
from typing import Any

from django.utils.translation import gettext as _

from authapi import bodies, platform, signing

ALGORITHM = "RS256"
TYP = "consent-receipt+jwt"
MAX_LENGTH = 64 * 1024
_PART = re.compile(r"[A-Za-z0-9_-]+")


class NotGenuineError(ValueError):
    """A receipt that is none of ours, or no longer what we signed; the text tells a person which part is wrong."""


def sign(payload: dict[str, Any]) -> str:
    """The payload as canonical JSON, signed by the active key; the same text each time, while that key is active."""
    ring = platform.ring()
    head = {"alg": ALGORITHM, "kid": ring.version, "typ": TYP}
    message = f"{_encoded(head)}.{_encoded(payload)}"
    return f"{message}.{_base64url(signing.sign(ring.private_key, message.encode()))}"


def verify(text: str) -> tuple[dict[str, Any], str]:
    """The payload, and the keyVersion that signed it, retired or not. Raises NotGenuineError.

    Blanks and line breaks are passed over: mail programs and printers add them.
    """
    text = "".join(text[: 2 * MAX_LENGTH].split())
    if len(text) > MAX_LENGTH:
        raise NotGenuineError(_("This is too long to be a receipt."))
    parts = text.split(".")
    if len(parts) != 3 or not all(map(_PART.fullmatch, parts)):
        raise NotGenuineError(_("This is no receipt: it needs three parts of letters and digits, with dots between."))
    key_version = _key_version(parts[0])
    message, signature = ".".join(parts[:2]).encode(), _bytes(parts[2])
    if not platform.signed(message, signature, key_version):
        raise NotGenuineError(_("The signature does not fit: something was changed, or somebody else signed it."))
    return _object(parts[1]), key_version


def _key_version(head: str) -> str:
    """The `kid` of a header that claims what we sign with, and asks for nothing else (section 4.1.11)."""
    claimed = _object(head)
    if claimed.get("alg") != ALGORITHM:
        raise NotGenuineError(_("It is not signed the way we sign: the first part must name RS256."))
    if claimed.get("typ") != TYP or "crit" in claimed:
        raise NotGenuineError(_("The first part does not say that this is a receipt."))
    kid = claimed.get("kid")
    if not isinstance(kid, str) or platform.public_key(kid) is None:
        raise NotGenuineError(_("The first part names a key that was never ours."))
    return kid


def _object(part: str) -> dict[str, Any]:
    try:
        return bodies.parse(_bytes(part))
    except bodies.MalformedError as error:
        raise NotGenuineError(_("A part of it cannot be read. Was all of it pasted?")) from error


def _bytes(part: str) -> bytes:
    """Decoded, if it is the one way to write these bytes: a changed character must never pass unseen."""
    try:
        raw = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raw = b""
    if not raw or _base64url(raw) != part:
        raise NotGenuineError(_("A part of it cannot be read. Was all of it pasted?"))
    return raw


def _encoded(value: dict[str, Any]) -> str:
    return _base64url(json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode())


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
