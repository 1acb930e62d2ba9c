"""What holds for every page of the site map: its weight, what it fetches, motion, and the keyboard at 400 % zoom."""

import pytest

from tests.keyboard import NUMBER, tabbed
from tests.served import ZOOMED, Served
from tests.site_map import PAGES, SitePage
from tests.visitor import Visitor

pytestmark = pytest.mark.browser
EMBEDS = {"container": ["http://shop.localhost:9000/"]}  # the mini-program's own page, which is not ours to weigh

MOVING = """() => [...document.querySelectorAll('*')].flatMap((element) => ['', '::before', '::after'].map((part) => {
  const { animationDuration, transitionDuration, scrollBehavior } = getComputedStyle(element, part || null);
  const still = `${animationDuration}, ${transitionDuration}`.split(', ').every((time) => parseFloat(time) === 0);
  return still && scrollBehavior === 'auto' ? '' : element.outerHTML.slice(0, 100) + part;
})).filter(Boolean)"""


@pytest.fixture(params=PAGES, ids=str)
def site_page(request: pytest.FixtureRequest) -> SitePage:
    page: SitePage = request.param
    return page


def test_a_page_weighs_little_stays_at_home_and_holds_still(
    served: Served, visitor: Visitor, site_page: SitePage
) -> None:
    """Still for who asked their system for less motion."""
    served.page.emulate_media(reduced_motion="reduce")
    page = served.show(site_page.open(visitor))
    assert served.weight < 100_000  # not compressed
    assert served.foreign == EMBEDS.get(site_page.url, [])
    assert served.blocked == []
    assert page.evaluate(MOVING) == []


def test_tab_reaches_everything_in_order_and_all_of_it_can_be_seen_and_hit(
    served: Served, visitor: Visitor, site_page: SitePage
) -> None:
    """At 400 % zoom, where bars that stick cover most."""
    page = served.show(site_page.open(visitor))
    page.set_viewport_size(ZOOMED)  # type: ignore[arg-type]
    there = page.evaluate(NUMBER)
    seen = list(tabbed(page))
    assert [one["says"] for one in seen] == there
    for what in ("seen", "uncovered", "large"):
        assert [one["says"] for one in seen if not one[what]] == [], f"not {what}"
