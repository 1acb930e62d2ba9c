"""A portal as in production, made to be killed: granian with two workers on a throw-away PostgreSQL, with the demo.

    with killable.portal(folder) as portal:
        portal.start()
        portal.merchant("coffee").exchange(portal.code("alice", "coffee"))
        portal.kill()                   # SIGKILL, main process and workers
        portal.cluster.stop()           # or PostgreSQL instead

Its PostgreSQL runs without fsync: that guards against a machine without power, not against a process that is gone.
"""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import psycopg
import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from tests import migrated, postgres, servers
from tests.merchants import ANSWER_SIGNATURE, MerchantServer

CALL_SECONDS = 20
GONE_SECONDS = 10
GRANIAN = "granian --interface wsgi --host 127.0.0.1 --workers 2 --blocking-threads 4 --no-ws --log-level warning"


class RemoteMerchant(MerchantServer):
    """A demo merchant's server over real HTTP; verifies each answer with the platform's public key."""

    def __init__(self, portal: "KillablePortal | servers.PortalServer", program: dict[str, Any]) -> None:
        super().__init__(program["clientId"])
        self.base_url, self.app_id = portal.base_url, program["appId"]
        self.private: Any = load_pem_private_key(program["privateKey"].encode(), password=None)
        self.platform: Any = load_pem_public_key(portal.demo["platform"]["publicKey"].encode())
        self.session = requests.Session()
        self.trace_id = ""  # of the last answer

    def signature(self, path: str, time: str, body: bytes) -> bytes:
        message = f"POST {path}\n{self.client_id}.{time}.".encode() + body
        return bytes(self.private.sign(message, padding.PKCS1v15(), hashes.SHA256()))

    def post(self, path: str, **fields: Any) -> dict[str, Any]:
        body = json.dumps(fields).encode()
        headers = {**self.headers(path, body), "Content-Type": "application/json; charset=UTF-8"}
        response = self.session.post(self.base_url + path, body, headers=headers, timeout=CALL_SECONDS)
        assert response.status_code == 200, (path, response.status_code, response.text[:500])
        assert "Traceback" not in response.text, response.text
        self.trace_id = response.headers["trace-id"]
        self.verify(path, response)
        answer: dict[str, Any] = response.json()
        return answer

    def verify(self, path: str, response: requests.Response) -> None:
        """Raises unless the platform signed exactly these bytes."""
        match = ANSWER_SIGNATURE.fullmatch(response.headers["signature"])
        assert match, response.headers["signature"]
        head = f"POST {path}\n{self.client_id}.{response.headers['response-time']}.".encode()
        signature = base64.b64decode(unquote(match[1]))
        self.platform.verify(signature, head + response.content, padding.PKCS1v15(), hashes.SHA256())


class KillablePortal:
    """One granian at a time on one cluster; what it keeps lies in `folder`."""

    def __init__(self, cluster: postgres.Cluster, folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        self.var_dir, self.log = folder / "var", folder / "granian.log"
        self.port = servers.free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.sessions: dict[str, requests.Session] = {}
        migrated.into(cluster)
        self.demo = json.loads(servers.manage(cluster.url, self.var_dir, "seed_demo", "--json"))

    def start(self) -> None:
        """In a process group of its own, which `kill` ends as a whole; returns when it answers. Not twice."""
        if self.process:
            return
        command = [sys.executable, "-m", *GRANIAN.split(), "--port", str(self.port), "portal.wsgi:application"]
        environment = servers.environment(self.cluster.url, self.var_dir)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=servers.ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + servers.START_SECONDS
        while not self.answers("/readyz"):
            assert time.monotonic() < deadline, self.log.read_text()
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.02)

    def answers(self, path: str) -> bool:
        try:
            return requests.get(self.base_url + path, timeout=5).ok
        except requests.RequestException:  # nobody there yet, or a busy machine
            return False

    def kill(self) -> None:
        """SIGKILL to the main process and its workers at once."""
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def wait_until_forgotten(self) -> None:
        """Until PostgreSQL has ended every session of the killed one: a COMMIT it had heard may still be under way."""
        clients = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"  # we are one
        deadline = time.monotonic() + GONE_SECONDS
        while self.sql(clients) != [(1,)]:
            assert time.monotonic() < deadline, self.sql("SELECT state, query FROM pg_stat_activity")
            time.sleep(0.02)

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """One statement on its database, beside it; gives the rows."""
        with psycopg.connect(self.cluster.url, connect_timeout=5) as connection:
            return connection.execute(statement, values).fetchall()  # type: ignore[arg-type]

    def merchant(self, app_id: str) -> RemoteMerchant:
        """A server of the merchant that owns this demo mini-program, with connections of its own."""
        program = next(row for row in self.demo["miniPrograms"] if row["appId"] == app_id)
        return RemoteMerchant(self, program)

    def signed_in(self, login: str) -> requests.Session:
        """A session of this demo person, with its CSRF token as a header; the same one each time."""
        if login not in self.sessions:
            password = next(row["password"] for row in self.demo["users"] if row["login"] == login)
            self.sessions[login] = servers.sign_in(self.base_url, login, password)
        return self.sessions[login]

    def get_auth_code(self, login: str, app_id: str) -> dict[str, Any]:
        """What getAuthCode answers this person's container for auth_base, which asks nobody."""
        url, body = f"{self.base_url}/v1/authorizations/getAuthCode", {"appId": app_id, "scopes": ["auth_base"]}
        response = self.signed_in(login).post(url, json=body, timeout=CALL_SECONDS)
        assert response.status_code == 200, (response.status_code, response.text[:500])
        answer: dict[str, Any] = response.json()
        return answer

    def code(self, login: str, app_id: str) -> str:
        answer = self.get_auth_code(login, app_id)
        assert "authCode" in answer, answer
        return str(answer["authCode"])


@contextmanager
def portal(folder: Path) -> Iterator[KillablePortal]:
    """A portal that is not started yet; killed, with its cluster removed, at the end of the block."""
    programs = postgres.programs()
    assert programs, postgres.ADVICE
    cluster = postgres.Cluster(programs)
    cluster.create()
    try:
        made = KillablePortal(cluster, folder)
        try:
            yield made
        finally:
            made.kill()
    finally:
        cluster.remove()
