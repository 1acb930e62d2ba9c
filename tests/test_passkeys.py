"""Passkeys of operators in Chromium, with an authenticator of its own: at the door and for an act (trust 34).

Passkeys want https, or localhost by that name: browsers make none for 127.0.0.1.
"""

import re
from collections.abc import Iterator
from time import time

import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect

from portal.second_factor import code_of
from tests import servers
from tests.browsers import Demo, enter_console

pytestmark = [pytest.mark.browser, pytest.mark.process, pytest.mark.trust(34)]
ARTEFACTS = servers.ROOT / "test-artefacts"
KEY = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
PRESENT = {"isUserVerified": True, "automaticPresenceSimulation": True}


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo whose sign-ins are old after a quarter of a minute; it begins with nothing, as a newcomer's."""
    demo = Demo(tmp_path_factory.mktemp("hasty"), RECENT_SIGN_IN_SECONDS="15")
    yield demo
    demo.process.terminate()
    assert demo.process.wait(15) == 0, demo.log.read_text()


@pytest.fixture
def origin(hasty: Demo) -> str:
    return f"http://localhost:{hasty.port}"


@pytest.fixture
def desk(chromium: Browser) -> Iterator[Page]:
    """An operator's window; anything the console calls an error fails the test."""
    errors: list[str] = []
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    yield page
    context.close()
    assert [error for error in errors if "422" not in error] == []


@pytest.fixture
def key(desk: Page) -> CDPSession:
    """A security key in that machine."""
    session: CDPSession = desk.context.new_cdp_session(desk)
    session.send("WebAuthn.enable")
    session.send("WebAuthn.addVirtualAuthenticator", {"options": {**KEY, **PRESENT}})
    return session


def picture(page: Page, name: str) -> None:
    """On a desk and on a phone."""
    ARTEFACTS.mkdir(exist_ok=True)
    for width, height in ((360, 740), (1280, 800)):
        page.set_viewport_size({"width": width, "height": height})
        # Polled, for the page may still be coming: it fits, or this runs out of time.
        page.wait_for_function(
            f"document.readyState === 'complete' && document.documentElement.scrollWidth <= {width}"
        )
        page.screenshot(path=ARTEFACTS / f"second-factor-{name}-{width}.png", full_page=True)


def type_password(page: Page, demo: Demo, login: str) -> None:
    page.locator("[name=username]").fill(login)
    page.locator("[name=password]").fill(demo.password)
    page.keyboard.press("Enter")


def test_a_passkey_is_made_used_and_removed(desk: Page, key: CDPSession, hasty: Demo, origin: str) -> None:
    enter_console(desk, hasty, "olga", "/admin/second-factor/", origin)
    picture(desk, "index")
    desk.get_by_role("link", name="Another passkey").click()
    desk.locator("[name=name]").fill("Olga's laptop")
    picture(desk, "passkey")
    desk.get_by_role("button", name="Make a passkey").click()
    expect(desk.locator("body")).to_contain_text("they are not shown again")
    picture(desk, "codes")
    desk.goto(f"{origin}/admin/second-factor/")
    expect(desk.locator("body")).to_contain_text("Passkey: Olga's laptop")

    # At the door.
    desk.context.clear_cookies()
    desk.goto(f"{origin}/admin/portal/user/")
    type_password(desk, hasty, "olga")
    expect(desk).to_have_url(re.compile("/admin/second-factor/show/"))
    picture(desk, "show")
    desk.get_by_role("button", name="Use a passkey").click()
    desk.wait_for_url(f"{origin}/admin/portal/user/")

    # For an act, a while later; and then she removes it.
    alice = hasty.sql("SELECT id FROM portal_user WHERE NOT is_staff ORDER BY id")[0][0]
    desk.goto(f"{origin}/admin/portal/user/{alice}/act/freeze/")
    desk.locator("[name=reason]").fill('a test of "passkeys" <b>')
    desk.wait_for_timeout(15_500)
    desk.get_by_role("button", name="Freeze").click()
    expect(desk.locator("body")).to_contain_text("Is it still you?")
    picture(desk, "confirm")
    desk.get_by_role("button", name="Use a passkey").click()
    expect(desk.locator(".messagelist")).to_contain_text("Done: 1 of 1")
    logged = hasty.sql("SELECT change_message FROM django_admin_log ORDER BY id DESC LIMIT 1")
    assert logged == [('Frozen. Why: a test of "passkeys" <b>',)]
    desk.goto(f"{origin}/admin/second-factor/")
    desk.get_by_role("row", name=re.compile("laptop")).get_by_role("link", name="Remove").click()
    picture(desk, "remove")
    desk.get_by_role("button", name="Remove").click()
    expect(desk.locator(".messagelist")).to_contain_text("Removed: the passkey")


def test_a_key_that_was_never_registered_opens_nothing(desk: Page, key: CDPSession, hasty: Demo, origin: str) -> None:
    """Another machine has a key as well, but not this operator's: the browser finds none, and the page says so."""
    enter_console(desk, hasty, "sam", "/admin/second-factor/passkey/", origin)
    desk.get_by_role("button", name="Make a passkey").click()
    expect(desk.locator("body")).to_contain_text("they are not shown again")
    key.send("WebAuthn.disable")
    other: CDPSession = desk.context.new_cdp_session(desk)
    other.send("WebAuthn.enable")
    other.send("WebAuthn.addVirtualAuthenticator", {"options": {**KEY, **PRESENT}})
    desk.context.clear_cookies()
    desk.goto(f"{origin}/admin/")
    type_password(desk, hasty, "sam")
    desk.get_by_role("button", name="Use a passkey").click()
    expect(desk.locator("[data-passkey-failed]")).to_be_visible()
    expect(desk).to_have_url(re.compile("/admin/second-factor/show/"))


def test_on_an_address_without_passkeys_an_app_is_offered(desk: Page, hasty: Demo) -> None:
    enter_console(desk, hasty, "audrey", "/admin/second-factor/passkey/")
    expect(desk.get_by_text("Take an authenticator app.")).to_be_visible()
    expect(desk.get_by_role("button", name="Make a passkey")).to_have_count(0)


def test_an_operator_who_lost_the_app_sets_up_another(desk: Page, hasty: Demo, origin: str) -> None:
    enter_console(desk, hasty, "adam", "/admin/second-factor/", origin)
    desk.get_by_role("link", name="Remove").click()
    picture(desk, "remove-last")
    desk.get_by_role("button", name="Remove").click()
    expect(desk.locator("body")).to_contain_text("Set up a second factor")
    desk.goto(f"{origin}/admin/portal/user/")
    expect(desk.locator("body")).to_contain_text("Set up a second factor")
    picture(desk, "enrol")
    desk.get_by_role("link", name="Authenticator app").click()
    picture(desk, "app")
    secret = desk.locator(".second-factor-secret").inner_text()
    desk.locator("[name=code]").fill(code_of(secret, int(time()) // 30))
    desk.keyboard.press("Enter")
    expect(desk.locator("body")).to_contain_text("they are not shown again")
    desk.get_by_role("link", name="I have written them down").click()
    desk.wait_for_url(f"{origin}/admin/")
