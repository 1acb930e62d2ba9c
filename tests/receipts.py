"""Receipts as their person gets them, and as somebody checks them who has nothing of ours but the published keys."""

import base64
import json
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from django.test import Client

from portal.models import ConsentDecision

SCOPES = ["auth_base", "USER_NICKNAME", "PLAINTEXT_MOBILE_PHONE"]


def decided(act: str) -> ConsentDecision:
    return ConsentDecision.objects.filter(act=act).latest("id")


def file_of(browser: Client, decision: ConsentDecision) -> dict[str, Any]:
    response = browser.get(f"/receipts/{decision.pk}/receipt.json")
    assert response.status_code == 200
    found: dict[str, Any] = response.json()
    return found


def receipt_of(browser: Client, act: str) -> dict[str, Any]:
    """What the newest receipt of this act says."""
    found: dict[str, Any] = file_of(browser, decided(act))["receipt"]
    return found


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def published() -> dict[str, rsa.RSAPublicKey]:
    """Our keys as anybody finds them."""

    def number(text: str) -> int:
        return int.from_bytes(unb64(text))

    found = Client().get("/.well-known/jwks.json").json()["keys"]
    return {key["kid"]: rsa.RSAPublicNumbers(number(key["e"]), number(key["n"])).public_key() for key in found}


def verified(jws: str) -> dict[str, Any]:
    """The payload, checked with nothing of ours but the published key. Raises InvalidSignature."""
    head, payload, signature = jws.split(".")
    key = published()[json.loads(unb64(head))["kid"]]
    key.verify(unb64(signature), f"{head}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256())
    found: dict[str, Any] = json.loads(unb64(payload))
    return found
