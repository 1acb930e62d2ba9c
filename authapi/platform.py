"""The platform's own signing keys: what answers, notices and seals are signed with, and what JWKS publishes.

The first key is the environment's; `rotate_signing_key` adds others, as rows of PlatformKey. They are looked up every
ten seconds and not for each call, and the keys that are known go on when they cannot be looked up.
"""

import base64
import hashlib
import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from threading import Lock
from time import monotonic
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django import db
from django.conf import settings
from django.utils import timezone

from authapi import signing
from portal.encryption import UnreadableError
from portal.models import PlatformKey
from portal.models.merchants import rsa_public_key

logger = logging.getLogger(__name__)

LOOK_UP_SECONDS = 10.0


@dataclass(frozen=True)
class Ring:
    """Our keys as they were looked up last; keyVersions are text, as in a signature."""

    environment: tuple[str, str]  # PLATFORM_SIGNING_KEY and PLATFORM_KEY_VERSION
    version: str  # the active key's
    private_key: RSAPrivateKey = field(repr=False)
    public_keys: dict[str, RSAPublicKey]  # of every version there ever was, oldest first
    retired_at: dict[str, datetime | None]  # until when JWKS shows it
    fresh_until: float = 0.0  # monotonic seconds


_ring: Ring | None = None
_looking_up = Lock()


def ring() -> Ring:
    """The keys we know. One thread looks them up when it is time, the others go on with what they have.

    ValueError when PLATFORM_SIGNING_KEY is unusable.
    """
    known = _ring
    if known and monotonic() < known.fresh_until and known.environment == _environment():
        return known
    if not _looking_up.acquire(blocking=known is None):
        assert known
        return known
    try:
        if _ring is known:
            _look_up()
    finally:
        _looking_up.release()
    assert _ring
    return _ring


def forget() -> None:
    """Look the keys up before the next signature."""
    global _ring
    _ring = None


def know(rows: Iterable[PlatformKey]) -> None:
    """Take these rows, in the order of their versions, for what a look-up found just now."""
    global _ring
    _ring = replace(_built(rows), fresh_until=monotonic() + LOOK_UP_SECONDS)


def _look_up() -> None:
    global _ring
    try:
        know(PlatformKey.objects.order_by("version"))
    except db.Error as error:
        logger.error("our signing keys cannot be looked up (%s): those we know go on", type(error).__name__)
        if _ring and _ring.environment == _environment():
            _ring = replace(_ring, fresh_until=monotonic() + LOOK_UP_SECONDS)
        else:
            know([])


def _environment() -> tuple[str, str]:
    return settings.PLATFORM_SIGNING_KEY, settings.PLATFORM_KEY_VERSION


def _built(rows: Iterable[PlatformKey]) -> Ring:
    pem, first = _environment()
    key = _load(pem)
    built = Ring((pem, first), first, key, {first: key.public_key()}, {first: None})
    for row in rows:
        built = _with(built, row)
    return built


def _with(built: Ring, row: PlatformKey) -> Ring:
    """The ring with one more row, or as it was, with a line in the log, when the row is none of ours."""
    version = str(row.version)
    if not _is_ours(row, built):
        logger.error("platform key %s is ignored: no earlier key of ours endorses it", version)
        return built
    public = rsa_public_key(row.public_key)
    built = replace(
        built,
        public_keys={**built.public_keys, version: public},
        retired_at={**built.retired_at, version: row.retired_at},
    )
    try:
        if row.version <= number(built.version) or not row.is_due(timezone.now()):
            return built
        return replace(built, version=version, private_key=_half_of(public, row.private_key or ""))
    except (UnreadableError, ValueError) as error:
        logger.error("platform key %s cannot sign, so %s does: %s", version, built.version, error)
        return built


def _is_ours(row: PlatformKey, built: Ring) -> bool:
    """Whether it is the environment's key, or endorsed by a key before it that is ours."""
    if str(row.version) == built.environment[1]:
        return rsa_public_key(row.public_key) == built.public_keys[built.environment[1]]
    by = built.public_keys.get(row.endorsed_by)
    return by is not None and signing.verify(by, row.endorsed_message(), bytes(row.endorsement))


def _half_of(public: RSAPublicKey, pem: str) -> RSAPrivateKey:
    """The private key in `pem`. ValueError when it does not belong to the public one."""
    key = _load(pem)
    if key.public_key() != public:
        raise ValueError("its halves do not belong together")
    return key


def number(version: str) -> int:
    """A keyVersion to sort by; 0 for one of the environment's that is no number."""
    return int(version) if version.isdecimal() else 0


@lru_cache(maxsize=4)
def _load(pem: str) -> RSAPrivateKey:
    """Parsed once a process: reading a PEM costs a hundred signatures."""
    return signing.load_private_key(pem)


# --- What signs, and what verifies ------------------------------------------------------------------------------


def private_key() -> RSAPrivateKey:
    """The active key. ValueError when PLATFORM_SIGNING_KEY is unusable."""
    return ring().private_key


def public_key(version: str) -> RSAPublicKey | None:
    """Our public key of this version, retired or not; None when we never had it."""
    return ring().public_keys.get(version)


def public_pem() -> str:
    """The active public key, SubjectPublicKeyInfo PEM."""
    return private_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def sign(message: bytes) -> tuple[bytes, str]:
    """The signature of the active key over these bytes, and its keyVersion."""
    known = ring()
    return signing.sign(known.private_key, message), known.version


def signed(message: bytes, signature: bytes, key_version: str) -> bool:
    """Whether our key of that version signed these bytes; False for a version we never had."""
    key = public_key(key_version)
    return key is not None and signing.verify(key, message, signature)


def signed_headers(path: str, client_id: str, body: bytes, *, prefix: str) -> dict[str, str]:
    """client-id, <prefix>-time and signature over `body`; prefix is `response` for answers, `request` for notices."""
    time = timezone.now().isoformat(timespec="milliseconds")
    signature = signing.header(*sign(signing.string_to_sign(path, client_id, time, body)))
    return {"client-id": client_id, f"{prefix}-time": time, "signature": signature}


# --- JWKS -------------------------------------------------------------------------------------------------------


def jwks() -> dict[str, Any]:
    """Our public keys as a JSON Web Key Set (RFC 7517), those to come included; kid is the keyVersion.

    Looked up each time: whoever meets a new keyVersion finds it here, even if this process has not signed with it yet.
    """
    with _looking_up:
        _look_up()
    known, now = ring(), timezone.now()
    shown = [
        version
        for version, until in known.retired_at.items()
        if version == known.version or until is None or until > now
    ]
    return {"keys": [_jwk(version, known.public_keys[version]) for version in shown]}


def _jwk(version: str, key: RSAPublicKey) -> dict[str, str]:
    numbers = key.public_numbers()
    common = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": version}
    return {**common, "n": _base64url(_bytes(numbers.n)), "e": _base64url(_bytes(numbers.e))}


def thumbprint(key: RSAPublicKey) -> str:
    """The SHA-256 thumbprint of a public key (RFC 7638)."""
    jwk = _jwk("", key)
    canonical = json.dumps({name: jwk[name] for name in ("e", "kty", "n")}, separators=(",", ":"))
    return _base64url(hashlib.sha256(canonical.encode()).digest())


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
