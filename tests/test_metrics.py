"""GET /metrics: what is counted, with few labels; and who may read it."""

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from django.db import OperationalError, connection
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from authapi import results
from portal import metrics
from portal.models import ConsentDecision, Job, MerchantNotice, MiniProgram, User
from tests import servers
from tests.conftest import Container
from tests.merchants import MerchantServer
from tests.test_site_map import addresses

TOKEN = "a-token-of-Prometheus-0123456789"


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(text)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


class Numbers:
    """What grew since this was made."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.before = self.read()

    def read(self) -> dict[Any, float]:
        answer = self.client.get("/metrics")
        assert answer.status_code == 200
        return samples(answer.content.decode())

    def grew(self, name: str, **labels: str) -> float:
        key = name, frozenset(labels.items())
        return self.read().get(key, 0) - self.before.get(key, 0)


@pytest.fixture
def numbers(client: Client, db: None) -> Numbers:
    return Numbers(client)


# --- Who may read ---------------------------------------------------------------------------------------------


def test_this_machine_may_read_without_a_token(client: Client, db: None) -> None:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")
    assert answer["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer


@pytest.mark.parametrize("address", ["192.0.2.1", "", "nonsense"])
def test_another_machine_gets_404(client: Client, db: None, address: str) -> None:
    assert client.get("/metrics", REMOTE_ADDR=address).status_code == 404


def test_a_public_host_without_a_token_answers_nobody(client: Client, db: None, settings: Any) -> None:
    settings.PUBLIC = True
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer"}):
        assert client.get("/metrics", headers=headers).status_code == 404


@pytest.mark.parametrize("public", [True, False])
def test_the_token_opens_it_from_anywhere_and_nothing_else_does(
    client: Client, db: None, settings: Any, public: bool
) -> None:
    settings.METRICS_TOKEN, settings.PUBLIC = TOKEN, public
    right = {"Authorization": f"Bearer {TOKEN}"}
    assert client.get("/metrics", headers=right, REMOTE_ADDR="192.0.2.1").status_code == 200
    for wrong in ("", TOKEN, f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", "Bearer é", f"bearer  {TOKEN}"):
        assert client.get("/metrics", headers={"Authorization": wrong}).status_code == 404


def test_it_is_read_only(client: Client, db: None) -> None:
    assert client.post("/metrics").status_code == 405


# --- What is counted ------------------------------------------------------------------------------------------


def test_calls_are_counted_by_wire_name_and_code(
    numbers: Numbers, alices: Container, shop_server: MerchantServer
) -> None:
    code = alices.code("shop", ["auth_base", "USER_NICKNAME"])
    shop_server.exchange(code)
    shop_server.exchange(code, "/ams/api/v1/authorizations/applyToken.htm")
    assert numbers.grew("portal_requests_total", endpoint="applyToken", status="2xx", code="SUCCESS") == 1
    assert numbers.grew("portal_requests_total", endpoint="applyToken", status="2xx", code="USED_CODE") == 1
    assert numbers.grew("portal_requests_total", endpoint="getAuthCode", status="2xx", code="2001") == 1
    assert numbers.grew("portal_requests_total", endpoint="decision", status="2xx", code="SUCCESS") == 1
    assert numbers.grew("portal_request_seconds_count", endpoint="applyToken") == 2
    assert 0 < numbers.grew("portal_database_seconds_total", endpoint="applyToken") < 5
    assert numbers.grew("portal_database_statements_total", endpoint="applyToken") >= 4
    exchanged = {"grant_type": "AUTHORIZATION_CODE"}
    assert numbers.grew("portal_tokens_total", **exchanged, code="SUCCESS") == 1
    assert numbers.grew("portal_tokens_total", **exchanged, code="USED_AUTHCODE") == 1


def test_refreshes_are_counted_apart(numbers: Numbers, alices: Container, shop_server: MerchantServer) -> None:
    pair = shop_server.exchange(alices.code("shop", ["auth_base"]))
    shop_server.refresh(pair["refreshToken"])
    shop_server.refresh("no-such-token")
    assert numbers.grew("portal_tokens_total", grant_type="REFRESH_TOKEN", code="SUCCESS") == 1
    assert numbers.grew("portal_tokens_total", grant_type="REFRESH_TOKEN", code="INVALID_REFRESH_TOKEN") == 1


def test_pages_are_counted_by_the_name_of_their_url(numbers: Numbers, browser: Client) -> None:
    browser.get("/permissions/")
    browser.get("/permissions/nothing-of-hers/")
    browser.get("/nowhere/")
    assert numbers.grew("portal_requests_total", endpoint="permissions", status="2xx", code="") == 1
    assert numbers.grew("portal_requests_total", endpoint="permission_detail", status="4xx", code="") == 1
    assert numbers.grew("portal_requests_total", endpoint="unknown", status="4xx", code="") == 1


def test_decisions_are_counted_once_they_are_written(
    numbers: Numbers, alices: Container, shop: MiniProgram, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        asked = alices.get_auth_code("shop", ["USER_NICKNAME"])
        alices.decide(asked["consentId"], [])
        asked = alices.get_auth_code("shop", ["USER_NICKNAME"])
        alices.decide(asked["consentId"], ["USER_NICKNAME"])
        assert numbers.grew("portal_decisions_total", act="given") == 0
    acts = ConsentDecision.objects.order_by("pk").values_list("act", flat=True)
    assert list(acts) == ["refused", "given"]
    assert [numbers.grew("portal_decisions_total", act=act) for act in acts] == [1, 1]


def test_notices_are_counted_by_state_and_outcome(numbers: Numbers, shop: MiniProgram) -> None:
    sent, failed, parked = (MerchantNotice.objects.create(merchant=shop.merchant, body={}) for _ in range(3))
    MerchantNotice.objects.filter(pk=parked.pk).update(created="2020-01-01T00:00:00Z")
    parked.refresh_from_db()
    assert numbers.grew("portal_notices", state="waiting") == 3
    sent.sent()
    failed.attempts = parked.attempts = 1
    failed.failed("no answer")
    parked.failed("no answer")
    assert numbers.grew("portal_notices", state="waiting") == 1
    assert numbers.grew("portal_notices", state="parked") == 1
    for outcome in ("sent", "failed", "parked"):
        assert numbers.grew("portal_notice_attempts_total", outcome=outcome) == 1


def test_the_build_is_named(client: Client, db: None, settings: Any) -> None:
    settings.RELEASE = "a1b2c3d"
    text = client.get("/metrics").content.decode()
    assert re.search(r'portal_build_info\{django="5\.2.*",python="3\..*",release="a1b2c3d",version="\d.*"\} 1', text)


@pytest.mark.postgres
def test_connections_are_counted_by_what_they_do(numbers: Numbers) -> None:
    assert numbers.read()["portal_database_connections", frozenset({("state", "active")})] >= 1


def test_background_tasks_are_counted_by_state(numbers: Numbers) -> None:
    late = timezone.now() - timedelta(minutes=5)
    for state in ("WAITING", "WAITING", "RUNNING", "STUCK", "GIVEN_UP", "DONE"):
        Job.objects.create(task="portal.nothing", state=state, due_at=late)
    states = {"waiting": 2, "running": 1, "stuck": 1, "given_up": 1}
    assert {state: numbers.grew("portal_tasks", state=state) for state in states} == states
    assert 300 <= numbers.read()["portal_tasks_late_seconds", frozenset()] < 360


def test_counting_leaves_others_who_wrap_statements_alone(client: Client, db: None) -> None:
    connection.execute_wrappers.clear()  # as in a thread's first request
    with connection.execute_wrapper(lambda execute, *call: execute(*call)) as _:
        client.get("/metrics")
    assert [type(wrapper) for wrapper in connection.execute_wrappers] == [metrics.Clock]


def test_a_look_costs_a_handful_of_statements(client: Client, db: None, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(12):
        client.get("/metrics")


def test_a_database_that_is_away_is_told_and_the_rest_goes_on(client: Client, db: None) -> None:
    def away(*call: Any) -> Any:
        raise OperationalError

    with connection.execute_wrapper(away):
        found = samples(client.get("/metrics").content.decode())
    assert found["portal_database_up", frozenset()] == 0
    assert any(name == "portal_build_info" for name, _labels in found)
    assert not any(name == "portal_notices" for name, _labels in found)


# --- Few labels -----------------------------------------------------------------------------------------------


def test_labels_are_of_a_known_few_whatever_callers_send(
    numbers: Numbers, alices: Container, bob: User, shop_server: MerchantServer, browser: Client
) -> None:
    pair = shop_server.exchange(alices.code("shop", ["auth_base"]))
    for number in range(20):
        browser.get(f"/nowhere/{number}/")
        browser.get(f"/permissions/{number}/")
        browser.generic(f"VERB{number}", "/")
        shop_server.post(f"/v2/nowhere/{number}", accessToken=pair["accessToken"])
        shop_server.post("/v2/authorizations/applyToken", grantType=f"KIND{number}")
    grown = {key for key, value in numbers.read().items() if value != numbers.before.get(key)}
    wire = {"applyToken", "getAuthCode", "consent", "decision", "noSuchApi"}
    known = {*addresses(get_resolver()), *wire, "unknown"}
    codes = {"", "SUCCESS", "2001", *(refusal.code for refusal in every_refusal())}
    assert {labels["endpoint"] for labels in map(dict, (key[1] for key in grown)) if "endpoint" in labels} <= known
    assert {labels["code"] for labels in map(dict, (key[1] for key in grown)) if "code" in labels} <= codes
    assert len([key for key in grown if key[0] == "portal_requests_total"]) < 15


def every_refusal(of: type[results.MerchantRefusal] = results.MerchantRefusal) -> list[type[results.MerchantRefusal]]:
    return [found for kind in of.__subclasses__() for found in (kind, *every_refusal(kind))]


@pytest.mark.trust(7)
def test_no_secret_and_no_person_stands_in_it(
    numbers: Numbers, alices: Container, alice: User, shop_server: MerchantServer
) -> None:
    pair = shop_server.exchange(alices.code("shop", ["auth_base"]))
    text = alices.http.get("/metrics").content.decode()
    for hidden in (pair["accessToken"], pair["refreshToken"], pair["customerId"], "alice", str(alice.uuid), "+63"):
        assert hidden not in text


# --- Processes ------------------------------------------------------------------------------------------------


def test_a_process_without_pages_answers_on_a_port_of_its_own(settings: Any, db: None) -> None:
    port = servers.free_port()
    server = metrics.serve(port)
    assert server
    try:
        url = f"http://127.0.0.1:{port}"
        answer = requests.get(f"{url}/metrics", timeout=5)
        assert "portal_notice_attempts_total" in answer.text or "# TYPE portal_notice_attempts" in answer.text
        assert requests.get(f"{url}/", timeout=5).status_code == 404
        settings.METRICS_TOKEN = TOKEN
        assert requests.get(f"{url}/metrics", timeout=5).status_code == 404
        right = {"Authorization": f"Bearer {TOKEN}"}
        assert requests.get(f"{url}/metrics", headers=right, timeout=5).status_code == 200
        assert metrics.serve(port) is None  # taken: said in the log, and the work goes on
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.process
def test_each_of_several_workers_answers_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    servers.stage()  # its commands are processes, too
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder))
    with servers.running(tmp_path, workers=2) as portal:
        before = home_requests(portal)
        for _number in range(40):  # each on a connection of its own, so that both workers get some
            requests.get(f"{portal.base_url}/accounts/login/", timeout=10)
        assert {home_requests(portal) - before for _number in range(10)} == {40}
        pids = {re.sub(r"\D", "", name) for name in os.listdir(folder)}
        assert len(pids) == 2


def home_requests(portal: servers.PortalServer) -> float:
    found = samples(requests.get(f"{portal.base_url}/metrics", timeout=10).text)
    labels = frozenset({"endpoint": "login", "status": "2xx", "code": ""}.items())
    return found.get(("portal_requests_total", labels), 0)
