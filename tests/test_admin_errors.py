"""The error audit at the console: what an operator does when a merchant calls with a trace id."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from authapi import results
from authapi.hints import codes
from authapi.models import ErrorAudit
from portal.models import MiniProgram, User
from tests.conftest import Container
from tests.merchants import MerchantServer
from tests.operators import Desk, in_role

LIST = "/admin/authapi/erroraudit/"


@pytest.fixture
def desk(db: None) -> Desk:
    return Desk(in_role("auditor"))


def row(**fields: Any) -> ErrorAudit:
    defaults = {"endpoint": "/v2/users/inquiryUserInfo", "code": "ACCESS_DENIED", "reason": "no", "trace_id": "f" * 32}
    return ErrorAudit.objects.create(**(defaults | fields))


def found(desk: Desk, row: ErrorAudit, **query: str) -> bool:
    response = desk.get(LIST, query)
    assert response.status_code == 200
    return f"{LIST}{row.pk}/change/" in response.content.decode()


def test_a_merchants_error_is_found_by_its_trace_id(desk: Desk, shop_server: MerchantServer) -> None:
    body = b'{"grantType": "AUTHORIZATION_CODE", "authCode": "nonsense"}'
    response = shop_server.send("/v2/authorizations/applyToken", body)
    assert response.json()["result"]["resultCode"] == "INVALID_AUTHCODE"
    error, other = ErrorAudit.objects.latest("id"), row()
    assert found(desk, error, q=response["Trace-Id"])
    assert not found(desk, other, q=response["Trace-Id"])
    page = desk.page(f"{LIST}{error.pk}/change/")
    for text in ("INVALID_AUTHCODE", "/v2/authorizations/applyToken", "shop-client", error.reason, error.trace_id):
        assert text in page


@pytest.mark.trust(32)
def test_no_code_or_token_is_shown(
    olga: User, alices: Container, shop: MiniProgram, shop_server: MerchantServer
) -> None:
    code = alices.code("shop", ["USER_NICKNAME"])
    pair = shop_server.exchange(code)
    shop_server.exchange(code)
    shop_server.user_info(pair["accessToken"])
    desk = Desk(olga)
    pages = [desk.page(LIST), *(desk.page(f"{LIST}{row.pk}/change/") for row in ErrorAudit.objects.all())]
    assert "USED_AUTHCODE" in pages[0]
    for page in pages:
        for secret in (code, pair["accessToken"], pair["refreshToken"]):
            assert secret not in page


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"q": "shop"}, {"app_id": "shop"}),
        ({"q": "SHOP_CLIENT"}, {"client_id": "SHOP_CLIENT"}),
        ({"code": "USED_AUTHCODE"}, {"code": "USED_AUTHCODE"}),
        ({"code": "11"}, {"code": "11"}),
        ({"endpoint": "applyToken"}, {"endpoint": "/v1/authorizations/applyToken"}),
        ({"endpoint": "applyToken"}, {"endpoint": "/ams/api/v2/authorizations/applyToken.htm"}),
        ({"endpoint": "consent"}, {"endpoint": "/v1/authorizations/consents/abc"}),
        ({"endpoint": "decision"}, {"endpoint": "/v1/authorizations/consents/abc/decision"}),
        ({"endpoint": "/v9/authorizations/applyToken"}, {"endpoint": "/v9/authorizations/applyToken"}),
        ({"client": "SHOP_CLIENT"}, {"client_id": "SHOP_CLIENT"}),
        ({"address": "10.1.2.3"}, {"address": "10.1.2.3"}),
        ({"address": "2001:db8:0::1"}, {"address": "2001:db8::1"}),
        ({"from": "2026-03-01T10:00", "until": "2026-03-01T11:00"}, {"at": datetime(2026, 3, 1, 10, 30, tzinfo=UTC)}),
        ({"from": "2026-03-01", "until": "2026-03-02"}, {"at": datetime(2026, 3, 1, 10, 30, tzinfo=UTC)}),
        ({"q": "c" * 32}, {"trace_id": "c" * 32}),
        ({"program": "shop"}, {"app_id": "shop"}),
        ({"program": "shop", "code": "USED_CODE", "within": "hour"}, {"app_id": "shop", "code": "USED_CODE"}),
    ],
)
def test_the_list_is_narrowed(desk: Desk, query: dict[str, str], fields: dict[str, str]) -> None:
    wanted, other = row(**fields), row()
    assert found(desk, wanted, **query)
    assert not found(desk, other, **query)


@pytest.mark.parametrize(
    ("within", "ages"), [("hour", [0]), ("day", [0, 5]), ("week", [0, 5, 50]), ("", [0, 5, 50, 500])]
)
def test_the_list_is_narrowed_by_time(desk: Desk, within: str, ages: list[int]) -> None:
    rows = {hours: row() for hours in (0, 5, 50, 500)}
    for hours, error in rows.items():
        ErrorAudit.objects.filter(pk=error.pk).update(at=timezone.now() - timedelta(hours=hours))
    assert [hours for hours, error in rows.items() if found(desk, error, within=within)] == ages


def test_a_persons_errors_are_linked_and_outlive_them(desk: Desk, alice: User) -> None:
    error, other = row(user=alice), row()
    assert found(desk, error, user__id__exact=str(alice.pk))
    assert not found(desk, other, user__id__exact=str(alice.pk))
    number = alice.pk
    alice.delete()
    assert f"#{number} (gone)" in desk.page(LIST)
    assert f"#{number} (gone)" in desk.page(f"{LIST}{error.pk}/change/")


def test_the_filter_offers_every_code_we_can_utter(desk: Desk) -> None:
    page = desk.page(LIST)
    assert {"2", "11", "USED_AUTHCODE", "USED_CODE", results.UnknownException.code} <= set(codes())
    for code in codes():
        assert f"?code={code}" in page


@pytest.mark.parametrize(
    "query", [{"address": "no address"}, {"from": "yesterday"}, {"until": "2026-02-30"}, {"q": "nobody"}]
)
def test_what_means_nothing_finds_nothing(desk: Desk, query: dict[str, str]) -> None:
    assert not found(desk, row(), **query)


@pytest.mark.parametrize(
    "query", ["", "code=ACCESS_DENIED", "client=shop-client&address=10.1.2.3&endpoint=applyToken&within=day&q=shop"]
)
def test_a_narrowed_list_takes_few_statements(desk: Desk, query: str, django_assert_max_num_queries: Any) -> None:
    row()
    with django_assert_max_num_queries(12):
        desk.page(f"{LIST}?{query}")


@pytest.mark.trust(32)
@pytest.mark.parametrize("lookup", ["reason__startswith", "user__password__startswith", "address__startswith"])
def test_no_other_lookup_is_taken(desk: Desk, lookup: str) -> None:
    assert desk.get(LIST, {lookup: "1"}).status_code == 400


def test_a_long_reason_is_cut_in_the_list_only(desk: Desk) -> None:
    error = row(reason="x" * 300)
    assert "x" * 81 not in desk.page(LIST)
    assert "x" * 300 in desk.page(f"{LIST}{error.pk}/change/")


def test_markup_from_a_caller_stays_text(desk: Desk) -> None:
    error = row(app_id="<script>alert(1)</script>", reason="<img src=x>", endpoint="/v1/<b>")
    for page in (
        desk.page(LIST),
        desk.page(f"{LIST}{error.pk}/change/"),
        desk.page(f"{LIST}?program=%22%3E%3Cscript%3E"),
    ):
        for markup in ("<script>alert", "<img src=x", "/v1/<b>", '"><script>'):
            assert markup not in page


def test_fifty_errors_take_few_statements(desk: Desk, alice: User, django_assert_max_num_queries: Any) -> None:
    for n in range(55):
        row(user=alice, app_id=f"app{n}")
    with django_assert_max_num_queries(12):
        assert desk.page(LIST).count('class="field-code') == 50


def test_refusals_by_http_status_can_be_filtered_too(desk: Desk) -> None:
    Client().post("/v1/authorizations/getAuthCode", b"{}", content_type="application/json")
    refused, other = ErrorAudit.objects.latest("id"), row()
    assert refused.code == "401"
    assert found(desk, refused, code="401")
    assert not found(desk, other, code="401")
    assert "?code=403" in desk.page(LIST)
