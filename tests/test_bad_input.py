"""Whatever a body holds, each merchant endpoint answers in its own form and leaves nothing behind (trust 36)."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oauth2_provider.models import AccessToken, RefreshToken

from authapi import bodies
from authapi.models import AuthCode, ErrorAudit
from tests.conftest import Container
from tests.merchants import MerchantServer, verify_answer
from tests.test_merchant_conventions import ENDPOINTS

pytestmark = pytest.mark.trust(36)

SURROGATE = b"\\ud83d"
UNREADABLE = {
    "nothing": b"",
    "blanks": b" \r\n\t",
    "broken": b'{"accessToken": "x"',
    "no JSON": b"accessToken=x&grantType=AUTHORIZATION_CODE",
    "trailing": b'{"accessToken": "x"} x',
    "two objects": b"{}{}",
    "a list": b'[{"accessToken": "x"}]',
    "a string": b'"x"',
    "a number": b"1",
    "null": b"null",
    "NaN": b'{"accessToken": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "a huge number": b'{"a": ' + b"9" * 6000 + b"}",
    "a huge float": b'{"a": 1e99999}',
    "single quotes": b"{'accessToken': 'x'}",
    "a NUL byte": b'{"accessToken": "a\0b"}',
    "only NUL bytes": b"\0" * 100,
    "an escaped NUL": b'{"accessToken": "a\\u0000b", "grantType": "a\\u0000b"}',
    "a NUL in a name": b'{"a\\u0000b": 1, "a\\u0000b": 2}',
    "a lone surrogate": b'{"accessToken": "%s", "grantType": "x"}' % SURROGATE,
    "a lone surrogate in a name": b'{"%s": 1}' % SURROGATE,
    "a lone surrogate in a duplicate name": b'{"%s": 1, "%s": 2}' % (SURROGATE, SURROGATE),
    "a duplicate key": b'{"accessToken": "x", "accessToken": "y", "grantType": "REFRESH_TOKEN"}',
    "a duplicate key inside": b'{"accessToken": "x", "extendInfo": {"a": 1, "a": 2}}',
    "latin-1": '{"accessToken": "caf\u00e9"}'.encode("latin-1"),
    "UTF-16": '{"accessToken": "x"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"accessToken": "x"}',
    "overlong UTF-8": b'{"accessToken": "\xc0\xaf"}',
    "gzip": b"\x1f\x8b\x08\x00" + bytes(range(256)),
    **{f"{depth} lists deep": b'{"a": ' + b"[" * depth + b"]" * depth + b"}" for depth in (9, 300, 500, 900, 30000)},
    **{f"{depth} objects deep": b'{"a":' * depth + b"1" + b"}" * depth for depth in (9, 300, 490, 900, 9000)},
    "unclosed": b"[" * 60000,
    "64 kB and a byte": b'{"a": "%s"}' % (b"x" * (64 * 1024 - 8)),
    "10 MB": b'{"accessToken": "%s"}' % (b"x" * 10_000_000),
}


def check_refused(server: MerchantServer, path: str, body: bytes) -> str:
    """The answer is PARAM_ILLEGAL in the endpoint's own form, signed, with one audit row; gives the message."""
    rows = ErrorAudit.objects.count()
    response = server.send(path, body)
    assert response.status_code == 200
    answer = response.json()
    assert list(answer) == ["result"]
    assert answer["result"]["resultCode"] == "PARAM_ILLEGAL", answer
    assert answer["result"]["resultStatus"] == "F"
    assert 0 < len(answer["result"]["resultMessage"]) <= 256
    verify_answer(path, server.client_id, response)
    assert ErrorAudit.objects.count() == rows + 1
    return str(answer["result"]["resultMessage"])


@pytest.mark.wire("3 PARAM_ILLEGAL")
@pytest.mark.parametrize("path", ENDPOINTS)
def test_an_unreadable_body_is_param_illegal(
    shop_server: MerchantServer, audited: Callable[..., Any], path: str
) -> None:
    for name, body in UNREADABLE.items():
        check_refused(shop_server, path, body)
        audited("PARAM_ILLEGAL", client_id="shop-client", endpoint=path)
        assert "\0" not in ErrorAudit.objects.latest("id").reason, name
    assert not AuthCode.objects.exists()
    assert not AccessToken.objects.exists()


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_the_message_says_what_is_wrong(shop_server: MerchantServer, body: bytes) -> None:
    message = check_refused(shop_server, "/v1/authorizations/query", body)
    assert message.startswith(("The body ", "accessToken: ", "a: ", "a\0b: ", "?: "))


@pytest.mark.parametrize("name", [name for name in UNREADABLE if name.endswith("deep")])
def test_nesting_is_what_the_message_names(shop_server: MerchantServer, name: str) -> None:
    message = check_refused(shop_server, "/v1/authorizations/query", UNREADABLE[name])
    assert message.startswith("The body is nested ")


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_a_stranger_gets_an_answer_too(db: None, body: bytes) -> None:
    """Unsigned calls come past the body as well: their audit row names an appId where there is one."""
    response = MerchantServer("stranger").send("/v1/authorizations/query", body)
    assert response.status_code == 200
    assert response.json()["result"]["resultCode"] in ("INVALID_CLIENT", "PARAM_ILLEGAL")
    assert ErrorAudit.objects.count() == 1


@pytest.mark.wire("3 PARAM_ILLEGAL")
@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_field_of_the_wrong_type_is_named(shop_server: MerchantServer, path: str) -> None:
    apply_token = "applyToken" in path
    good = {"grantType": "AUTHORIZATION_CODE", "authCode": "x"} if apply_token else {"accessToken": "x"}
    more = ["refreshToken", "referenceClientId", "customerBelongsTo", "merchantRegion"] if apply_token else []
    for field in [*good, "appId", "authClientId", *more]:
        for value in (1, 1.5, True, False, [], ["x"], {}, {"a": "b"}):
            message = check_refused(shop_server, path, json.dumps({**good, field: value}).encode())
            assert message == f"{field}: It must be a string."
    for value in (1, True, [], ["x"]):
        message = check_refused(shop_server, path, json.dumps({**good, "extendInfo": value}).encode())
        assert message == "extendInfo: It must be an object or a string."


def test_a_refused_body_burns_nothing(alices: Container, shop_server: MerchantServer) -> None:
    code = alices.code("shop", ["auth_base"])
    path = "/v2/authorizations/applyToken"
    good = json.dumps({"grantType": "AUTHORIZATION_CODE", "authCode": code})
    for body in (good[:-1], f"[{good}]", good[:-1] + f', "authCode": "{code}"}}', good[:-1] + ', "appId": 1}'):
        check_refused(shop_server, path, body.encode())
    assert not RefreshToken.objects.exists()
    assert shop_server.exchange(code)["result"]["resultCode"] == "SUCCESS"


def test_eight_levels_and_64_kb_are_allowed(alices: Container, shop_server: MerchantServer) -> None:
    token = shop_server.exchange(alices.code("shop", ["auth_base"]))["accessToken"]
    deep: dict[str, Any] = {}
    for _ in range(6):
        deep = {"a": deep}
    answer = shop_server.post("/v1/authorizations/query", accessToken=token, extendInfo=deep, more="x" * 65_000)
    assert answer["result"]["resultCode"] == "SUCCESS"


def test_the_worst_64_kb_are_refused_quickly() -> None:
    """Thousands of keys, the last of them twice: looking for it must not take the square of that."""
    body = "{" + ",".join(f'"{number}":1' for number in range(7200)) + ',"7199":1}'
    assert len(body) < bodies.MAX_BYTES
    start = time.perf_counter()
    with pytest.raises(bodies.MalformedError, match="7199: it stands twice"):
        bodies.parse(body.encode())
    assert time.perf_counter() - start < 0.5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Client-Id", "x" * 10_000),
        ("Client-Id", "caf\u00e9"),
        ("Client-Id", "\U0001f600"),
        ("Request-Time", "\u0661" * 13),
        ("Request-Time", "x" * 10_000),
        ("Signature", "x" * 10_000),
        ("Signature", "=" * 1000),
        ("Signature", "," * 1000),
        ("Signature", "signature=" + "%" * 1000),
        ("Signature", "keyVersion=" + "9" * 1000 + ",signature=YWJj"),
        ("Signature", "keyVersion=\u0661,signature=YWJj"),
        ("Signature", "keyVersion=-1,signature=YWJj"),
    ],
)
def test_a_header_of_any_kind_is_refused_clearly(shop_server: MerchantServer, name: str, value: str) -> None:
    raw = value.encode("utf-8").decode("latin-1")  # as WSGI hands it over
    response = shop_server.send("/v1/authorizations/query", b"{}", **{name: raw})
    assert response.status_code == 200
    assert response.json()["result"]["resultCode"] in ("PARAM_ILLEGAL", "INVALID_SIGNATURE", "INVALID_CLIENT")
    assert ErrorAudit.objects.count() == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
field_names = st.sampled_from(
    [
        "accessToken",
        "appId",
        "authClientId",
        "extendInfo",
        "grantType",
        "authCode",
        "refreshToken",
        "referenceClientId",
    ]
)


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    path=st.sampled_from(ENDPOINTS),
    body=st.binary(max_size=300)
    | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.dictionaries(field_names | st.text(), json_values, max_size=8).map(lambda d: json.dumps(d).encode()),
)
def test_no_body_at_all_is_a_server_error(shop_server: MerchantServer, path: str, body: bytes) -> None:
    response = shop_server.send(path, body)
    assert response.status_code == 200
    result = response.json()["result"]
    assert result["resultStatus"] == "F", result
    assert 0 < len(result["resultMessage"]) <= 256
    verify_answer(path, "shop-client", response)
