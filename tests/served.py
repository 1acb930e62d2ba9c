"""A page of the site map in Chromium, without a server between: Django's test client answers what is fetched.

A page in any state costs milliseconds so, with its real status, headers and files. `served.show(answer)` opens what
the portal answered; `weight`, `foreign` and `blocked` tell what came with it.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from django.http import HttpResponse
from django.test import Client
from playwright.sync_api import Browser, Page, Route

from portal.models import MiniProgram, User
from tests.visitor import Visitor

HOST = "http://testserver"
PHONE = {"width": 320, "height": 640}
ZOOMED = {"width": 320, "height": 256}  # 1280 by 1024 at 400 %


class Served:
    """A browser's window whose every request ends here; `scripts` are those that only who signed in gets."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.scripts: dict[str, HttpResponse] = {}
        self.answer = HttpResponse()
        self.weight, self.foreign, self.blocked = 0, list[str](), list[str]()
        page.route("**/*", self._fetch)
        page.on("pageerror", lambda error: self.blocked.append(str(error)))
        page.on("console", lambda said: self.blocked.append(said.text) if "Content Security" in said.text else None)

    def show(self, answer: HttpResponse) -> Page:
        """Open this answer; what it weighs, fetches from elsewhere and may not do is counted from here."""
        self.answer = answer
        self.weight, self.foreign, self.blocked = 0, [], []
        self.page.goto(HOST + answer.wsgi_request.get_full_path())  # type: ignore[attr-defined]
        return self.page

    def _fetch(self, route: Route) -> None:
        address, whole = urlsplit(route.request.url), route.request.frame == self.page.main_frame
        if f"{address.scheme}://{address.netloc}" != HOST:
            self.foreign.append(route.request.url)
            route.fulfill(body="<!DOCTYPE html><title>A page of somebody else</title>")
            return
        if whole and route.request.is_navigation_request():
            answer = self.answer
        else:
            answer = self.scripts.get(address.path) or fetched(address.path)
        self.weight += len(answer.content)
        route.fulfill(status=answer.status_code, headers={**answer.headers}, body=answer.content)


_files: dict[str, HttpResponse] = {}


def fetched(path: str) -> HttpResponse:
    """A file of ours; each is read once in a run."""
    if path not in _files:
        answer = Client().get(path)
        _files[path] = HttpResponse(answer.getvalue(), status=answer.status_code, headers=answer.headers)
    return _files[path]


@pytest.fixture(scope="module")
def window(chromium: Browser) -> Iterator[Page]:
    """One window for a file's tests: a new one for each would cost more than what they look at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright's event loop and the ORM share this thread in turn
        context = chromium.new_context(viewport=PHONE, locale="en-GB", service_workers="block")
        context.set_default_timeout(10_000)
        yield context.new_page()
        context.close()


@pytest.fixture
def served(window: Page) -> Iterator[Served]:
    served = Served(window)
    yield served
    window.unroute_all()
    window.set_viewport_size(PHONE)
    window.emulate_media(color_scheme="light", reduced_motion="null")


@pytest.fixture
def visitor(alice: User, olga: User, shop: MiniProgram, cafe: MiniProgram) -> Visitor:
    return Visitor(alice, olga, shop, cafe)
