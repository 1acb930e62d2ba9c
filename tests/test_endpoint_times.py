"""How long endpoints take: measured beside every call, written down by the hour, forgotten in the end."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from authapi import endpoint_times
from authapi.endpoint_hours import BUCKETS, EndpointHour, percentile
from portal.models import MiniProgram
from tests import servers
from tests.conftest import Container
from tests.merchants import MerchantServer

NOON = 490_000  # some hour since 1970


def counted() -> dict[str, int]:
    """{endpoint: calls} once this process has written them down."""
    endpoint_times.counter.flush()
    return dict(EndpointHour.objects.values_list("endpoint", "calls"))


def add(endpoint: str, calls: int, *, hour: int = NOON, microseconds: int = 0, **buckets: int) -> None:
    EndpointHour.add({(hour, endpoint): [calls, microseconds, *(buckets.get(name, 0) for name in BUCKETS)]})


def test_each_call_counts_under_the_wires_name(alices: Container, shop: MiniProgram) -> None:
    server = MerchantServer("shop-client")
    pair = server.exchange(alices.code("shop", ["USER_NICKNAME"]))
    server.user_info(pair["accessToken"])
    server.send("/ams/api/v1/customers/user/inquiryUserInfoByAccessToken.htm", b"{}")
    assert counted() == {"getAuthCode": 1, "decision": 1, "applyToken": 1, "inquiryUserInfo": 2}


def test_a_page_counts_under_its_name_and_no_address_has_one(browser: Client, db: None) -> None:
    for path in ("/permissions/", "/permissions/", "/nowhere/", "/static/portal/portal.css"):
        browser.get(path)
    assert counted() == {"permissions": 2}


def test_refused_calls_count_too(shop: MiniProgram) -> None:
    Client().post("/v2/authorizations/applyToken", b"nonsense", content_type="application/json")
    bearer = {"Authorization": "Bearer nonsense"}
    Client().post("/v1/authorizations/getAuthCode", b"{}", content_type="application/json", headers=bearer)
    assert counted() == {"applyToken": 1, "getAuthCode": 1}


def test_what_is_measured_is_what_it_took(db: None) -> None:
    endpoint_times.counter.note("applyToken", perf_counter() - 0.015)
    endpoint_times.counter.note("applyToken", perf_counter() - 99)
    before = timezone.now()
    assert counted() == {"applyToken": 2}
    row = EndpointHour.objects.get()
    assert (row.upto_20, row.above) == (1, 1)
    assert 99_015_000 <= row.microseconds < 99_100_000
    assert timedelta(0) <= before - row.hour < timedelta(hours=1, seconds=5)


def test_several_processes_and_hours_add_up(db: None) -> None:
    add("applyToken", 2, microseconds=6000, upto_5=2)
    add("applyToken", 3, microseconds=4000, upto_2=3)
    add("applyToken", 1, hour=NOON + 1, microseconds=100_000, upto_100=1)
    assert EndpointHour.objects.count() == 2
    assert EndpointHour.objects.first().hour == datetime.fromtimestamp(NOON * 3600, UTC)  # type: ignore[union-attr]
    (times,) = EndpointHour.objects.all().times()
    assert (times.calls, round(times.mean, 2)) == (6, 18.33)
    assert 50 < times.p95 <= 100


def test_the_slowest_come_first_and_the_rare_are_left_out(db: None) -> None:
    add("quick", 100, upto_2=100)
    add("slow", 100, upto_2=90, upto_500=10)
    add("rare", 1, above=1)
    assert [times.endpoint for times in EndpointHour.objects.all().times(least=10)] == ["slow", "quick"]


@pytest.mark.parametrize(
    ("buckets", "expected"),
    [
        ([100], 0.95),  # evenly between 0 and 1 ms
        ([0, 100], 1.95),
        ([90, 0, 10], 3.5),  # 5 of 10 from 2 to 5 ms
        ([0] * 12 + [7], 5000),  # no more is known
        ([95, 0, 0, 0, 5], 1),
    ],
)
def test_a_percentile_of_buckets(buckets: list[int], expected: float) -> None:
    padded = buckets + [0] * (len(BUCKETS) - len(buckets))
    assert percentile(padded, 0.95) == pytest.approx(expected)


def test_what_cannot_be_written_is_kept(db: None) -> None:
    def away(execute: Any, sql: str, *args: Any) -> Any:
        raise OperationalError("the database is away")

    endpoint_times.counter.note("applyToken", perf_counter())
    with connection.execute_wrapper(away):
        assert endpoint_times.counter.flush() == 0
    endpoint_times.counter.note("applyToken", perf_counter())
    assert counted() == {"applyToken": 2}


def test_old_hours_are_cleaned_up(db: None) -> None:
    now = int(timezone.now().timestamp()) // 3600
    for days in (0, 99, 101):
        add("applyToken", 1, hour=now - 24 * days)
    out = io.StringIO()
    call_command("cleanup", stdout=out)
    assert "Times of endpoints deleted: 1\n" in out.getvalue()
    assert EndpointHour.objects.count() == 2


def test_it_costs_a_call_next_to_nothing(db: None) -> None:
    """A call takes milliseconds; this, measured on a busy machine, some microseconds."""
    began = perf_counter()
    for _call in range(10_000):
        endpoint_times.counter.note("applyToken", began)
    assert (perf_counter() - began) / 10_000 < 0.000_05


@pytest.mark.process
def test_a_process_that_is_asked_to_end_writes_its_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCESS_COUNT_SECONDS", "600")
    with servers.running(tmp_path) as portal:
        portal.code("alice", "coffee", ["USER_NICKNAME"])
    assert dict(portal.sql("SELECT endpoint, calls FROM authapi_endpointhour"))["getAuthCode"] >= 1
