"""The story of the README in Chromium, against what `make run` starts; each page leaves a picture to look at."""

import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from tests import servers
from tests.machine import need

pytestmark = [pytest.mark.browser, pytest.mark.process]
ARTEFACTS = servers.ROOT / "test-artefacts"
FLAGS = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"


class Demo:
    """`make run`'s command on free ports, with data of its own."""

    def __init__(self, folder: Path) -> None:
        self.var = folder / "var"
        self.port = free_pair()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {**os.environ, "VAR_DIR": str(self.var)}
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
            except requests.ConnectionError:
                assert self.process.poll() is None, self.log.read_text()
                time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    @property
    def merchant(self) -> str:
        return f"http://127.0.0.1:{self.port + 1}/"

    def refusals(self, app_id: str) -> list[str]:
        """The codes in the error audit for this mini-program, oldest first."""
        with closing(sqlite3.connect(self.var / "portal.sqlite3")) as database:
            statement = "SELECT code FROM authapi_erroraudit WHERE app_id = ? ORDER BY id"
            return [row[0] for row in database.execute(statement, [app_id])]


def free_pair() -> int:
    """Two neighbouring ports nobody listens on."""
    from portal.management.commands.run_demo import is_free

    while True:
        port = servers.free_port()
        if port < 65000 and is_free(port) and is_free(port + 1):
            return port


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = Demo(tmp_path_factory.mktemp("demo"))
    yield running
    running.process.terminate()
    assert running.process.wait(15) == 0, running.log.read_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = need("chromium", "chromium-browser", "google-chrome", package="chromium")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=program, args=FLAGS.split())


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A phone's window; anything the console calls an error fails the test."""
    context = browser.new_context(viewport={"width": 360, "height": 740}, locale="en-GB")
    context.set_default_timeout(10_000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if "Content Security" in message.text else None)
    yield page
    context.close()
    assert not errors


def picture(page: Page, name: str) -> None:
    """The page on a phone and on a desk, light and dark."""
    ARTEFACTS.mkdir(exist_ok=True)
    size = page.viewport_size
    for width, height in ((360, 740), (1280, 800)):
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=ARTEFACTS / f"{name}-{width}-{scheme}.png")
    page.emulate_media(color_scheme="light")
    assert size
    page.set_viewport_size(size)


def sign_in(page: Page, demo: Demo, login: str, path: str = "/") -> None:
    page.goto(demo.url + path)
    page.locator("[name=username]").fill(login)
    page.locator("[name=password]").fill(demo.password)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{demo.url}{path}")


def coffee(page: Page) -> Any:
    """Coffee's page, inside the container."""
    return page.frame_locator("#mini-program")


def sheet(page: Page) -> Any:
    page.locator("#sheet.is-loaded").wait_for()
    return page.frame_locator("#sheet iframe")


def test_the_story(page: Page, demo: Demo) -> None:
    # Alice signs in and opens Coffee.
    page.goto(demo.url)
    picture(page, "login")
    sign_in(page, demo, "alice")
    picture(page, "home")
    page.get_by_role("link", name="Coffee Corner").first.click()
    coffee(page).locator("#sign-in").click()

    # The sheet names what is asked, with masked values; she allows her nickname, not her number.
    asked = sheet(page)
    expect(asked.locator("body")).to_contain_text("Mobile number")
    expect(asked.locator("body")).to_contain_text("+63 ••• ••• 4567")
    expect(asked.locator("body")).to_contain_text("So the barista can call you")
    expect(asked.locator("body")).not_to_contain_text("917")
    assert asked.locator("input[name=scopes]:checked").count() == 0
    picture(page, "consent")
    asked.locator("input[value=USER_NICKNAME]").check()
    asked.get_by_role("button", name="Allow", exact=True).click()

    # Coffee's server exchanged the code: it greets her, and knows what it was refused.
    expect(coffee(page).locator("#greeting")).to_contain_text("Alice")
    expect(coffee(page).locator("#refused")).to_contain_text("Mobile number")
    picture(page, "coffee")

    # Two clicks from home she finds what Coffee has, and ends it.
    page.goto(demo.url)
    page.get_by_role("link", name=re.compile("Permissions")).first.click()
    picture(page, "permissions")
    page.get_by_role("link", name=re.compile("Coffee Corner")).click()
    expect(page.locator("main")).to_contain_text("Nickname")
    picture(page, "permission")
    page.get_by_role("button", name="Withdraw everything").click()
    expect(page.locator("main")).to_contain_text("Coffee Corner")

    # Coffee is refused.
    page.goto(f"{demo.url}/mini/coffee/")
    expect(coffee(page).locator("#message")).to_contain_text("INVALID_ACCESS_TOKEN")
    picture(page, "coffee-refused")
    page.goto(f"{demo.url}/profile/")
    picture(page, "profile")


def test_an_operator_finds_the_refusal_and_revokes_a_grant(page: Page, browser: Browser, demo: Demo) -> None:
    sign_in(page, demo, "bob", "/mini/coffee/")
    coffee(page).locator("#sign-in").click()
    asked = sheet(page)
    asked.locator("input[value=USER_NICKNAME]").check()
    asked.get_by_role("button", name="Allow", exact=True).click()
    expect(coffee(page).locator("#greeting")).to_contain_text("Bob")

    olga = browser.new_page(viewport={"width": 1280, "height": 800})
    olga.goto(f"{demo.url}/admin/")
    olga.locator("[name=username]").fill("olga")
    olga.locator("[name=password]").fill(demo.password)
    olga.keyboard.press("Enter")
    olga.wait_for_url(f"{demo.url}/admin/")
    olga.goto(f"{demo.url}/admin/portal/miniprogramgrant/?q=bob")
    olga.screenshot(path=ARTEFACTS / "admin-grants.png")
    olga.locator("#result_list tbody th a").first.click()
    olga.get_by_role("link", name=re.compile("Revoke")).click()
    olga.locator("[name=reason]").fill("asked for by the user on the phone")
    olga.screenshot(path=ARTEFACTS / "admin-revoke.png")
    olga.locator("[type=submit]", has_text=re.compile("Revoke", re.IGNORECASE)).or_(
        olga.locator("input[type=submit][value*=Revoke]")
    ).first.click()

    coffee(page).locator("#refresh").click()
    expect(coffee(page).locator("#message")).to_contain_text("INVALID_ACCESS_TOKEN")

    olga.goto(f"{demo.url}/admin/authapi/erroraudit/?q=coffee")
    expect(olga.locator("#result_list")).to_contain_text(re.compile("INVALID_ACCESS_TOKEN|11"))
    olga.screenshot(path=ARTEFACTS / "admin-errors.png")
    olga.close()


@pytest.mark.wire("1 error 11")
def test_closing_or_refusing_the_sheet_is_error_11(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "alice", "/mini/coffee/")
    for close in ("escape", "refuse"):
        coffee(page).locator("#sign-in").click()
        asked = sheet(page)
        if close == "escape":
            page.keyboard.press("Escape")
        else:
            asked.get_by_role("button", name="Don't allow").click()
        page.locator("#sheet").wait_for(state="hidden")
        expect(coffee(page).locator("#message")).to_be_visible()
    assert demo.refusals("coffee")[-2:] == ["11", "11"]


@pytest.mark.wire("1 error 10")
def test_a_network_failure_is_error_10(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "alice", "/mini/cafe/")

    def cut(route: Route) -> None:
        route.abort()

    page.route("**/v1/authorizations/getAuthCode", cut)
    coffee(page).locator("#call").click()
    expect(coffee(page).locator("#out")).to_contain_text('"error": 10')
    expect(coffee(page).locator("#out")).to_contain_text("Empty data")
    # The container told the server of what the server never saw.
    page.wait_for_timeout(300)
    assert demo.refusals("cafe")[-1] == "10"


def test_the_published_sample_runs_unmodified(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "alice", "/mini/coffee2/")
    coffee(page).locator("#call").click()
    expect(coffee(page).locator("#out")).to_contain_text('"authCode"')
    expect(coffee(page).locator("dialog")).to_be_visible()


def test_null_scopes_mean_auth_base(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "alice", "/mini/cafe/")
    coffee(page).locator("#call").click()
    expect(coffee(page).locator("#out")).to_contain_text(re.compile(r'"authSuccessScopes": \[\s*"auth_base"\s*\]'))


@pytest.mark.trust(18)
def test_messages_of_other_origins_are_not_answered(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "alice", "/mini/coffee/")
    coffee(page).locator("#sign-in").wait_for()
    calls: list[str] = []
    page.on("request", lambda request: calls.append(request.url))
    page.evaluate(
        "window.postMessage({type: 'portal.call', id: '1', name: 'getAuthCode', args: {scopes: ['auth_base']}}, '*')"
    )
    page.wait_for_timeout(500)
    assert not [url for url in calls if "getAuthCode" in url]
