"""The platform's own signing key: what answers and notices are signed with, and what JWKS publishes."""

import base64
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.utils import timezone

from authapi import signing


@lru_cache(maxsize=4)
def _load(pem: str) -> RSAPrivateKey:
    """Parsed once a process: reading a PEM costs a hundred signatures."""
    return signing.load_private_key(pem)


def private_key() -> RSAPrivateKey:
    """The active key. ValueError when PLATFORM_SIGNING_KEY is unusable."""
    return _load(settings.PLATFORM_SIGNING_KEY)


def public_pem() -> str:
    """The active public key, SubjectPublicKeyInfo PEM."""
    return private_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def signed_headers(path: str, client_id: str, body: bytes, *, prefix: str) -> dict[str, str]:
    """client-id, <prefix>-time and signature over `body`; prefix is `response` for answers, `request` for notices."""
    time = timezone.now().isoformat(timespec="milliseconds")
    message = signing.string_to_sign(path, client_id, time, body)
    signature = signing.header(signing.sign(private_key(), message), settings.PLATFORM_KEY_VERSION)
    return {"client-id": client_id, f"{prefix}-time": time, "signature": signature}


def sign(message: bytes) -> tuple[bytes, str]:
    """The signature of the active key over these bytes, and its keyVersion."""
    return signing.sign(private_key(), message), settings.PLATFORM_KEY_VERSION


def signed(message: bytes, signature: bytes, key_version: str) -> bool:
    """Whether our key of that version signed these bytes; False for a version we do not know."""
    known = key_version == settings.PLATFORM_KEY_VERSION
    return known and signing.verify(private_key().public_key(), message, signature)


def jwks() -> dict[str, Any]:
    """Our public keys as a JSON Web Key Set (RFC 7517); kid is the keyVersion."""
    numbers = private_key().public_key().public_numbers()
    return {
        "keys": [
            {
                "kty": "RSA",
                "use": "sig",
                "alg": "RS256",
                "kid": settings.PLATFORM_KEY_VERSION,
                "n": _base64url(numbers.n),
                "e": _base64url(numbers.e),
            }
        ]
    }


def _base64url(number: int) -> str:
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
