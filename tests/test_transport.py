"""wire.md 4.1 on the wire itself: raw sockets against a real granian, because each rule was seen to break a client."""

import base64
import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from django.test import Client

from tests import servers
from tests.merchants import ANSWER_SIGNATURE, MerchantServer, verify_answer
from tests.servers import PortalServer

pytestmark = pytest.mark.process

CLIENT = "MERCHANT_COFFEE"
QUERY = "/v1/authorizations/query"
NO_TOKEN = b'{"accessToken": "none"}'
JSON = "application/json; charset=UTF-8"


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalServer]:
    with servers.running(tmp_path_factory.mktemp("transport")) as server:
        yield server


@dataclass
class Answer:
    """A response as it came over the wire: header names in the case they were sent."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["result"]["resultCode"])


class Wire:
    """Coffee's server on a bare socket."""

    def __init__(self, portal: PortalServer) -> None:
        self.portal = portal
        key = serialization.load_pem_private_key(portal.program("coffee")["privateKey"].encode(), password=None)
        assert isinstance(key, rsa.RSAPrivateKey)
        self.key = key

    def head(self, path: str, body: bytes) -> list[str]:
        """The three signed headers, as a merchant writes them."""
        time = datetime.now(UTC).isoformat()
        signature = self.key.sign(
            f"POST {path}\n{CLIENT}.{time}.".encode() + body, padding.PKCS1v15(), hashes.SHA256()
        )
        value = quote(base64.b64encode(signature).decode(), safe="")
        return [
            f"Client-Id: {CLIENT}",
            f"Request-Time: {time}",
            f"Signature: algorithm=RSA256, keyVersion=1, signature={value}",
        ]

    def call(
        self, path: str, body: bytes, *more: str, target: str = "", host: str = "", chunked: bool = False
    ) -> Answer:
        """Sign and send; `target` replaces the path in the request line, `more` are further header lines."""
        lines = [
            f"POST {target or path} HTTP/1.1",
            f"Host: {host or f'127.0.0.1:{self.portal.port}'}",
            "Connection: close",
            *self.head(path, body),
            "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}",
            *more,
        ]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        return self.exchange(head + (in_chunks(body) if chunked else body))

    def exchange(self, raw: bytes) -> Answer:
        with socket.create_connection(("127.0.0.1", self.portal.port), timeout=10) as wire:
            wire.sendall(raw)
            received = b"".join(iter(lambda: wire.recv(65536), b""))
        head, _, body = received.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
        return Answer(int(status.split()[1]), headers, body)

    def verify(self, path: str, answer: Answer) -> None:
        """The three lower-case headers are there and sign exactly this body."""
        headers = dict(answer.headers)
        match = ANSWER_SIGNATURE.fullmatch(headers["signature"])
        assert match
        assert headers["client-id"] == CLIENT
        message = f"POST {path}\n{CLIENT}.{headers['response-time']}.".encode() + answer.body
        public = serialization.load_pem_public_key(self.portal.demo["platform"]["publicKey"].encode())
        assert isinstance(public, rsa.RSAPublicKey)
        public.verify(base64.b64decode(unquote(match[1])), message, padding.PKCS1v15(), hashes.SHA256())


def in_chunks(body: bytes) -> bytes:
    pieces = [body[start : start + 7] for start in range(0, len(body), 7)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@pytest.fixture
def wire(portal: PortalServer) -> Wire:
    return Wire(portal)


@pytest.fixture
def exchanged(portal: PortalServer, wire: Wire) -> Callable[..., Answer]:
    """Exchange a fresh code in the way given; the answer must be S, or the way was not tolerated."""

    def exchange(*more: str, path: str = "/ams/api/v1/authorizations/applyToken", **how: str | bool) -> Answer:
        code = portal.code("alice", "coffee", ["auth_base"])
        body = json.dumps({"grantType": "AUTHORIZATION_CODE", "authCode": code}, indent=3).encode()
        answer = wire.call(path, body, *more, **how)  # type: ignore[arg-type]
        assert (answer.status, answer.code) == (200, "SUCCESS"), answer
        wire.verify(path, answer)
        return answer

    return exchange


# --- Answers ----------------------------------------------------------------------------------------------------


@pytest.mark.wire("4.1 response header names in lower case on the wire")
def test_header_names_are_lower_case(exchanged: Callable[..., Answer]) -> None:
    names = [name for name, _value in exchanged().headers]
    assert {"client-id", "response-time", "signature", "trace-id"} <= set(names)
    assert names == [name.lower() for name in names]


@pytest.mark.wire("4.1 signature value: three parts, this order, comma and one blank, urlEncode(base64)")
def test_signature_value_is_what_clients_parse_by_position(exchanged: Callable[..., Answer]) -> None:
    value = dict(exchanged().headers)["signature"]
    algorithm, version, signature = value.split(", ")
    assert (algorithm, version) == ("algorithm=RSA256", "keyVersion=1")
    assert value.split(",")[2].strip() == signature  # Java takes the third comma item
    encoded = value.rsplit("=", 1)[1]  # PHP takes what follows the last equals sign
    assert signature == f"signature={encoded}"
    assert not set(encoded) & set("=+/")
    assert len(base64.b64decode(unquote(encoded), validate=True)) == 256


@pytest.mark.wire("4.1 failures are signed too, HTTP 200")
def test_failures_are_signed_and_http_200(portal: PortalServer, wire: Wire) -> None:
    answer = wire.call(QUERY, NO_TOKEN)
    assert (answer.status, answer.code) == (200, "INVALID_ACCESS_TOKEN")
    wire.verify(QUERY, answer)
    assert portal.last_refusal() == "INVALID_ACCESS_TOKEN"


@pytest.mark.wire("4.1 no other response header may contain the words signature or response-time")
def test_no_other_header_says_signature_or_response_time(
    exchanged: Callable[..., Answer], wire: Wire, portal: PortalServer
) -> None:
    cross_origin = "Origin: https://elsewhere.example"
    for answer in (exchanged(cross_origin), wire.call(QUERY, NO_TOKEN, cross_origin)):
        for word in ("signature", "response-time"):
            found = [name for name, value in answer.headers if word in f"{name}: {value}".lower()]
            assert found == [word]
    assert portal.last_refusal() == "INVALID_ACCESS_TOKEN"


# --- Requests ---------------------------------------------------------------------------------------------------


@pytest.mark.wire("4.1 ignore Accept")
@pytest.mark.parametrize(
    "accept", ["text/plain,text/xml,text/javascript,text/html", "text/xml", "image/png", "", "nonsense;;q=x"]
)
def test_accept_is_ignored(exchanged: Callable[..., Answer], accept: str) -> None:
    answer = exchanged(f"Accept: {accept}")
    assert dict(answer.headers)["content-type"] == JSON


@pytest.mark.wire("4.1 tolerate a duplicate, odd or missing Content-Type")
@pytest.mark.parametrize(
    "lines",
    [
        [],
        [f"Content-Type: {JSON}", f"Content-Type: {JSON}"],
        ["Content-Type: application/json", "content-type: text/plain"],
        ["Content-Type:"],
        ["Content-Type: nonsense"],
        ["Content-Type: application/json; charset=no-such-charset"],
        ["Content-Type: application/json; charset=UTF-8, application/json; charset=UTF-8"],
        ["Content-Type: application/x-www-form-urlencoded"],
        ["Content-Type: multipart/form-data; boundary=x"],
    ],
    ids=["missing", "twice", "two kinds", "empty", "odd", "unknown charset", "joined", "a form", "multipart"],
)
def test_content_type_does_not_matter(exchanged: Callable[..., Answer], lines: list[str]) -> None:
    exchanged(*lines)


@pytest.mark.wire("4.1 accept absolute-form request targets and verify over the path alone")
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_absolute_form_targets_are_accepted(
    exchanged: Callable[..., Answer], portal: PortalServer, scheme: str
) -> None:
    path = "/ams/api/v1/authorizations/applyToken"
    exchanged(path=path, target=f"{scheme}://127.0.0.1:{portal.port}{path}")
    exchanged(path=f"{path}?a=1&b=%7E|x", target=f"{scheme}://127.0.0.1:{portal.port}{path}?a=1&b=%7E|x")


@pytest.mark.wire("4.1 check the host against ALLOWED_HOSTS")
@pytest.mark.parametrize("absolute", [True, False])
def test_a_host_that_is_not_allowed_is_refused(portal: PortalServer, wire: Wire, absolute: bool) -> None:
    target = f"https://evil.example{QUERY}" if absolute else QUERY
    answer = wire.call(QUERY, NO_TOKEN, target=target, host="evil.example")
    assert answer.status == 400
    assert dict(answer.headers)["trace-id"]


@pytest.mark.wire("4.1 accept absolute-form request targets and verify over the path alone")
@pytest.mark.parametrize("target", ["https://testserver{}", "/https://testserver{}", "http:/testserver{}"])
def test_servers_that_hand_over_the_whole_target_are_understood(shop_server: MerchantServer, target: str) -> None:
    """granian takes it apart by itself; runserver, uvicorn with h11, daphne and hypercorn do not."""
    headers = shop_server.headers(QUERY, NO_TOKEN)
    response = Client().generic("POST", "/", NO_TOKEN, JSON, headers=headers, PATH_INFO=target.format(QUERY))
    assert response.status_code == 200
    assert response.json()["result"]["resultCode"] == "INVALID_ACCESS_TOKEN"
    verify_answer(QUERY, "shop-client", response)


@pytest.mark.wire("4.1 check the host against ALLOWED_HOSTS")
@pytest.mark.parametrize("host", ["evil.example", "testserver@evil.example", "testserver.evil.example", "a b", ""])
def test_the_host_of_a_whole_target_is_the_one_that_counts(shop_server: MerchantServer, host: str) -> None:
    headers = shop_server.headers(QUERY, NO_TOKEN)
    response = Client().generic("POST", "/", NO_TOKEN, JSON, headers=headers, PATH_INFO=f"https://{host}{QUERY}")
    assert response.status_code == 400


@pytest.mark.parametrize(
    "target", ["/https://[", "/https://a]b/x", "//[::1/v1/authorizations/query", "/http:/", "/%00"]
)
def test_a_target_that_is_no_address_is_no_server_error(wire: Wire, target: str) -> None:
    assert 400 <= wire.call(QUERY, NO_TOKEN, target=target).status < 500


@pytest.mark.wire("4.1 verify the raw bytes; never parse and re-serialise")
def test_the_body_is_verified_as_sent(wire: Wire, portal: PortalServer) -> None:
    body = ' {\r\n\t"accessToken" :"none", "note": "caf\u00e9 \\u0063 1.00" }\n'.encode()
    assert wire.call(QUERY, body).code == "INVALID_ACCESS_TOKEN"
    assert portal.last_refusal() == "INVALID_ACCESS_TOKEN"


@pytest.mark.wire("4.1 a body in chunks")
def test_a_chunked_body_is_read(exchanged: Callable[..., Answer]) -> None:
    exchanged(chunked=True)


@pytest.mark.trust(36)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_ten_megabytes_gets_a_readable_answer(wire: Wire, portal: PortalServer, chunked: bool) -> None:
    body = b'{"accessToken": "%s"}' % (b"a" * 10_000_000)
    if chunked:
        lines = ["POST /v1/authorizations/query HTTP/1.1", "Host: localhost", "Connection: close"]
        raw = "\r\n".join([*lines, *wire.head(QUERY, body), "Transfer-Encoding: chunked", "", ""]).encode()
        answer = wire.exchange(raw + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    else:
        answer = wire.call(QUERY, body)
    assert (answer.status, answer.code) == (200, "PARAM_ILLEGAL")
    assert "64 kB" in json.loads(answer.body)["result"]["resultMessage"]
    wire.verify(QUERY, answer)
    assert portal.last_refusal() == "PARAM_ILLEGAL"


def test_a_connection_serves_call_after_call(wire: Wire, portal: PortalServer) -> None:
    """Java and Python keep theirs open: a refused body must not be read as the next request."""
    host = f"Host: 127.0.0.1:{portal.port}"
    big = b"x" * 100_000
    calls = [(QUERY, big, "keep-alive"), (QUERY, NO_TOKEN, "close")]
    raw = b""
    for path, body, connection in calls:
        lines = [f"POST {path} HTTP/1.1", host, f"Connection: {connection}", *wire.head(path, body)]
        raw += "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body
    answer = wire.exchange(raw)
    assert b"PARAM_ILLEGAL" in answer.body
    assert answer.body.endswith(b"}")
    assert b"INVALID_ACCESS_TOKEN" in answer.body
    assert portal.last_refusal() == "INVALID_ACCESS_TOKEN"


def test_our_keys_are_published_where_merchants_look(portal: PortalServer, wire: Wire) -> None:
    raw = f"GET /.well-known/jwks.json HTTP/1.1\r\nHost: 127.0.0.1:{portal.port}\r\nConnection: close\r\n\r\n"
    key = json.loads(wire.exchange(raw.encode()).body)["keys"][0]
    public = serialization.load_pem_public_key(portal.demo["platform"]["publicKey"].encode())
    assert isinstance(public, rsa.RSAPublicKey)
    modulus = base64.urlsafe_b64decode(key["n"] + "=" * (-len(key["n"]) % 4))
    assert int.from_bytes(modulus) == public.public_numbers().n
