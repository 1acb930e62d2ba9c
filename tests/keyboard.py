"""What the Tab key leads to in a page that is open, and whether it can be seen there.

there = page.evaluate(NUMBER)
seen = list(tabbed(page))
"""

from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Page

# Numbers what can be reached by keyboard, in the order of the document, and keeps how it looks unfocused.
NUMBER = """() => {
  document.body.tabIndex = -1; // begin at the top, wherever a page puts the focus at first
  document.body.focus();
  document.body.removeAttribute('tabindex');
  const reachable = 'a[href], button, input, select, textarea, summary, [tabindex="0"]';
  const ring = (element) => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
    return [outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2, boxShadow].join();
  };
  const group = (radio) => [...radio.form.elements].filter((one) => one.name === radio.name && one.type === 'radio');
  const isStop = (radio) => radio === (group(radio).find((one) => one.checked) || group(radio)[0]); // one for all
  const shown = (element) => element.checkVisibility({ visibilityProperty: true }) && !element.disabled
    && (element.type !== 'radio' || isStop(element));
  const found = [...document.querySelectorAll(reachable)].filter(
    (element) => shown(element) && element.type !== 'hidden' && element.tabIndex >= 0);
  const before = new Map([...document.querySelectorAll('*')].map((element) => [element, ring(element)]));
  const near = function* (element) { for (; element; element = element.parentElement) yield element; };
  const hit = ({ left, right, top, bottom }, element) => [.5, .1, .9].some((x) => [.5, .1, .9].some((y) => {
    const there = document.elementFromPoint(left + x * (right - left), top + y * (bottom - top));
    return there && (element.contains(there) || there.contains(element) && [...element.labels || []].includes(there)
      || [...element.labels || []].some((label) => label.contains(there)));
  }));
  const isLarge = (element) => [element, ...element.labels || []].some((one) => {
    const { width, height } = one.getBoundingClientRect();
    return Math.min(width, height) >= 44 || getComputedStyle(one).display === 'inline'; // a link in a sentence
  });
  window.focused = () => {
    const element = document.activeElement;
    if (element === document.body) return null;
    const seen = [...near(element)].some((one) => ring(one) !== before.get(one));
    const says = element.outerHTML.slice(0, 120);
    const uncovered = hit(element.getBoundingClientRect(), element);
    return { place: found.indexOf(element), seen, uncovered, large: isLarge(element), says };
  };
  return found.map((element) => element.outerHTML.slice(0, 120));
}"""


def tabbed(page: Page) -> Iterator[Any]:
    """What Tab leads to from the top of the page, until it leaves or begins again."""
    places: list[int] = []
    while True:
        page.keyboard.press("Tab")
        one = page.evaluate("focused()")
        if one is None or (one["place"] in places[:-1]):
            return
        if one["place"] not in places:  # a date field has a stop for each of its parts
            places.append(one["place"])
            yield one
