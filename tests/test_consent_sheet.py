"""The consent sheet over a mini-program in Chromium: ways out of it, two questions, the keyboard, who may frame it."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import override_settings
from playwright.sync_api import Browser, Frame, Page, Route, expect

from portal import recent_sign_in
from portal.sessions import HashedSessions, stored_key
from tests.browsers import Demo, ask, enter, open_program, outcome, phone, sheet

pytestmark = [pytest.mark.browser, pytest.mark.process]
CANCELLED = "User's authorization is cancelled"


@pytest.fixture
def cafe_page(page: Page, demo: Demo) -> Frame:
    """Café Central's page in Bob's container."""
    return open_program(page, demo, "bob", "cafe")


@pytest.mark.wire("1 error 11: the user refused, or closed the sheet")
@pytest.mark.wire("1 error 11: refused, even when silent scopes were asked along")
@pytest.mark.parametrize("way", ["Don't allow", "close", "Escape", "backdrop"])
def test_each_way_out_of_the_sheet_is_error_11(page: Page, cafe_page: Frame, demo: Demo, way: str) -> None:
    ask(cafe_page, "auth_base", "USER_NICKNAME")
    asked = sheet(page)
    if way == "Don't allow":
        asked.get_by_role("button", name=way).click()
    elif way == "backdrop":
        page.mouse.click(180, 8)
    elif way == "close":
        page.get_by_role("button", name="Close without allowing anything").click()
    else:
        page.keyboard.press(way)
    refused = {"USER_NICKNAME": "11"}
    failure = {"authSuccessScopes": [], "authErrorScopes": refused, "error": 11, "errorMessage": CANCELLED}
    assert outcome(cafe_page) == failure
    expect(page.locator("#sheet")).to_be_hidden()
    assert demo.refusals("cafe")[-1] == "11"


@pytest.mark.wire("1 error 11")
def test_a_sheet_whose_time_runs_out_closes_with_error_11(page: Page, cafe_page: Frame, demo: Demo) -> None:
    def hurry(route: Route) -> None:
        response = route.fetch()
        soon = (datetime.now(UTC) + timedelta(seconds=0.5)).isoformat()
        route.fulfill(response=response, json={**response.json(), "consentExpiryTime": soon})

    page.route("**/v1/authorizations/getAuthCode", hurry)
    with page.expect_response("**/v1/authorizations/reportError"):
        ask(cafe_page, "USER_NICKNAME")
        assert outcome(cafe_page)["error"] == 11
    expect(page.locator("#sheet")).to_be_hidden()
    assert demo.refusals("cafe")[-1] == "11"


def test_two_calls_for_the_same_are_one_question_and_two_codes(page: Page, cafe_page: Frame) -> None:
    questions: list[str] = []
    page.on("request", lambda request: questions.append(request.url) if "/consent/" in request.url else None)
    both = "Promise.all([1, 2].map(() => my.getAuthCode({ scopes: ['USER_NICKNAME'] })))"
    cafe_page.evaluate(f"() => {{ window.outcome = {both}; }}")
    sheet(page).locator("input[value=USER_NICKNAME]").check()
    sheet(page).get_by_role("button", name="Allow", exact=True).click()
    first, second = outcome(cafe_page)
    assert first["authCode"] != second["authCode"]
    assert len({url for url in questions if not url.endswith("/done/")}) == 1


def test_two_calls_for_different_scopes_are_asked_one_after_the_other(page: Page, cafe_page: Frame) -> None:
    both = "Promise.all(['USER_NICKNAME', 'auth_user'].map((scope) => my.getAuthCode({ scopes: scope })))"
    cafe_page.evaluate(f"() => {{ window.outcome = {both}; }}")
    for scope in ("USER_NICKNAME", "auth_user"):
        sheet(page).locator(f"input[value={scope}]").check()
        expect(page.locator("#sheet iframe")).to_have_count(1)
        sheet(page).get_by_role("button", name="Allow", exact=True).click()
    assert [result["authSuccessScopes"] for result in outcome(cafe_page)] == [["USER_NICKNAME"], ["auth_user"]]


@pytest.mark.trust(24)
def test_only_the_container_may_frame_the_sheet(chromium: Browser, demo: Demo) -> None:
    url = demo.ask("bob", "cafe", ["auth_user"])["consentUrl"]
    framing = "(src) => { document.body.append(Object.assign(document.createElement('iframe'), { src })); }"
    with phone(chromium, bypass_csp=True) as page:  # bypasses what a page says of itself, not what the sheet says
        cafe_page = open_program(page, demo, "bob", "cafe")
        with page.expect_event("requestfailed") as inside_the_container:
            cafe_page.evaluate(framing, url)
        page.evaluate(framing, url)
        expect(page.frame_locator(f"[src='{url}']").locator("h1")).to_contain_text("Café Central")
        page.goto(f"{demo.merchant}null")  # of the same site: the session's cookie goes along
        with page.expect_event("requestfailed") as by_itself:
            page.evaluate(framing, url)
    for request in (inside_the_container.value, by_itself.value):
        assert (request.url, request.failure) == (url, "net::ERR_BLOCKED_BY_RESPONSE")


@pytest.mark.trust(24)
def test_the_sheet_is_answered_by_keyboard_alone(page: Page, cafe_page: Frame) -> None:
    cafe_page.locator("#call").focus()
    ask(cafe_page, "USER_NICKNAME")
    asked = sheet(page)
    expect(page.locator("#sheet iframe")).to_be_focused()
    for target, key in (("input[value=USER_NICKNAME]", "Space"), ("button[value=allow]", "Enter")):
        for _tab in range(8):
            page.keyboard.press("Tab")
            if asked.locator(target).evaluate("(element) => element === document.activeElement"):
                break
        page.keyboard.press(key)
    assert outcome(cafe_page)["authSuccessScopes"] == ["USER_NICKNAME"]
    expect(page.locator("#mini-program")).to_be_focused()
    expect(cafe_page.locator("#call")).to_be_focused()


def test_the_keyboard_stays_in_the_sheet_which_says_what_it_is(page: Page, cafe_page: Frame) -> None:
    ask(cafe_page, "USER_NICKNAME")
    sheet(page)
    expect(page.get_by_role("dialog", name="What the mini-program asks to see")).to_be_visible()
    where = "document.activeElement === document.body || !!document.activeElement.closest('#sheet')"
    seen = set()
    for key in ["Tab"] * 12 + ["Shift+Tab"] * 12:
        page.keyboard.press(key)
        assert page.evaluate(where), key
        seen.add(page.evaluate("document.activeElement.tagName"))
    assert seen >= {"IFRAME", "BUTTON"}


def test_what_is_missing_is_added_in_the_sheet_and_escape_leads_back_to_the_question(page: Page, demo: Demo) -> None:
    frame = open_program(page, demo, "carol", "cafe")
    ask(frame, "USER_NICKNAME")
    asked = sheet(page)
    for key in ("Escape", ""):
        asked.get_by_role("button", name="Add it: Nickname").click()
        asked.get_by_role("heading", name="Add to your profile: Nickname").wait_for()
        if key:
            page.keyboard.press(key)
            asked.get_by_role("button", name="Add it: Nickname").wait_for()
    asked.get_by_role("textbox", name="Nickname").fill("Caz")
    asked.get_by_role("button", name="Save").click()
    asked.get_by_text("Caz"[:1] + "•••").wait_for()
    asked.get_by_role("switch", name="Nickname").check()
    asked.get_by_role("button", name="Allow", exact=True).click()
    assert outcome(frame)["authSuccessScopes"] == ["USER_NICKNAME"]


def test_enter_on_a_switch_answers_nothing(page: Page, cafe_page: Frame) -> None:
    ask(cafe_page, "USER_NICKNAME")
    switch = sheet(page).locator("input[value=USER_NICKNAME]")
    expect(page.locator("#sheet iframe")).to_be_focused()
    answers: list[str] = []
    page.on("request", lambda sent: answers.append(sent.url) if sent.method == "POST" else None)
    switch.press("Enter")
    switch.press("Space")
    expect(switch).to_be_checked()
    sheet(page).get_by_role("button", name="Allow", exact=True).click()
    assert outcome(cafe_page)["authSuccessScopes"] == ["USER_NICKNAME"]
    assert len([url for url in answers if "/consent/" in url]) == 1


def test_after_an_error_the_focus_is_on_the_error(page: Page, cafe_page: Frame) -> None:
    ask(cafe_page, "USER_NICKNAME")
    asked = sheet(page)
    asked.get_by_role("button", name="Allow", exact=True).click()
    expect(asked.get_by_role("alert")).to_contain_text("Switch on what you want to allow")
    expect(asked.get_by_role("alert")).to_be_focused()


def forget_the_password(demo: Demo, login: str) -> None:
    """Make this person's sign-in an old one."""
    key = stored_key(demo.signed_in(login).cookies["sessionid"] or "")
    with override_settings(SECRET_KEY=(demo.var / "keys" / "secret_key").read_text().strip()):
        [[stored]] = demo.sql("SELECT session_data FROM django_session WHERE session_key = ?", key)
        session = HashedSessions().decode(stored)
        old = HashedSessions().encode({**session, recent_sign_in.KEY: 0})
    assert session[recent_sign_in.KEY]
    demo.sql("UPDATE django_session SET session_data = ? WHERE session_key = ?", old, key)


def test_a_sensitive_line_is_confirmed_in_the_sheet(page: Page, demo: Demo) -> None:
    coffee = open_program(page, demo, "bob", "coffee")
    forget_the_password(demo, "bob")
    ask(coffee, "PLAINTEXT_MOBILE_PHONE", "USER_GENDER")
    asked = sheet(page)
    asked.get_by_role("switch", name="Mobile number").check()
    asked.get_by_role("button", name="Allow", exact=True).click()
    password = asked.get_by_label("Type your password to allow: Mobile number")
    expect(password).to_be_focused()
    password.fill("wrong")
    page.keyboard.press("Enter")
    expect(asked.locator(".errorlist")).to_contain_text("This is not your password.")
    expect(password).to_have_accessible_description(re.compile("This is not your password."))
    expect(password).to_be_focused()
    expect(password).to_have_value("")
    page.keyboard.type(demo.password)
    page.keyboard.press("Enter")
    assert outcome(coffee)["authSuccessScopes"] == ["PLAINTEXT_MOBILE_PHONE"]


VISIBLE = """() => {
  const { bottom } = document.querySelector('.scroll').getBoundingClientRect();
  const lines = [...document.querySelectorAll('.row.ask')];
  return lines.filter((line) => line.getBoundingClientRect().bottom <= bottom).length;
}"""
SMALL = """() => [...document.querySelectorAll('button:not(.hidden), select, label.row')]
  .filter((element) => element.getBoundingClientRect().height < 48).map((element) => element.outerHTML)"""


def test_a_small_phone_shows_three_lines_above_the_buttons(page: Page, demo: Demo) -> None:
    coffee = open_program(page, demo, "alice", "coffee")
    ask(coffee, "USER_NICKNAME", "USER_NAME", "USER_GENDER", "USER_BIRTHDAY", "PLAINTEXT_MOBILE_PHONE")
    sheet(page).locator("h1").wait_for()
    frame = page.frames[-1]
    assert frame.evaluate(VISIBLE) >= 3
    assert frame.evaluate(SMALL) == []


@pytest.mark.parametrize("size", [(320, 560), (320, 256), (360, 740), (1280, 256)], ids=str)
def test_everything_can_be_reached_at_any_size(page: Page, demo: Demo, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    pending = demo.ask("alice", "coffee", ["USER_NICKNAME", "USER_ADDRESS", "PLAINTEXT_MOBILE_PHONE", "SEND_MESSAGE"])
    enter(page, demo, "alice", f"/consent/{pending['consentId']}/")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    for target in (page.get_by_role("switch", name="Send you messages"), page.locator("button[value=allow]")):
        target.scroll_into_view_if_needed()
        expect(target).to_be_in_viewport(ratio=1)
    page.locator("button[value=refuse]").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You did not allow Coffee Corner anything")
