"""The container in Chromium: what becomes of a call when something fails, and whose calls it answers."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Frame, Page, Route

from tests.browsers import Demo, ask, in_frame, open_program, outcome, phone

pytestmark = [pytest.mark.browser, pytest.mark.process]
API = "**/v1/authorizations/getAuthCode"
REPORT = "**/v1/authorizations/reportError"

# What the page that runs this hears after it spoke like my.js to `target` ("parent", "top" or "self").
SPEAK = """(target) => {
  window.heard = [];
  window.addEventListener('message', ({ data }) => { if (data.type !== 'portal.call') heard.push(data.type); });
  const call = { type: 'portal.call', id: '1', name: 'getAuthCode', args: { scopes: ['auth_base'] } };
  window[target].postMessage(call, '*');
}"""
ARRIVED = (
    "window.arrived = new Promise((yes) => addEventListener('message', () => setTimeout(yes, 50), { once: true }))"
)


@pytest.fixture
def cafe_page(page: Page, demo: Demo) -> Frame:
    """Café Central's page in Bob's container."""
    return open_program(page, demo, "bob", "cafe")


def answers(page: Page, frame: Frame, target: str) -> list[str]:
    """What speaking to the container like my.js brings: messages heard by this frame, calls of the API."""
    calls: list[str] = []
    page.on("request", lambda request: calls.append(request.url) if "getAuthCode" in request.url else None)
    page.evaluate(f"{ARRIVED}, undefined")
    frame.evaluate(SPEAK, target)
    page.evaluate("arrived")
    heard: list[str] = frame.evaluate("new Promise((yes) => setTimeout(() => yes(heard), 100))")
    return heard + calls


def move(page: Page, url: str) -> Frame:
    """Lead the container's iframe elsewhere; gives the page there."""
    page.evaluate(
        """(src) => new Promise((yes) => {
          Object.assign(document.getElementById('mini-program'), { src, onload: () => yes() });
        })""",
        url,
    )
    return in_frame(page)


# ---- errors 2, 3 and 10 ----------------------------------------------------------------------------------------


@pytest.mark.wire("1 error 2: appId suspended")
def test_a_mini_program_suspended_while_open_is_error_2(cafe_page: Frame, demo: Demo) -> None:
    change = "UPDATE portal_miniprogram SET status = ? WHERE client_id = 'cafe'"
    demo.sql(change, "SUSPENDED")
    try:
        ask(cafe_page, "auth_base")
        assert outcome(cafe_page)["error"] == 2
    finally:
        demo.sql(change, "ACTIVE")
    assert demo.refusals("cafe")[-1] == "2"


@pytest.mark.wire("1 error 3")
def test_a_portal_that_refuses_is_error_3(page: Page, cafe_page: Frame) -> None:
    page.route(API, lambda route: route.fulfill(status=403, content_type="text/html", body="<h1>no</h1>"))
    ask(cafe_page, "auth_base")
    words = "Unknown error: the portal refused the request"
    failure = {"authSuccessScopes": [], "authErrorScopes": {}, "error": 3, "errorMessage": words}
    assert outcome(cafe_page) == failure


@pytest.mark.wire("1 error 3")
def test_a_portal_that_breaks_is_error_3_and_hears_of_it(page: Page, cafe_page: Frame, demo: Demo) -> None:
    page.route(API, lambda route: route.fulfill(status=500, content_type="text/html", body="<h1>oh</h1>"))
    with page.expect_response(REPORT):
        ask(cafe_page, "auth_base")
        assert outcome(cafe_page)["error"] == 3
    assert demo.refusals("cafe")[-1] == "3"


def hang(route: Route) -> None:
    """Never answer."""


@pytest.mark.wire("1 error 10")
@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(lambda route: route.abort(), id="network down"),
        pytest.param(hang, id="timeout"),
        pytest.param(lambda route: route.fulfill(json={}), id="no code"),
        pytest.param(lambda route: route.fulfill(body="<h1>Welcome to this hotel's network</h1>"), id="no JSON"),
        pytest.param(lambda route: route.fulfill(status=502, body="Bad Gateway"), id="gateway"),
    ],
)
def test_no_code_from_the_network_is_error_10(page: Page, cafe_page: Frame, demo: Demo, trouble: Any) -> None:
    page.evaluate("document.body.dataset.timeoutMs = 300")
    page.route(API, trouble)
    with page.expect_response(REPORT):  # the server is told of what it never saw
        ask(cafe_page, "auth_base")
        failure = {"authSuccessScopes": [], "authErrorScopes": {}, "error": 10, "errorMessage": "Empty data"}
        assert outcome(cafe_page) == failure
    assert demo.refusals("cafe")[-1] == "10"


def test_who_was_signed_out_meanwhile_is_led_to_sign_in(page: Page, cafe_page: Frame, demo: Demo) -> None:
    page.context.clear_cookies()
    ask(cafe_page, "auth_base")
    page.wait_for_url(f"{demo.url}/accounts/login/?next=/mini/cafe/")


# ---- who is answered -------------------------------------------------------------------------------------------


@pytest.mark.trust(18)
def test_only_the_mini_programs_own_window_is_answered(page: Page, cafe_page: Frame, demo: Demo) -> None:
    cafe_page.evaluate("() => { document.body.append(document.createElement('iframe')); }")
    inner = cafe_page.child_frames[0]
    assert inner.evaluate("origin") == cafe_page.evaluate("origin")
    assert answers(page, inner, "top") == []
    assert answers(page, page.main_frame, "self") == []
    assert set(answers(page, cafe_page, "parent")) >= {"portal.ack", f"{demo.url}/v1/authorizations/getAuthCode"}


@pytest.mark.trust(18)
@pytest.mark.parametrize("foreign", ["http://localhost:{port}/null", "data:text/html,<p>hello"])
def test_a_page_of_another_origin_in_the_iframe_is_not_answered(chromium: Browser, demo: Demo, foreign: str) -> None:
    with phone(chromium, bypass_csp=True) as page:  # our policy would not even load it
        open_program(page, demo, "bob", "cafe")
        there = move(page, foreign.format(port=demo.port + 1))
        assert there.url.startswith(foreign[:5])
        assert answers(page, there, "parent") == []


@pytest.mark.trust(18)
def test_a_code_on_its_way_does_not_reach_the_page_that_came_instead(chromium: Browser, demo: Demo) -> None:
    held: list[Route] = []
    with phone(chromium, bypass_csp=True) as page:
        page.route(API, lambda route: held.append(route))
        with page.expect_request(API):
            ask(open_program(page, demo, "bob", "cafe"), "auth_base")
        there = move(page, f"http://localhost:{demo.port + 1}/null")
        there.evaluate("() => { window.heard = []; onmessage = ({ data }) => heard.push(data); }")
        with page.expect_response(API) as answer:
            held[0].continue_()
        assert answer.value.json()["authCode"]
        assert there.evaluate("new Promise((yes) => setTimeout(() => yes(heard), 200))") == []


@pytest.mark.trust(18)
def test_the_container_does_not_load_a_page_of_another_origin(chromium: Browser, demo: Demo) -> None:
    with phone(chromium) as page:
        open_program(page, demo, "bob", "cafe")
        assert move(page, f"http://localhost:{demo.port + 1}/null").url.startswith("chrome-error:")
