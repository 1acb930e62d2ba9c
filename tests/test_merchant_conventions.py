"""What holds for every merchant endpoint: addresses, common codes, the shape of an answer (wire.md 3)."""

import json
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from authapi import results
from authapi.models import ErrorAudit
from portal.middleware import TraceIdFilter
from portal.models import Merchant
from tests.conftest import Container, make_program
from tests.merchants import MerchantServer, public_pem, verify_answer

ENDPOINTS = [
    "/v1/authorizations/applyToken",
    "/v2/authorizations/applyToken",
    "/v1/users/inquiryUserInfo",
    "/v2/users/inquiryUserInfo",
    "/v1/customers/user/inquiryUserInfoByAccessToken",
    "/v2/customers/user/inquiryUserInfo",
    "/v1/authorizations/cancelToken",
    "/v1/authorizations/revoke",
    "/v2/authorizations/revoke",
    "/v1/authorizations/query",
]
PREFIXES = ["/ams/api", "/ams/sandbox/api", "/aps/api", "/api/open", "/miniprogram/api"]
EVERY_ENDPOINT = pytest.mark.parametrize("path", ENDPOINTS)
Audited = Callable[..., ErrorAudit]


def result(answer: dict[str, Any]) -> tuple[str, str]:
    """(status, code) of an answer whose message keeps the rules: at most 256 characters, never empty."""
    assert list(answer["result"]) == ["resultStatus", "resultCode", "resultMessage"]
    assert 0 < len(answer["result"]["resultMessage"]) <= 256
    return answer["result"]["resultStatus"], answer["result"]["resultCode"]


# --- Addresses ----------------------------------------------------------------------------------------------------


@pytest.mark.wire("3 GATEWAY_PREFIXES; the signature covers the path as requested")
@pytest.mark.parametrize("prefix", ["", *PREFIXES])
def test_every_endpoint_stands_under_every_gateway_prefix(shop_server: MerchantServer, prefix: str) -> None:
    for path in ENDPOINTS:
        field = "grantType: " if "applyToken" in path else "accessToken: "
        for tail in ("", ".htm", "?a=1&b=%7Ex|y"):
            answer = shop_server.post(prefix + path + tail)
            assert result(answer) == ("F", "PARAM_ILLEGAL")
            assert answer["result"]["resultMessage"].startswith(field)


@pytest.mark.wire("3 GATEWAY_PREFIXES; the signature covers the path as requested")
def test_a_signature_over_another_prefix_does_not_verify(shop_server: MerchantServer, audited: Audited) -> None:
    signed = shop_server.headers("/v1/authorizations/query", b"{}")
    response = shop_server.send("/ams/api/v1/authorizations/query", b"{}", **signed)
    assert result(response.json()) == ("F", "INVALID_SIGNATURE")
    audited("INVALID_SIGNATURE", client_id="shop-client", endpoint="/ams/api/v1/authorizations/query")


@pytest.mark.wire("3 a trailing .htm is accepted")
def test_a_code_is_exchanged_at_a_gateway_address_with_htm(alices: Container, shop_server: MerchantServer) -> None:
    code = alices.code("shop", ["auth_base"])
    pair = shop_server.exchange(code, "/ams/api/v1/authorizations/applyToken.htm")
    assert result(pair) == ("S", "SUCCESS")


@pytest.mark.wire("4.1 client ids beginning SANDBOX_ call /ams/sandbox/api")
def test_a_sandbox_client_calls_the_sandbox_gateway(alices: Container, shop_server: MerchantServer) -> None:
    sandbox = MerchantServer("SANDBOX_deli")
    merchant = Merchant.objects.create(
        client_id="SANDBOX_deli", name="Deli", sector=Merchant.objects.get(client_id="shop-client").sector
    )
    merchant.keys.create(version=1, public_key=public_pem("SANDBOX_deli"))
    make_program("deli", ["auth_base"], merchant)
    code = alices.code("deli", ["auth_base"])
    pair = sandbox.exchange(code, "/ams/sandbox/api/v1/authorizations/applyToken")
    assert result(pair) == ("S", "SUCCESS")


@pytest.mark.wire("3 INVALID_API")
@pytest.mark.parametrize(
    "path",
    [
        "/v1/authorizations/nothing",
        "/v1/authorizations/applyToken/",
        "/v1/authorizations/applytoken",
        "/v1/authorizations/applyToken.html",
        "/v1/authorizations/applyToken%0A",
        "/v3/authorizations/applyToken",
        "/v0/authorizations/applyToken",
        "/v12/authorizations/applyToken",
        "/v2/authorizations/query",
        "/v2/authorizations/cancelToken",
        "/v1",
        "/v1/",
        "/ams/api/v1/nothing",
        "/ams/api/v9/authorizations/applyToken",
        "/ams/api/authorizations/applyToken",
        "/ams/api/",
        "/ams/sandbox/api/nothing",
        "/api/open/x",
    ],
)
def test_an_unknown_path_or_version_is_invalid_api(shop_server: MerchantServer, audited: Audited, path: str) -> None:
    response = shop_server.send(path, b"{}")
    assert response.status_code == 200
    assert result(response.json()) == ("F", "INVALID_API")
    verify_answer(path, "shop-client", response)
    audited("INVALID_API", client_id="shop-client")


@pytest.mark.wire("3 INVALID_API")
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("path", ["/v2/authorizations/applyToken", "/aps/api/v1/nothing", "/v1/tools/verifySignature"])
def test_every_method_but_post_is_invalid_api(
    shop_server: MerchantServer, audited: Audited, path: str, method: str
) -> None:
    response = Client().generic(method, path, headers={"Client-Id": "shop-client"})
    assert response.status_code == 200
    assert result(response.json()) == ("F", "INVALID_API")
    assert "POST" in response.json()["result"]["resultMessage"]
    verify_answer(path, "shop-client", response)
    audited("INVALID_API", client_id="shop-client", endpoint=path)


# --- Common codes -------------------------------------------------------------------------------------------------


@pytest.mark.wire("3 SUCCESS")
def test_success_has_its_fixed_words(alices: Container, shop_server: MerchantServer) -> None:
    pair = shop_server.exchange(alices.code("shop", ["auth_base"]))
    assert pair["result"] == {"resultStatus": "S", "resultCode": "SUCCESS", "resultMessage": "success"}
    assert not ErrorAudit.objects.exists()


@pytest.mark.wire("3 PARAM_ILLEGAL")
@pytest.mark.parametrize("header", ["Client-Id", "Request-Time", "Signature"])
@EVERY_ENDPOINT
def test_a_missing_header_is_named(shop_server: MerchantServer, audited: Audited, path: str, header: str) -> None:
    response = shop_server.send(path, b"{}", **{header: ""})
    assert response.status_code == 200
    assert result(response.json()) == ("F", "PARAM_ILLEGAL")
    assert response.json()["result"]["resultMessage"].startswith(f"{header}: ")
    audited("PARAM_ILLEGAL", endpoint=path, client_id="" if header == "Client-Id" else "shop-client")
    if header == "Client-Id":
        assert "signature" not in response.headers
    else:
        verify_answer(path, "shop-client", response)


@pytest.mark.wire("4 Client-Id at most 128")
def test_a_client_id_too_long_is_named(db: None, audited: Audited) -> None:
    stranger = MerchantServer("c" * 129, key="stranger")
    answer = stranger.post("/v1/authorizations/query")
    assert result(answer) == ("F", "PARAM_ILLEGAL")
    assert answer["result"]["resultMessage"].startswith("Client-Id: ")
    audited("PARAM_ILLEGAL", client_id="c" * 128)


@pytest.mark.wire("3 INVALID_CLIENT")
@EVERY_ENDPOINT
def test_an_unknown_client_is_invalid_and_gets_a_signed_answer(db: None, audited: Audited, path: str) -> None:
    answer = MerchantServer("nobody").post(path)
    assert result(answer) == ("F", "INVALID_CLIENT")
    assert "Client-Id" in answer["result"]["resultMessage"]
    audited("INVALID_CLIENT", client_id="nobody", endpoint=path)


@pytest.mark.wire("3 INVALID_CLIENT")
@pytest.mark.parametrize("client_id", ["SHOP-CLIENT", "shop-client\u00e9", "'; --", "shop-client,shop-client"])
def test_only_the_exact_client_id_is_known(shop_server: MerchantServer, audited: Audited, client_id: str) -> None:
    response = shop_server.send("/v1/authorizations/query", b"{}", **{"Client-Id": client_id})
    assert response.status_code == 200
    assert result(response.json()) == ("F", "INVALID_CLIENT")
    audited("INVALID_CLIENT")


@pytest.mark.wire("3 INVALID_SIGNATURE")
@EVERY_ENDPOINT
def test_a_forged_call_is_refused_everywhere(shop_server: MerchantServer, audited: Audited, path: str) -> None:
    answer = MerchantServer("shop-client", key="mallory").post(path, accessToken="x", appId="shop")
    assert result(answer) == ("F", "INVALID_SIGNATURE")
    audited("INVALID_SIGNATURE", client_id="shop-client", app_id="shop", endpoint=path)


@pytest.mark.wire("3 KEY_NOT_FOUND")
def test_a_client_without_a_key_gets_key_not_found(shop_server: MerchantServer, audited: Audited) -> None:
    Merchant.objects.get(client_id="shop-client").keys.all().delete()
    assert result(shop_server.post("/v1/authorizations/query")) == ("F", "KEY_NOT_FOUND")
    audited("KEY_NOT_FOUND", client_id="shop-client")


@pytest.mark.wire("3 UNKNOWN_EXCEPTION")
@EVERY_ENDPOINT
def test_our_own_fault_is_u_and_signed(
    shop_server: MerchantServer, audited: Audited, settings: Any, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A setting of the wrong type breaks every call where the clock is compared."""
    settings.REQUEST_TIME_WINDOW = None
    answer = shop_server.post(path)
    assert result(answer) == ("U", "UNKNOWN_EXCEPTION")
    assert "TypeError" not in str(answer)
    row = audited("UNKNOWN_EXCEPTION", client_id="shop-client", endpoint=path)
    assert "TypeError" in row.reason
    assert any(record.exc_info for record in caplog.records)


# --- The shape of an answer ---------------------------------------------------------------------------------------


@pytest.mark.wire("3 every answer carries Trace-Id; the same id stands on the audit row and in the logs")
def test_the_trace_id_is_on_answer_audit_row_and_log(
    shop_server: MerchantServer, audited: Audited, settings: Any
) -> None:
    logged: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.append(vars(record)["trace_id"])

    handler = Listener()
    handler.addFilter(TraceIdFilter())
    logging.getLogger("authapi").addHandler(handler)
    settings.REQUEST_TIME_WINDOW = None
    try:
        responses = [shop_server.send("/v1/authorizations/query", b"{}") for _ in range(2)]
    finally:
        logging.getLogger("authapi").removeHandler(handler)
    ids = [response["Trace-Id"] for response in responses]
    assert ids[0] != ids[1]
    assert logged == ids
    assert audited("UNKNOWN_EXCEPTION").trace_id == ids[1]


@pytest.mark.wire("3 every answer carries Trace-Id")
@pytest.mark.parametrize("path", ["/v2/authorizations/applyToken", "/v1/nothing", "/.well-known/jwks.json"])
def test_every_answer_carries_a_trace_id(shop_server: MerchantServer, path: str) -> None:
    assert len(Client().get(path)["Trace-Id"]) == 32


@pytest.mark.wire("3 unknown request fields are ignored")
@EVERY_ENDPOINT
def test_unknown_fields_are_ignored(alices: Container, shop_server: MerchantServer, path: str) -> None:
    code = alices.code("shop", ["auth_base"])
    more: dict[str, Any] = {"unknown": {"a": [1, None, True]}, "user": "bob", "version": 3, "": "", "scopes": "all"}
    if "applyToken" in path:
        answer = shop_server.post(path, grantType="AUTHORIZATION_CODE", authCode=code, **more)
    else:
        answer = shop_server.post(path, accessToken=shop_server.exchange(code)["accessToken"], **more)
    assert result(answer) == ("S", "SUCCESS")


@pytest.mark.wire("3 optional fields are omitted or null, never empty")
@EVERY_ENDPOINT
def test_optional_fields_may_be_null_or_empty_and_none_is_answered_empty(
    alices: Container, shop_server: MerchantServer, path: str
) -> None:
    for nothing in (None, ""):
        fields: dict[str, Any] = dict.fromkeys(["appId", "authClientId", "extendInfo"], nothing)
        code = alices.code("shop", ["auth_base"])
        if "applyToken" in path:
            more = dict.fromkeys(["referenceClientId", "refreshToken", "customerBelongsTo", "merchantRegion"], nothing)
            answer = shop_server.post(path, grantType="AUTHORIZATION_CODE", authCode=code, **fields, **more)
        else:
            answer = shop_server.post(path, accessToken=shop_server.exchange(code)["accessToken"], **fields)
        assert result(answer) == ("S", "SUCCESS")
        assert '""' not in json.dumps(answer)
        assert "null" not in json.dumps(answer)


@pytest.mark.wire("3 times are ISO-8601 with offset")
def test_times_are_iso_8601_with_offset(alices: Container, shop_server: MerchantServer) -> None:
    pair = shop_server.exchange(alices.code("shop", ["auth_base"]))
    response = shop_server.send("/v1/authorizations/query", json.dumps({"accessToken": pair["accessToken"]}).encode())
    for text in (
        pair["accessTokenExpiryTime"],
        pair["refreshTokenExpiryTime"],
        response.json()["accessTokenExpiryTime"],
        response["response-time"],
    ):
        assert datetime.fromisoformat(text).tzinfo is not None


@pytest.mark.wire("3 resultMessage is at most 256 characters")
def test_no_message_is_longer_than_256_characters(shop_server: MerchantServer, audited: Audited) -> None:
    long = "\U0001f600" * 400
    for body in (b'{"%s": 1, "%s": 2}' % (long.encode(), long.encode()), json.dumps({"appId": long}).encode()):
        response = shop_server.send("/v2/authorizations/applyToken", body)
        assert result(response.json()) == ("F", "PARAM_ILLEGAL")
        audited("PARAM_ILLEGAL", client_id="shop-client")
    assert len(results.ParamIllegal("x" * 300).message) == 256


def test_answers_are_never_cached(shop_server: MerchantServer) -> None:
    assert shop_server.send("/v1/authorizations/query", b"{}")["Cache-Control"] == "no-store"


def test_a_callers_address_stands_on_the_audit_row(shop_server: MerchantServer, audited: Audited) -> None:
    assert result(shop_server.post("/v1/authorizations/query", appId="shop")) == ("F", "PARAM_ILLEGAL")
    audited("PARAM_ILLEGAL", address="127.0.0.1", app_id="shop")
