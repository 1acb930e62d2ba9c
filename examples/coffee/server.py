"""Coffee, an example merchant: serves its mini-program and talks to the portal. No framework, one file."""

import argparse
import base64
import json
import secrets
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, unquote, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

PAGES = Path(__file__).parent / "pages"
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
POLICY = (
    "default-src 'none'; script-src 'self' PORTAL; style-src 'self'; connect-src 'self'; "
    "img-src 'self' https: PORTAL; base-uri 'none'; form-action 'none'; frame-ancestors PORTAL"
)
SAFE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
LONGEST_BODY = 65536

Json = dict[str, Any]


def text_to_sign(path: str, client_id: str, time: str, body: bytes) -> bytes:
    """The same for requests and answers, whoever signs."""
    return f"POST {path}\n{client_id}.{time}.".encode() + body


def sign(key: rsa.RSAPrivateKey, text: bytes) -> str:
    signature = base64.b64encode(key.sign(text, padding.PKCS1v15(), hashes.SHA256())).decode()
    return f"algorithm=RSA256, keyVersion=1, signature={quote(signature, safe='')}"


def holds(key: rsa.RSAPublicKey, header: str, text: bytes) -> bool:
    parts = dict(part.strip().partition("=")[::2] for part in header.split(","))
    try:
        signature = base64.b64decode(unquote(parts.get("signature", "")), validate=True)
        key.verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
    except (ValueError, InvalidSignature):
        return False
    return parts.get("algorithm", "").upper() == "RSA256"


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def is_recent(time: str) -> bool:
    try:
        return abs(datetime.now(UTC) - datetime.fromisoformat(time)) < timedelta(minutes=15)
    except (ValueError, TypeError):
        return False


class Refused(Exception):
    """The portal said no: a code for programs, a message for developers."""

    def shown(self) -> Json:
        return {"error": dict(zip(("code", "message"), self.args, strict=True))}


@dataclass(frozen=True)
class Portal:
    """What this merchant was given when it registered, and the calls it makes."""

    address: str
    prefix: str
    client_id: str
    app_id: str
    key: rsa.RSAPrivateKey
    platform_key: rsa.RSAPublicKey

    def call(self, path: str, **fields: str) -> Json:
        """POST one signed request; gives the answer, raises Refused unless its signature and result are good."""
        body = json.dumps({**fields, "appId": self.app_id, "authClientId": self.client_id}).encode()
        time = now()
        headers = {
            "Content-Type": "application/json; charset=UTF-8",
            "Client-Id": self.client_id,
            "Request-Time": time,
            "Signature": sign(self.key, text_to_sign(path, self.client_id, time, body)),
        }
        request = urllib.request.Request(self.address + path, body, headers, method="POST")  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
                raw, seen = response.read(), response.headers
        except OSError as error:
            raise Refused("NO_ANSWER", str(error)) from error
        signed = text_to_sign(path, seen.get("client-id", ""), seen.get("response-time", ""), raw)
        if not holds(self.platform_key, seen.get("signature", ""), signed):
            raise Refused("UNVERIFIED_ANSWER", "the answer does not carry the platform's signature")
        answer = cast("Json", json.loads(raw))
        if answer["result"]["resultStatus"] != "S":
            raise Refused(answer["result"]["resultCode"], answer["result"].get("resultMessage", ""))
        return answer

    def tokens(self, auth_code: str) -> Json:
        path = f"{self.prefix}/authorizations/applyToken"
        return self.call(path, grantType="AUTHORIZATION_CODE", authCode=auth_code)

    def user(self, access_token: str) -> Json:
        answer = self.call(f"{self.prefix}/users/inquiryUserInfo", accessToken=access_token)
        return cast("Json", answer["userInfo"])

    def cancel(self, access_token: str) -> None:
        gateway = self.prefix.rpartition("/")[0]  # cancelToken exists in version 1 only
        self.call(f"{gateway}/v1/authorizations/cancelToken", accessToken=access_token)


class Sessions:
    """In memory: a restart signs everybody out. Tokens stay here; the page holds a random session id."""

    def __init__(self) -> None:
        self.by_id: dict[str, Json] = {}

    def open(self, tokens: Json) -> str:
        session_id = secrets.token_urlsafe(32)
        self.by_id[session_id] = tokens
        return session_id


class Coffee(ThreadingHTTPServer):
    def __init__(self, port: int, portal: Portal) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.portal, self.sessions = portal, Sessions()


class Handler(BaseHTTPRequestHandler):
    server: Coffee

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/me":
            self.show_me()
        else:
            self.send_page("index.html" if path == "/" else path.strip("/"))

    def do_POST(self) -> None:
        routes = {"/session": self.sign_in, "/sign-out": self.sign_out, "/notify": self.hear_notice}
        try:
            length = min(int(self.headers.get("Content-Length") or 0), LONGEST_BODY)
            routes.get(self.path, self.not_found)(self.rfile.read(max(0, length)))
        except (ValueError, KeyError, TypeError):
            self.send(400, b"not the JSON we expect", "text/plain")

    def sign_in(self, body: bytes) -> None:
        """The page brings an auth code; it becomes tokens here, where the page cannot see them."""
        auth_code = json.loads(body)["authCode"]
        try:
            tokens = self.server.portal.tokens(auth_code)
            user = self.server.portal.user(tokens["accessToken"])
            self.send_json({"session": self.server.sessions.open(tokens), "user": user})
        except Refused as refusal:
            self.send_json(refusal.shown())

    def show_me(self) -> None:
        """Ask the portal each time: what the user allowed yesterday may be withdrawn today."""
        session = self.server.sessions.by_id.get(self.headers.get("X-Session", ""))
        try:
            if not session:
                raise Refused("SIGNED_OUT", "no such visit")
            self.send_json({"user": self.server.portal.user(session["accessToken"])})
        except Refused as refusal:
            self.send_json(refusal.shown())

    def sign_out(self, _body: bytes) -> None:
        session = self.server.sessions.by_id.pop(self.headers.get("X-Session", ""), None)
        with suppress(Refused):  # a token that is dead already needs no cancelling
            if session:
                self.server.portal.cancel(session["accessToken"])
        self.send_json({})

    def hear_notice(self, body: bytes) -> None:
        """authNotify: the platform tells us, signed, that a user's tokens are dead.

        A real shop drops them here. We keep them, so that you can watch the portal refuse them.
        """
        head, portal = self.headers, self.server.portal
        client_id, time = head.get("Client-Id", ""), head.get("Request-Time", "")
        text = text_to_sign(self.path, client_id, time, body)
        ours = client_id == portal.client_id and is_recent(time)
        if ours and holds(portal.platform_key, head.get("Signature", ""), text):
            notice = json.loads(body)
            print(f"The portal says: {notice['customerId']} is out of reach, {notice['reason']}", flush=True)
            self.send_signed("S", "SUCCESS")
        else:
            self.send_signed("F", "INVALID_SIGNATURE")

    def send_signed(self, status: str, code: str) -> None:
        portal, time = self.server.portal, now()
        body = json.dumps({"result": {"resultStatus": status, "resultCode": code}}).encode()
        signature = sign(portal.key, text_to_sign(self.path, portal.client_id, time, body))
        headers = {"client-id": portal.client_id, "response-time": time, "signature": signature}
        self.send(200, body, "application/json", headers)

    def send_json(self, data: Json) -> None:
        self.send(200, json.dumps(data).encode(), "application/json")

    def send_page(self, name: str) -> None:
        files = {file.name: file for file in PAGES.iterdir() if file.suffix in TYPES}
        if file := files.get(name) or files.get(f"{name}.html"):
            text = file.read_text("utf-8").replace("{{ portal }}", self.server.portal.address)
            policy = POLICY.replace("PORTAL", self.server.portal.address)
            self.send(200, text.encode(), TYPES[file.suffix], {"Content-Security-Policy": policy})
        else:
            self.not_found(b"")

    def not_found(self, _body: bytes) -> None:
        self.send(404, b"not found", "text/plain")

    def send(self, status: int, body: bytes, kind: str, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        fixed = {"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(body))}
        for name, value in {**fixed, **SAFE, **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--portal", default="http://127.0.0.1:8000", help="the portal's address")
    parser.add_argument("--api-prefix", default="/v2", help="before /authorizations/... and /users/...")
    parser.add_argument("--client-id", required=True)
    parser.add_argument("--app-id", required=True)
    parser.add_argument("--key", type=Path, required=True, help="this merchant's private key (PEM)")
    parser.add_argument("--platform-key", type=Path, required=True, help="the platform's public key (PEM)")
    args = parser.parse_args()
    key = serialization.load_pem_private_key(args.key.read_bytes(), password=None)
    platform_key = serialization.load_pem_public_key(args.platform_key.read_bytes())
    if not isinstance(key, rsa.RSAPrivateKey) or not isinstance(platform_key, rsa.RSAPublicKey):
        raise SystemExit("Both keys must be RSA keys in PEM form.")
    portal = Portal(args.portal.rstrip("/"), args.api_prefix, args.client_id, args.app_id, key, platform_key)
    print(f"Coffee is open: http://127.0.0.1:{args.port}", flush=True)
    Coffee(args.port, portal).serve_forever()


if __name__ == "__main__":
    main()
