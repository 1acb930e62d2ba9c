"""Every page of the site map under axe, light and dark (WCAG 2.2 AA and axe's best practices).

In English, in Arabic, and in one more language, which changes from page to page; with `make axe` in every language.
"""

import pytest
from django.conf import settings
from playwright.sync_api import Page

from tests import axe
from tests.served import ZOOMED, Served
from tests.site_map import PAGES, SitePage
from tests.visitor import Visitor

pytestmark = pytest.mark.browser
SPOKEN = "[document.documentElement.lang.toLowerCase(), document.documentElement.dir]"
COLOURFUL = ("en", "ar")  # the style sheet knows directions, not languages: contrast is judged in one of each


OTHERS = [code for code, _name in settings.LANGUAGES if code not in COLOURFUL]


def languages_of(site_page: SitePage) -> list[str]:
    """Those in which this page is looked at."""
    turn = PAGES.index(site_page) % len(OTHERS)
    return [*COLOURFUL, *(OTHERS if axe.IS_THOROUGH else [OTHERS[turn]])]


def findings(page: Page, language: str) -> list[str]:
    """What is wrong with the page that is open, in a small window, light and dark."""
    direction = "rtl" if language in settings.LANGUAGES_BIDI else "ltr"
    spoken: list[str] = page.evaluate(SPOKEN)
    found = [] if spoken == [language, direction] else [f"speaks {spoken}"]
    found += [what for size in (ZOOMED, axe.TALL) for what in axe.too_wide(page, size)]
    axe.prepare(page)
    found += axe.judged(page, colours=language in COLOURFUL)
    return [f"{language}: {what}" for what in found]


@pytest.mark.parametrize("site_page", PAGES, ids=str)
def test_axe_finds_nothing(served: Served, visitor: Visitor, site_page: SitePage) -> None:
    found = []
    for language in languages_of(site_page):
        page = served.show(site_page.open(visitor, language))
        found += findings(page, language) + served.blocked
        if language == "en":
            found += [f"on a desk: {what}" for what in axe.too_wide(page, axe.DESK) + axe.look(page, axe.EVERYTHING)]
    assert found == []


def test_each_language_has_its_turn() -> None:
    assert {language for page in PAGES for language in languages_of(page)} == {code for code, _ in settings.LANGUAGES}
