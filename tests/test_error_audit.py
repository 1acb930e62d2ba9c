"""The error audit: one row a refusal, never a secret, and never in the way of the answer."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from authapi.models import ErrorAudit
from portal.models import ConsentDecision, MerchantNotice, MiniProgram, MiniProgramGrant, PendingConsent, User
from tests.conftest import Container
from tests.merchants import MerchantServer

Audited = Callable[..., ErrorAudit]
GET_AUTH_CODE = "/v1/authorizations/getAuthCode"
APPLY_TOKEN = "/v2/authorizations/applyToken"


def every_column() -> str:
    return str(list(ErrorAudit.objects.values()))


def test_a_refusal_leaves_one_row_that_matches_its_answer(
    alices: Container, alice: User, cafe: MiniProgram, audited: Audited
) -> None:
    headers = {"X-CSRFToken": "x" * 32}
    response = alices.http.post(
        GET_AUTH_CODE,
        {"appId": "cafe", "scopes": ["USER_NAME"]},
        content_type="application/json",
        headers=headers,
        REMOTE_ADDR="203.0.113.7",
    )
    row = audited(
        "2",
        endpoint=GET_AUTH_CODE,
        app_id="cafe",
        client_id="",
        user=alice,
        scopes=["USER_NAME"],
        address="203.0.113.7",
    )
    assert row.trace_id == response["Trace-Id"]
    assert ErrorAudit.objects.count() == 1
    assert str(row) == f"2 at {GET_AUTH_CODE}"


def test_a_merchants_refusal_leaves_one_row_too(shop_server: MerchantServer, audited: Audited) -> None:
    shop_server.exchange("no such code")
    audited("INVALID_AUTHCODE", endpoint=APPLY_TOKEN, client_id="shop-client", address="127.0.0.1")
    assert ErrorAudit.objects.count() == 1


def test_a_success_and_a_question_leave_none(alices: Container, shop: MiniProgram) -> None:
    alices.get_auth_code("shop")
    alices.get_auth_code("shop", ["USER_NAME"])
    assert not ErrorAudit.objects.exists()


def test_a_caller_without_address_leaves_a_row(alices: Container, audited: Audited) -> None:
    alices.http.get(GET_AUTH_CODE, REMOTE_ADDR="")  # what a Unix socket gives
    audited("405", address=None)


def test_the_row_outlives_the_person(alices: Container, alice: User, audited: Audited) -> None:
    alices.get_auth_code("nobody")
    alice_id = alice.pk
    alice.delete()
    assert audited("2").user_id == alice_id


@pytest.mark.trust(7)
def test_no_row_holds_a_code_a_token_or_a_signature(
    alices: Container, shop: MiniProgram, shop_server: MerchantServer, cafe_server: MerchantServer
) -> None:
    code = alices.code("shop", ["auth_base", "USER_NAME"])
    used, waiting = code, alices.code("shop", ["USER_NAME"])
    pair = shop_server.exchange(code)
    access, refresh = pair["accessToken"], pair["refreshToken"]
    secrets = [used, waiting, access, refresh]
    headers = cafe_server.headers(APPLY_TOKEN, b"{}")
    for secret in secrets:
        for server in (shop_server, cafe_server):
            for path in ("/v1/authorizations/applyToken", APPLY_TOKEN):
                server.post(path, grantType=secret, authCode=secret)
                server.post(path, grantType="AUTHORIZATION_CODE", authCode=secret, appId="other")
                server.post(path, grantType="REFRESH_TOKEN", refreshToken=secret, authClientId=secret)
                server.post(path, grantType="AUTHORIZATION_CODE", authCode=[secret], **{secret: secret})
            server.post("/v1/users/inquiryUserInfo", accessToken=secret, appId="other")
            server.post("/v1/authorizations/query", accessToken=secret, appId="other")
            server.send(APPLY_TOKEN, b'{"' + secret.encode() + b'": 1, "' + secret.encode() + b'": 1}')
        alices.get_auth_code("shop", [secret], consentId=secret)
        alices.get_auth_code("shop", [secret])
        report = {"appId": "shop", "error": 10, "errorMessage": f"token={secret}", "scopes": [secret]}
        alices.post("/v1/authorizations/reportError", report)
    cafe_server.send(APPLY_TOKEN, b"{} ", Signature=headers["Signature"])
    signature = headers["Signature"].split("signature=")[1]
    assert ErrorAudit.objects.count() >= 60
    for secret in (*secrets, signature):
        assert secret not in every_column()


@pytest.mark.trust(36)
def test_what_a_caller_writes_is_cut_and_cleaned(alices: Container, alice: User, audited: Audited) -> None:
    long = "x" * 128
    alices.get_auth_code(long, ["y" * 64] * 50)
    audited("2", app_id=long, scopes=["y" * 64] * 50)
    body = b'{"appId": "a\\u0000b", "scopes": ["c\\u0000d", 7, null, {"e": "f"}]}'
    assert alices.post(GET_AUTH_CODE, body).json()["error"] == 2
    audited("2", app_id="a�b", scopes=["c�d", "7", "None", "{'e': 'f'}"])
    alices.post(GET_AUTH_CODE, {"appId": "z" * 5000, "scopes": ["s"] * 500})
    audited("2", app_id="z" * 128, scopes=["s"] * 50)
    alices.http.get("/v1/authorizations/consents/" + "c" * 500)
    row = audited("404", user=alice)
    assert len(row.endpoint) == 200


def out_of_order(table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO out_of_order")


def in_order(table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE out_of_order RENAME TO {table}")


@pytest.mark.parametrize("caller", ["container", "merchant", "report", "nobody"])
def test_a_row_that_cannot_be_written_does_not_change_the_answer(
    caller: str,
    alices: Container,
    container: Callable[[User | None], Container],
    shop_server: MerchantServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls: dict[str, Callable[[], Any]] = {
        "container": lambda: alices.get_auth_code("nobody"),
        "merchant": lambda: shop_server.exchange("a-code-nobody-made"),
        "report": lambda: alices.post("/v1/authorizations/reportError", {"appId": "shop", "error": 10}).json(),
        "nobody": lambda: container(None).post(GET_AUTH_CODE, {}).json(),
    }
    before = calls[caller]()
    out_of_order("authapi_erroraudit")
    caplog.clear()
    assert calls[caller]() == before
    in_order("authapi_erroraudit")
    assert ErrorAudit.objects.count() == 1
    assert "error audit row lost" in caplog.text
    assert "a-code-nobody-made" not in caplog.text


def test_a_lost_row_undoes_nothing_of_the_call(alices: Container, shop: MiniProgram) -> None:
    consent_id = alices.get_auth_code("shop", ["USER_NAME"])["consentId"]
    out_of_order("authapi_erroraudit")
    assert alices.decide(consent_id, [])["error"] == 11
    in_order("authapi_erroraudit")
    assert PendingConsent.objects.get().decided_at
    assert ConsentDecision.objects.get().act == "refused"
    assert not MiniProgramGrant.objects.exists()
    assert not MerchantNotice.objects.exists()


@pytest.mark.trust(7)
def test_a_log_line_of_an_unforeseen_error_holds_no_secret(
    alices: Container, shop: MiniProgram, shop_server: MerchantServer, caplog: pytest.LogCaptureFixture
) -> None:
    code = alices.code("shop", ["auth_base"])
    MiniProgram.objects.update(features=7)  # no list: our code stumbles over it
    assert shop_server.exchange(code)["result"]["resultCode"] == "UNKNOWN_EXCEPTION"
    assert "unforeseen error" in caplog.text
    assert code not in caplog.text
