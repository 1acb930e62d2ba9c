"""The README's deploy commands, as a public host runs them: hashed files, secure cookies, its own host only."""

import base64
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from portal.keys import new_private_key
from tests import servers

pytestmark = pytest.mark.process
DATA_KEYS = {
    "FIELD_ENCRYPTION_KEYS": base64.b64encode(b"f" * 32).decode(),
    "BLIND_INDEX_KEY": base64.b64encode(b"i" * 32).decode(),
}
HOST = {"Host": "portal.example.org", "X-Forwarded-Proto": "https"}


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A public portal, migrated and with its static files collected; its address on this machine."""
    folder = tmp_path_factory.mktemp("public")
    key = folder / "platform.pem"
    key.write_text(new_private_key())
    environment = {
        **servers.environment(folder / "portal.sqlite3", folder / "var"),
        "ALLOWED_HOSTS": HOST["Host"],
        "SECRET_KEY": "a sentence of more than fifty characters, for this test alone",
        "PLATFORM_SIGNING_KEY": str(key),
        **DATA_KEYS,
    }
    for command in ("check --deploy --fail-level WARNING", "collectstatic --noinput", "migrate"):
        run(command, environment)
    port = servers.free_port()
    granian = f"-m granian --interface wsgi --host 127.0.0.1 --port {port} portal.wsgi:application".split()
    process = subprocess.Popen([sys.executable, *granian], cwd=servers.ROOT, env=environment)
    url = f"http://127.0.0.1:{port}"
    wait_for(f"{url}/healthz", process)
    yield url
    process.terminate()
    process.wait(10)


def run(command: str, environment: dict[str, str]) -> None:
    arguments = [sys.executable, "manage.py", *command.split()]
    done = subprocess.run(arguments, cwd=servers.ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    for _attempt in range(300):
        try:
            if requests.get(url, headers=HOST, timeout=2).ok:
                return
        except requests.ConnectionError:
            assert process.poll() is None
            time.sleep(0.1)
    raise AssertionError("the portal did not start")


def test_pages_come_with_hashed_files_and_secure_cookies(portal: str) -> None:
    page = requests.get(f"{portal}/accounts/login/", headers=HOST, timeout=10)
    assert page.status_code == 200
    assert "Secure" in page.headers["Set-Cookie"]
    assert "max-age=31536000" in page.headers["Strict-Transport-Security"]
    styles = re.findall(r'href="(/static/portal/portal\.[0-9a-f]{12}\.css)"', page.text)
    assert len(styles) == 1
    style = requests.get(portal + styles[0], headers=HOST, timeout=10)
    assert style.status_code == 200
    assert "immutable" in style.headers["Cache-Control"]
    assert requests.get(f"{portal}/admin/login/", headers=HOST, timeout=10).status_code == 200


def test_another_host_is_refused(portal: str) -> None:
    answer = requests.get(f"{portal}/accounts/login/", headers={"Host": "evil.example"}, timeout=10)
    assert answer.status_code == 400


def test_it_is_ready(portal: str) -> None:
    assert requests.get(f"{portal}/readyz", headers=HOST, timeout=10).json()["status"] == "ok"


def test_no_demo_account_can_be_made(portal: str, tmp_path: Path) -> None:
    environment = {
        **servers.environment(tmp_path / "p.sqlite3", tmp_path),
        "ALLOWED_HOSTS": HOST["Host"],
        "SECRET_KEY": "a sentence of more than fifty characters, for this test alone",
        "PLATFORM_SIGNING_KEY": new_private_key(),
        **DATA_KEYS,
    }
    arguments = [sys.executable, "manage.py", "seed_demo"]
    done = subprocess.run(arguments, cwd=servers.ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "public host" in done.stderr
