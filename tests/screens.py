"""`make screens`: a picture of every page of the site map, on a phone and on a desk, light, dark and in Arabic.

They go to test-artefacts/screens/, with a contact sheet for each of the six. Not collected by `make test`: nothing
here can fail but by a page that does not open; the pictures are for a person to look at.
"""

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.served import Served
from tests.servers import ROOT
from tests.site_map import PAGES, SitePage
from tests.visitor import Visitor

pytestmark = pytest.mark.browser
FOLDER = ROOT / "test-artefacts" / "screens"
WIDTHS = {360: 740, 1280: 800}
COLUMNS, GAP = {360: 8, 1280: 4}, 16
TALLEST = 3000  # of a picture on a contact sheet
LOOKS = {"light": ("en", "light"), "dark": ("en", "dark"), "arabic": ("ar", "light")}


@pytest.mark.parametrize("site_page", PAGES, ids=str)
def test_picture(served: Served, visitor: Visitor, site_page: SitePage) -> None:
    for look, (language, scheme) in LOOKS.items():
        served.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page = served.show(site_page.open(visitor, language))
        for width, height in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": height})
            tall = max(height, page.evaluate("document.documentElement.scrollHeight"))
            page.set_viewport_size({"width": width, "height": tall})  # so that bars that stick do so at the end
            path = folder(look, width) / f"{re.sub(r'[^a-z0-9]+', '-', str(site_page).lower())}.png"
            page.screenshot(path=path)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("look", LOOKS)
def test_contact_sheet(look: str, width: int) -> None:
    pictures = [Image.open(path) for path in sorted(folder(look, width).glob("*.png"))]
    contact_sheet(pictures, COLUMNS[width], width // 2).save(FOLDER / f"{look}-{width}.png")


def folder(look: str, width: int) -> Path:
    path = FOLDER / f"{look}-{width}"
    path.mkdir(parents=True, exist_ok=True)
    return path


def contact_sheet(pictures: list[Image.Image], columns: int, width: int) -> Image.Image:
    """The pictures side by side, each as wide, cut where it is very tall; each into the column that is shortest."""
    ends, placed = [GAP] * columns, []
    for picture in pictures:
        small = picture.crop((0, 0, picture.width, min(picture.height, TALLEST)))
        small.thumbnail((width, TALLEST))
        column = ends.index(min(ends))
        placed.append((small, (GAP + column * (width + GAP), ends[column])))
        ends[column] += small.height + GAP
    sheet = Image.new("RGB", (GAP + columns * (width + GAP), max(ends)), "#808080")
    for small, place in placed:
        sheet.paste(small, place)
    return sheet
