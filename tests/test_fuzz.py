"""Whatever comes in: a clear refusal, never a crash (trust 36). Bounded, and the same examples every time."""

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from authapi import bodies, signing
from authapi.models import AuthCode
from portal.models import MiniProgram, PendingConsent
from tests.conftest import EVERY_SCOPE, Container

pytestmark = pytest.mark.trust(36)

pure = settings(max_examples=300, deadline=None, derandomize=True, database=None)
over_http = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

# Text that looks like what is expected, and text that does not.
header_bits = st.sampled_from(
    [
        "algorithm=",
        "RSA256",
        "keyVersion=",
        "signature=",
        ",",
        ", ",
        "=",
        "%",
        "%2B",
        "1",
        "-1",
        "²",
        "AAAA",
        "\0",
        "é",
    ]
)
headers = st.lists(header_bits | st.text(max_size=6), max_size=12).map("".join)
time_bits = st.sampled_from(
    ["2026-11-22", "T", "07:40:35", ".5", "Z", "+00:00", "+0000", "-2400", "9" * 13, "W01", " "]
)
times = st.lists(time_bits | st.text(max_size=4), max_size=8).map("".join)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
json_bits = st.sampled_from(
    [b"{", b"}", b"[", b"]", b'"', b":", b",", b'"a"', b"1e999", b"NaN", b"\\ud800", b"\xff", b"\0", b"null", b"-"]
)


def read(reader: Callable[[Any], Any], raw: Any, refusal: type[ValueError]) -> Any:
    """What the reader makes of it; None for its one refusal, whose text can be written into an answer."""
    try:
        return reader(raw)
    except refusal as error:
        return None if str(error).encode() else error


@pure
@given(headers)
@example("signature=" + "A" * 5)
@example("keyVersion=٣, signature=AAAA")
@example("signature=é")
def test_a_signature_header_is_read_or_malformed(text: str) -> None:
    header = read(signing.parse_header, text, signing.MalformedError)
    assert header is None or (isinstance(header.signature, bytes) and header.key_version >= 0)


@pure
@given(times)
@example("0001-01-01T00:00:00+14:00")
@example("9999-12-31T23:59:59-23:59")
@example("9" * 13)
@example("٣" * 13)
def test_a_request_time_is_read_or_malformed_and_then_compared(text: str) -> None:
    moment = read(signing.parse_time, text, signing.MalformedError)
    now, window = datetime(2026, 11, 22, tzinfo=UTC), timedelta(minutes=15)
    assert moment is None or signing.is_fresh(moment, now, window) in (True, False)


@pytest.mark.wire("4 three encodings of the signature")
@pure
@given(st.binary(min_size=1, max_size=512))
@example(b"\xfb\xff\xbf")  # base64 with + and /
@example(bytes(256))
def test_every_encoding_of_a_signature_decodes_to_it(raw: bytes) -> None:
    plain = base64.b64encode(raw).decode()
    url_safe = base64.urlsafe_b64encode(raw).decode()
    encoded = quote(plain, safe="")
    for text in (encoded, plain, plain.rstrip("="), url_safe, url_safe.rstrip("=")):
        assert signing.decode(text) == raw
    assert signing.decode(encoded.replace("%2B", "%2b").replace("%2F", "%2f").replace("%3D", "%3d")) == raw


@pure
@given(st.binary(max_size=64) | st.lists(json_bits, max_size=20).map(b"".join))
@example(b'{"a":' + b"[" * 900 + b"]" * 900 + b"}")
@example(b"[" * 60_000)
@example(b'{"a":' * 9000)
@example(b'{"a": ' + b"9" * 5000 + b"}")
@example(b'{"a": 1, "a": 2}')
@example(b'{"\\ud800": 1, "\\ud800": 2}')
@example(b'{"a": "\\ud800"}')
@example(b"\xef\xbb\xbf{}")
def test_a_body_is_an_object_or_malformed(raw: bytes) -> None:
    body = read(bodies.parse, raw, bodies.MalformedError)
    assert body is None or (isinstance(body, dict) and bodies.dump(body))


@over_http
@given(scopes=values | st.lists(st.sampled_from([*EVERY_SCOPE, "NO_SUCH"]) | st.text(max_size=70), max_size=8))
@example(scopes=["a\ud800"])
@example(scopes=["\0"])
@example(scopes=["x" * 65])
@example(scopes=[[[[[[[[[[]]]]]]]]]])
@example(scopes=10**400)
def test_any_scopes_argument_gets_an_outcome(alices: Container, shop: MiniProgram, scopes: Any) -> None:
    response = alices.post("/v1/authorizations/getAuthCode", {"appId": "shop", "scopes": scopes})
    assert response.status_code == 200
    answer = response.json()
    assert ("authCode" in answer) != ("error" in answer)
    assert answer.get("error") in (None, 2, 2001)  # 3 would be our fault
    if answer.get("error") == 2:
        assert answer["errorMessage"].startswith("Invalid parameters: ")


@over_http
@given(
    body=st.dictionaries(
        st.sampled_from(["appId", "scopes", "consentId", "error", "grantedScopes"]) | st.text(), values
    )
)
def test_any_body_at_any_container_endpoint_gets_an_outcome(
    alices: Container, shop: MiniProgram, body: dict[str, Any]
) -> None:
    consent = PendingConsent.objects.first()
    consent_id = consent.pk if consent else alices.get_auth_code("shop", ["USER_NAME"])["consentId"]
    for path in ("getAuthCode", "reportError", f"consents/{consent_id}/decision"):
        response = alices.post(f"/v1/authorizations/{path}", body)
        assert response.status_code == 200
        assert response.json().get("error") != 3
    assert not AuthCode.objects.exists()
