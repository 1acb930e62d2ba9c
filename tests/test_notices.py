"""`manage.py deliver_notices`: when tokens die behind a merchant's back, it hears of it, signed (wire.md 5.5)."""

import base64
import io
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.core.management import call_command
from django.db import connections
from django.utils import timezone

from authapi import notices, platform
from portal.models import Merchant, MerchantNotice, MiniProgram, MiniProgramGrant, User
from tests.conftest import Container
from tests.merchants import ANSWER_SIGNATURE, MerchantServer

SUCCESS = json.dumps({"result": {"resultStatus": "S", "resultCode": "SUCCESS", "resultMessage": "ok"}}).encode()


class NotifiedMerchant:
    """A merchant's server on a real socket; `answer` is what it says to the next calls."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.answer: Callable[[BaseHTTPRequestHandler], None] = says(SUCCESS)
        merchant = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                merchant.calls.append({"path": self.path, "headers": self.headers, "body": body})
                merchant.answer(self)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/notify?shop=1"
        threading.Thread(target=self.server.serve_forever, args=[0.05], daemon=True).start()

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(call["body"]) for call in self.calls]


def says(body: bytes, status: int = 200, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def says_nothing(request: BaseHTTPRequestHandler) -> None:
    """Until the caller hangs up."""
    request.connection.settimeout(30)
    request.rfile.read(1)


def drips(request: BaseHTTPRequestHandler) -> None:
    """A byte every now and then: no single wait is long, the whole is endless."""
    request.send_response(200)
    request.send_header("Content-Length", "1000000")
    request.end_headers()
    try:
        while True:
            request.wfile.write(b" ")
            request.wfile.flush()
            time.sleep(0.05)
    except OSError:
        pass


@pytest.fixture
def listening(shop: MiniProgram) -> Iterator[NotifiedMerchant]:
    """Shop's server, registered as its notify URL."""
    merchant = NotifiedMerchant()
    Merchant.objects.filter(client_id="shop-client").update(notify_url=merchant.url)
    yield merchant
    merchant.server.shutdown()
    merchant.server.server_close()


@pytest.fixture
def notice(listening: NotifiedMerchant, shop: MiniProgram) -> MerchantNotice:
    """One notice that waits."""
    return MerchantNotice.objects.create(
        merchant=shop.merchant, body={"authorizationNotifyType": "TOKEN_CANCELED", "customerId": "secret-customer"}
    )


def deliver() -> str:
    out = io.StringIO()
    call_command("deliver_notices", stdout=out)
    return out.getvalue()


def due_now(notice: MerchantNotice) -> None:
    MerchantNotice.objects.filter(pk=notice.pk).update(due_at=timezone.now())


def verify(call: dict[str, Any]) -> None:
    """As a merchant does, with the platform's published key. Raises InvalidSignature."""
    match = ANSWER_SIGNATURE.fullmatch(call["headers"]["Signature"])
    assert match
    key = load_pem_public_key(platform.public_pem().encode())
    time_, client_id = call["headers"]["Request-Time"], call["headers"]["Client-Id"]
    message = f"POST {call['path']}\n{client_id}.{time_}.".encode() + call["body"]
    key.verify(base64.b64decode(unquote(match[1])), message, padding.PKCS1v15(), hashes.SHA256())  # type: ignore[union-attr, call-arg, arg-type]


def test_a_withdrawal_reaches_the_merchant_signed(
    alices: Container, alice: User, shop_server: MerchantServer, listening: NotifiedMerchant
) -> None:
    pair = shop_server.exchange(alices.code("shop", ["auth_base", "USER_NICKNAME"]))
    grant = MiniProgramGrant.objects.get(user=alice)
    alices.http.post(f"/permissions/{grant.pk}/withdraw/", {"csrfmiddlewaretoken": "x" * 32})

    assert deliver() == "Notices sent: 1, failed: 0.\n"

    (call,) = listening.calls
    verify(call)
    assert call["path"] == "/notify?shop=1"
    assert call["headers"]["Client-Id"] == "shop-client"
    assert call["headers"]["Content-Type"] == "application/json; charset=UTF-8"
    body = json.loads(call["body"])
    notice = MerchantNotice.objects.get()
    sent_at = datetime.fromisoformat(body.pop("notifyTime"))
    assert abs(sent_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert body == {
        "authorizationNotifyType": "TOKEN_CANCELED",
        "authClientId": "shop-client",
        "appId": "shop",
        "customerId": pair["customerId"],
        "reason": "USER_WITHDREW",
        "scopes": ["auth_base", "USER_NICKNAME"],
        "notifyId": str(notice.notify_id),
    }
    assert (notice.state, notice.attempts, notice.last_error) == ("SENT", 1, "")


def test_a_changed_notice_does_not_verify(notice: MerchantNotice, listening: NotifiedMerchant) -> None:
    deliver()
    (call,) = listening.calls
    verify(call)
    with pytest.raises(InvalidSignature):
        verify({**call, "body": call["body"].replace(b"TOKEN_CANCELED", b"TOKEN_CANCELLED")})
    with pytest.raises(InvalidSignature):
        verify({**call, "path": "/notify"})


def test_the_cancelling_merchant_itself_is_not_told(
    alices: Container, shop_server: MerchantServer, listening: NotifiedMerchant
) -> None:
    pair = shop_server.exchange(alices.code("shop", ["auth_base"]))
    shop_server.post("/v1/authorizations/cancelToken", accessToken=pair["accessToken"])
    assert deliver() == "Notices sent: 0, failed: 0.\n"
    assert listening.calls == []


def test_a_sent_notice_is_not_sent_again(notice: MerchantNotice, listening: NotifiedMerchant) -> None:
    deliver()
    due_now(notice)
    deliver()
    assert len(listening.calls) == 1


REFUSED = json.dumps({"result": {"resultStatus": "F", "resultCode": "PROCESS_FAIL"}}).encode()
UNKNOWN = json.dumps({"result": {"resultStatus": "U", "resultCode": "<b>x</b>"}}).encode()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (says(REFUSED), "the answer was not S but PROCESS_FAIL"),
        (says(UNKNOWN), "the answer was not S but no resultCode"),
        (says(SUCCESS, 500), "HTTP 500"),
        (says(SUCCESS, 201), "HTTP 201"),
        (says(b"<html>\0\xff"), "the answer holds no result.resultStatus"),
        (says(b""), "the answer holds no result.resultStatus"),
        (says(b"[]"), "the answer holds no result.resultStatus"),
        (says(b'{"result": "S"}'), "the answer holds no result.resultStatus"),
        (says(b'{"result": {"resultCode": "SUCCESS"}}'), "the answer holds no result.resultStatus"),
        (says(b"[" * 60000), "the answer holds no result.resultStatus"),
        (says(b" " * 70000 + SUCCESS), "the answer holds no result.resultStatus"),
    ],
    ids=["F", "U", "500", "201", "garbage", "empty", "list", "text", "no-status", "nested", "endless"],
)
def test_anything_but_s_is_tried_again(
    notice: MerchantNotice, listening: NotifiedMerchant, answer: Callable[..., None], error: str
) -> None:
    listening.answer = answer
    assert deliver() == "Notices sent: 0, failed: 1.\n"
    notice.refresh_from_db()
    assert (notice.state, notice.attempts, notice.last_error) == ("WAITING", 1, error)

    listening.answer = says(SUCCESS)
    assert deliver() == "Notices sent: 0, failed: 0.\n"  # the pause
    due_now(notice)
    assert deliver() == "Notices sent: 1, failed: 0.\n"
    first, second = listening.bodies
    assert first["notifyId"] == second["notifyId"]
    assert first["notifyTime"] < second["notifyTime"]
    notice.refresh_from_db()
    assert (notice.state, notice.attempts) == ("SENT", 2)


def test_a_redirect_is_not_followed(notice: MerchantNotice, listening: NotifiedMerchant) -> None:
    listening.answer = says(SUCCESS, 307, Location=f"{listening.url}&again")
    deliver()
    notice.refresh_from_db()
    assert notice.last_error == "HTTP 307"
    assert len(listening.calls) == 1


def test_pauses_double_up_to_an_hour(notice: MerchantNotice, listening: NotifiedMerchant) -> None:
    listening.answer = says(REFUSED)
    minutes = []
    for _attempt in range(9):
        due_now(notice)
        before = timezone.now()
        deliver()
        notice.refresh_from_db()
        minutes.append(round((notice.due_at - before) / timedelta(minutes=1)))
    assert minutes == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert (notice.state, notice.attempts) == ("WAITING", 9)


def test_after_24_hours_it_is_parked(notice: MerchantNotice, listening: NotifiedMerchant) -> None:
    listening.answer = says(REFUSED)
    MerchantNotice.objects.update(created=timezone.now() - timedelta(hours=23, minutes=59))
    deliver()
    notice.refresh_from_db()
    assert notice.state == "WAITING"

    MerchantNotice.objects.update(created=timezone.now() - timedelta(hours=24), due_at=timezone.now())
    deliver()
    notice.refresh_from_db()
    assert (notice.state, notice.attempts) == ("PARKED", 2)
    assert notice.last_error == "the answer was not S but PROCESS_FAIL"

    due_now(notice)
    deliver()
    assert len(listening.calls) == 2


def test_a_silent_merchant_is_left_after_the_timeout(
    notice: MerchantNotice, listening: NotifiedMerchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "TIMEOUT", 0.3)
    listening.answer = says_nothing
    begun = time.monotonic()
    deliver()
    assert time.monotonic() - begun < 5
    notice.refresh_from_db()
    assert (notice.state, notice.last_error) == ("WAITING", "no answer: TimeoutError")


def test_a_dripping_merchant_is_left_at_the_deadline(
    notice: MerchantNotice, listening: NotifiedMerchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "DEADLINE", 0.5)
    listening.answer = drips
    begun = time.monotonic()
    deliver()
    assert time.monotonic() - begun < 10
    notice.refresh_from_db()
    assert notice.state == "WAITING"
    assert notice.last_error


@pytest.mark.parametrize("url", ["", "ftp://127.0.0.1/notify", "http://127.0.0.1:1/", "http://127.0.0.1:99999/", "/x"])
def test_a_merchant_that_cannot_be_reached_is_tried_again(notice: MerchantNotice, url: str) -> None:
    Merchant.objects.update(notify_url=url)
    assert deliver() == "Notices sent: 0, failed: 1.\n"
    notice.refresh_from_db()
    assert (notice.state, notice.attempts) == ("WAITING", 1)
    assert notice.last_error


def test_a_dead_merchant_does_not_hold_up_another(
    notice: MerchantNotice, shop: MiniProgram, cafe: MiniProgram, listening: NotifiedMerchant
) -> None:
    for _ in range(3):
        MerchantNotice.objects.create(merchant=cafe.merchant, body={}, due_at=timezone.now() - timedelta(hours=1))
    Merchant.objects.filter(pk=cafe.merchant.pk).update(notify_url="http://127.0.0.1:1/")
    assert deliver() == "Notices sent: 1, failed: 1.\n"
    tried = MerchantNotice.objects.filter(merchant=cafe.merchant, attempts=1)
    assert tried.count() == 1


def test_the_path_is_signed_as_it_is_sent(notice: MerchantNotice, listening: NotifiedMerchant) -> None:
    Merchant.objects.update(notify_url=listening.url.replace("/notify?shop=1", "/nötig/a b?q=ü&r=%2F"))
    deliver()
    (call,) = listening.calls
    assert call["path"] == "/n%C3%B6tig/a%20b?q=%C3%BC&r=%2F"
    verify(call)


@pytest.mark.trust(7)
def test_the_log_holds_nothing_of_the_body(
    notice: MerchantNotice, listening: NotifiedMerchant, caplog: pytest.LogCaptureFixture
) -> None:
    listening.answer = says(b'{"result": {"resultStatus": "F", "resultCode": "secret-customer"}}')
    caplog.set_level("DEBUG")
    deliver()
    assert f"notice {notice.notify_id} to shop-client failed" in caplog.text
    assert "secret-customer" not in caplog.text
    notice.refresh_from_db()
    assert "secret-customer" not in notice.last_error


def test_two_workers_never_take_the_same_notice(notice: MerchantNotice) -> None:
    one = MerchantNotice.objects.get()
    other = MerchantNotice.objects.get()
    assert one.claim()
    assert not other.claim()
    assert MerchantNotice.objects.claim_next() is None
    notice.refresh_from_db()
    assert notice.attempts == 1


def test_a_worker_that_died_leaves_its_notice_to_the_others(
    notice: MerchantNotice, listening: NotifiedMerchant
) -> None:
    dead = MerchantNotice.objects.claim_next()
    assert dead == notice
    deliver()
    assert listening.calls == []
    due_now(notice)  # its lease is over
    deliver()
    assert len(listening.calls) == 1
    dead.failed("came back late")
    notice.refresh_from_db()
    assert notice.state == "SENT"


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_four_workers_send_forty_notices_once_each(shop: MiniProgram, listening: NotifiedMerchant) -> None:
    for _ in range(40):
        MerchantNotice.objects.create(merchant=shop.merchant, body={})

    def work() -> None:
        notices.deliver_due()
        connections.close_all()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    sent = [body["notifyId"] for body in listening.bodies]
    assert len(sent) == len(set(sent)) == 40
    assert MerchantNotice.objects.filter(state="SENT", attempts=1).count() == 40


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_watch_delivers_until_it_is_told_to_end(
    notice: MerchantNotice, listening: NotifiedMerchant, number: int
) -> None:
    usual = signal.getsignal(number)

    def stop_after_first() -> None:
        for _ in range(400):
            if listening.calls:
                break
            time.sleep(0.05)
        os.kill(os.getpid(), number)

    threading.Thread(target=stop_after_first, daemon=True).start()
    out = io.StringIO()
    call_command("deliver_notices", watch=True, stdout=out)
    assert out.getvalue() == "Notices sent: 1, failed: 0.\n"
    assert signal.getsignal(number) == usual
    notice.refresh_from_db()
    assert notice.state == "SENT"
