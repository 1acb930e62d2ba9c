"""The caller's address in the error audit, behind a proxy and without one."""

from pathlib import Path

import pytest
import requests

from tests import servers

pytestmark = pytest.mark.process
SPOKEN_FOR = {"X-Forwarded-For": "198.51.100.7"}


def audited_address(portal: servers.PortalServer) -> str:
    requests.post(f"{portal.base_url}/v2/users/inquiryUserInfo", b"{}", headers=SPOKEN_FOR, timeout=10)
    return str(portal.sql("SELECT address FROM authapi_erroraudit ORDER BY id DESC LIMIT 1")[0][0])


def test_a_trusted_proxy_names_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", "127.0.0.1")
    with servers.running(tmp_path) as portal:
        assert audited_address(portal) == "198.51.100.7"


def test_nobody_else_does(tmp_path: Path) -> None:
    with servers.running(tmp_path) as portal:
        assert audited_address(portal) == "127.0.0.1"
