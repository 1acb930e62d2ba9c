"""The official Python SDK against a real granian: it signs, sends, verifies and parses with its own code."""

import fcntl
import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import machine, servers
from tests.servers import ROOT, PortalServer

VENV = ROOT / ".venv-sdk"
LOCK = ROOT / "tests" / "sdk" / "requirements.lock"
STAMP = VENV / "built-from-lock"
Drive = Callable[..., dict[str, Any]]

pytestmark = [pytest.mark.process, pytest.mark.wire("4.1 the official Python SDK")]


@pytest.fixture(scope="session")
def sdk_python() -> Path:
    """The interpreter of .venv-sdk, which is built when it is missing or not of this lock."""
    python = VENV / "bin" / "python"
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    with (Path(tempfile.gettempdir()) / "portal-venv-sdk.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # xdist's workers build it once
        if not (python.exists() and STAMP.exists() and STAMP.read_text() == wanted):
            build(python, wanted)
    return python


def build(python: Path, stamp: str) -> None:
    shutil.rmtree(VENV, ignore_errors=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    interpreter = shutil.which("python3.11") or shutil.which("python3") or "python3"
    for command in (
        [interpreter, "-m", "venv", str(VENV)],
        [*pip, "--no-deps", "--only-binary", ":all:", "--requirement", str(LOCK)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            machine.absent(f"the official SDK could not be installed: {last}")
    STAMP.write_text(stamp)


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalServer]:
    with servers.running(tmp_path_factory.mktemp("sdk")) as server:
        yield server


@pytest.fixture
def drive(sdk_python: Path, portal: PortalServer) -> Drive:
    """One call of the SDK as Coffee's server."""

    def run(call: str, params: dict[str, Any], **job: Any) -> dict[str, Any]:
        program = portal.program("coffee")
        job = {
            "base_url": portal.base_url,
            "client_id": program["clientId"],
            "private_key": program["privateKey"],
            "platform_public_key": portal.demo["platform"]["publicKey"],
            "call": call,
            "params": params,
            **job,
        }
        command = [str(sdk_python), str(ROOT / "tests" / "sdk" / "drive.py")]
        done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    return run


def response(answer: dict[str, Any], status: str = "S", code: str = "SUCCESS") -> dict[str, Any]:
    """What the SDK parsed, after it verified our signature."""
    assert answer["ok"], answer
    fields: dict[str, Any] = answer["response"]
    assert fields["result"]["resultStatus"] == status, fields
    assert fields["result"]["resultCode"] == code
    return fields


def exchange(drive: Drive, code: str, **job: Any) -> dict[str, Any]:
    return drive("applyToken", {"grantType": "AUTHORIZATION_CODE", "authCode": code}, **job)


@pytest.mark.wire("4.1 accept absolute-form request targets and verify over the path alone")
def test_it_signs_alice_in_refreshes_and_signs_her_out(drive: Drive, portal: PortalServer) -> None:
    code = portal.code("alice", "coffee", ["auth_base", "USER_NICKNAME"])
    pair = response(exchange(drive, code))
    assert {"accessToken", "refreshToken", "accessTokenExpiryTime", "refreshTokenExpiryTime"} <= set(pair)

    info = response(drive("inquiryUserInfo", {"accessToken": pair["accessToken"]}))
    assert info["userInfo"]["nickName"] == "Alice"

    params = {"grantType": "REFRESH_TOKEN", "refreshToken": pair["refreshToken"]}
    renewed = response(drive("applyToken", params))
    assert renewed["accessToken"] != pair["accessToken"]

    assert list(response(drive("revoke", {"accessToken": renewed["accessToken"]}))) == ["result"]
    refused = drive("inquiryUserInfo", {"accessToken": renewed["accessToken"]})
    response(refused, "F", "INVALID_ACCESS_TOKEN")
    assert portal.last_refusal() == "INVALID_ACCESS_TOKEN"


@pytest.mark.wire("4.1 failures are signed too, HTTP 200")
def test_a_failure_parses(drive: Drive, portal: PortalServer) -> None:
    response(exchange(drive, "no-such-code"), "F", "INVALID_CODE")
    assert portal.last_refusal() == "INVALID_CODE"


def test_version_2_and_userinfo_in_unicode(drive: Drive, portal: PortalServer) -> None:
    code = portal.code("bob", "coffee", ["USER_NICKNAME", "USER_ADDRESS"])
    portal.change("bob", nickname="Bob \u82b1\U0001f600")
    params = {"grantType": "AUTHORIZATION_CODE", "authCode": code, "appId": "coffee"}
    answer = drive("applyToken", params, path="/ams/api/v2/authorizations/applyToken")
    token = response(answer)["accessToken"]
    info = response(drive("inquiryUserInfo", {"accessToken": token}, path="/ams/api/v2/users/inquiryUserInfo"))
    assert info["userInfo"]["nickName"] == "Bob \u82b1\U0001f600"


@pytest.mark.wire("3 INVALID_SIGNATURE")
def test_a_wrong_key_is_told_so(drive: Drive, portal: PortalServer) -> None:
    answer = exchange(drive, "x", private_key=portal.program("cafe")["privateKey"])
    response(answer, "F", "INVALID_SIGNATURE")
    assert portal.last_refusal() == "INVALID_SIGNATURE"


@pytest.mark.wire("3 KEY_NOT_FOUND")
def test_a_key_version_we_do_not_know_is_told_so(drive: Drive, portal: PortalServer) -> None:
    response(exchange(drive, "x", key_version="2"), "F", "KEY_NOT_FOUND")
    assert portal.last_refusal() == "KEY_NOT_FOUND"


def test_it_would_notice_a_forged_answer(drive: Drive, portal: PortalServer) -> None:
    """So that the other tests prove something: with another platform key the SDK raises."""
    stranger = servers.manage(
        portal.database,
        servers.stage().var_dir,
        "shell",
        "--verbosity=0",
        "--command=from portal import keys; print(keys.public_key_of(keys.new_private_key()))",
    )
    answer = exchange(drive, "x", platform_public_key=stranger)
    assert not answer["ok"]
    assert "verify" in answer["message"]


@pytest.mark.wire("4.1 client ids beginning SANDBOX_ call /ams/sandbox/api")
def test_a_sandbox_client_calls_the_sandbox_gateway(drive: Drive, portal: PortalServer) -> None:
    code = portal.code("alice", "cafe", ["auth_base"])
    portal.sql("UPDATE portal_merchant SET client_id = 'SANDBOX_CAFE' WHERE client_id = 'MERCHANT_CAFE'")
    key = portal.program("cafe")["privateKey"]
    response(exchange(drive, code, client_id="CAFE", sandbox=True, private_key=key))
    response(exchange(drive, code, client_id="CAFE", sandbox=True, private_key=key), "F", "USED_CODE")
    assert portal.last_refusal() == "USED_CODE"
    rows = portal.sql("SELECT endpoint FROM authapi_erroraudit ORDER BY id DESC LIMIT 1")
    assert rows == [("/ams/sandbox/api/v1/authorizations/applyToken",)]
