"""The story of the README in Chromium, against what `make run` starts; each page leaves a picture to look at."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import servers
from tests.browsers import Demo, enter_console, sheet

pytestmark = [pytest.mark.browser, pytest.mark.process]
ARTEFACTS = servers.ROOT / "test-artefacts"


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


def test_an_operator_finds_the_refusal_and_revokes_a_grant(page: Page, chromium: Browser, demo: Demo) -> None:
    sign_in(page, demo, "bob", "/mini/coffee/")
    coffee(page).locator("#sign-in").click()
    asked = sheet(page)
    asked.locator("input[value=USER_NICKNAME]").check()
    asked.get_by_role("button", name="Allow", exact=True).click()
    expect(coffee(page).locator("#greeting")).to_contain_text("Bob")

    olga = chromium.new_page(viewport={"width": 1280, "height": 800})
    enter_console(olga, demo, "olga")
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


def test_the_published_sample_runs_unmodified(page: Page, demo: Demo) -> None:
    sign_in(page, demo, "alice", "/mini/coffee2/")
    coffee(page).locator("#call").click()
    expect(coffee(page).locator("#out")).to_contain_text('"authCode"')
    expect(coffee(page).locator("dialog")).to_be_visible()
