"""`POST /v1/tools/verifySignature`: why does my signature not verify? (wire.md 4.1 and 8)"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from authapi.models import ErrorAudit
from portal.models import Merchant
from tests.merchants import MerchantServer, verify_answer

VERIFY = "/v1/tools/verifySignature"
BODY = '{ "note" :"café" }\n'.encode()

pytestmark = pytest.mark.wire("4.1 POST /v1/tools/verifySignature")


def verdict(
    server: MerchantServer, body: bytes = BODY, *, path: str = VERIFY, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    """The answer, which is S and signed whatever it says."""
    response = server.send(path, body, **(headers or {}))
    assert response.status_code == 200
    verify_answer(path, server.client_id, response)
    answer: dict[str, Any] = response.json()
    assert answer.pop("result") == {"resultStatus": "S", "resultCode": "SUCCESS", "resultMessage": "success"}
    return answer


def test_a_good_signature_holds_and_the_string_is_shown(shop_server: MerchantServer) -> None:
    sent = shop_server.headers(VERIFY, BODY)
    assert verdict(shop_server, headers=sent) == {
        "signatureValid": "true",
        "stringToSign": f"POST {VERIFY}\nshop-client.{sent['Request-Time']}." + BODY.decode(),
    }
    assert not ErrorAudit.objects.exists()


def test_the_string_shown_is_the_one_to_sign(shop_server: MerchantServer) -> None:
    """A developer who signs it as it stands gets through."""
    path = f"/ams/api{VERIFY}?a=1&b=%7Ex"
    shown = verdict(shop_server, path=path)["stringToSign"]
    assert shown.startswith(f"POST {path}\nshop-client.")
    assert shown.endswith(BODY.decode())


@pytest.mark.parametrize(
    ("headers", "code", "word"),
    [
        ({"Signature": "algorithm=RSA256, keyVersion=1, signature=YWJj"}, "INVALID_SIGNATURE", "signature"),
        ({"Signature": "algorithm=RSA256, keyVersion=9, signature=YWJj"}, "KEY_NOT_FOUND", "keyVersion=9"),
        ({"Signature": "algorithm=HS256, signature=YWJj"}, "INVALID_SIGNATURE", "RSA256"),
        ({"Signature": "nonsense"}, "INVALID_SIGNATURE", "Signature: "),
        ({"Signature": ""}, "PARAM_ILLEGAL", "Signature: "),
        ({"Request-Time": ""}, "PARAM_ILLEGAL", "Request-Time: "),
        ({"Request-Time": "yesterday"}, "PARAM_ILLEGAL", "Request-Time: "),
        ({"Request-Time": "2020-01-01T00:00:00Z"}, "INVALID_SIGNATURE", "Request-Time: "),
    ],
)
def test_a_bad_call_is_told_what_is_wrong(
    shop_server: MerchantServer, headers: dict[str, str], code: str, word: str
) -> None:
    answer = verdict(shop_server, headers=headers)
    assert answer["signatureValid"] == "false"
    assert answer["resultCodeOtherwise"] == code
    assert word in answer["reason"]
    assert answer["stringToSign"].startswith(f"POST {VERIFY}\nshop-client.")


def test_a_body_changed_after_signing_shows(shop_server: MerchantServer) -> None:
    """As when a proxy writes the JSON anew: the string tells what arrived."""
    changed = json.dumps(json.loads(BODY)).encode()
    answer = verdict(shop_server, changed, headers=shop_server.headers(VERIFY, BODY))
    assert answer["signatureValid"] == "false"
    assert answer["stringToSign"].endswith("." + changed.decode())


def test_an_unknown_client_and_a_disabled_one(shop_server: MerchantServer) -> None:
    assert verdict(MerchantServer("nobody"))["resultCodeOtherwise"] == "INVALID_CLIENT"
    Merchant.objects.update(status=Merchant.Status.DISABLED)
    assert verdict(shop_server)["signatureValid"] == "true"


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\0", b"{", b"[]" * 1000])
def test_any_body_is_shown_as_it_arrived(shop_server: MerchantServer, body: bytes) -> None:
    answer = verdict(shop_server, body)
    assert answer["signatureValid"] == "true"
    assert answer["stringToSign"].endswith("." + body.decode("utf-8", "replace"))


def test_a_body_too_large_is_refused(shop_server: MerchantServer, audited: Callable[..., Any]) -> None:
    answer = shop_server.send(VERIFY, b"x" * (64 * 1024 + 1)).json()
    assert answer["result"]["resultCode"] == "PARAM_ILLEGAL"
    audited("PARAM_ILLEGAL", client_id="shop-client", endpoint=VERIFY)


@pytest.mark.trust(7)
def test_nothing_secret_is_shown(shop_server: MerchantServer) -> None:
    """Neither our key, nor the merchant's, nor whether a stranger's signature was close."""
    stale = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    shown: list[dict[str, str]] = [{}, {"Request-Time": stale}, {"Signature": "signature=YWJj"}]
    for headers in shown:
        text = json.dumps(verdict(shop_server, headers=headers))
        assert "BEGIN" not in text
        assert set(json.loads(text)) <= {"signatureValid", "stringToSign", "resultCodeOtherwise", "reason"}


def test_it_is_there_on_v1_only(shop_server: MerchantServer, audited: Callable[..., Any]) -> None:
    assert shop_server.post("/v2/tools/verifySignature")["result"]["resultCode"] == "INVALID_API"
    audited("INVALID_API", client_id="shop-client")
