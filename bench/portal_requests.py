"""The requests a run sends to the portal: drawn over all people and mini-programs, and signed."""

import base64
import hashlib
import json
import random
import secrets
from datetime import UTC, datetime
from functools import cache, partial
from multiprocessing import Pool
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from bench import load
from portal.models import MiniProgram, User

PATHS = {
    "applyToken_code": "/v2/authorizations/applyToken",
    "applyToken_refresh": "/v2/authorizations/applyToken",
    "inquiryUserInfo": "/v2/users/inquiryUserInfo",
    "getAuthCode_silent": "/v1/authorizations/getAuthCode",
}


class Pair(NamedTuple):
    """A person and a mini-program, the `number`th, with the secrets that `seed` gives them."""

    number: int
    user: int
    program: int
    seed: str

    @property
    def grant(self) -> str:
        return secret("setup", "grant", self.number)[:32]

    @property
    def code(self) -> str:
        return secret(self.seed, "code", self.number)[:32]

    @property
    def access_token(self) -> str:
        return secret(self.seed, "access", self.number)

    @property
    def refresh_token(self) -> str:
        return secret(self.seed, "refresh", self.number)


def secret(seed: str, kind: str, number: int) -> str:
    """43 URL-safe characters, as tokens have; the same ones for the same words, so that nobody need store them."""
    digest = hashlib.sha256(f"{seed}:{kind}:{number}".encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def drawn(operation: str, count: int) -> list[Pair]:
    """Pairs that hold a grant, at random; with tokens of the set-up, or with fresh secrets each."""
    users = list(User.objects.order_by("pk").values_list("pk", flat=True))
    programs = list(MiniProgram.objects.order_by("pk").values_list("pk", flat=True))
    seed, found = secrets.token_hex(8), []
    for place in range(count):
        number = random.randrange(len(users) * len(programs))
        own = "setup" if operation == "inquiryUserInfo" else f"{seed}:{place}"
        found.append(Pair(number, users[number // len(programs)], programs[number % len(programs)], own))
    return found


def write(operation: str, pairs: list[Pair], folder: Path, port: int, file: Path) -> None:
    """The requests for these pairs, in wrk.lua's form; signing takes both cores."""
    rows = MiniProgram.objects.select_related("merchant")
    programs = {row.pk: (row.app_id, row.merchant.client_id) for row in rows}
    jobs = [(pair, *programs[pair.program]) for pair in pairs]
    with Pool(2) as pool:
        load.write_requests(file, pool.imap(partial(request, operation, folder, port), jobs, chunksize=200))


def request(operation: str, folder: Path, port: int, job: tuple[Pair, str, str]) -> bytes:
    pair, app_id, client_id = job
    path, fields = PATHS[operation], body_of(operation, pair, app_id)
    headers = {"Content-Type": "application/json; charset=UTF-8"}
    if operation == "getAuthCode_silent":
        headers["Authorization"] = f"Bearer {pair.access_token}"
    else:
        headers |= signed(path, client_id, fields, folder / f"{client_id}.pem")
    return load.http("POST", port, path, fields, headers)


def body_of(operation: str, pair: Pair, app_id: str) -> str:
    if operation == "applyToken_code":
        return json.dumps({"grantType": "AUTHORIZATION_CODE", "authCode": pair.code})
    if operation == "applyToken_refresh":
        return json.dumps({"grantType": "REFRESH_TOKEN", "refreshToken": pair.refresh_token})
    if operation == "inquiryUserInfo":
        return json.dumps({"accessToken": pair.access_token})
    return json.dumps({"appId": app_id, "scopes": ["auth_base"]})


def signed(path: str, client_id: str, body: str, key: Path) -> dict[str, str]:
    """wire.md 4.1"""
    time = datetime.now(UTC).isoformat(timespec="seconds")
    signature = sign(key, f"POST {path}\n{client_id}.{time}.{body}".encode())
    value = quote(base64.b64encode(signature), safe="")
    return {
        "Client-Id": client_id,
        "Request-Time": time,
        "Signature": f"algorithm=RSA256, keyVersion=1, signature={value}",
    }


def sign(key: Path, message: bytes) -> bytes:
    return private_key(key).sign(message, padding.PKCS1v15(), hashes.SHA256())


@cache
def private_key(file: Path) -> RSAPrivateKey:
    key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    assert isinstance(key, RSAPrivateKey)
    return key
