"""A Redis that is gone or hangs: signed calls and pages go on, nobody signs in, monitors are told (trust 19)."""

import base64
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests import servers
from tests.redis_server import RedisServer

pytestmark = [pytest.mark.process, pytest.mark.trust(19)]
QUERY = "/v1/authorizations/query"
APPLY_TOKEN = "/v2/authorizations/applyToken"
ANSWERED_WITHIN = 2.0  # seconds, on a busy machine; without short timeouts Redis alone would take five


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def portal(tmp_path: Path, cache: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[servers.PortalServer]:
    monkeypatch.setenv("CACHE_URL", cache.url)
    with servers.running(tmp_path) as server:
        yield server


@pytest.fixture(params=["gone", "hanging"])
def out(request: pytest.FixtureRequest, cache: RedisServer) -> Any:
    """Takes Redis out of service."""
    return cache.stop if request.param == "gone" else cache.hang


def coffee(portal: servers.PortalServer, path: str, **fields: Any) -> dict[str, Any]:
    """A call signed by Coffee's server; its result."""
    key = serialization.load_pem_private_key(portal.program("coffee")["privateKey"].encode(), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    body, time = json.dumps(fields).encode(), datetime.now(UTC).isoformat()
    message = f"POST {path}\nMERCHANT_COFFEE.{time}.".encode() + body
    value = quote(base64.b64encode(key.sign(message, padding.PKCS1v15(), hashes.SHA256())).decode(), safe="")
    headers = {
        "Client-Id": "MERCHANT_COFFEE",
        "Request-Time": time,
        "Signature": f"algorithm=RSA256, keyVersion=1, signature={value}",
    }
    answer: dict[str, Any] = promptly(requests.post(portal.base_url + path, body, headers=headers, timeout=20)).json()
    return answer


def promptly(answer: requests.Response) -> requests.Response:
    assert answer.elapsed.total_seconds() < ANSWERED_WITHIN
    return answer


def sign_in(portal: servers.PortalServer, path: str = "/accounts/login/") -> requests.Response:
    person = next(row for row in portal.demo["users"] if row["login"] == "alice")
    form = {"username": "alice", "password": person["password"], "csrfmiddlewaretoken": "x" * 32}
    cookies = {"csrftoken": "x" * 32}
    return promptly(requests.post(portal.base_url + path, form, cookies=cookies, allow_redirects=False, timeout=20))


def test_signed_calls_go_on_whether_they_succeed_or_fail(portal: servers.PortalServer, out: Any) -> None:
    code = portal.code("alice", "coffee", ["auth_base"])
    out()
    pair = coffee(portal, APPLY_TOKEN, grantType="AUTHORIZATION_CODE", authCode=code)
    assert pair["result"]["resultCode"] == "SUCCESS"
    assert coffee(portal, QUERY, accessToken=pair["accessToken"])["tokenStatusType"] == "ACTIVE"
    for _ in range(3):
        assert coffee(portal, QUERY, accessToken="guess")["result"]["resultCode"] == "INVALID_ACCESS_TOKEN"
    assert portal.last_refusal() == "INVALID_ACCESS_TOKEN"
    lines = [line for line in portal.log.read_text().splitlines() if "the cache is down" in line]
    assert len(lines) == 1
    assert " ERROR portal.cache " in lines[0]


def test_nobody_signs_in(portal: servers.PortalServer, out: Any) -> None:
    out()
    for path in ("/accounts/login/", "/admin/login/"):
        answer = sign_in(portal, path)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "60"
        assert "Nobody can sign in at this moment" in answer.text
        assert "sessionid" not in answer.cookies


def test_who_is_signed_in_keeps_their_pages_and_can_sign_out(portal: servers.PortalServer, out: Any) -> None:
    alice = portal.signed_in("alice")
    pages = ("/", "/permissions/", "/profile/", "/accounts/login/")
    out()
    for path in pages:
        assert promptly(alice.get(portal.base_url + path, timeout=20)).status_code == 200
    path = "/v1/authorizations/getAuthCode"
    asked = alice.post(portal.base_url + path, json={"appId": "coffee", "scopes": ["auth_base"]}, timeout=20)
    assert "authCode" in promptly(asked).json()
    kept = {cookie.name: cookie.value or "" for cookie in alice.cookies}
    assert promptly(alice.post(f"{portal.base_url}/accounts/logout/", allow_redirects=False, timeout=20)).ok
    after = requests.get(f"{portal.base_url}/permissions/", cookies=kept, allow_redirects=False, timeout=20)
    assert after.status_code == 302
    assert "Traceback" not in portal.log.read_text()


def test_monitors_are_told_and_everything_is_well_again_once_redis_is(
    portal: servers.PortalServer, cache: RedisServer
) -> None:
    assert requests.get(f"{portal.base_url}/readyz", timeout=20).json()["checks"]["cache"] == "ok"
    cache.stop()
    told = requests.get(f"{portal.base_url}/readyz", timeout=20)
    assert told.status_code == 503
    checks = told.json()["checks"]
    assert checks.pop("cache") == "ConnectionError"
    assert set(checks.values()) == {"ok"}
    assert requests.get(f"{portal.base_url}/healthz", timeout=20).ok
    assert sign_in(portal).status_code == 503

    cache.start()
    time.sleep(1.1)  # portal.cache.PAUSE
    assert requests.get(f"{portal.base_url}/readyz", timeout=20).ok
    assert sign_in(portal).status_code == 302
