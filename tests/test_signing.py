"""RSA256 signing (wire.md 4): the pure functions, and what a signed call must survive or not."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from django.utils import timezone as django_timezone

from authapi import signing
from portal import keys
from portal.models import Merchant
from portal.models.merchants import rsa_public_key
from tests.merchants import MerchantServer, key_of, public_pem

QUERY = "/v1/authorizations/query"
BODY = b'{"accessToken": "none"}'
RAW = bytes(range(256))  # a signature whose base64 holds +, / and =


def code_of(response: Any) -> str:
    assert response.status_code == 200
    return str(response.json()["result"]["resultCode"])


def message_of(response: Any) -> str:
    return str(response.json()["result"]["resultMessage"])


# --- Pure functions -----------------------------------------------------------------------------------------------


@pytest.mark.wire("4 string to sign")
def test_string_to_sign_is_the_body_as_transmitted() -> None:
    body = b'{ "nickName" :\r\n"caf\xc3\xa9"}\n'
    found = signing.string_to_sign("/v1/a?b=c", "shop", "2026-11-22T07:40:35+00:00", body)
    assert found == b"POST /v1/a?b=c\nshop.2026-11-22T07:40:35+00:00." + body


@pytest.mark.wire("4.1 unquote, never unquote_plus")
@pytest.mark.parametrize(
    "value",
    [
        quote(base64.b64encode(RAW).decode(), safe=""),
        quote(base64.b64encode(RAW).decode(), safe="").replace("%2B", "%2b").replace("%2F", "%2f"),
        base64.b64encode(RAW).decode().replace("=", "%3D"),
        base64.b64encode(RAW).decode(),
        base64.b64encode(RAW).decode().rstrip("="),
        base64.urlsafe_b64encode(RAW).decode(),
        base64.urlsafe_b64encode(RAW).decode().rstrip("="),
    ],
    ids=[
        "percent",
        "lower hex digits",
        "only the padding",
        "plain",
        "plain unpadded",
        "URL-safe",
        "URL-safe unpadded",
    ],
)
def test_a_signature_is_read_in_every_encoding_clients_use(value: str) -> None:
    assert signing.decode(value) == RAW


@pytest.mark.parametrize("value", ["*", "a b", "%ZZ", "caf\u00e9", "%C3%A9", "YQ==YQ==", "a"])
def test_what_is_no_base64_is_malformed(value: str) -> None:
    with pytest.raises(signing.MalformedError):
        signing.decode(value)


@pytest.mark.wire("4 Signature header")
@pytest.mark.parametrize(
    ("text", "algorithm", "version"),
    [
        ("algorithm=RSA256, keyVersion=1, signature=YWJj", "RSA256", 1),
        ("algorithm=RSA256,keyVersion=7,signature=YWJj", "RSA256", 7),
        ("algorithm=rsa256 ,  keyVersion = 2 , signature = YWJj", "rsa256", 2),
        ("signature=YWJj, keyVersion=3, algorithm=RSA256", "RSA256", 3),
        ("algorithm=RSA256, signature=YWJj", "RSA256", 1),
        ("Algorithm=RSA256, KEYVERSION=4, Signature=YWJj", "RSA256", 4),
        ("algorithm=RSA256,keyVersion=1,signature=YWJj,", "RSA256", 1),
    ],
)
def test_the_signature_header_is_read_as_clients_write_it(text: str, algorithm: str, version: int) -> None:
    assert signing.parse_header(text) == signing.SignatureHeader(algorithm, version, b"abc")


@pytest.mark.parametrize(
    "text", ["", "YWJj", "algorithm=RSA256, keyVersion=1", "keyVersion=x, signature=YWJj", "signature=,keyVersion=1"]
)
def test_a_signature_header_without_its_parts_is_malformed(text: str) -> None:
    with pytest.raises(signing.MalformedError):
        signing.parse_header(text)


@pytest.mark.wire("4.1 Request-Time forms")
@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T07:40:35+00:00",
        "2026-11-22T07:40:35+0000",
        "2026-11-22T07:40:35Z",
        "2026-11-22T15:40:35+08:00",
        "2026-11-22T07:40:35.000+00:00",
        "2026-11-22T07:40:35.000000000Z",
        "1795333235000",
    ],
)
def test_a_request_time_is_read_in_every_form_clients_use(text: str) -> None:
    assert signing.parse_time(text) == datetime(2026, 11, 22, 7, 40, 35, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "now", "2026-11-22T07:40:35", "1795333235", "17953332350000", "2026-13-22T07:40:35Z", "\u0661" * 13]
)
def test_what_is_no_request_time_is_malformed(text: str) -> None:
    with pytest.raises(signing.MalformedError):
        signing.parse_time(text)


def test_our_header_is_read_back_by_our_reader() -> None:
    text = signing.header(RAW, "2")
    assert signing.parse_header(text) == signing.SignatureHeader("RSA256", 2, RAW)
    assert not set(text.split("signature=")[1]) & set("=+/")


def test_what_we_sign_verifies_with_our_key_and_no_other() -> None:
    signature = signing.sign(key_of("one"), b"message")
    assert signing.verify(key_of("one").public_key(), b"message", signature)
    assert not signing.verify(key_of("one").public_key(), b"messagE", signature)
    assert not signing.verify(key_of("two").public_key(), b"message", signature)
    assert not signing.verify(key_of("one").public_key(), b"message", b"")


def test_only_an_rsa_key_of_2048_bits_signs() -> None:
    assert signing.load_private_key("a remark\n" + keys.new_private_key()).key_size == 2048
    with pytest.raises(ValueError, match="no PEM"):
        signing.load_private_key("")
    for key in (rsa.generate_private_key(65537, 1024), ec.generate_private_key(ec.SECP256R1())):
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with pytest.raises(ValueError, match="2048"):
            signing.load_private_key(pem.decode())


@pytest.mark.wire("4 keys: X.509 SubjectPublicKeyInfo, PEM or bare base64")
def test_a_public_key_is_read_as_pem_and_as_bare_base64() -> None:
    pem = public_pem("one")
    bare = "".join(line for line in pem.splitlines() if "-----" not in line)
    folded = "\r\n".join(bare[start : start + 64] for start in range(0, len(bare), 64))
    numbers = {rsa_public_key(text).public_numbers().n for text in (pem, f"\n{pem}\n", bare, folded)}
    assert numbers == {key_of("one").public_key().public_numbers().n}


# --- Over HTTP ----------------------------------------------------------------------------------------------------


@pytest.mark.wire("4 Signature: three encodings")
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode], ids=["plain", "URL-safe"])
def test_each_encoding_verifies_over_http(shop_server: MerchantServer, encode: Callable[[bytes], bytes]) -> None:
    """Signed anew until the base64 holds a plus, which unquote_plus would turn into a blank."""
    time = datetime.now(UTC)
    while True:
        stamp = time.isoformat()
        signature = base64.b64encode(shop_server.signature(QUERY, stamp, BODY))
        if b"+" in signature and b"/" in signature:
            break
        time += timedelta(microseconds=1)
    value = encode(base64.b64decode(signature)).decode()
    response = shop_server.send(
        QUERY, BODY, **{"Request-Time": stamp, "Signature": f"algorithm=RSA256,keyVersion=1,signature={value}"}
    )
    assert code_of(response) == "INVALID_ACCESS_TOKEN"


@pytest.mark.wire("4 Request-Time")
def test_each_form_of_request_time_verifies_over_http(shop_server: MerchantServer) -> None:
    now = datetime.now(UTC)
    manila = now.astimezone(timezone(timedelta(hours=8)))
    for time in (
        now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        now.strftime("%Y-%m-%dT%H:%M:%S+0000"),
        now.isoformat(timespec="milliseconds"),
        manila.isoformat(),
        str(int(now.timestamp() * 1000)),
    ):
        response = shop_server.send(QUERY, BODY, **shop_server.headers(QUERY, BODY, time))
        assert code_of(response) == "INVALID_ACCESS_TOKEN", time


@pytest.mark.wire("4 Agent-Token, Key-Version accepted and ignored")
def test_agent_token_and_key_version_headers_are_ignored(shop_server: MerchantServer) -> None:
    response = shop_server.send(QUERY, BODY, **{"Agent-Token": "x", "Key-Version": "99"})
    assert code_of(response) == "INVALID_ACCESS_TOKEN"


@pytest.mark.wire("3 INVALID_SIGNATURE")
@pytest.mark.trust(12)
@pytest.mark.parametrize("part", ["path", "query", "Client-Id", "Request-Time", "body", "signature"])
def test_a_changed_byte_is_an_invalid_signature(
    shop_server: MerchantServer, cafe_server: MerchantServer, audited: Callable[..., Any], part: str
) -> None:
    sent = shop_server.headers(QUERY, BODY)
    path, body = QUERY, BODY
    if part == "path":
        path = "/v1/authorizations/cancelToken"
    elif part == "query":
        path = f"{QUERY}?a"
    elif part == "Client-Id":
        sent["Client-Id"] = cafe_server.client_id
    elif part == "Request-Time":
        sent["Request-Time"] = sent["Request-Time"].replace("+00:00", "Z")
    elif part == "body":
        body = BODY.replace(b"none", b"nonE")
    else:
        sent["Signature"] = sent["Signature"].replace("signature=", "signature=AA")
    response = shop_server.send(path, body, **sent)
    assert code_of(response) == "INVALID_SIGNATURE"
    assert "/v1/tools/verifySignature" in message_of(response)
    audited("INVALID_SIGNATURE", client_id=sent["Client-Id"], endpoint=path.partition("?")[0])


@pytest.mark.trust(12)
def test_another_clients_key_is_an_invalid_signature(
    shop_server: MerchantServer, cafe_server: MerchantServer, audited: Callable[..., Any]
) -> None:
    pretender = MerchantServer("shop-client", key="cafe-client")
    assert code_of(pretender.send(QUERY, BODY)) == "INVALID_SIGNATURE"
    audited("INVALID_SIGNATURE", client_id="shop-client")


def with_version(server: MerchantServer, version: str) -> dict[str, str]:
    sent = server.headers(QUERY, BODY)
    return {**sent, "Signature": sent["Signature"].replace("keyVersion=1", f"keyVersion={version}")}


@pytest.mark.wire("3 KEY_NOT_FOUND")
@pytest.mark.trust(12)
def test_keys_rotate_without_a_gap_and_a_retired_one_is_not_found(
    shop_server: MerchantServer, audited: Callable[..., Any]
) -> None:
    merchant = Merchant.objects.get(client_id="shop-client")
    merchant.keys.create(version=2, public_key=public_pem("shop-client-2"))
    second = MerchantServer("shop-client", key="shop-client-2")
    assert code_of(shop_server.send(QUERY, BODY)) == "INVALID_ACCESS_TOKEN"
    assert code_of(second.send(QUERY, BODY, **with_version(second, "2"))) == "INVALID_ACCESS_TOKEN"
    # Each version verifies with its own key only.
    assert code_of(second.send(QUERY, BODY)) == "INVALID_SIGNATURE"
    audited("INVALID_SIGNATURE", client_id="shop-client")

    merchant.keys.filter(version=1).update(retired_at=django_timezone.now() + timedelta(hours=1))
    assert code_of(shop_server.send(QUERY, BODY)) == "INVALID_ACCESS_TOKEN"
    merchant.keys.filter(version=1).update(retired_at=django_timezone.now() - timedelta(seconds=1))
    response = shop_server.send(QUERY, BODY)
    assert code_of(response) == "KEY_NOT_FOUND"
    assert "keyVersion=1" in message_of(response)
    audited("KEY_NOT_FOUND", client_id="shop-client")


@pytest.mark.wire("3 KEY_NOT_FOUND")
@pytest.mark.parametrize("version", ["2", "0", "999999999"])
def test_an_unknown_key_version_is_not_found(
    shop_server: MerchantServer, audited: Callable[..., Any], version: str
) -> None:
    response = shop_server.send(QUERY, BODY, **with_version(shop_server, version))
    assert code_of(response) == "KEY_NOT_FOUND"
    assert f"keyVersion={version}" in message_of(response)
    audited("KEY_NOT_FOUND", client_id="shop-client")


@pytest.mark.trust(12)
def test_an_rsa_key_below_2048_bits_verifies_nothing(shop_server: MerchantServer, audited: Callable[..., Any]) -> None:
    small = rsa.generate_private_key(65537, 1024)
    pem = small.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    Merchant.objects.get(client_id="shop-client").keys.update(public_key=pem.decode())
    sent = shop_server.headers(QUERY, BODY)
    message = f"POST {QUERY}\nshop-client.{sent['Request-Time']}.".encode() + BODY
    value = quote(base64.b64encode(small.sign(message, padding.PKCS1v15(), hashes.SHA256())).decode(), safe="")
    sent["Signature"] = f"algorithm=RSA256, keyVersion=1, signature={value}"
    response = shop_server.send(QUERY, BODY, **sent)
    assert code_of(response) == "INVALID_SIGNATURE"
    assert "1024 bits" in message_of(response)
    audited("INVALID_SIGNATURE", client_id="shop-client")


@pytest.mark.trust(12)
@pytest.mark.parametrize("algorithm", ["RSA512", "RSA", "HS256", "none", ""])
def test_another_algorithm_name_is_an_invalid_signature(
    shop_server: MerchantServer, audited: Callable[..., Any], algorithm: str
) -> None:
    sent = shop_server.headers(QUERY, BODY)
    sent["Signature"] = sent["Signature"].replace("RSA256", algorithm)
    response = shop_server.send(QUERY, BODY, **sent)
    assert code_of(response) == "INVALID_SIGNATURE"
    assert "algorithm" in message_of(response)
    audited("INVALID_SIGNATURE", client_id="shop-client")


@pytest.mark.wire("4 algorithm case-insensitive, keyVersion defaults to 1")
def test_algorithm_in_any_case_and_no_key_version(shop_server: MerchantServer) -> None:
    sent = shop_server.headers(QUERY, BODY)
    sent["Signature"] = sent["Signature"].replace("algorithm=RSA256, keyVersion=1, ", "algorithm=rsa256,")
    assert code_of(shop_server.send(QUERY, BODY, **sent)) == "INVALID_ACCESS_TOKEN"


@pytest.mark.wire("3 INVALID_SIGNATURE")
@pytest.mark.parametrize("header", ["nonsense", "signature=***", "keyVersion=one, signature=YWJj"])
def test_a_signature_header_that_cannot_be_read_is_named(
    shop_server: MerchantServer, audited: Callable[..., Any], header: str
) -> None:
    response = shop_server.send(QUERY, BODY, Signature=header)
    assert code_of(response) == "INVALID_SIGNATURE"
    assert message_of(response).startswith("Signature: ")
    audited("INVALID_SIGNATURE", client_id="shop-client")


@pytest.mark.wire("4 Request-Time accepted within 15 minutes")
@pytest.mark.trust(13)
@pytest.mark.parametrize("minutes", [-16, 16, -60 * 24 * 365 * 20])
def test_a_request_time_outside_the_window_is_refused(
    shop_server: MerchantServer, audited: Callable[..., Any], minutes: int
) -> None:
    time = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
    response = shop_server.send(QUERY, BODY, **shop_server.headers(QUERY, BODY, time))
    assert code_of(response) == "INVALID_SIGNATURE"
    assert message_of(response).startswith("Request-Time: ")
    audited("INVALID_SIGNATURE", client_id="shop-client")


@pytest.mark.trust(13)
@pytest.mark.parametrize("minutes", [-14, 14])
def test_a_request_time_inside_the_window_is_accepted(shop_server: MerchantServer, minutes: int) -> None:
    time = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
    assert code_of(shop_server.send(QUERY, BODY, **shop_server.headers(QUERY, BODY, time))) == "INVALID_ACCESS_TOKEN"


@pytest.mark.trust(13)
def test_the_window_is_a_setting(shop_server: MerchantServer, settings: Any, audited: Callable[..., Any]) -> None:
    settings.REQUEST_TIME_WINDOW = timedelta(seconds=5)
    time = (datetime.now(UTC) - timedelta(seconds=10)).isoformat()
    assert code_of(shop_server.send(QUERY, BODY, **shop_server.headers(QUERY, BODY, time))) == "INVALID_SIGNATURE"
    audited("INVALID_SIGNATURE", client_id="shop-client")


@pytest.mark.wire("3 PARAM_ILLEGAL")
@pytest.mark.parametrize(
    "time", ["yesterday", "2026-11-22T07:40:35", "0001-01-01", "9" * 40, "0001-01-01T00:00:00+23:59x"]
)
def test_a_request_time_that_cannot_be_read_is_param_illegal(
    shop_server: MerchantServer, audited: Callable[..., Any], time: str
) -> None:
    response = shop_server.send(QUERY, BODY, **shop_server.headers(QUERY, BODY, time))
    assert code_of(response) == "PARAM_ILLEGAL"
    assert message_of(response).startswith("Request-Time: ")
    audited("PARAM_ILLEGAL", client_id="shop-client")


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "9" * 13])
def test_the_ends_of_time_are_no_server_error(
    shop_server: MerchantServer, audited: Callable[..., Any], time: str
) -> None:
    response = shop_server.send(QUERY, BODY, **shop_server.headers(QUERY, BODY, time))
    assert code_of(response) == "INVALID_SIGNATURE"
    audited("INVALID_SIGNATURE", client_id="shop-client")


def test_a_refused_call_does_nothing(shop_server: MerchantServer, alices: Any, audited: Callable[..., Any]) -> None:
    """The signature is looked at before the code is: a forger cannot burn one."""
    code = alices.code("shop", ["auth_base"])
    forger = MerchantServer("shop-client", key="mallory")
    assert forger.exchange(code)["result"]["resultCode"] == "INVALID_SIGNATURE"
    audited("INVALID_SIGNATURE", client_id="shop-client")
    assert shop_server.exchange(code)["result"]["resultCode"] == "SUCCESS"
