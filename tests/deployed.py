"""What deploy/ makes, without containers: the image's files in a folder, two portals of it on one database, and nginx
in front of them with TLS. Only ports, paths and addresses differ from deploy/nginx.conf and deploy/compose.yaml."""

import fnmatch
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from tests import servers
from tests.machine import need
from tests.merchants import ANSWER_SIGNATURE, MerchantServer, public_pem

HOST = "portal.example.org"
DEPLOY = servers.ROOT / "deploy"
CLIENT_ID = "MERCHANT_COFFEE"
PASSWORD = "correct horse battery staple"
NGINX = ("nginx", "/usr/sbin/nginx")


def image(folder: Path) -> Path:
    """The files that .dockerignore lets into the image."""
    lines = (servers.ROOT / ".dockerignore").read_text().splitlines()
    left_out = [line.removeprefix("**/") for line in lines if line.startswith("**/")]
    for name in (line.removeprefix("!") for line in lines if line.startswith("!")):
        source, target = servers.ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns(*left_out))
        else:
            shutil.copy(source, target)
    assert not any(fnmatch.fnmatch(path.name, "*.po") for path in folder.rglob("*"))
    return folder


class Host(HTTPAdapter):
    """Finds HOST on this machine, and checks that the certificate is HOST's."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> Any:
        return super().init_poolmanager(*args, **kwargs, server_hostname=HOST, assert_hostname=HOST)


class Deployment:
    """Portals, nginx and what they share, in `folder`. `port` is nginx's with TLS, `plain` the other."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.secrets = folder, folder / "secrets"
        self.code = image(folder / "image")
        self.port, self.plain, *self.ports = (servers.free_port() for _ in range(4))
        self.url = f"https://127.0.0.1:{self.port}"
        subprocess.run([DEPLOY / "make-secrets.sh", self.secrets], check=True, env={**os.environ, "HOST_NAME": HOST})
        (folder / "nginx").mkdir()
        self.portals: dict[int, subprocess.Popen[bytes]] = {}
        self.token = (self.secrets / "metrics_token").read_text()

    def environment(self, **more: str) -> dict[str, str]:
        """As compose.yaml sets it: secrets by their files."""
        named = ("secret_key", "platform_signing_key", "field_encryption_keys", "blind_index_key", "metrics_token")
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "ALLOWED_HOSTS": f"{HOST},127.0.0.1",
            "TRUSTED_PROXIES": "127.0.0.1",
            "LOG_FORMAT": "json",
            "VAR_DIR": str(self.folder / "var"),
            "DATABASE_URL": f"sqlite:///{self.folder}/portal.sqlite3",
            "ACCESS_COUNT_SECONDS": "0",
            **{f"{name.upper()}_FILE": str(self.secrets / name) for name in named},
            **more,
        }

    def run(self, *command: str, **more: str) -> str:
        """What the image's entrypoint does with this command."""
        arguments = ["deploy/entrypoint.sh", *command]
        done = subprocess.run(
            arguments, cwd=self.code, env=self.environment(**more), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    @contextmanager
    def portal(self, port: int) -> Iterator[None]:
        """`web`, on this port."""
        more = {"PORT": str(port), "HOST": "127.0.0.1", "WEB_WORKERS": "1"}
        environment = self.environment(**more, PROMETHEUS_MULTIPROC_DIR=str(self.folder / f"metrics-{port}"))
        with (self.folder / f"portal-{port}.log").open("wb") as log, ended() as processes:
            command = ["deploy/entrypoint.sh", "web"]
            process = subprocess.Popen(command, cwd=self.code, env=environment, stdout=log, stderr=log)
            processes.append(process)
            self.portals[port] = process
            wait(port, process)
            yield

    @contextmanager
    def nginx(self) -> Iterator[None]:
        """nginx with deploy/nginx.conf, in the foreground."""
        command = [need(*NGINX, package="nginx"), "-p", str(self.folder / "nginx"), "-c", str(self.configuration())]
        subprocess.run([*command, "-t", "-q"], check=True)
        with (self.folder / "nginx.log").open("wb") as log, ended() as processes:
            process = subprocess.Popen([*command, "-g", "daemon off;"], stdout=log, stderr=log)
            processes.append(process)
            wait(self.port, process)
            yield

    def configuration(self) -> Path:
        text = (DEPLOY / "nginx.conf").read_text()
        changes = {
            "/tmp/": f"{self.folder}/nginx/",
            "/run/secrets/": f"{self.secrets}/",
            "/dev/std": f"{self.folder}/nginx/std",
            "listen 443": f"listen 127.0.0.1:{self.port}",
            "listen 80": f"listen 127.0.0.1:{self.plain}",
            "portal1:8000": f"127.0.0.1:{self.ports[0]}",
            "portal2:8000": f"127.0.0.1:{self.ports[1]}",
        }
        for old, new in changes.items():
            assert old in text, old
            text = text.replace(old, new)
        file = self.folder / "nginx" / "nginx.conf"
        file.write_text(text)
        return file

    def http(self) -> requests.Session:
        """A caller outside."""
        session = requests.Session()
        session.trust_env = False  # this machine's own certificates and proxies
        session.mount("https://", Host())
        session.verify = str(self.secrets / "tls_certificate")
        session.headers.update({"Host": HOST, "Referer": f"https://{HOST}/"})
        return session

    def settle_in(self) -> None:
        """What an operator does first: migrate, a merchant's mini-program, a user."""
        self.run("collect")
        self.run("migrate")
        (self.folder / "merchant.pem").write_text(public_pem(CLIENT_ID))
        (self.folder / "users.jsonl").write_text(json.dumps({"externalId": "alice", "password": PASSWORD}))
        named = {"--app-id": "coffee", "--client-id": CLIENT_ID, "--name": "Coffee", "--scopes": "auth_base"}
        options = [word for pair in named.items() for word in pair]
        self.run("register_mini_program", *options, "--public-key", str(self.folder / "merchant.pem"))
        self.run("import_users", str(self.folder / "users.jsonl"))

    @cached_property
    def bearer(self) -> str:
        """A token of the super-app's own client, for alice."""
        return self.run("issue_first_party_token", "--login", "alice").strip()

    def auth_code(self) -> str:
        """A code for auth_base, as the super-app's own client fetches it for alice."""
        answer = self.http().post(
            f"{self.url}/v1/authorizations/getAuthCode",
            json={"appId": "coffee", "scopes": ["auth_base"]},
            headers={"Authorization": f"Bearer {self.bearer}"},
            timeout=10,
        )
        return str(answer.json()["authCode"])


class OutsideMerchant(MerchantServer):
    """Coffee's server, which knows nginx alone."""

    def __init__(self, deployment: Deployment) -> None:
        super().__init__(CLIENT_ID)
        self.deployment, self.session = deployment, deployment.http()

    def post(self, path: str, **fields: Any) -> dict[str, Any]:
        body = json.dumps(fields).encode()
        sent = {**self.headers(path, body), "Content-Type": "application/json; charset=UTF-8"}
        response = self.session.post(self.deployment.url + path, body, headers=sent, timeout=10)
        assert response.status_code == 200, response.text
        assert ANSWER_SIGNATURE.fullmatch(response.raw.headers["signature"])
        answer: dict[str, Any] = response.json()
        return answer


@contextmanager
def ended() -> "Iterator[list[subprocess.Popen[bytes]]]":
    """Ends these processes of ours after the block."""
    processes: list[subprocess.Popen[bytes]] = []
    try:
        yield processes
    finally:
        for process in processes:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Until somebody listens there."""
    deadline = time.monotonic() + servers.START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert process.poll() is None, "it ended at once"
            assert time.monotonic() < deadline, "nobody listens there"
            time.sleep(0.05)
        else:
            return


@contextmanager
def deployment(folder: Path) -> Iterator[Deployment]:
    """Everything, up and settled in."""
    made = Deployment(folder)
    made.settle_in()
    with ExitStack() as stack:
        for port in made.ports:
            stack.enter_context(made.portal(port))
        stack.enter_context(made.nginx())
        yield made
