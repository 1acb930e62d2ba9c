"""What the logs say, as lines and as JSON; and that no secret of a whole story is in them (trust 7)."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from django.test import Client

from portal.logs import JsonLineFormatter, LineFormatter
from portal.middleware import TraceIdFilter
from portal.models import MiniProgram, User
from portal.request_log import logger as requests_logger
from tests import careless, servers
from tests.conftest import PASSWORD, Container
from tests.killable import RemoteMerchant
from tests.merchants import MerchantServer

GUESS = "wrong horse battery staple"
FORMATTERS = {"line": LineFormatter, "json": JsonLineFormatter}


class Written(io.StringIO):
    """All that was logged, from DEBUG on where it is ours."""

    def lines(self) -> list[str]:
        return self.getvalue().splitlines()

    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines()]

    def of_requests(self) -> list[dict[str, Any]]:
        return [one for one in self.objects() if one["logger"] == "portal.requests"]


@pytest.fixture(params=FORMATTERS)
def written(request: Any, settings: Any) -> Iterator[Written]:
    yield from listening(request.param, settings)


@pytest.fixture
def as_json(settings: Any) -> Iterator[Written]:
    yield from listening("json", settings)


def listening(form: str, settings: Any) -> Iterator[Written]:
    settings.LOG_REQUESTS = True
    stream = Written()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(FORMATTERS[form]())
    handler.addFilter(TraceIdFilter())
    root, level = logging.getLogger(), requests_logger.level
    root.addHandler(handler)
    requests_logger.addHandler(handler)
    requests_logger.setLevel(logging.INFO)
    yield stream
    requests_logger.setLevel(level)
    requests_logger.removeHandler(handler)
    root.removeHandler(handler)


# --- A whole story --------------------------------------------------------------------------------------------


@pytest.mark.trust(7)
@pytest.mark.urls("tests.careless")
def test_no_secret_of_a_whole_story_is_logged(
    written: Written, alices: Container, alice: User, shop_server: MerchantServer
) -> None:
    code = alices.code("shop", ["auth_base", "USER_NICKNAME"])
    pair = shop_server.exchange(code)
    shop_server.exchange(code)  # its second use
    path = "/v2/users/inquiryUserInfo"
    body = json.dumps({"accessToken": pair["accessToken"]}).encode()
    signed = shop_server.headers(path, body)
    shop_server.send(path, body + b" ", **signed)  # a wrong signature
    shop_server.send(f"{path}?accessToken={pair['accessToken']}", body)
    shop_server.send(f"/v2/nowhere/{pair['refreshToken']}", body)
    browser = Client(raise_request_exception=False)
    browser.post("/accounts/login/", {"username": "+639171234567", "password": GUESS})
    browser.post("/accounts/login/", {"username": "alice", "password": PASSWORD})
    bearer = {"Authorization": f"Bearer {pair['accessToken']}"}
    browser.post(f"/careless/?code={code}", {"password": PASSWORD}, headers=bearer)
    browser.get(f"/nowhere/{code}/?token={pair['accessToken']}")
    browser.get("/", headers={"Host": "evil.example"})
    session = browser.cookies["sessionid"].value
    text = written.getvalue()
    assert "RuntimeError" in text  # the traceback of the page that failed, with the line of code
    assert "raise RuntimeError" in text
    secrets = [
        code,
        pair["accessToken"],
        pair["refreshToken"],
        pair["customerId"],
        PASSWORD,
        GUESS,
        session,
        *careless.SPOKEN,
    ]
    secrets += [signed["Signature"].rpartition("=")[2], "x" * 32]
    assert [secret for secret in secrets if secret in text] == []


# --- One object a line ----------------------------------------------------------------------------------------


def test_each_request_leaves_one_object(as_json: Written, alices: Container, shop_server: MerchantServer) -> None:
    code = alices.code("shop", ["auth_base"])
    response = shop_server.send(
        "/v1/authorizations/applyToken",
        json.dumps({"grantType": "AUTHORIZATION_CODE", "authCode": code, "appId": "shop"}).encode(),
    )
    line = as_json.of_requests()[-1]
    assert line.pop("time").endswith("+00:00")
    assert line.pop("ms") > 0
    assert line.pop("message").startswith("POST applyToken 200 SUCCESS ")
    assert line == {
        "level": "INFO",
        "logger": "portal.requests",
        "trace_id": response["Trace-Id"],
        "method": "POST",
        "endpoint": "applyToken",
        "status": 200,
        "code": "SUCCESS",
        "client_id": "shop-client",
        "app_id": "shop",
    }
    assert as_json.of_requests()[0]["app_id"] == "shop"  # getAuthCode's


def test_a_refusal_says_its_code_and_no_more_of_the_caller_than_is_proved(
    as_json: Written, shop_server: MerchantServer
) -> None:
    path, body = "/v2/authorizations/applyToken", b'{"appId": "nonsense"}'
    response = shop_server.send(path, body, Signature="algorithm=RSA256, keyVersion=1, signature=bm9uZQ==")
    line = as_json.of_requests()[-1]
    assert (line["status"], line["code"], line["trace_id"]) == (200, "INVALID_SIGNATURE", response["Trace-Id"])
    assert not {"client_id", "app_id"} & line.keys()


def test_pages_and_what_is_nowhere_have_lines_too(as_json: Written, browser: Client) -> None:
    browser.get("/permissions/?q=secret")
    missing = browser.generic("BREW", "/nowhere/")
    page, nowhere = as_json.of_requests()
    assert (page["method"], page["endpoint"], page["status"]) == ("GET", "permissions", 200)
    assert (nowhere["method"], nowhere["endpoint"], nowhere["status"]) == ("other", "unknown", 404)
    told = next(one for one in as_json.objects() if one["logger"] == "django.request")
    assert told["trace_id"] == missing["Trace-Id"]  # although Django says it when its middleware is through
    assert "request" not in told
    assert "secret" not in as_json.getvalue()


def test_probes_leave_no_line(as_json: Written, client: Client, db: None) -> None:
    for probe in ("/healthz", "/readyz", "/metrics"):
        assert client.get(probe).status_code == 200
    assert as_json.of_requests() == []


@pytest.mark.urls("tests.careless")
def test_an_exception_is_one_object_with_its_trace_id(as_json: Written, db: None) -> None:
    client = Client(raise_request_exception=False)
    response = client.post("/careless/", {"password": "p"}, headers={"Authorization": "Bearer x"})
    assert response.status_code == 500
    (told,) = [one for one in as_json.objects() if one["level"] == "ERROR"]
    assert told["trace_id"] == response["Trace-Id"]
    assert told["exception"].splitlines()[-1] == "RuntimeError: token •••, •••, •••, postgres://•••@db/portal"


def test_words_of_ours_stay_readable() -> None:
    record = logging.makeLogRecord(
        {"msg": "grant %s of portal_user 12 could not be ended at 2026-11-23T08:00:00+00:00", "args": ("Yb7Kc2",)}
    )
    line = LineFormatter().format(record)
    assert line.endswith("grant Yb7Kc2 of portal_user 12 could not be ended at 2026-11-23T08:00:00+00:00")


# --- A real server --------------------------------------------------------------------------------------------


@pytest.mark.process
@pytest.mark.trust(7)
def test_a_server_in_json_mode_writes_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_FORMAT", "json")
    config = ["--log-config", "deploy/granian-log.json"]
    with servers.running(tmp_path, options=config) as portal:
        code = portal.code("alice", "coffee", ["auth_base"])
        pair = RemoteMerchant(portal, portal.program("coffee")).exchange(code)
        requests.get(f"{portal.base_url}/nowhere/?token={pair['accessToken']}", timeout=10)
    lines = [json.loads(line) for line in portal.log.read_text().splitlines()]
    assert {line["endpoint"] for line in lines if line["logger"] == "portal.requests"} >= {"applyToken", "login"}
    assert any(line["logger"] == "_granian" for line in lines)
    assert all(line["time"] and line["level"] and line["trace_id"] and line["message"] for line in lines)
    text = portal.log.read_text()
    assert [hidden for hidden in (code, pair["accessToken"], pair["refreshToken"]) if hidden in text] == []


def test_without_being_asked_for_no_request_leaves_a_line(browser: Client, caplog: Any, shop: MiniProgram) -> None:
    browser.get("/permissions/")
    assert [record for record in caplog.records if record.name == "portal.requests"] == []
