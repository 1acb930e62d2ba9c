"""Every page of the site map under axe, light and dark (WCAG 2.2 AA and axe's best practices).

In English, in Arabic, and in one more language, which changes from page to page; with `make axe` in every language.
"""

import os
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from django.conf import settings
from playwright.sync_api import Page

from tests.served import PHONE, ZOOMED, Served
from tests.site_map import PAGES, SitePage
from tests.visitor import Visitor

pytestmark = pytest.mark.browser
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text()
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
EVERYTHING = {"type": "tag", "values": STANDARDS}
COLOURS = {"type": "rule", "values": ["color-contrast"]}  # all that the dark tokens change
DESK = {"width": 1280, "height": 6000}
TALL = {**PHONE, "height": 6000}  # axe does not judge what is scrolled out of sight

# What axe finds, and where it cannot tell a contrast; the arrow of a select is a gradient, which it never can.
LOOK = """([runOnly, enabled]) => axe.run(document, {
  runOnly, iframes: false, rules: { 'color-contrast': { enabled } },
}).then(({ violations, incomplete }) => {
  const unsure = incomplete.filter(({ id }) => id === 'color-contrast').map(({ id, nodes }) => (
    { id, nodes: nodes.filter(({ html }) => !html.startsWith('<select')) }));
  return [...violations, ...unsure].flatMap(({ id, nodes }) => nodes.map(({ target, html, any, all, none }) => {
    const why = [...any, ...all, ...none].map(({ message }) => message).join('; ');
    return `${id}: ${target} ${why} ${html.slice(0, 200)}`;
  }));
})"""
SPOKEN = "[document.documentElement.lang.toLowerCase(), document.documentElement.dir]"
WIDTH = "document.documentElement.scrollWidth"
FEW = "document.querySelectorAll('select').forEach((select) => { select.length = 2; })"  # of all countries
COLOURFUL = ("en", "ar")  # the style sheet knows directions, not languages: contrast is judged in one of each


OTHERS = [code for code, _name in settings.LANGUAGES if code not in COLOURFUL]


def languages_of(site_page: SitePage) -> list[str]:
    """Those in which this page is looked at."""
    turn = PAGES.index(site_page) % len(OTHERS)
    return [*COLOURFUL, *(OTHERS if os.environ.get("EVERY_LANGUAGE") else [OTHERS[turn]])]


def findings(page: Page, language: str) -> list[str]:
    """What is wrong with the page that is open, in a small window, light and dark."""
    direction = "rtl" if language in settings.LANGUAGES_BIDI else "ltr"
    spoken: list[str] = page.evaluate(SPOKEN)
    found = [] if spoken == [language, direction] else [f"speaks {spoken}"]
    found += [what for size in (ZOOMED, TALL) for what in too_wide(page, size)]
    page.evaluate(FEW)
    page.evaluate(AXE)
    found += look(page, EVERYTHING, colours=language in COLOURFUL)
    if language in COLOURFUL:
        page.emulate_media(color_scheme="dark")
        found += [f"dark: {what}" for what in look(page, COLOURS)]
        page.emulate_media(color_scheme="light")
    return [f"{language}: {what}" for what in found]


def look(page: Page, rules: dict[str, Any], *, colours: bool = True) -> list[str]:
    """What axe says; `colours` is most of its work."""
    found: list[str] = page.evaluate(LOOK, [rules, colours])
    return found


def too_wide(page: Page, size: dict[str, int]) -> list[str]:
    """Whether a window of this size has to be scrolled sideways."""
    page.set_viewport_size(size)  # type: ignore[arg-type]
    wide = page.evaluate(WIDTH)
    return [f"{wide} px wide in a window of {size}"] if wide > size["width"] else []


@pytest.mark.parametrize("site_page", PAGES, ids=str)
def test_axe_finds_nothing(served: Served, visitor: Visitor, site_page: SitePage) -> None:
    found = []
    for language in languages_of(site_page):
        page = served.show(site_page.open(visitor, language))
        found += findings(page, language) + served.blocked
        if language == "en":
            found += [f"on a desk: {what}" for what in too_wide(page, DESK) + look(page, EVERYTHING)]
    assert found == []


def test_each_language_has_its_turn() -> None:
    assert {language for page in PAGES for language in languages_of(page)} == {code for code, _ in settings.LANGUAGES}
