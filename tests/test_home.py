"""/: the mini-programs one can open, and the way to Permissions and Profile; error pages."""

import re
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path

from portal import urls
from portal.models import MiniProgram, MiniProgramGrant, User
from tests.pages import words


def broken(request: HttpRequest) -> HttpResponse:
    """A page that cannot work."""
    raise RuntimeError("the detail of it")


urlpatterns = [*urls.urlpatterns, path("broken/", broken)]


def test_home_needs_a_sign_in() -> None:
    assert Client().get("/")["Location"] == "/accounts/login/?next=/"


def test_home_shows_the_mini_programs_that_can_be_opened(
    browser: Client, shop: MiniProgram, cafe: MiniProgram
) -> None:
    MiniProgram.objects.filter(pk=cafe.pk).update(status="SUSPENDED")
    html = browser.get("/").content.decode()
    assert 'href="/mini/shop/"' in html
    assert "/mini/cafe/" not in html


def test_mini_programs_of_a_disabled_merchant_are_not_shown(browser: Client, shop: MiniProgram) -> None:
    shop.merchant.status = "DISABLED"
    shop.merchant.save()
    assert "No mini-programs yet" in words(browser.get("/"))


@pytest.mark.trust(26)
def test_home_leads_to_permissions_and_profile(browser: Client, alice: User, shop: MiniProgram) -> None:
    page = browser.get("/")
    assert "No mini-program sees your details" in words(page)
    assert re.search(r'<a class="card door" href="/permissions/">', page.content.decode())
    assert re.search(r'<a class="card door" href="/profile/">', page.content.decode())
    MiniProgramGrant.give(alice, shop, ["auth_base"])
    assert "1 mini-program knows something about you" in words(browser.get("/"))


def test_a_person_without_picture_gets_an_initial(browser: Client, alice: User) -> None:
    assert '<span class="avatar " aria-hidden="true">A</span>' in browser.get("/").content.decode()


@pytest.mark.parametrize("page", ["/", "/profile/", "/permissions/", "/accounts/login/", "/nowhere/"])
def test_pages_carry_nothing_the_policy_would_block(browser: Client, page: str) -> None:
    client = Client() if "login" in page else browser
    html = client.get(page).content.decode()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", html)
    assert "http://" not in html
    assert '<meta name="color-scheme" content="light dark">' in html
    assert "portal/mark.svg" in html


def test_the_container_may_frame_only_the_mini_program_and_the_sheet(browser: Client, shop: MiniProgram) -> None:
    policy = browser.get("/mini/shop/")["Content-Security-Policy"].split("; ")
    assert "frame-src 'self' http://shop.localhost:9000" in policy
    assert "frame-ancestors 'none'" in policy


def says(page: Any, status: int, remedy: str) -> None:
    assert page.status_code == status
    assert remedy in words(page)
    assert page["Trace-Id"] in words(page)
    assert "Super" in page.content.decode()


def test_not_found_says_where_to_start_again(browser: Client) -> None:
    says(browser.get("/nowhere/"), 404, "Start again from Home.")


def test_a_missing_csrf_token_says_how_to_send_again(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    says(client.post("/accounts/logout/"), 403, "load the page again, and press the button once more")


@pytest.mark.django_db
def test_a_strange_host_is_told_to_load_again() -> None:
    says(Client().get("/", headers={"Host": "evil.example"}), 400, "load the page again, and try once more")


@pytest.mark.django_db
@override_settings(ROOT_URLCONF=__name__)
def test_a_crash_gives_a_number_and_no_details() -> None:
    page = Client(raise_request_exception=False).get("/broken/")
    says(page, 500, "Wait a minute and try again.")
    assert "the detail of it" not in page.content.decode()


@pytest.mark.trust(18)
@pytest.mark.parametrize("page_url", ["http://testserver/", "http://testserver:80/mini", "http://TESTSERVER/x"])
def test_a_page_from_the_portals_own_origin_is_not_embedded(browser: Client, shop: MiniProgram, page_url: str) -> None:
    MiniProgram.objects.filter(pk=shop.pk).update(page_url=page_url)
    assert browser.get("/mini/shop/").status_code == 404
