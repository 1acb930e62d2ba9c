"""The consent sheet over a mini-program in Chromium: ways out of it, two questions, the keyboard, who may frame it."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Frame, Page, Route, expect

from tests.browsers import Demo, ask, open_program, outcome, phone, sheet

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
    asked.get_by_label("nickname").fill("Caz")
    asked.get_by_role("button", name="Save").click()
    asked.get_by_text("Caz"[:1] + "•••").wait_for()
    asked.get_by_role("switch", name="Nickname").check()
    asked.get_by_role("button", name="Allow", exact=True).click()
    assert outcome(frame)["authSuccessScopes"] == ["USER_NICKNAME"]
