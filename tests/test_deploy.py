"""deploy/: two real portals of the image's files behind a real nginx; and files that name only what there is."""

import http.client
import json
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from django.core.management import get_commands

from tests import servers
from tests.deployed import DEPLOY, HOST, NGINX, PASSWORD, Deployment, OutsideMerchant, deployment
from tests.machine import need

pytestmark = pytest.mark.timeout(300)  # setting it up takes most of it
APPLY_TOKEN = "/v2/authorizations/applyToken"


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    need(*NGINX, package="nginx")
    with deployment(tmp_path_factory.mktemp("deployed")) as made:
        yield made


@pytest.fixture(scope="module")
def merchant(deployed: Deployment) -> OutsideMerchant:
    return OutsideMerchant(deployed)


def count(deployed: Deployment, port: int) -> float:
    """Signed calls that this portal answered, as Prometheus would read it, inside."""
    answer = requests.get(
        f"http://127.0.0.1:{port}/metrics", headers={"Authorization": f"Bearer {deployed.token}"}, timeout=10
    )
    assert answer.status_code == 200
    return sum(float(n) for n in re.findall(r'portal_requests_total\{.*endpoint="applyToken".*\} (\S+)', answer.text))


# --- Through nginx --------------------------------------------------------------------------------------------


@pytest.mark.process
def test_signed_calls_go_through_and_both_portals_answer(deployed: Deployment, merchant: OutsideMerchant) -> None:
    pair = merchant.exchange(deployed.auth_code())
    assert pair["result"]["resultCode"] == "SUCCESS"
    for _number in range(8):
        pair = merchant.refresh(pair["refreshToken"])
        assert pair["result"]["resultCode"] == "SUCCESS"
    assert all(count(deployed, port) > 0 for port in deployed.ports)
    assert merchant.user_info(pair["accessToken"])["userInfo"] == {"userId": pair["customerId"]}


@pytest.mark.process
def test_the_path_goes_on_as_it_came(deployed: Deployment, merchant: OutsideMerchant) -> None:
    pair = merchant.exchange(deployed.auth_code(), f"{APPLY_TOKEN}?a=%2Fb%20c&d=%C3%A9")
    assert pair["result"]["resultCode"] == "SUCCESS"
    # The official SDK writes the whole address into its first line.
    body = json.dumps({"accessToken": pair["accessToken"]}).encode()
    path = "/v2/users/inquiryUserInfo"
    wire = raw_http(deployed)
    wire.request("POST", f"https://{HOST}{path}", body, {**merchant.headers(path, body), "Host": HOST})
    answer = json.loads(wire.getresponse().read())
    wire.close()
    assert answer["result"]["resultCode"] == "SUCCESS"


@pytest.mark.process
def test_response_headers_keep_their_case(deployed: Deployment, merchant: OutsideMerchant) -> None:
    wire = raw_http(deployed)
    wire.request("POST", APPLY_TOKEN, b"{}", {**merchant.headers(APPLY_TOKEN, b"{}"), "Host": HOST})
    names = [name for name, _value in wire.getresponse().getheaders()]
    wire.close()
    assert {"signature", "client-id", "response-time"} <= set(names)


@pytest.mark.process
def test_pages_know_that_they_are_behind_tls(deployed: Deployment) -> None:
    browser = deployed.http()
    page = browser.get(f"{deployed.url}/accounts/login/", timeout=10)
    assert "max-age=31536000" in page.headers["Strict-Transport-Security"]
    assert "Secure" in page.headers["Set-Cookie"]
    style = re.findall(r'href="(/static/portal/portal\.[0-9a-f]{12}\.css)"', page.text)[0]
    assert browser.get(deployed.url + style, timeout=10).status_code == 200  # collected when the image was made
    form = {"username": "alice", "password": PASSWORD, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}
    signed_in = browser.post(f"{deployed.url}/accounts/login/", form, allow_redirects=False, timeout=10)
    assert (signed_in.status_code, signed_in.headers["Location"]) == (302, "/")


@pytest.mark.process
def test_the_audit_knows_the_caller_and_not_who_they_claim_to_be(
    deployed: Deployment, merchant: OutsideMerchant
) -> None:
    merchant.session.post(
        deployed.url + APPLY_TOKEN, b"{}", headers={"X-Forwarded-For": "198.51.100.7", "Forwarded": "for=198.51.100.8"}
    )
    shell = "from authapi.models import ErrorAudit; print(ErrorAudit.objects.latest('id').address)"
    assert deployed.run("shell", "--verbosity=0", "-c", shell).strip() == "127.0.0.1"


@pytest.mark.process
def test_metrics_are_closed_to_the_outside(deployed: Deployment) -> None:
    for path in ("/metrics", "/metrics?", "//metrics", "/%6detrics", "/./metrics", "/a/../metrics"):
        request = requests.Request("GET", deployed.url, headers={"Authorization": f"Bearer {deployed.token}"})
        prepared = deployed.http().prepare_request(request)
        prepared.url = deployed.url + path
        answer = deployed.http().send(prepared, verify=str(deployed.secrets / "tls_certificate"), timeout=10)
        assert answer.status_code == 404, path
        assert "portal_requests" not in answer.text


@pytest.mark.process
def test_pages_are_sent_on_to_tls_and_a_signed_call_never_is(deployed: Deployment) -> None:
    plain = f"http://127.0.0.1:{deployed.plain}"
    page = requests.get(f"{plain}/permissions/?q=a", headers={"Host": HOST}, allow_redirects=False, timeout=10)
    assert (page.status_code, page.headers["Location"]) == (301, f"https://{HOST}/permissions/?q=a")
    call = requests.post(plain + APPLY_TOKEN, b"{}", headers={"Host": HOST}, allow_redirects=False, timeout=10)
    assert call.status_code == 403
    assert "Location" not in call.headers
    assert requests.get(plain, headers={"Host": "evil.example"}, allow_redirects=False, timeout=10).status_code == 404


@pytest.mark.process
def test_a_body_over_six_megabytes_is_refused(deployed: Deployment) -> None:
    answer = deployed.http().post(deployed.url + APPLY_TOKEN, b"x" * (6 * 2**20 + 1), timeout=10)
    assert answer.status_code == 413


@pytest.mark.process
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_is_1_2_or_1_3(deployed: Deployment, version: ssl.TLSVersion) -> None:
    assert handshake(deployed, version, HOST) == version.name.replace("_", ".", 1)


@pytest.mark.process
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_tls_1_1_and_other_hosts_are_turned_away(deployed: Deployment) -> None:
    for version, host in ((ssl.TLSVersion.TLSv1_1, HOST), (ssl.TLSVersion.TLSv1_3, "evil.example")):
        with pytest.raises(ssl.SSLError):
            handshake(deployed, version, host)


def context(deployed: Deployment) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(deployed.secrets / "tls_certificate"))


def raw_http(deployed: Deployment) -> http.client.HTTPConnection:
    """A connection on which a caller writes the first line as they like."""
    wire = http.client.HTTPConnection(HOST)
    raw = socket.create_connection(("127.0.0.1", deployed.port), 10)
    wire.sock = context(deployed).wrap_socket(raw, server_hostname=HOST)
    return wire


def handshake(deployed: Deployment, version: ssl.TLSVersion, host: str) -> str | None:
    made = context(deployed)
    made.set_ciphers("ALL:@SECLEVEL=0")
    made.minimum_version = made.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", deployed.port), 5) as raw,
        made.wrap_socket(raw, server_hostname=host) as wire,
    ):
        return wire.version()


@pytest.mark.process
def test_the_image_says_whether_it_is_healthy(deployed: Deployment) -> None:
    deployed.run("healthy", PORT=str(deployed.ports[0]))
    with pytest.raises(AssertionError):
        deployed.run("healthy", PORT=str(servers.free_port()))


@pytest.mark.process
def test_a_worker_says_whether_it_is_healthy_and_what_it_counts(deployed: Deployment) -> None:
    port = servers.free_port()
    environment = deployed.environment(METRICS_PORT=str(port))
    command = ["deploy/entrypoint.sh", "worker", "deliver_notices", "--watch"]
    worker = subprocess.Popen(command, cwd=deployed.code, env=environment)
    try:
        for _attempt in range(100):
            if healthy(deployed, port):
                break
        url, right = f"http://127.0.0.1:{port}/metrics", {"Authorization": f"Bearer {deployed.token}"}
        assert "portal_notice_attempts" in requests.get(url, headers=right, timeout=5).text
        assert requests.get(url, timeout=5).status_code == 404
    finally:
        worker.terminate()
        worker.wait(15)


def healthy(deployed: Deployment, port: int) -> bool:
    command = ["deploy/entrypoint.sh", "healthy"]
    environment = deployed.environment(METRICS_PORT=str(port))
    return subprocess.run(command, cwd=deployed.code, env=environment, capture_output=True).returncode == 0


@pytest.mark.process
@pytest.mark.trust(37)
def test_the_check_for_deployment_is_clean_with_its_secrets(deployed: Deployment) -> None:
    assert "no issues" in deployed.run("check", "--deploy", "--fail-level", "WARNING")


@pytest.mark.process
@pytest.mark.trust(7)
def test_no_log_holds_a_code_or_a_token(deployed: Deployment, merchant: OutsideMerchant) -> None:
    code = deployed.auth_code()
    pair = merchant.exchange(code)
    deployed.http().get(f"{deployed.url}/nowhere/?token={pair['accessToken']}", timeout=10)
    logs = [deployed.folder / f"portal-{port}.log" for port in deployed.ports]
    logs += (deployed.folder / "nginx").glob("std*")
    text = "".join(log.read_text() for log in logs)
    assert '"endpoint": "applyToken"' in text
    assert '"logger":"nginx"' in text
    assert [secret for secret in (code, pair["accessToken"], pair["refreshToken"], "?token") if secret in text] == []


@pytest.mark.process
def test_one_portal_is_enough(deployed: Deployment, merchant: OutsideMerchant) -> None:
    """The last one through nginx: a call to a portal that is gone goes to the other one."""
    pair = merchant.exchange(deployed.auth_code())
    gone = deployed.portals[deployed.ports[0]]
    gone.terminate()
    gone.wait(15)
    for _number in range(6):
        pair = merchant.refresh(pair["refreshToken"])
        assert pair["result"]["resultCode"] == "SUCCESS"


# --- What the files name --------------------------------------------------------------------------------------


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


def commands() -> set[str]:
    return {*get_commands()}


def entrypoint() -> set[str]:
    return set(re.findall(r"^(\w+)\)$", (DEPLOY / "entrypoint.sh").read_text(), re.MULTILINE))


def test_every_service_runs_a_command_that_exists() -> None:
    ours = {name: service for name, service in compose()["services"].items() if "portal:" in service["image"]}
    assert ours.keys() >= {"portal1", "portal2", "migrate", "tasks", "notices", "seals", "tending"}
    for service in ours.values():
        first, *rest = service["command"]
        assert first in entrypoint()
        assert not rest or rest[0] in commands()
    run = re.findall(r"manage\.py (\w+)", (DEPLOY / "entrypoint.sh").read_text())
    assert {*run} <= commands()


def test_every_file_that_is_named_is_there() -> None:
    for line in re.findall(r"^COPY (?!--from)(.*) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE):
        assert all((servers.ROOT / name).exists() for name in line.split())
    for line in (servers.ROOT / ".dockerignore").read_text().splitlines():
        assert not line.startswith("!") or (servers.ROOT / line[1:]).exists(), line
    assert all((DEPLOY / name).is_file() for name in mounts())
    assert set(re.findall(r"deploy/[\w.-]+", (DEPLOY / "Dockerfile").read_text())) == {
        "deploy/Dockerfile",
        "deploy/entrypoint.sh",
    }


def mounts() -> list[str]:
    volumes = [volume for service in compose()["services"].values() for volume in service.get("volumes", [])]
    return [volume.split(":")[0] for volume in volumes if volume.startswith("./")]


def test_secrets_come_by_files_and_each_is_made() -> None:
    made = set(re.findall(r"^make ([\w.]+) ", (DEPLOY / "make-secrets.sh").read_text(), re.MULTILINE))
    made |= {"tls_key", "tls_certificate"}
    assert set(compose()["secrets"]) == made
    for service in compose()["services"].values():
        assert set(service.get("secrets", [])) <= made
        for name, value in service.get("environment", {}).items():
            if name.endswith("_FILE"):
                assert Path(value).name in service["secrets"]


def test_every_variable_of_a_portal_is_one_the_settings_read() -> None:
    example = (servers.ROOT / ".env.example").read_text()
    for service in compose()["services"].values():
        names = service.get("environment", {}) if "portal:" in service["image"] else {}
        for name in {name.removesuffix("_FILE") for name in names} - {"WEB_WORKERS"}:
            assert re.search(rf"^#?{name}=", example, re.MULTILINE), name


def test_services_of_ours_are_locked_down() -> None:
    for name, service in compose()["services"].items():
        if "portal:" in service["image"]:
            assert service["read_only"], name
            assert service["user"] == "10001:10001"
            assert service["cap_drop"] == ["ALL"]
            assert service["restart"]


def test_prometheus_asks_services_that_exist() -> None:
    jobs = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"]
    targets = [target for job in jobs for static in job.get("static_configs", []) for target in static["targets"]]
    names = [name for job in jobs for found in job.get("dns_sd_configs", []) for name in found["names"]]
    services = compose()["services"]
    assert {target.partition(":")[0] for target in targets} | set(names) <= services.keys()
    assert all(services[name]["environment"]["METRICS_PORT"] == "9100" for name in names)
    hosts = services["portal1"]["environment"]["ALLOWED_HOSTS"].split(",")
    assert {target.partition(":")[0] for target in targets} <= set(hosts)


def test_the_dashboard_asks_for_metrics_that_exist() -> None:
    board = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    asked = {name for panel in panels for one in panel["targets"] for name in re.findall(r"portal_\w+", one["expr"])}
    assert asked == known_metrics() & asked
    bare = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in known_metrics()}
    assert bare == {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in asked}  # each has its panel
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def known_metrics() -> set[str]:
    """The names under which Prometheus keeps what we count."""
    source = (servers.ROOT / "portal" / "metrics.py").read_text()
    counters = re.findall(r'Counter\(\s*"(portal_\w+)"', source)
    histograms = re.findall(r'Histogram\(\s*"(portal_\w+)"', source)
    gauges = re.findall(r'"(portal_\w+)"', (servers.ROOT / "portal" / "gauges.py").read_text())
    parts = {f"{name}_{end}" for name in histograms for end in ("bucket", "sum", "count")}
    return {f"{name}_total" for name in counters} | parts | set(gauges)
