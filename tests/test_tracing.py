"""OpenTelemetry: real spans of a real server, taken by a collector of ours; and nothing secret in them (trust 7)."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests import careless, killable, machine, postgres, servers
from tests.killable import KillablePortal, RemoteMerchant
from tests.receivers import Receiver, receiving

pytestmark = pytest.mark.process


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    servers.stage()  # before the variables: its commands are not traced
    with receiving() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{receiver.port}")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        yield receiver


def spans(collector: Receiver) -> list[Any]:
    """Every span so far, with its attributes as a dict beside it."""
    calls = [ExportTraceServiceRequest.FromString(body) for path, body in collector.posted if path == "/v1/traces"]
    resources = [resource for call in calls for resource in call.resource_spans]
    found = [span for resource in resources for scope in resource.scope_spans for span in scope.spans]
    return [(span, attributes_of(span)) for span in found]


def attributes_of(told: Any) -> dict[str, Any]:
    return {one.key: one.value.string_value or one.value.int_value for one in told.attributes}


def services(collector: Receiver) -> set[str]:
    calls = [ExportTraceServiceRequest.FromString(body) for _path, body in collector.posted]
    return {attributes_of(found.resource)["service.name"] for call in calls for found in call.resource_spans}


def named(collector: Receiver, name: str) -> list[Any]:
    return [found for found in spans(collector) if found[0].name == name]


def test_a_request_is_a_span_with_our_trace_id(tmp_path: Path, collector: Receiver) -> None:
    with servers.running(tmp_path) as portal:
        merchant = RemoteMerchant(portal, portal.program("coffee"))
        merchant.exchange(portal.code("alice", "coffee", ["auth_base"]))
        collector.until(lambda: bool(named(collector, "POST applyToken")))
    ((span, attributes),) = named(collector, "POST applyToken")
    assert attributes["portal.trace_id"] == merchant.trace_id
    assert (attributes["portal.endpoint"], attributes["portal.code"]) == ("applyToken", "SUCCESS")
    assert attributes["portal.client_id"] == "MERCHANT_COFFEE"
    assert span.end_time_unix_nano > span.start_time_unix_nano
    assert services(collector) == {"portal"}


def test_the_service_is_called_what_the_standard_variable_says(
    tmp_path: Path, collector: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "consent-portal")
    with servers.running(tmp_path):
        collector.until(lambda: bool(collector.posted))
    assert services(collector) == {"consent-portal"}


@pytest.mark.trust(7)
def test_no_secret_stands_in_a_span(tmp_path: Path, collector: Receiver) -> None:
    with servers.running(tmp_path, application="tests.careless_wsgi:application") as portal:
        code = portal.code("alice", "coffee", ["auth_base"])
        pair = RemoteMerchant(portal, portal.program("coffee")).exchange(code)
        headers = {**portal.signed_in("alice").headers, "Authorization": f"Bearer {pair['accessToken']}"}
        url = f"{portal.base_url}/careless/?code={code}"
        form = {"password": "correct horse", "csrfmiddlewaretoken": headers["X-CSRFToken"]}
        failed = portal.signed_in("alice").post(url, form, headers=headers, timeout=10)
        assert failed.status_code == 500
        requests.get(f"{portal.base_url}/nowhere/{code}/?q={pair['refreshToken']}", timeout=10)
        requests.get(f"{portal.base_url}/permissions/{code}/", timeout=10)
        session = portal.signed_in("alice").cookies["sessionid"]
        collector.until(lambda: bool(named(collector, "GET unknown") and named(collector, "POST careless")))
    ((span, _attributes),) = named(collector, "POST careless")
    assert [attributes_of(event) for event in span.events] == [{"exception.type": "RuntimeError"}]
    told = b"".join(body for _path, body in collector.posted).decode(errors="replace")
    secrets = [code, pair["accessToken"], pair["refreshToken"], pair["customerId"], session, "correct horse"]
    assert [secret for secret in (*secrets, *careless.SPOKEN) if secret in told] == []


def test_statements_are_spans_below_it_without_their_values(tmp_path: Path, collector: Receiver) -> None:
    if postgres.programs() is None:
        machine.absent(postgres.ADVICE)
    with killable.portal(tmp_path) as portal:
        portal.start()
        check_statements(portal, collector)


def check_statements(portal: KillablePortal, collector: Receiver) -> None:
    code = portal.code("alice", "coffee")
    portal.merchant("coffee").exchange(code)
    collector.until(lambda: bool(named(collector, "POST applyToken")))
    ((call, _attributes),) = named(collector, "POST applyToken")
    below = [told for span, told in spans(collector) if span.parent_span_id == call.span_id]
    assert {told["db.system"] for told in below} == {"postgresql"}
    statements = [told["db.statement"] for told in below]
    assert sum("FROM portal_merchant" in statement for statement in statements) == 1
    assert sum("INSERT INTO oauth2_provider_accesstoken" in statement for statement in statements) == 1
    assert "MERCHANT_COFFEE" not in "".join(statements)
    assert not any(code.encode() in body for _path, body in collector.posted)


def test_nothing_of_it_is_imported_when_it_is_off(tmp_path: Path) -> None:
    look = "import sys, portal.wsgi; print([n for n in sys.modules if n.startswith(('opentelemetry', 'sentry_sdk'))])"
    environment = servers.environment(tmp_path / "none.sqlite3", tmp_path)
    run = subprocess.run(
        [sys.executable, "-c", look], cwd=servers.ROOT, env=environment, capture_output=True, text=True
    )
    assert run.stdout.strip() == "[]", run.stderr
