"""What a person does without JavaScript: sign in, answer a consent, withdraw it. Only mini-programs need it."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browsers import Demo, enter, phone

pytestmark = [pytest.mark.browser, pytest.mark.process]


@pytest.fixture
def plain(chromium: Browser) -> Iterator[Page]:
    """A browser with JavaScript switched off."""
    with phone(chromium, java_script_enabled=False) as page:
        yield page


def collect(demo: Demo, consent_id: str) -> dict[str, Any]:
    """What Bob's container gets for the consent he answered."""
    body = {"appId": "coffee", "consentId": consent_id}
    url = f"{demo.url}/v1/authorizations/getAuthCode"
    answer: dict[str, Any] = demo.signed_in("bob").post(url, json=body, timeout=10).json()
    return answer


def test_signing_in_leads_where_one_wanted_to_go(plain: Page, demo: Demo) -> None:
    plain.goto(f"{demo.url}/permissions/")
    plain.get_by_label("login").fill("bob")
    plain.get_by_label("Password").fill("wrong")
    plain.get_by_role("button", name="Sign in").click()
    expect(plain.get_by_role("alert")).to_be_visible()
    plain.get_by_label("Password").fill(demo.password)
    plain.get_by_role("button", name="Sign in").click()
    plain.wait_for_url(f"{demo.url}/permissions/")


def test_a_consent_is_answered_and_withdrawn(plain: Page, demo: Demo) -> None:
    pending = demo.ask("bob", "coffee", ["auth_base", "USER_NICKNAME", "USER_GENDER"])
    enter(plain, demo, "bob", f"/consent/{pending['consentId']}/")
    plain.get_by_role("button", name="Allow", exact=True).click()
    expect(plain.get_by_role("alert")).to_contain_text("Switch on what you want to allow")
    plain.get_by_role("switch", name="Nickname").check()
    plain.get_by_role("button", name="Allow", exact=True).click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("Allowed for Coffee Corner")
    answer = collect(demo, pending["consentId"])
    assert answer["authCode"]
    assert answer["authSuccessScopes"] == ["auth_base", "USER_NICKNAME"]
    assert answer["authErrorScopes"] == {"USER_GENDER": "11"}

    plain.get_by_role("link", name="Permissions").click()
    plain.get_by_role("link", name="Coffee Corner").click()
    plain.get_by_role("switch", name="Nickname").click()
    expect(plain.get_by_role("main")).to_contain_text("Coffee Corner no longer has: Nickname.")
    plain.get_by_role("button", name="Withdraw everything").click()
    plain.wait_for_url(f"{demo.url}/permissions/")
    expect(plain.get_by_role("main")).to_contain_text("Coffee Corner no longer sees anything about you.")
    assert demo.ask("bob", "coffee", ["USER_NICKNAME"])["error"] == 2001


def test_a_consent_is_refused(plain: Page, demo: Demo) -> None:
    pending = demo.ask("bob", "coffee", ["USER_NICKNAME"])
    enter(plain, demo, "bob", f"/consent/{pending['consentId']}/")
    plain.get_by_role("button", name="Don't allow").click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("You did not allow Coffee Corner anything")
    assert collect(demo, pending["consentId"])["authErrorScopes"] == {"USER_NICKNAME": "11"}
    assert demo.refusals("coffee")[-1] == "11"
