"""`GET /.well-known/jwks.json`: with which key our answers verify (wire.md 4.1, RFC 7517)."""

import base64
from typing import Any
from urllib.parse import unquote

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from django.core.management import call_command
from django.test import Client

from portal import keys
from tests.merchants import MerchantServer

JWKS = "/.well-known/jwks.json"

pytestmark = pytest.mark.wire("4.1 GET /.well-known/jwks.json")


def number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def public_key(jwk: dict[str, str]) -> rsa.RSAPublicKey:
    return rsa.RSAPublicNumbers(number(jwk["e"]), number(jwk["n"])).public_key()


def test_the_set_holds_our_public_key_and_nothing_private(db: None) -> None:
    response = Client().get(JWKS)
    assert response["Content-Type"] == "application/json"
    assert response["Cache-Control"] == "public, max-age=300"
    (jwk,) = response.json()["keys"]
    assert set(jwk) == {"kty", "use", "alg", "kid", "n", "e"}
    assert (jwk["kty"], jwk["use"], jwk["alg"], jwk["kid"]) == ("RSA", "sig", "RS256", "1")
    assert "=" not in jwk["n"] + jwk["e"]
    assert public_key(jwk).key_size >= 2048


def test_an_answer_verifies_with_the_published_key_of_its_key_version(shop_server: MerchantServer) -> None:
    response = shop_server.send("/v1/authorizations/query", b"{}")
    version, value = response["signature"].removeprefix("algorithm=RSA256, keyVersion=").split(", signature=")
    jwk = next(key for key in Client().get(JWKS).json()["keys"] if key["kid"] == version)
    message = f"POST /v1/authorizations/query\nshop-client.{response['response-time']}.".encode() + response.content
    public_key(jwk).verify(base64.b64decode(unquote(value)), message, padding.PKCS1v15(), hashes.SHA256())


def test_a_new_key_and_version_are_published_and_used(shop_server: MerchantServer, settings: Any) -> None:
    before = Client().get(JWKS).json()["keys"][0]["n"]
    settings.PLATFORM_SIGNING_KEY = keys.new_private_key()
    settings.PLATFORM_KEY_VERSION = "2"
    (jwk,) = Client().get(JWKS).json()["keys"]
    assert jwk["kid"] == "2"
    assert jwk["n"] != before
    response = shop_server.send("/v1/authorizations/query", b"{}")
    assert response["signature"].startswith("algorithm=RSA256, keyVersion=2, signature=")


def test_a_rotated_key_is_published_beside_the_old_one(shop_server: MerchantServer) -> None:
    call_command("rotate_signing_key", verbosity=0)
    found = Client().get(JWKS).json()["keys"]
    assert [jwk["kid"] for jwk in found] == ["1", "2"]
    assert all(set(jwk) == {"kty", "use", "alg", "kid", "n", "e"} for jwk in found)
    assert len({public_key(jwk).public_numbers().n for jwk in found}) == 2
    test_an_answer_verifies_with_the_published_key_of_its_key_version(shop_server)
