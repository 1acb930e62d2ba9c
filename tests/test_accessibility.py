"""Every page of the site map under axe, in every language, light and dark (WCAG 2.2 AA and axe's best practices)."""

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
TALL = {**PHONE, "height": 6000}  # axe does not judge what is scrolled out of sight

# What axe finds, and where it cannot tell a contrast; the arrow of a select is a gradient, which it never can.
LOOK = """(rules) => axe.run(document, { runOnly: rules, iframes: false }).then(({ violations, incomplete }) => {
  const unsure = incomplete.filter(({ id }) => id === 'color-contrast');
  return [...violations, ...unsure].flatMap(({ id, nodes }) => nodes
    .filter(({ html }) => !(html.startsWith('<select') && unsure.length))
    .map(({ target, html, any, all, none }) => {
      const why = [...any, ...all, ...none].map(({ message }) => message).join('; ');
      return `${id}: ${target} ${why} ${html.slice(0, 200)}`;
    }));
})"""
SPOKEN = "[document.documentElement.lang.toLowerCase(), document.documentElement.dir]"
WIDTH = "document.documentElement.scrollWidth"


def findings(page: Page, language: str) -> list[str]:
    """What is wrong with the page that is open, in a small window, light and dark."""
    found: list[Any] = [page.evaluate(SPOKEN)]
    direction = "rtl" if language in settings.LANGUAGES_BIDI else "ltr"
    found = [] if found == [[language, direction]] else found
    for size in (ZOOMED, TALL):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        wide = page.evaluate(WIDTH)
        found += [f"{wide} px wide at {size}"] if wide > PHONE["width"] else []
    page.evaluate(AXE)
    for scheme, rules in (("light", EVERYTHING), ("dark", COLOURS)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found += [f"{scheme}: {what}" for what in page.evaluate(LOOK, rules)]
    page.emulate_media(color_scheme="light")
    return [f"{language}: {what}" for what in found]


@pytest.mark.parametrize("site_page", PAGES, ids=str)
def test_axe_finds_nothing_in_any_language(served: Served, visitor: Visitor, site_page: SitePage) -> None:
    found = []
    for language, _name in settings.LANGUAGES:
        found += findings(served.show(site_page.open(visitor, language)), language)
        found += served.blocked
    assert found == []


@pytest.mark.parametrize("site_page", PAGES, ids=str)
def test_axe_finds_nothing_on_a_desk(served: Served, visitor: Visitor, site_page: SitePage) -> None:
    page = served.show(site_page.open(visitor))
    page.set_viewport_size({"width": 1280, "height": 6000})
    page.evaluate(AXE)
    assert page.evaluate(LOOK, EVERYTHING) == []
