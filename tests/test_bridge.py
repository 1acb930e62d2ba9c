"""my.js as a mini-program's page meets it (wire.md 1): arguments, callbacks, results, and the smaller methods."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Frame, Page, expect

from tests.browsers import Demo, ask, open_program, outcome, phone, sheet

pytestmark = [pytest.mark.browser, pytest.mark.process]
REPORT = "**/v1/authorizations/reportError"

# getAuthCode with every callback: what was heard in which order, whether it was one object, and the object.
HEAR = """async (scopes) => {
  const names = [], values = [];
  const hear = (name) => (value) => { names.push(name); values.push(value); };
  await my.getAuthCode({ scopes, success: hear('success'), fail: hear('fail'), complete: hear('complete') })
    .then(hear('resolved'), hear('rejected'));
  await new Promise((resolve) => setTimeout(resolve, 50));
  return { names, same: values.every((value) => value === values[0]), result: values[0] };
}"""

# Every callback throws; what was heard nevertheless.
THROW = """async (scopes) => {
  const heard = [];
  const thrower = (name) => () => { heard.push(name); throw new Error(`from ${name}`); };
  await my.getAuthCode({ scopes, success: thrower('success'), fail: thrower('fail'), complete: thrower('complete') })
    .then(() => heard.push('resolved'), () => heard.push('rejected'));
  await new Promise((resolve) => setTimeout(resolve, 50));
  return heard;
}"""

# A failing call whose promise nobody handles: what reaches the page as an unhandled rejection.
FORGET = """async (withFail) => {
  const unhandled = [];
  const hear = (event) => { unhandled.push(event.reason.error); event.preventDefault(); };
  window.addEventListener('unhandledrejection', hear);
  my.getAuthCode(withFail ? { scopes: [], fail() {} } : { scopes: [] });
  await new Promise((resolve) => setTimeout(resolve, 50));
  window.removeEventListener('unhandledrejection', hear);
  return unhandled;
}"""


@pytest.fixture
def cafe_page(page: Page, demo: Demo) -> Frame:
    """Café Central's page in Bob's container."""
    return open_program(page, demo, "bob", "cafe")


def get_auth_code(frame: Frame, options: str) -> Any:
    """The outcome of getAuthCode with these arguments, written as JavaScript."""
    return frame.evaluate(f"my.getAuthCode({options}).catch((failure) => failure)")


# ---- arguments ---------------------------------------------------------------------------------------------


@pytest.mark.wire("1 scopes missing or null")
def test_without_scopes_auth_base_is_asked(cafe_page: Frame) -> None:
    for options in ("", "null", "{}", "{scopes: undefined}", "{scopes: null}", "{success: null, fail: undefined}"):
        assert get_auth_code(cafe_page, options)["authSuccessScopes"] == ["auth_base"], options


@pytest.mark.wire("1 scopes: a bare string counts as one scope")
def test_a_bare_string_is_one_scope(cafe_page: Frame) -> None:
    assert get_auth_code(cafe_page, "{scopes: 'auth_base'}")["authSuccessScopes"] == ["auth_base"]
    assert get_auth_code(cafe_page, "{scopes: 'auth_base,auth_user'}")["authErrorScopes"] == {
        "auth_base,auth_user": "10001"
    }


WRONG_SCOPES = ["[]", "[7]", "[null]", "['auth_base', undefined]", "[,]", "[['auth_base']]", "7", "true", "{}"]
WRONG = [f"{{scopes: {scopes}}}" for scopes in WRONG_SCOPES]
WRONG += ["'auth_base'", "7", "{success: 1}", "{fail: 'x'}", "{complete: {}}"]


@pytest.mark.wire("1 scopes: anything else is error 2")
@pytest.mark.wire("1 error 2: arguments of the wrong type")
def test_arguments_of_the_wrong_type_are_error_2(page: Page, cafe_page: Frame, demo: Demo) -> None:
    before = demo.refusals("cafe")
    failure = {"authSuccessScopes": [], "authErrorScopes": {}, "error": 2, "errorMessage": "Invalid parameters"}
    for options in WRONG:
        with page.expect_response(REPORT):
            assert get_auth_code(cafe_page, options) == failure, options
    assert demo.refusals("cafe") == before + ["2"] * len(WRONG)


# ---- callbacks and the promise -----------------------------------------------------------------------------


@pytest.mark.wire("1 success / fail / complete")
def test_success_then_complete_run_once_with_the_object_of_the_promise(cafe_page: Frame) -> None:
    heard = cafe_page.evaluate(HEAR, ["auth_base"])
    assert heard["names"] == ["success", "complete", "resolved"]
    assert heard["same"]


@pytest.mark.wire("1 success / fail / complete")
def test_fail_then_complete_run_once_with_the_object_of_the_promise(cafe_page: Frame) -> None:
    for scopes in ([], ["NO_SUCH"]):  # refused by the page, refused by the portal
        heard = cafe_page.evaluate(HEAR, scopes)
        assert heard["names"] == ["fail", "complete", "rejected"]
        assert heard["same"]


@pytest.mark.wire("1 success / fail / complete: an exception in one does not stop the others")
def test_an_exception_in_a_callback_stops_nothing_and_is_seen(chromium: Browser, demo: Demo) -> None:
    seen: list[str] = []
    with phone(chromium) as page:
        page.on("pageerror", lambda error: seen.append(error.message))
        frame = open_program(page, demo, "bob", "cafe")
        assert frame.evaluate(THROW, ["auth_base"]) == ["success", "complete", "resolved"]
        assert frame.evaluate(THROW, ["NO_SUCH"]) == ["fail", "complete", "rejected"]
    assert seen == ["from success", "from complete", "from fail", "from complete"]


@pytest.mark.wire("1 promise: a rejection is handled when fail was given")
def test_a_rejection_is_unhandled_only_when_no_fail_was_given(cafe_page: Frame) -> None:
    assert cafe_page.evaluate(FORGET, True) == []
    assert cafe_page.evaluate(FORGET, False) == [2]


# ---- the result object -------------------------------------------------------------------------------------


@pytest.mark.wire("1 result object: success")
def test_a_success_holds_code_and_both_lists_and_no_error(cafe_page: Frame) -> None:
    result = get_auth_code(cafe_page, "{scopes: ['auth_base']}")
    assert result == {"authCode": result["authCode"], "authSuccessScopes": ["auth_base"], "authErrorScopes": {}}
    assert 27 <= len(result["authCode"]) <= 32


@pytest.mark.wire("1 a partial grant is a success that carries both lists")
@pytest.mark.wire("1 scope code 10001")
@pytest.mark.wire("1 scope code 40006")
@pytest.mark.wire("1 scope code 11")
def test_a_partial_grant_is_a_success_with_a_code_for_each_scope_refused(page: Page, cafe_page: Frame) -> None:
    ask(cafe_page, "USER_NICKNAME", "NO_SUCH", "auth_base", "auth_user", "USER_GENDER")
    sheet(page).locator("input[value=USER_NICKNAME]").check()
    sheet(page).get_by_role("button", name="Allow", exact=True).click()
    result = outcome(cafe_page)
    assert result.pop("authCode")
    assert result == {
        "authSuccessScopes": ["USER_NICKNAME", "auth_base"],
        "authErrorScopes": {"NO_SUCH": "10001", "auth_user": "11", "USER_GENDER": "40006"},
    }


@pytest.mark.wire("1 result object: failure")
@pytest.mark.wire("1 error 2: every asked scope is unknown or not allowed")
def test_a_failure_names_the_scopes_that_failed_and_has_no_code(cafe_page: Frame, demo: Demo) -> None:
    result = get_auth_code(cafe_page, "{scopes: ['NO_SUCH', 'USER_GENDER']}")
    assert "NO_SUCH: unknown" in result.pop("errorMessage")
    errors = {"NO_SUCH": "10001", "USER_GENDER": "40006"}
    assert result == {"authSuccessScopes": [], "authErrorScopes": errors, "error": 2}
    assert demo.refusals("cafe")[-1] == "2"


@pytest.mark.wire("1 success / fail / complete")
def test_the_page_itself_hears_what_its_callback_threw(cafe_page: Frame) -> None:
    heard = cafe_page.evaluate(
        """() => new Promise((resolve) => {
          window.onerror = (text) => { resolve(text); return true; };
          my.getAuthCode({ success: () => { throw new Error('spilt milk'); } });
        })"""
    )
    assert "spilt milk" in heard


# ---- no container ------------------------------------------------------------------------------------------


@pytest.mark.wire("1 error 10")
def test_a_container_that_does_not_acknowledge_is_error_10(page: Page, demo: Demo) -> None:
    page.route("**/container.js", lambda route: route.abort())
    frame = open_program(page, demo, "bob", "cafe")
    frame.evaluate("document.querySelector('script[src*=\"my.js\"]').dataset.ackMs = 50")
    result = get_auth_code(frame, "{}")
    assert result["error"] == 10
    assert result["errorMessage"] == f"Empty data: the container at {demo.url} did not answer"


@pytest.mark.wire("1 error 10")
def test_a_page_opened_outside_the_container_is_told_so(chromium: Browser, demo: Demo) -> None:
    with phone(chromium) as page:
        page.goto(f"{demo.merchant}null")
        result = get_auth_code(page.main_frame, "{}")
        assert result["error"] == 10
        assert result["errorMessage"] == "Empty data: open this page inside the super-app"


# ---- the smaller methods -----------------------------------------------------------------------------------


def test_alert_shows_its_words_until_its_button_is_pressed(page: Page, cafe_page: Frame) -> None:
    cafe_page.evaluate(
        """() => {
          const hear = (name) => () => { window.heard = [...(window.heard || []), name]; };
          window.outcome = my.alert({ title: 'Ready', content: '<b>Bob</b>', buttonText: 'Thanks',
                                      success: hear('success'), fail: hear('fail'), complete: hear('complete') });
        }"""
    )
    dialog = cafe_page.get_by_role("alertdialog", name="Ready <b>Bob</b>")
    expect(dialog).to_contain_text("<b>Bob</b>")
    page.keyboard.press("Enter")  # its button has the focus
    expect(dialog).to_have_count(0)
    assert cafe_page.evaluate("outcome.then(() => heard)") == ["success", "complete"]


def test_can_i_use_knows_methods_and_their_fields(cafe_page: Frame) -> None:
    known = ["getAuthCode", "getAuthCode.object.scopes", "getAuthCode.return.authErrorScopes", "setStorageSync"]
    unknown = ["getPhoneNumber", "getAuthCode.object.colour", "toString", "", "getAppIdSync.return.name"]
    assert cafe_page.evaluate("(names) => names.map((name) => my.canIUse(name))", known) == [True] * 4
    assert cafe_page.evaluate("(names) => names.map((name) => my.canIUse(name))", unknown) == [False] * 5


def test_the_app_id_is_known_without_asking(page: Page, cafe_page: Frame, demo: Demo) -> None:
    assert cafe_page.evaluate("my.getAppIdSync()") == {"appId": "cafe"}
    page.goto(f"{demo.merchant}null")
    assert page.evaluate("my.getAppIdSync()") == {"appId": ""}


def test_system_info_tells_window_and_language(cafe_page: Frame) -> None:
    info = cafe_page.evaluate("my.getSystemInfoSync()")
    told = {name: info[name] for name in ("app", "language", "windowWidth", "screenWidth", "platform")}
    assert told == {"app": "portal", "language": "en-GB", "windowWidth": 360, "screenWidth": 360, "platform": "Linux"}
    assert 0 < info["windowHeight"] < 740  # the container's bar takes some


def test_storage_belongs_to_one_mini_program(page: Page, cafe_page: Frame, demo: Demo) -> None:
    assert cafe_page.evaluate("my.getStorageSync({ key: 'cup' })") == {"data": None}
    stored = {"size": "L", "shots": [1, 2]}
    assert cafe_page.evaluate("(data) => my.setStorageSync({ key: 'cup', data })", stored) == {"success": True}
    assert cafe_page.evaluate("my.getStorageSync('cup').data") == stored
    coffee_page = open_program(page, demo, "bob", "coffee")  # of the same origin, in the demo
    assert coffee_page.evaluate("my.getStorageSync({ key: 'cup' })") == {"data": None}
    cafe_page = open_program(page, demo, "bob", "cafe")
    assert cafe_page.evaluate("my.getStorageSync({ key: 'cup' }).data") == stored
    assert cafe_page.evaluate("my.removeStorageSync({ key: 'cup' })") == {"success": True}
    assert cafe_page.evaluate("my.getStorageSync({ key: 'cup' })") == {"data": None}


def test_what_cannot_be_stored_is_said_so(cafe_page: Frame) -> None:
    result = cafe_page.evaluate(
        "my.setStorageSync({ key: 'self', data: (() => { const a = {}; a.a = a; return a; })() })"
    )
    assert (result["success"], result["error"]) == (False, 3)
