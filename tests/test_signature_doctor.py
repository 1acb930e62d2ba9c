"""Signature debugging: a pasted request, step by step, with the mistake named and its remedy (wire.md 4)."""

import base64
import hashlib
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from django.apps import apps
from hypothesis import given, settings
from hypothesis import strategies as st

from authapi import pasted_requests, signature_doctor, signing
from authapi.opened_signatures import Key
from authapi.signature_doctor import FINE, WRONG, Caller, Diagnosis, Setting
from portal.models import Merchant, MiniProgram, User
from portal.models.merchants import rsa_public_key
from tests.conftest import Container
from tests.merchants import MerchantServer, key_of, public_pem
from tests.operators import Desk, in_role

PATH = "/ams/api/v2/users/inquiryUserInfo"
BODY = b'{"accessToken":"abc","appId":"shop","note":"caf\xc3\xa9"}'
NOW = datetime(2026, 11, 22, 7, 45, tzinfo=UTC)
TIME = "2026-11-22T07:40:35+00:00"
SHA256, PKCS1 = hashes.SHA256(), padding.PKCS1v15()
RETIRED = NOW - timedelta(days=2)
KEYS = (Key(1, public_pem("old"), RETIRED), Key(2, public_pem("shop")), Key(3, public_pem("new")))
SHOP = Caller(is_known=True, name="Shop Ltd", keys=KEYS)
SETTING = Setting(
    NOW, timedelta(minutes=15), ["/ams/api", "/ams/sandbox/api"], strangers=(Key(7, public_pem("cafe"), owner="CAFE"),)
)


def signed(message: bytes, key: str = "shop") -> bytes:
    return key_of(key).sign(message, PKCS1, SHA256)


def to_sign(path: str = PATH, client: str = "SHOP", time: str = TIME, body: bytes = BODY) -> bytes:
    return f"POST {path}\n{client}.{time}.".encode() + body


def encoded(signature: bytes) -> str:
    return quote(base64.b64encode(signature).decode(), safe="")


def pasted(signature: str, *, first: str = f"POST {PATH} HTTP/1.1", version: str = "2", **headers: str) -> str:
    given = {
        "Host": "portal.example",
        "Client-Id": "SHOP",
        "Request-Time": TIME,
        "Signature": f"algorithm=RSA256, keyVersion={version}, signature={signature}",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return "\n".join([first, *(f"{name}: {value}" for name, value in given.items()), "", BODY.decode()])


def found(text: str, *, body: bytes | None = None, caller: Caller = SHOP, setting: Setting = SETTING) -> Diagnosis:
    return signature_doctor.diagnose(pasted_requests.read(text, body), caller, setting)


def step(diagnosis: Diagnosis, title: str) -> signature_doctor.Step:
    return next(step for step in diagnosis.steps if step.title == title)


# --- What is fine ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "write",
    [
        encoded,
        lambda raw: base64.b64encode(raw).decode(),
        lambda raw: base64.urlsafe_b64encode(raw).decode(),
        lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip("="),
    ],
    ids=["url-encoded", "plain", "url-safe", "unpadded"],
)
def test_a_good_signature_is_fine_however_it_is_encoded(write: Callable[[bytes], str]) -> None:
    diagnosis = found(pasted(write(signed(to_sign()))))
    assert diagnosis.headline == "The signature is fine."
    assert diagnosis.is_fine
    assert diagnosis.signed_digest == diagnosis.digest == hashlib.sha256(to_sign()).hexdigest()


@pytest.mark.parametrize(
    "text",
    [
        pasted(encoded(signed(to_sign()))).replace("\n", "\r\n"),
        "\n\n" + pasted(encoded(signed(to_sign())), first=f"POST https://portal.example{PATH}"),
        pasted(encoded(signed(to_sign())), first=f"https://portal.example{PATH}"),
        pasted(encoded(signed(to_sign())))
        .replace("Client-Id:", "client-id :")
        .replace("Request-Time: ", "request-time:"),
    ],
    ids=["CRLF", "whole URL", "no method", "names in lower case"],
)
def test_a_request_is_read_as_people_copy_it(text: str) -> None:
    assert found(text).is_fine


def test_what_curl_shows_is_read() -> None:
    head, _, body = pasted(encoded(signed(to_sign()))).partition("\n\n")
    assert found("\n".join(f"> {line}" for line in head.split("\n")) + "\n> \n" + body).is_fine


@pytest.mark.parametrize("sent", [BODY + b"\n", b'{\r\n"a": 1\r\n}'])
def test_line_ends_that_a_paste_does_not_keep_are_allowed_for(sent: bytes) -> None:
    text = pasted(encoded(signed(to_sign(body=sent)))).replace(
        BODY.decode(), sent.decode().replace("\r\n", "\n").rstrip()
    )
    diagnosis = found(text)
    assert diagnosis.is_fine
    assert "pasting does not keep line ends" in step(diagnosis, "Signature").detail
    assert found(text, body=sent).headline == "The signature is fine."
    assert not found(text, body=sent + b"x").is_fine


# --- The mistakes ---------------------------------------------------------------------------------------------

PRETTY = json.dumps(json.loads(BODY), indent=2, ensure_ascii=False).encode()
SPACED = json.dumps(json.loads(BODY)).encode()
MISTAKES: dict[str, tuple[bytes, str]] = {
    "spaced": (signed(to_sign(body=SPACED)), "the JSON was written again after it was signed"),
    "pretty": (signed(to_sign(body=PRETTY)), "indented by 2"),
    "without prefix": (signed(to_sign(path="/v2/users/inquiryUserInfo")), "a prefix of the path was left out"),
    "other prefix": (signed(to_sign(path=PATH.replace("ams", "ams/sandbox"))), "with the prefix /ams/sandbox/api"),
    "with host": (signed(to_sign(path=f"https://portal.example{PATH}")), "the whole URL, with its host"),
    "slash at the end": (signed(to_sign(path=f"{PATH}/")), "another slash at its end"),
    "CRLF": (signed(to_sign().replace(b"\n", b"\r\n")), "a CRLF stood after the path"),
    r"\n": (signed(to_sign().replace(b"\n", b"\\n")), r"the two characters \n"),
    "no LF": (signed(to_sign().replace(b"\n", b"")), "the LF after the path was left out"),
    "no body": (signed(to_sign(body=b"")), "the body was left out"),
    "no last part": (signed(to_sign(body=b"")[:-1]), "the last part, a dot and the body, was left out"),
    "no method": (signed(to_sign()[5:]), "the method was left out"),
    "get": (signed(b"GET" + to_sign()[4:]), "the method was GET"),
    "swapped": (signed(to_sign(client=TIME, time="SHOP")), "Client-Id and Request-Time were swapped"),
    "body alone": (signed(BODY), "only the body was signed"),
    "milliseconds": (signed(to_sign(time="1795333235000")), "another text of the time was signed: 1795333235000"),
    "Z": (signed(to_sign(time="2026-11-22T07:40:35Z")), "another text of the time was signed"),
    "appId": (signed(to_sign(client="shop")), "the body's appId was signed in place of Client-Id"),
    "line end": (signed(to_sign() + b"\n"), "a line end"),
    "hashed": (signed(hashlib.sha256(to_sign()).digest()), "hashed before it was signed, so twice"),
    "hex": (signed(hashlib.sha256(to_sign()).hexdigest().encode()), "the hexadecimal hash"),
    "other version": (signed(to_sign(), "new"), "it was made with keyVersion 3, and the header says 2"),
    "retired": (signed(to_sign(), "old"), "it was made with keyVersion 1, and the header says 2"),
    "swapped key": (signed(to_sign(), "cafe"), "it was made with keyVersion 7 of CAFE, another merchant's"),
    "unknown key": (signed(to_sign(), "nobody"), "no key that is registered for this merchant made it"),
    "cut": (signed(to_sign())[:200], "it has 200 bytes, where a signature of this merchant's keys has 256"),
    "SHA-1": (key_of("shop").sign(to_sign(), PKCS1, hashes.SHA1()), "it was made with SHA1"),
    "SHA-512": (key_of("shop").sign(to_sign(), PKCS1, hashes.SHA512()), "it was made with SHA512"),
    "something else": (signed(b"{}"), "something else was signed"),
    "two at once": (
        signed(to_sign(path="/v2/users/inquiryUserInfo", body=SPACED)),
        "a prefix of the path was left out",
    ),
    "PSS": (
        key_of("shop").sign(to_sign(), padding.PSS(padding.MGF1(SHA256), padding.PSS.MAX_LENGTH), SHA256),
        "it was made with RSASSA-PSS",
    ),
    "PSS of 32": (key_of("shop").sign(to_sign(), padding.PSS(padding.MGF1(SHA256), 32), SHA256), "RSASSA-PSS"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_with_its_remedy(name: str) -> None:
    signature, words = MISTAKES[name]
    diagnosis = found(pasted(encoded(signature)), body=BODY)
    last = step(diagnosis, "Signature")
    assert not diagnosis.is_fine
    assert last.verdict == WRONG
    assert words in last.detail
    assert last.remedy


def test_two_mistakes_are_both_named() -> None:
    detail = step(found(pasted(encoded(MISTAKES["two at once"][0]))), "Signature").detail
    assert "a prefix of the path was left out" in detail
    assert "the JSON was written again" in detail


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda raw: base64.b64encode(raw).decode().replace("+", " "), "a + of the base64 turned into a blank"),
        (lambda raw: quote(encoded(raw), safe=""), "URL-encoded twice"),
        (lambda raw: raw.hex(), "hexadecimal"),
        (lambda raw: base64.b64encode(base64.b64encode(raw)).decode(), "in base64 twice"),
        (lambda raw: f'"{base64.b64encode(raw).decode()}"', "quotes stand around"),
        (lambda raw: base64.encodebytes(raw).decode().replace("\n", "\\n"), "line ends in it"),
    ],
)
def test_a_signature_spoilt_on_its_way_is_read_all_the_same(write: Callable[[bytes], str], words: str) -> None:
    bodies = (BODY + b" " * n for n in range(99))
    body = next(body for body in bodies if "+" in base64.b64encode(signed(to_sign(body=body))).decode())
    diagnosis = found(pasted(write(signed(to_sign(body=body)))), body=body)
    assert words in step(diagnosis, "Signature").detail


@pytest.mark.parametrize(
    ("text", "title", "words"),
    [
        (pasted("YWJj", first=f"GET {PATH}"), "Method", "GET is not supported"),
        (pasted("YWJj", first=""), "Path", "there is none"),
        (pasted("YWJj", Client_Id=""), "Client-Id", "missing"),
        (pasted("YWJj", Request_Time=""), "Request-Time", "missing"),
        (pasted("YWJj", Request_Time="1795333235"), "Request-Time", "these are seconds"),
        (pasted("YWJj", Request_Time="2026-11-22T07:40:35"), "Request-Time", "no offset"),
        (pasted("YWJj", Request_Time="yesterday"), "Request-Time", "ISO-8601"),
        (pasted("YWJj", Signature=""), "Signature header", "missing"),
        (pasted("YWJj", Signature="YWJj"), "Signature header", "no part signature="),
        (pasted("YWJj", Signature="algorithm=HS256, signature=YWJj"), "Signature header", "HS256"),
        (pasted("Y!"), "Signature header", "neither base64"),
        (pasted("YWJj", version="x"), "Signature header", "not a number"),
        (pasted("YWJj", version="9"), "keyVersion", "there is no 9"),
        (pasted("YWJj", version="1"), "keyVersion", "was retired on 2026-11-20"),
    ],
)
def test_each_part_is_looked_at(text: str, title: str, words: str) -> None:
    one = step(found(text), title)
    assert one.verdict == WRONG
    assert words in one.detail
    assert one.remedy


def test_a_time_of_long_ago_is_doubtful_and_the_signature_is_judged_all_the_same() -> None:
    late = Setting(NOW + timedelta(days=3), SETTING.window)
    diagnosis = found(pasted(encoded(signed(to_sign()))), setting=late)
    assert step(diagnosis, "Signature").verdict == FINE
    assert step(diagnosis, "Request-Time").detail.startswith("3 days, 0:04:25 ago")
    assert not diagnosis.is_fine


def test_a_disabled_merchant_and_an_unknown_one_are_told_apart() -> None:
    text = pasted(encoded(signed(to_sign())))
    disabled = Caller(is_known=True, is_active=False, name="Shop Ltd", keys=KEYS)
    assert "INVALID_AUTH_CLIENT_STATUS" in step(found(text, caller=disabled), "Client-Id").detail
    assert step(found(text, caller=Caller(near="Shop")), "Client-Id").remedy == "It is spelt Shop."


def test_what_cannot_be_seen_is_made_visible() -> None:
    text = "a \r\n\tb\u00a0\ufeff\u200b".encode() + b"\xff\0"
    assert pasted_requests.visible(text) == "a ⟨CR⟩⟨LF⟩\n⟨TAB⟩b⟨U+00A0⟩⟨U+FEFF⟩⟨U+200B⟩\\xff⟨NUL⟩"
    assert pasted_requests.visible(b"a  \nb") == "a··⟨LF⟩\nb"


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(["shop", "new", "nobody"]), st.binary(max_size=40), st.integers(0, 255), st.booleans())
def test_fine_means_that_the_portal_would_verify_it(key: str, body: bytes, flipped: int, is_spoilt: bool) -> None:
    signature = bytearray(signed(to_sign(body=body), key))
    signature[flipped] ^= is_spoilt
    diagnosis = found(pasted(encoded(bytes(signature))), body=body)
    verifies = signing.verify(rsa_public_key(KEYS[1].public_key), to_sign(body=body), bytes(signature))
    assert (step(diagnosis, "Signature").verdict == FINE) == verifies


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.text(), st.text(), st.none() | st.binary(max_size=60))
def test_whatever_is_pasted_gets_an_answer(first: str, signature: str, body: bytes | None) -> None:
    assert found(first, body=body).steps
    assert found(pasted(signature, first=first, Client_Id=first, Request_Time=signature), body=body).headline


def test_a_bare_hash_under_the_key_is_recognised() -> None:
    number = key_of("shop").private_numbers()
    digest = hashlib.sha256(to_sign()).digest()
    block = b"\0\1" + b"\xff" * (256 - 3 - 32) + b"\0" + digest
    modulus = number.public_numbers.n
    signature = pow(int.from_bytes(block), number.d, modulus).to_bytes(256)
    assert "without saying which hash" in step(found(pasted(encoded(signature))), "Signature").detail
    good = key_of("shop").sign(digest, PKCS1, Prehashed(SHA256))
    assert found(pasted(encoded(good))).is_fine


# --- The page -------------------------------------------------------------------------------------------------

URL = "/admin/signature/"


@pytest.fixture
def auditor(db: None) -> Desk:
    return Desk(in_role("auditor"))


def raw(server: MerchantServer, path: str, body: bytes) -> str:
    head = "".join(f"{name}: {value}\n" for name, value in server.headers(path, body).items())
    return f"POST {path} HTTP/1.1\n{head}\n" + body.decode()


def test_an_auditor_pastes_what_a_merchant_sent(auditor: Desk, shop_server: MerchantServer) -> None:
    text = raw(shop_server, "/v2/users/inquiryUserInfo", b'{"accessToken":"x"}')
    response = auditor.post(URL, {"text": text})
    page = response.content.decode()
    assert "The signature is fine." in page
    assert "POST /v2/users/inquiryUserInfo⟨LF⟩" in page
    assert "no-store" in response["Cache-Control"]
    spoilt = auditor.post(URL, {"text": text.replace('"x"', '"y"')}).content.decode()
    assert "something else was signed" in spoilt


def test_the_page_knows_endpoints_merchants_and_other_merchants_keys(
    auditor: Desk, shop_server: MerchantServer, cafe: MiniProgram
) -> None:
    stranger = MerchantServer("shop-client", key="cafe-client")
    page = auditor.post(URL, {"text": raw(stranger, "/v2/users/inquiryUserInfo", b"{}")}).content.decode()
    assert "it was made with keyVersion 1 of cafe-client, another merchant&#x27;s" in page
    page = auditor.post(URL, {"text": raw(shop_server, "/v2/users/nothing", b"{}")}).content.decode()
    assert "/v2/users/nothing is no endpoint" in page
    Merchant.objects.filter(client_id="shop-client").update(status="DISABLED")
    page = auditor.post(URL, {"text": raw(shop_server, "/v2/users/inquiryUserInfo", b"{}")}).content.decode()
    assert "shop Ltd is disabled" in page
    odd = raw(shop_server, "/v2/users/inquiryUserInfo", b"{}").replace("shop-client", "SHOP-client")
    assert "It is spelt shop-client." in auditor.post(URL, {"text": odd}).content.decode()


@pytest.mark.trust(7)
def test_nothing_pasted_is_stored_logged_or_put_into_an_address(
    auditor: Desk, shop_server: MerchantServer, caplog: pytest.LogCaptureFixture
) -> None:
    def rows() -> str:
        models = [model for model in apps.get_models() if model._meta.managed]
        return json.dumps([list(model._default_manager.order_by("pk").values()) for model in models], default=repr)

    text = raw(shop_server, "/v2/users/inquiryUserInfo", b'{"accessToken":"a-secret-token-that-nobody-may-keep"}')
    before = rows()
    with caplog.at_level(logging.DEBUG):
        response = auditor.post(URL, {"text": text})
    assert response.status_code == 200
    assert rows() == before
    assert "a-secret-token" not in caplog.text
    page = auditor.get(URL, {"text": text}).content.decode()
    assert "a-secret-token" not in page
    assert "PRIVATE KEY" not in response.content.decode()


@pytest.mark.parametrize("fields", [{}, {"text": ""}, {"text": "POST /", "body": "no base64!"}])
def test_a_form_that_says_nothing_is_asked_again(auditor: Desk, fields: dict[str, str]) -> None:
    assert auditor.post(URL, {"csrf": "x", **fields}).status_code == 200


@pytest.mark.trust(33)
def test_whoever_may_not_read_errors_may_not_check(db: None, alices: Container) -> None:
    assert Desk(User.objects.create_user("new-here", is_staff=True)).get(URL).status_code == 403
    assert alices.http.get(URL).status_code == 302


def test_the_page_takes_few_statements(
    auditor: Desk, shop_server: MerchantServer, cafe: MiniProgram, django_assert_max_num_queries: Any
) -> None:
    text = raw(MerchantServer("shop-client", key="cafe-client"), "/v2/users/inquiryUserInfo", b"{}")
    with django_assert_max_num_queries(12):
        auditor.post(URL, {"text": text})
