"""Every page of the console in Chromium: axe, light and dark, a phone, 400 % zoom, and the keyboard (WCAG 2.2 AA).

The pages are those of tests/console_map.py, as they open, and the answers of ANSWERS. With `make axe` also each form
sent empty and each list with nothing in it, all of them on a desk, and all that is below /portal/ by keyboard.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from playwright.sync_api import Page

from portal.models import User
from tests import axe, console_map
from tests.keyboard import NUMBER, tabbed
from tests.operators import Desk
from tests.served import PHONE, ZOOMED, Served

pytestmark = pytest.mark.browser
OWN = "the console's own"
GROUPS = [OWN, *console_map.prefixes()]
# What a form of the console's own pages answers: the pattern, and what is sent.
ANSWERS: list[tuple[str, dict[str, Any]]] = [
    ("find/", {"q": "s"}),
    ("find/", {"q": "zzz"}),
    ("why/", {"user": "alice", "app_id": "shop", "scopes": ["auth_base", "USER_NAME"]}),
    ("signature/", {"pasted": "POST /v2/authorizations/applyToken\nClient-Id: shop-client\n\n{}"}),
]
WORDS = "/admin/jsi18n/"  # of Django's scripts
# Best practice, and Django's own: the heads above what stands in front of and behind a row of an inline.
EMPTY_HEADS = ('<th class="original"></th>', "<th></th>")
ENDS = "/admin/logout/"  # whose form ends what the desk can see
CHANGING = re.compile(rb'name="csrfmiddlewaretoken" value="[^"]*"|nonce="[^"]*"|\d\d:\d\d:\d\d')


def answers(desk: Desk, group: str) -> Iterator[tuple[str, HttpResponse]]:
    """(what it is, what the console answers), of the pages of one model or of the console's own; none twice."""
    seen = set()
    for name, answer in _answers(desk, group):
        content = CHANGING.sub(b"", answer.content)
        is_page = answer.status_code not in (301, 302, 405) and (answer.status_code != 403 or group == OWN)
        if is_page and b"<html" in content and content not in seen:
            seen.add(content)
            yield name, answer


def _answers(desk: Desk, group: str) -> Iterator[tuple[str, HttpResponse]]:
    for address in addresses(group):
        yield address, desk.get(address)
        if axe.IS_THOROUGH and address != ENDS:
            yield f"{address} sent empty", desk.post(address, {})
    if group == OWN:
        yield from ((f"{pattern} {form}", desk.post(f"/admin/{pattern}", form)) for pattern, form in ANSWERS)
        yield "login, of a stranger", Client().get("/admin/login/")
    elif axe.IS_THOROUGH:
        start = f"/admin/{console_map.prefixes()[group]}"
        yield f"{start} with nothing in it", desk.get(start, {"q": "zzz"})


def addresses(group: str) -> Iterator[str]:
    """Of every page, and of every act on the first row."""
    prefixes = console_map.prefixes()
    for pattern in console_map.patterns():
        if next((label for label, start in prefixes.items() if pattern.startswith(start)), OWN) == group:
            yield f"/admin/{console_map.filled(pattern)}"
    for model, act in console_map.acts():
        if model == group:
            yield f"/admin/{prefixes[model]}{console_map.key_of(model)}/act/{act}/"


@pytest.fixture
def desk(served: Served, stage: dict[str, Any]) -> Desk:
    """The superuser's; who works there asked their system for less motion, or colours would be judged half-way."""
    served.page.emulate_media(reduced_motion="reduce")
    desk = Desk(User.objects.get(username="root"))
    served.scripts[WORDS] = desk.get(WORDS)
    return desk


@pytest.mark.parametrize("group", GROUPS)
def test_a_page_fits_and_is_seen_heard_and_reached(served: Served, desk: Desk, group: str) -> None:
    wrong = {name: found for name, answer in answers(desk, group) if (found := wrong_with(served, name, answer))}
    assert wrong == {}


def wrong_with(served: Served, name: str, answer: HttpResponse) -> list[str]:
    page = served.show(answer)
    found = unreached(page) if axe.IS_THOROUGH or "/portal/" not in name else []
    found += [what for size in (ZOOMED, axe.TALL) for what in axe.too_wide(page, size)]
    axe.prepare(page)
    seen = axe.judged(page, doubts=False)
    if axe.IS_THOROUGH:
        seen += axe.too_wide(page, axe.DESK) + axe.look(page, axe.EVERYTHING, doubts=False)
    found += [what for what in seen if not what.endswith(EMPTY_HEADS)]
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    return found + served.foreign + served.blocked


def unreached(page: Page) -> list[str]:
    """What Tab does not come to, or where nobody sees that it did."""
    there, stops = page.evaluate(NUMBER), list(tabbed(page))
    missed = set(there) - {one["says"] for one in stops}
    unseen = [one["says"] for one in stops if not one["seen"]]
    return [f"not reached: {says}" for says in missed] + [f"not seen: {says}" for says in unseen]
