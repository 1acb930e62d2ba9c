"""Sentry: what a report of an unforeseen error says, and that no secret is in it (trust 7)."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import careless, servers
from tests.killable import RemoteMerchant
from tests.receivers import Receiver, receiving

pytestmark = pytest.mark.process


@pytest.fixture
def tracker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    servers.stage()
    with receiving() as receiver:
        monkeypatch.setenv("SENTRY_DSN", f"http://a-public-key@127.0.0.1:{receiver.port}/42")
        monkeypatch.setenv("RELEASE", "a1b2c3d")
        yield receiver


def events(tracker: Receiver) -> list[dict[str, Any]]:
    """The events of every envelope so far: after the envelope's header, each item has a line of its own before it."""
    found = []
    for _path, body in tracker.posted:
        lines = body.split(b"\n")
        heads = [json.loads(line or b"{}") for line in lines[1::2]]
        bodies = zip(heads, lines[2::2], strict=False)
        found += [json.loads(line) for head, line in bodies if head.get("type") == "event"]
    return found


@pytest.mark.trust(7)
def test_a_page_that_fails_is_told_without_a_secret(tmp_path: Path, tracker: Receiver) -> None:
    with servers.running(tmp_path, application="tests.careless_wsgi:application") as portal:
        code = portal.code("alice", "coffee", ["auth_base"])
        http = portal.signed_in("alice")
        form = {"password": "correct horse", "csrfmiddlewaretoken": http.headers["X-CSRFToken"]}
        failed = http.post(
            f"{portal.base_url}/careless/?code={code}", form, headers={"Authorization": f"Bearer {code}"}, timeout=10
        )
        tracker.until(lambda: bool(events(tracker)))
    (event,) = events(tracker)
    assert tracker.posted[0][0] == "/api/42/envelope/"
    assert event["tags"] == {"trace_id": failed.headers["Trace-Id"]}
    assert event["release"] == "a1b2c3d"
    (error,) = event["exception"]["values"]
    assert error["type"] == "RuntimeError"
    assert "value" not in error
    frame = error["stacktrace"]["frames"][-1]
    assert (frame["function"], frame["context_line"].strip()) == ("careless", "raise RuntimeError(WORDS)")
    assert "vars" not in frame
    assert not {"request", "user", "extra", "breadcrumbs", "contexts"} & event.keys()
    told = "".join(body.decode() for _path, body in tracker.posted)
    secrets = [code, http.cookies["sessionid"], http.headers["X-CSRFToken"], "correct horse", "sessionid=", "alice"]
    assert [secret for secret in (*secrets, *SPOKEN_AT_RUN_TIME) if str(secret) in told] == []


# Those that stand in the source near the line that failed are shown as source.
SPOKEN_AT_RUN_TIME = (careless.WORDS, f"portal:{careless.PASSWORD}@")


@pytest.mark.trust(7)
def test_a_signed_call_that_fails_on_our_side_is_told_too(tmp_path: Path, tracker: Receiver) -> None:
    with servers.running(tmp_path) as portal:
        merchant, code = (
            RemoteMerchant(portal, portal.program("coffee")),
            portal.code("alice", "coffee", ["auth_base"]),
        )
        portal.sql("ALTER TABLE authapi_authcode RENAME TO elsewhere")
        answer = merchant.exchange(code)
        assert answer["result"]["resultCode"] == "UNKNOWN_EXCEPTION"
        tracker.until(lambda: bool(events(tracker)))
    (event,) = events(tracker)
    assert event["logentry"] == {"message": "unforeseen error at %s"}
    assert event["tags"] == {"trace_id": merchant.trace_id}
    assert event["exception"]["values"][-1]["type"] == "OperationalError"
    told = "".join(body.decode() for _path, body in tracker.posted)
    assert [secret for secret in (code, "MERCHANT_COFFEE", "signature=") if secret in told] == []


def test_a_command_that_fails_is_told(tmp_path: Path, tracker: Receiver) -> None:
    command = ["manage.py", "seed_demo"]  # on a database without tables
    environment = servers.environment(tmp_path / "empty.sqlite3", servers.stage().var_dir)
    run = subprocess.run([sys.executable, *command], cwd=servers.ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode != 0
    (event,) = events(tracker)
    assert event["exception"]["values"][-1]["type"] == "OperationalError"
