"""The demo that `make run` starts, and Chromium to look at it with: the fixtures demo, chromium and page (conftest).

Where signing in is not what a test is about, `enter`, `enter_console` and `open_program` do it. `ask` calls
my.getAuthCode, `sheet` is the consent sheet that comes up, `outcome` what the page got.
"""

import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Frame, FrameLocator, Page, sync_playwright

from tests import migrated, servers
from tests.machine import CHROMIUM, need

FLAGS = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"


class Demo:
    """`make run`'s command on free ports, with data of its own."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.var = folder / "var"
        self.port = free_pair()
        self.url = f"http://127.0.0.1:{self.port}"
        self.sessions: dict[str, requests.Session] = {}
        # Its sessions last as long as all tests together.
        self.environment = {**os.environ, "VAR_DIR": str(self.var), "RECENT_SIGN_IN_SECONDS": "86400", **settings}
        self.environment.pop("DATABASE_URL", None)
        command = [sys.executable, "manage.py", "run_demo", "--port", str(self.port)]
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=servers.ROOT, env=self.environment, stdout=log, stderr=log)
        self.wait()
        self.password = (self.var / "demo" / "password").read_text()

    def wait(self) -> None:
        for _attempt in range(600):
            try:
                if requests.get(f"{self.url}/readyz", timeout=2).ok and requests.get(self.merchant, timeout=2).ok:
                    return
            except requests.RequestException:  # nobody there yet, or a busy machine
                assert self.process.poll() is None, self.log.read_text()
                time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    @property
    def merchant(self) -> str:
        return f"http://127.0.0.1:{self.port + 1}/"

    def sql(self, statement: str, *values: Any) -> list[Any]:
        """Run one statement on its database, beside the server; gives the rows."""
        with closing(sqlite3.connect(self.var / "portal.sqlite3", timeout=20)) as database, database:
            return database.execute(statement, values).fetchall()

    def code(self, login: str) -> str:
        """What this operator's authenticator app shows; waits while every code of the moment was used."""
        command = [sys.executable, "manage.py", "second_factor", login]
        for _second in range(61):
            done = subprocess.run(command, cwd=servers.ROOT, env=self.environment, capture_output=True, text=True)
            if done.returncode == 0:
                return done.stdout.strip()
            time.sleep(1)
        raise AssertionError(done.stderr)

    def refusals(self, app_id: str) -> list[str]:
        """The codes in the error audit for this mini-program, oldest first."""
        return [row[0] for row in self.sql("SELECT code FROM authapi_erroraudit WHERE app_id = ? ORDER BY id", app_id)]

    def signed_in(self, login: str) -> requests.Session:
        """A session of this person, with its CSRF token as a header; the same one each time."""
        if login not in self.sessions:
            self.sessions[login] = servers.sign_in(self.url, login, self.password)
        return self.sessions[login]

    def ask(self, login: str, app_id: str, scopes: list[str]) -> dict[str, Any]:
        """What getAuthCode answers this person's container: a code, or the consent to ask for."""
        url = f"{self.url}/v1/authorizations/getAuthCode"
        body = {"appId": app_id, "scopes": scopes}
        answer: dict[str, Any] = self.signed_in(login).post(url, json=body, timeout=10).json()
        return answer

    def withdraw_all(self) -> None:
        """Everybody takes back what they allowed, each on their own permissions page."""
        for login in ("alice", "bob", "carol"):
            answer = self.signed_in(login).post(f"{self.url}/permissions/all/withdraw/", timeout=10)
            assert answer.ok
        assert self.sql("SELECT count(*) FROM portal_miniprogramgrant WHERE ended_at IS NULL") == [(0,)]


def free_pair() -> int:
    """Two neighbouring ports nobody listens on, below those that systems hand out while the demo is starting."""
    from portal.management.commands.run_demo import is_free

    while True:
        port = random.randrange(20000, 32000, 2)
        if is_free(port) and is_free(port + 1):
            return port


@pytest.fixture(scope="session")
def running_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One for all tests of a run: it takes seconds to start."""
    folder = tmp_path_factory.mktemp("demo")
    (folder / "var").mkdir()
    servers.copy(migrated.sqlite(), folder / "var" / "portal.sqlite3")
    running = Demo(folder)
    yield running
    running.process.terminate()
    assert running.process.wait(15) == 0, running.log.read_text()


@pytest.fixture
def demo(running_demo: Demo) -> Demo:
    """The demo, and nobody has allowed anything yet."""
    running_demo.withdraw_all()
    return running_demo


# Not for the whole run: Playwright's event loop would make Django's ORM refuse to work in the tests that follow.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    program = need(*CHROMIUM, package="chromium")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=program, args=FLAGS.split())


@contextmanager
def phone(chromium: Browser, **options: Any) -> Iterator[Page]:
    """A phone's window, nobody signed in; `options` are those of Playwright's new_context."""
    context = chromium.new_context(viewport={"width": 360, "height": 740}, locale="en-GB", **options)
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A phone's window; anything the console calls an error fails the test."""
    errors: list[str] = []
    with phone(chromium) as page:
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if "Content Security" in message.text else None)
        yield page
    assert not errors


def enter(page: Page, demo: Demo, login: str, path: str) -> None:
    """Open a page of the portal as somebody who signed in before."""
    cookie = demo.signed_in(login).cookies["sessionid"]
    assert cookie
    page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": demo.url}])
    page.goto(demo.url + path)


def enter_console(page: Page, demo: Demo, login: str, path: str = "/admin/", origin: str = "") -> None:
    """Sign in as an operator, password and second step, and land there."""
    page.goto((origin or demo.url) + path)
    page.locator("[name=username]").fill(login)
    page.locator("[name=password]").fill(demo.password)
    page.keyboard.press("Enter")
    page.locator("[name=code]").fill(demo.code(login))
    page.keyboard.press("Enter")
    page.wait_for_url(f"{origin or demo.url}{path}")


def open_program(page: Page, demo: Demo, login: str, app_id: str) -> Frame:
    """Open a mini-program in this person's container; gives its page, where JavaScript runs as its own."""
    enter(page, demo, login, f"/mini/{app_id}/")
    return in_frame(page)


def in_frame(page: Page) -> Frame:
    """What the container's iframe holds now."""
    frame = page.locator("#mini-program").element_handle().content_frame()
    assert frame
    return frame


def sheet(page: Page) -> FrameLocator:
    """The consent sheet, once it is there."""
    page.locator("#sheet.is-loaded").wait_for()
    return page.frame_locator("#sheet iframe")


def ask(frame: Frame, *scopes: str) -> None:
    """Call my.getAuthCode and do not wait."""
    frame.evaluate("(s) => { window.outcome = my.getAuthCode({ scopes: s }).catch((e) => e); }", [*scopes])


def outcome(frame: Frame) -> Any:
    """What became of `ask`, within ten seconds."""
    late = "new Promise((yes) => setTimeout(yes, 10000, 'nothing for ten seconds'))"
    return frame.evaluate(f"Promise.race([outcome, {late}])")
