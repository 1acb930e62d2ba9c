"""A merchant's server as the tests play it: signs what it sends, verifies what it gets."""

import base64
import json
import re
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import quote, unquote

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from django.conf import settings
from django.test import Client

ANSWER_SIGNATURE = re.compile(r"algorithm=RSA256, keyVersion=1, signature=([A-Za-z0-9%._~-]+)")


@cache
def key_of(name: str) -> rsa.RSAPrivateKey:
    """One RSA key for each name, made once a test run."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_pem(name: str) -> str:
    public = key_of(name).public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


class MerchantServer:
    """Calls the portal like a merchant does. `post` gives the parsed answer after verifying its signature."""

    def __init__(self, client_id: str, key: str = "", key_version: int = 1) -> None:
        self.client_id = client_id
        self.key = key or client_id
        self.key_version = key_version
        self.http = Client()

    def signature(self, path: str, time: str, body: bytes) -> bytes:
        message = f"POST {path}\n{self.client_id}.{time}.".encode() + body
        return key_of(self.key).sign(message, padding.PKCS1v15(), hashes.SHA256())

    def headers(self, path: str, body: bytes, time: str = "") -> dict[str, str]:
        time = time or datetime.now(UTC).isoformat()
        value = quote(base64.b64encode(self.signature(path, time, body)).decode(), safe="")
        return {
            "Client-Id": self.client_id,
            "Request-Time": time,
            "Signature": f"algorithm=RSA256, keyVersion={self.key_version}, signature={value}",
        }

    def send(self, path: str, body: bytes, **headers: str) -> Any:
        """A raw call: sign `body`, replace headers where given, return Django's response."""
        sent = {**self.headers(path, body), **headers}
        return self.http.generic("POST", path, body, content_type="application/json; charset=UTF-8", headers=sent)

    def post(self, path: str, **fields: Any) -> dict[str, Any]:
        response = self.send(path, json.dumps(fields).encode())
        assert response.status_code == 200
        verify_answer(path, self.client_id, response)
        answer: dict[str, Any] = response.json()
        return answer

    def exchange(self, code: str, path: str = "/v2/authorizations/applyToken") -> dict[str, Any]:
        return self.post(path, grantType="AUTHORIZATION_CODE", authCode=code)

    def refresh(self, token: str, path: str = "/v2/authorizations/applyToken") -> dict[str, Any]:
        return self.post(path, grantType="REFRESH_TOKEN", refreshToken=token)

    def user_info(self, token: str, path: str = "/v2/users/inquiryUserInfo") -> dict[str, Any]:
        return self.post(path, accessToken=token)


def verify_answer(path: str, client_id: str, response: Any) -> None:
    """Raises InvalidSignature unless the platform signed exactly these bytes."""
    from authapi.platform import private_key

    match = ANSWER_SIGNATURE.fullmatch(response["signature"])
    assert match, response["signature"]
    assert response["client-id"] == client_id
    message = f"POST {path}\n{client_id}.{response['response-time']}.".encode() + response.content
    signature = base64.b64decode(unquote(match[1]))
    private_key().public_key().verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    assert settings.PLATFORM_KEY_VERSION == "1"
