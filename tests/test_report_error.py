"""POST /v1/authorizations/reportError: what the container saw and our endpoints did not (wire.md 1)."""

from collections.abc import Callable
from typing import Any

import pytest

from authapi.models import ErrorAudit
from portal.models import MiniProgram, User
from tests.conftest import Container
from tests.test_container_callers import bearer

Audited = Callable[..., ErrorAudit]
PATH = "/v1/authorizations/reportError"


@pytest.mark.wire("1 error 10")
def test_a_network_failure_the_page_saw_becomes_a_row(
    alices: Container, alice: User, shop: MiniProgram, audited: Audited
) -> None:
    body = {"appId": "shop", "error": 10, "errorMessage": "Empty data", "scopes": ["auth_base"]}
    response = alices.post(PATH, body)
    assert (response.status_code, response.json()) == (200, {"reported": True})
    row = audited("10", endpoint=PATH, app_id="shop", user=alice, scopes=["auth_base"])
    assert row.reason == "container: Empty data"
    assert ErrorAudit.objects.count() == 1


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (2, "Invalid parameters"),
        (3, "Unknown error"),
        (10, "Empty data"),
        (11, "User's authorization is cancelled"),
        (4711, "?"),
    ],
)
def test_a_report_without_words_gets_those_of_its_number(
    alices: Container, audited: Audited, error: int, message: str
) -> None:
    alices.post(PATH, {"appId": "shop", "error": error})
    assert audited(str(error)).reason == f"container: {message}"


@pytest.mark.trust(36)
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "appId"),
        ({"appId": "shop"}, "error"),
        ({"appId": "shop", "error": "many"}, "error"),
        ({"appId": "shop", "error": -1}, "error"),
        ({"appId": "shop", "error": 100_000}, "error"),
        ({"appId": "shop", "error": 10, "errorMessage": "x" * 257}, "errorMessage"),
        ({"appId": "shop", "error": 10, "errorMessage": ["x"]}, "errorMessage"),
        ({"appId": "shop", "error": 10, "scopes": [7]}, "scopes"),
        (b'{"appId": "shop", "error": 1e999}', "error"),
        (b"no json", "The body"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_malformed_report_is_error_2(alices: Container, audited: Audited, body: Any, field: str) -> None:
    response = alices.post(PATH, body)
    assert response.status_code == 200
    assert response.json()["error"] == 2
    assert field in response.json()["errorMessage"]
    audited("2", endpoint=PATH)


@pytest.mark.trust(17)
def test_nobody_signed_in_is_401(container: Callable[..., Container], audited: Audited) -> None:
    assert container(None).post(PATH, {"appId": "shop", "error": 10}).status_code == 401
    audited("401", endpoint=PATH)


@pytest.mark.trust(17)
def test_a_report_without_csrf_token_is_403(alices: Container, audited: Audited) -> None:
    body = {"appId": "shop", "error": 10}
    assert alices.http.post(PATH, body, content_type="application/json").status_code == 403
    audited("403", endpoint=PATH)


def test_the_native_app_reports_too(alices: Container, alice: User, bob: User, audited: Audited) -> None:
    alices.post(PATH, {"appId": "shop", "error": 10}, Authorization=f"Bearer {bearer(bob)}")
    audited("10", user=bob)


@pytest.mark.trust(7)
def test_a_code_in_a_report_does_not_reach_the_row(alices: Container, shop: MiniProgram, audited: Audited) -> None:
    code = alices.get_auth_code("shop")["authCode"]
    alices.post(PATH, {"appId": "shop", "error": 10, "errorMessage": f"no use for {code}, sorry", "scopes": [code]})
    row = audited("10")
    assert code not in row.reason
    assert code not in str(row.scopes)
    assert row.reason.startswith("container: no use for ")
