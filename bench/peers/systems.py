"""The peers as systems of a run: installed, set up, started and pre-loaded."""

import json
import os
import random
import secrets
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
from jwcrypto.jwk import JWK

from bench import load, plan, processes, standard
from bench.systems import System

MEASURED = ("applyToken_code", "applyToken_refresh", "inquiryUserInfo")  # neither has a silent getAuthCode
TOKENS = ('"id_token"', '"access_token"', '"refresh_token"')
ANSWERS = {
    "applyToken_code": TOKENS,
    "applyToken_refresh": TOKENS,
    "inquiryUserInfo": ('"nickname"', '"sub"', '"name"', '"email"'),
}
SOURCE = plan.HERE / "peers" / "oidc_provider"
INSTALLED = plan.RESULTS / "oidc_provider"
DAY = 86400


class Toolkit(System):
    """Vanilla django-oauth-toolkit on granian, as the portal is served."""

    name, operations, answers = "toolkit", MEASURED, ANSWERS

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "OIDC_KEY_FILE": str(self.folder / "key.pem")}

    def data(self, *words: str) -> None:
        command = [sys.executable, "-m", "bench.toolkit_data", *words]
        processes.run(command, self.environment(), plan.SETUP_SECONDS)

    def set_up(self) -> None:
        key = JWK.generate(kty="RSA", size=2048)
        (self.folder / "key.pem").write_bytes(key.export_to_pem(private_key=True, password=None))
        self.data("setup")

    def command(self) -> list[str]:
        place = ["--host", plan.HOST, "--port", str(self.port)]
        return [sys.executable, "-m", "granian", *plan.GRANIAN, *place, "bench.peers.toolkit.wsgi:application"]

    def stock(self, operation: str, count: int) -> Path:
        file = self.folder / f"{operation}.requests"
        self.data("stock", operation, str(count), str(self.port), str(file))
        return file


class OidcProvider(System):
    """node oidc-provider: one process a worker, and what it stores in PostgreSQL."""

    name, operations, answers = "oidc_provider", MEASURED, ANSWERS

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "NODE_ENV": "production",
            "PORT": str(self.port),
            "WORKERS": str(plan.WORKERS),
            "JWK_FILE": str(self.folder / "key.json"),
            "CLIENT_ID": standard.CLIENT_ID,
            "CLIENT_SECRET": standard.CLIENT_SECRET,
            "REDIRECT_URI": standard.REDIRECT_URI,
        }

    def set_up(self) -> None:
        install()
        key = JWK.generate(kty="RSA", size=2048, use="sig", alg="RS256", kid="1")
        (self.folder / "key.json").write_text(key.export_private())
        with psycopg.connect(self.database_url) as connection:
            connection.execute((SOURCE / "tables.sql").read_bytes())
            with connection.cursor().copy("COPY account FROM STDIN") as stream:
                for n in range(plan.SMALL.users):
                    stream.write_row((f"user{n}", *profile(n)))
            rows = [("Grant", grant_of(n), grant(n), None) for n in range(plan.SMALL.pairs)]
            copy(connection, rows)
            copy(connection, [stored("inquiryUserInfo", f"setup-{n}", n) for n in range(plan.SMALL.pairs)])
        self.analyse()

    def analyse(self) -> None:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")

    def command(self) -> list[str]:
        return ["node", str(INSTALLED / "server.mjs")]

    def stock(self, operation: str, count: int) -> Path:
        seed = secrets.token_hex(12)
        names = [f"{seed}-{n}" for n in range(count)]
        if operation == "inquiryUserInfo":
            names = [f"setup-{random.randrange(plan.SMALL.pairs)}" for _ in names]
        else:
            with psycopg.connect(self.database_url) as connection:
                copy(connection, [stored(operation, name, random.randrange(plan.SMALL.pairs)) for name in names])
        self.analyse()
        file = self.folder / f"{operation}.requests"
        load.write_requests(file, standard.requests(operation, names, self.port, "/token", "/me"))
        return file


def install() -> None:
    """Its packages as the lock file has them, once, beside a copy of our two files."""
    if not shutil.which("npm"):
        raise processes.BenchError("node and npm are not installed, and oidc-provider needs them (or use --no-peers).")
    INSTALLED.mkdir(parents=True, exist_ok=True)
    lock = INSTALLED / "package-lock.json"
    fresh = lock.exists() and lock.read_bytes() == (SOURCE / lock.name).read_bytes()
    ready = fresh and (INSTALLED / "node_modules" / ".package-lock.json").exists()
    for file in SOURCE.iterdir():
        shutil.copy(file, INSTALLED)
    if not ready:
        command = ["npm", "ci", "--no-audit", "--no-fund"]
        processes.run(command, dict(os.environ), plan.SETUP_SECONDS, INSTALLED)


def profile(n: int) -> tuple[str, ...]:
    address = json.dumps({"country": "PH", "locality": "Quezon City"})
    return f"Nick {n}", f"Maria Reyes Santos {n}", "1994-03-12", f"user{n}@example.org", f"+63917{n:07}", address


def grant_of(n: int) -> str:
    return f"grant-{n}"


def base(kind: str, n: int) -> dict[str, Any]:
    """What every stored thing of the nth grant holds."""
    now = int(time.time())
    account = f"user{n % plan.SMALL.users}"
    return {"iat": now, "exp": now + DAY, "kind": kind, "accountId": account, "clientId": standard.CLIENT_ID}


def grant(n: int) -> dict[str, Any]:
    return {**base("Grant", n), "jti": grant_of(n), "openid": {"scope": standard.SCOPE}}


def stored(operation: str, name: str, n: int) -> tuple[str, str, dict[str, Any], str]:
    """Model, id, payload and grant of the code, refresh or access token of this name."""
    kind, prefix, more = KINDS[operation]
    payload = {**base(kind, n), "jti": prefix + name, "grantId": grant_of(n), "scope": standard.SCOPE, **more}
    return kind, prefix + name, payload, grant_of(n)


KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "applyToken_code": ("AuthorizationCode", "", {"redirectUri": standard.REDIRECT_URI, "authTime": 1_700_000_000}),
    "applyToken_refresh": ("RefreshToken", "refresh-", {"gty": "authorization_code", "authTime": 1_700_000_000}),
    "inquiryUserInfo": ("AccessToken", "access-", {"gty": "authorization_code"}),
}


def copy(connection: psycopg.Connection[Any], rows: list[tuple[str, str, dict[str, Any], str | None]]) -> None:
    with connection.cursor().copy("COPY stored (model, id, payload, grant_id) FROM STDIN") as stream:
        for model, name, payload, grant_id in rows:
            stream.write_row((model, name, json.dumps(payload), grant_id))
