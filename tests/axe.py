"""axe in a page that is open (WCAG 2.2 AA and axe's best practices), and whether the page fits its window."""

import os
from pathlib import Path
from typing import Any

import axe_playwright_python
from playwright.sync_api import Page

from tests.served import PHONE

IS_THOROUGH = bool(os.environ.get("THOROUGH"))  # for `make axe`
AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js").read_text()
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
EVERYTHING = {"type": "tag", "values": STANDARDS}
COLOURS = {"type": "rule", "values": ["color-contrast"]}  # all that the dark tokens change
DESK = {"width": 1280, "height": 6000}
TALL = {**PHONE, "height": 6000}  # axe does not judge what is scrolled out of sight

# What axe finds, and where it cannot tell a contrast; the arrow of a select is a gradient, which it never can.
LOOK = """([runOnly, enabled, doubts]) => axe.run(document, {
  runOnly, iframes: false, preload: false, rules: { 'color-contrast': { enabled } },
}).then(({ violations, incomplete }) => {
  const unsure = incomplete.filter(({ id }) => doubts && id === 'color-contrast').map(({ id, nodes }) => (
    { id, nodes: nodes.filter(({ html }) => !html.startsWith('<select')) }));
  return [...violations, ...unsure].flatMap(({ id, nodes }) => nodes.map(({ target, html, any, all, none }) => {
    const why = [...any, ...all, ...none].map(({ message }) => message).join('; ');
    return `${id}: ${target} ${why} ${html.slice(0, 200)}`;
  }));
})"""
WIDTH = "document.documentElement.scrollWidth"
FEW = "document.querySelectorAll('select').forEach((select) => { select.length = 2; })"  # of all countries


def prepare(page: Page) -> None:
    """Before the first look; of a list of all countries two are enough to judge."""
    page.evaluate(FEW)
    page.evaluate(AXE)


def judged(page: Page, *, colours: bool = True, doubts: bool = True) -> list[str]:
    """What axe says of it in light, and of the dark colours; `colours` is most of its work."""
    found = look(page, EVERYTHING, colours=colours, doubts=doubts)
    if colours:
        page.emulate_media(color_scheme="dark")
        found += [f"dark: {what}" for what in look(page, COLOURS, doubts=doubts)]
        page.emulate_media(color_scheme="light")
    return found


def look(page: Page, rules: dict[str, Any], *, colours: bool = True, doubts: bool = True) -> list[str]:
    """What axe says by these rules; with `doubts` also where it cannot tell a contrast."""
    found: list[str] = page.evaluate(LOOK, [rules, colours, doubts])
    return found


def too_wide(page: Page, size: dict[str, int]) -> list[str]:
    """Whether a window of this size has to be scrolled sideways."""
    page.set_viewport_size(size)  # type: ignore[arg-type]
    wide = page.evaluate(WIDTH)
    return [f"{wide} px wide in a window of {size}"] if wide > size["width"] else []
