"""Bytes that are no proper HTTP, sent to a real granian: no server error, no hang, the next call works (trust 36)."""

import socket
import time
from collections.abc import Iterator

import pytest
import requests

from tests import servers
from tests.servers import PortalServer

pytestmark = [pytest.mark.process, pytest.mark.trust(36)]
QUERY = "POST /v1/authorizations/query HTTP/1.1\r\nHost: 127.0.0.1\r\n"
SIGNED = QUERY + "Client-Id: MERCHANT_COFFEE\r\nRequest-Time: 1\r\nSignature: signature=AAAA\r\n"
GET = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
SECONDS = 10  # for an answer


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalServer]:
    with servers.running(tmp_path_factory.mktemp("broken")) as server:
        yield server


def send(portal: PortalServer, raw: bytes) -> bytes:
    """What comes back until the other side closes, or falls silent after an answer."""
    with socket.create_connection(("127.0.0.1", portal.port), timeout=SECONDS) as wire:
        received = b""
        try:
            wire.sendall(raw)
            wire.shutdown(socket.SHUT_WR)
            while piece := wire.recv(65536):
                received += piece
        except TimeoutError:
            raise
        except OSError:  # it closed on us while we still wrote
            pass
        return received


def lives(portal: PortalServer) -> bool:
    return requests.get(f"{portal.base_url}/healthz", timeout=SECONDS).status_code == 200


BROKEN = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "nothing": b"",
    "only line ends": b"\r\n" * 50,
    "no version": b"GET /\r\n\r\n",
    "HTTP 9": b"GET / HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
    "HTTP 1.0": b"GET /healthz HTTP/1.0\r\n\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": (GET + "Host: evil.example\r\n\r\n").encode(),
    "an odd method": b"HACK /v1/authorizations/query HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n",
    "CONNECT": b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "TRACE": b"TRACE /v1/authorizations/query HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a header of 1 MB": (GET + "X-Long: " + "x" * 1_000_000 + "\r\n\r\n").encode(),
    "5000 headers": (GET + "".join(f"X-{n}: 1\r\n" for n in range(5000)) + "\r\n").encode(),
    "a path of 1 MB": b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a path of 30 kB": b"GET /v1/" + b"x" * 30_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a NUL in the path": b"POST /v1/authorizations/query%00 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n",
    "a bare NUL in the path": b"GET /a\0b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "no UTF-8 in the path": b"POST /v1/authorizations/%ff%fe HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n",
    "bare bytes in the path": b"GET /v1/authorizations/\xff\xfe HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "no UTF-8 in a page's path": b"GET /permissions/%ff/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "no UTF-8 in the query": b"POST /v1/authorizations/query?a=%ff&%00=\xfe HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "no UTF-8 in a page's query": b"GET /accounts/login/?next=%ff\xfe%00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "no UTF-8 in headers": QUERY.encode() + b"Client-Id: \xff\xfe\r\nSignature: \xe9\r\nCookie: \xff=\xfe\r\n\r\n",
    "a NUL in a header": QUERY.encode() + b"Client-Id: a\0b\r\n\r\n",
    "a header without name": QUERY.encode() + b": x\r\n\r\n",
    "a folded header": QUERY.encode() + b"Client-Id: a\r\n b\r\n\r\n",
    "a line feed alone": SIGNED.replace("\r\n", "\n").encode() + b"\n",
    "two lengths alike": (SIGNED + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}").encode(),
    "two lengths": (SIGNED + "Content-Length: 2\r\nContent-Length: 200\r\n\r\n{}").encode(),
    "a length and chunks": (
        SIGNED + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    ).encode(),
    "an odd transfer encoding": (SIGNED + "Transfer-Encoding: gzip, identity\r\nContent-Length: 2\r\n\r\n{}").encode(),
    "chunks twice": (SIGNED + "Transfer-Encoding: chunked, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n").encode(),
    "a negative length": (SIGNED + "Content-Length: -1\r\n\r\n{}").encode(),
    "a length in words": (SIGNED + "Content-Length: two\r\n\r\n{}").encode(),
    "a huge length": (SIGNED + "Content-Length: 99999999999999999999\r\n\r\n{}").encode(),
    "a chunk that is no number": (SIGNED + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n").encode(),
    "a huge chunk": (SIGNED + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}").encode(),
    "a body that breaks off": (SIGNED + "Content-Length: 100\r\n\r\n{").encode(),
    "chunks that break off": (SIGNED + "Transfer-Encoding: chunked\r\n\r\n64\r\n{").encode(),
    "a smuggled request": (SIGNED + "Content-Length: 2\r\n\r\n{}GET /admin/ HTTP/1.1\r\nHost: x\r\n\r\n").encode(),
    "an upgrade": (
        GET + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\n\r\n"
    ).encode(),
    "HTTP/2 out of the blue": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a websocket": (GET + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAA\r\n\r\n").encode(),
}


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN)
def test_broken_http_is_no_server_error_and_the_next_call_works(portal: PortalServer, raw: bytes) -> None:
    answer = send(portal, raw)
    assert not answer.startswith(b"HTTP/1.1 5"), answer[:300]
    assert b"Traceback" not in answer
    assert lives(portal)


def test_bodies_that_never_come_hold_up_nobody_else(portal: PortalServer) -> None:
    """More of them than the server has threads; each says it will send a body, and then does not."""
    waiting = [socket.create_connection(("127.0.0.1", portal.port), timeout=SECONDS) for _ in range(40)]
    try:
        for number, wire in enumerate(waiting):
            wire.sendall((SIGNED + ("Content-Length: 100\r\n\r\n{" if number % 2 else "X-Slow")).encode())
        time.sleep(0.5)
        assert lives(portal)
    finally:
        for wire in waiting:
            wire.close()
    assert lives(portal)
