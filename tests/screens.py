"""`make screens`: a picture of every page of the site map, on a phone and on a desk, light, dark and in Arabic, and of
every page of the console, light and dark.

They go to test-artefacts/screens/, with contact sheets. Not collected by `make test`: nothing
here can fail but by a page that does not open; the pictures are for a person to look at.
"""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.http import HttpResponse
from PIL import Image

from portal import tallying
from portal.models import ConsentDecision, MiniProgram, MiniProgramGrant, User
from tests.operators import Desk
from tests.served import Served
from tests.servers import ROOT
from tests.site_map import PAGES, SitePage
from tests.test_console_pages import GROUPS, answers, desk  # noqa: F401  (fixture)
from tests.visitor import Visitor

pytestmark = pytest.mark.browser
FOLDER = ROOT / "test-artefacts" / "screens"
WIDTHS = {360: 740, 1280: 800}
COLUMNS, GAP = {360: 8, 1280: 4}, 16
TALLEST = 3000  # of a picture on a contact sheet
LOOKS = {"light": ("en", "light"), "dark": ("en", "dark"), "arabic": ("ar", "light")}


SHOWCASE = [
    SitePage("home", "/"),
    SitePage("permissions", "/permissions/"),
    *(SitePage("permission_detail", f"/permissions/{{0.of[{app}]}}/", app) for app in ("coffee", "coffee2", "market")),
    SitePage("consent", "/consent/{0.asked}/"),
    SitePage("receipt", "/receipts/{0.receipt}/"),
    SitePage("inbox", "/inbox/"),
    SitePage("profile", "/profile/"),
]


class ShowcaseVisitor(Visitor):
    """Alice of `seed_demo --showcase`, who has a past."""

    def __init__(self) -> None:
        call_command("seed_demo", showcase=True, stdout=io.StringIO())
        user, program = User.objects.get, MiniProgram.objects.get
        super().__init__(
            user(username="alice"), user(username="olga"), program(client_id="coffee"), program(client_id="cafe")
        )
        self.of = dict(MiniProgramGrant.objects.filter(user=self.alice).values_list("mini_program__client_id", "pk"))
        self.asked = self.ask("coffee", "USER_NICKNAME", "USER_BIRTHDAY", "USER_AVATAR", "PLAINTEXT_MOBILE_PHONE")
        self.receipt = ConsentDecision.objects.filter(grant=self.of["coffee2"]).earliest("id").pk


@pytest.mark.parametrize("site_page", PAGES, ids=str)
def test_picture(served: Served, visitor: Visitor, site_page: SitePage) -> None:
    for look in LOOKS:
        take_pictures(served, visitor, site_page, look)


def test_pictures_of_the_showcase(served: Served, db: None, settings: Any) -> None:
    settings.MEDIA_ROOT = settings.VAR_DIR / "media"
    visitor = ShowcaseVisitor()
    for site_page in SHOWCASE:
        for look in LOOKS:
            take_pictures(served, visitor, site_page, look, "showcase-")


@pytest.mark.parametrize("group", GROUPS)
def test_pictures_of_the_console(served: Served, desk: Desk, group: str) -> None:  # noqa: F811
    tallying.tally()
    for name, answer in answers(desk, group):
        for look in ("light", "dark"):
            pictures_of(served, answer, look, name.replace("/admin/", ""), "console-")


def take_pictures(served: Served, visitor: Visitor, site_page: SitePage, look: str, of: str = "") -> None:
    pictures_of(served, site_page.open(visitor, LOOKS[look][0]), look, str(site_page), of)


def pictures_of(served: Served, answer: HttpResponse, look: str, name: str, of: str) -> None:
    """As tall as the page, so that bars that stick do so at its end."""
    served.page.emulate_media(color_scheme=LOOKS[look][1])  # type: ignore[arg-type]
    page, name = served.show(answer), re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "start"
    for width, height in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        tall = max(height, page.evaluate("document.documentElement.scrollHeight"))
        page.set_viewport_size({"width": width, "height": tall})
        page.screenshot(path=folder(of + look, width) / f"{name}.png")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("look", [*LOOKS, *(f"showcase-{look}" for look in LOOKS), "console-light", "console-dark"])
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
