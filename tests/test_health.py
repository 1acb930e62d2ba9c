"""GET /healthz and /readyz: what monitors ask."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

ROOT = Path(__file__).resolve().parent.parent


def pem(key: Any) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return str(key.private_bytes(encoding, form, serialization.NoEncryption()).decode())


def test_healthz_answers_without_the_database(client: Client) -> None:
    response = client.get("/healthz")  # no `db` fixture: a statement would fail here
    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    assert len(response["Trace-Id"]) == 32


@pytest.mark.django_db
def test_readyz_is_200_when_everything_is_in_order(client: Client) -> None:
    response = client.get("/readyz")
    assert response.status_code == 200
    checks = dict.fromkeys(("database", "migrations", "keys", "cache"), "ok")
    assert response.json() == {"status": "ok", "checks": checks}


@pytest.mark.django_db
def test_an_unapplied_migration_is_503_and_named(client: Client) -> None:
    MigrationRecorder.Migration.objects.filter(app="portal").order_by("id").last().delete()  # type: ignore[union-attr]
    response = client.get("/readyz")
    assert response.status_code == 503
    body = response.json()
    assert body["status"] == "failed"
    assert body["checks"]["migrations"].endswith("not applied")
    assert (body["checks"]["database"], body["checks"]["keys"]) == ("ok", "ok")


@pytest.mark.django_db
@pytest.mark.trust(7)
@pytest.mark.parametrize(
    "key",
    [
        "",
        "hunter2",
        "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----",
        pem(ec.generate_private_key(ec.SECP256R1())),
        pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)),
    ],
    ids=["missing", "no PEM", "broken", "no RSA", "1024 bits"],
)
def test_a_key_that_cannot_sign_is_503_and_named_without_showing_it(client: Client, settings: Any, key: str) -> None:
    settings.PLATFORM_SIGNING_KEY = key
    response = client.get("/readyz")
    assert response.status_code == 503
    checks = response.json()["checks"]
    assert (checks["database"], checks["migrations"]) == ("ok", "ok")
    assert checks["keys"].startswith("it is n")
    assert "hunter2" not in response.content.decode()


ASK_BOTH = """
import django
django.setup()
from django.test import Client
client = Client(headers={"Host": "localhost"})
healthz, readyz = client.get("/healthz"), client.get("/readyz")
print(healthz.status_code, readyz.status_code, readyz.json()["checks"])
"""


def check_without_database(port: int) -> None:
    """With DATABASE_URL on this port of 127.0.0.1, /healthz is 200 and /readyz 503, and no password is shown."""
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "DATABASE_URL": f"postgres://nobody:hunter2@127.0.0.1:{port}/nowhere",
        "DATABASE_TIMEOUT_SECONDS": "2",
        "LOG_LEVEL": "CRITICAL",
    }
    command = [sys.executable, "-c", ASK_BOTH]
    run = subprocess.run(command, capture_output=True, text=True, env=env, cwd=ROOT, check=True, timeout=20)
    assert run.stdout.startswith("200 503 {'database': 'OperationalError', 'migrations': 'OperationalError'")
    assert "hunter2" not in run.stdout + run.stderr


@pytest.mark.process
def test_a_database_that_is_gone_is_503_and_named_while_healthz_is_200() -> None:
    check_without_database(port=1)


@pytest.mark.process
@pytest.mark.trust(11)
def test_a_database_that_is_silent_is_503_within_seconds() -> None:
    """A host that takes the connection and never says a word: without a limit each thread would wait for it."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        check_without_database(silent.getsockname()[1])
