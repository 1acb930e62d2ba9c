"""CACHE_URL=redis://…: sessions are read from Redis, and a signed-out user is out for every process."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import requests

from tests import servers
from tests.redis_server import RedisServer

pytestmark = pytest.mark.process


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    server = RedisServer(tmp_path)
    yield server.url
    server.stop()


@pytest.fixture
def portal(tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[servers.PortalServer]:
    monkeypatch.setenv("CACHE_URL", redis_url)
    with servers.running(tmp_path) as server:
        yield server


def test_a_session_lives_in_redis_and_ends_with_sign_out(portal: servers.PortalServer, redis_url: str) -> None:
    alice = portal.signed_in("alice")
    assert alice.get(f"{portal.base_url}/permissions/", allow_redirects=False, timeout=10).status_code == 200
    cache = redis.Redis.from_url(redis_url)
    assert list(cache.scan_iter("*sessions*"))

    kept = {cookie.name: cookie.value or "" for cookie in alice.cookies}
    token = alice.headers["X-CSRFToken"]
    answer = alice.post(f"{portal.base_url}/accounts/logout/", headers={"X-CSRFToken": str(token)}, timeout=10)
    assert answer.ok
    again = requests.get(f"{portal.base_url}/permissions/", cookies=kept, allow_redirects=False, timeout=10)
    assert again.status_code == 302
    assert os.environ["CACHE_URL"] == redis_url
