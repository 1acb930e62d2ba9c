"""/permissions/<grant>/pause/ and resume/: nothing is seen for a while, and nothing is lost."""

import pytest
from django.test import Client

from portal.models import ConsentDecision, MiniProgram, MiniProgramGrant, User
from tests.conftest import Container
from tests.merchants import MerchantServer
from tests.pages import words

NICKNAME = "USER_NICKNAME"


@pytest.mark.trust(10)
def test_a_pause_is_felt_at_once_and_its_end_too(
    browser: Client, alices: Container, shop: MiniProgram, shop_server: MerchantServer
) -> None:
    pair = shop_server.exchange(alices.code("shop", ["auth_base", NICKNAME]))
    grant = MiniProgramGrant.objects.get()
    page = browser.post(f"/permissions/{grant.pk}/pause/", follow=True)
    assert page.redirect_chain == [(f"/permissions/{grant.pk}/", 302)]
    assert "Paused. Shop sees nothing about you until you let it go on." in words(page)
    assert "Shop sees nothing about you, as if you had withdrawn. Nothing is deleted" in words(page)
    refused = shop_server.user_info(pair["accessToken"])["result"]["resultCode"]
    not_refreshed = shop_server.refresh(pair["refreshToken"])["result"]["resultCode"]
    assert (refused, not_refreshed) == ("INVALID_ACCESS_TOKEN", "INVALID_REFRESH_TOKEN")
    assert ConsentDecision.objects.latest("id").act == "paused"

    page = browser.post(f"/permissions/{grant.pk}/resume/", follow=True)
    assert "Shop goes on, with the permissions below." in words(page)
    assert "as if you had withdrawn. Nothing is deleted, and what ends by itself" not in words(page)
    assert shop_server.user_info(pair["accessToken"])["userInfo"]["nickName"] == "Alice"
    assert shop_server.refresh(pair["refreshToken"])["result"]["resultCode"] == "SUCCESS"
    assert ConsentDecision.objects.latest("id").act == "resumed"


def test_the_page_says_what_a_pause_does_before_it_is_pressed(
    browser: Client, alices: Container, shop: MiniProgram
) -> None:
    alices.code("shop", [NICKNAME])
    text = words(browser.get(f"/permissions/{MiniProgramGrant.objects.get().pk}/"))
    assert "Shop sees nothing while it lasts, as if you had withdrawn. Nothing is deleted" in text
    assert "Let it go on" not in text


def test_pausing_and_resuming_twice_says_so(browser: Client, alices: Container, shop: MiniProgram) -> None:
    alices.code("shop", [NICKNAME])
    grant = MiniProgramGrant.objects.get()
    assert "It was not paused." in words(browser.post(f"/permissions/{grant.pk}/resume/", follow=True))
    browser.post(f"/permissions/{grant.pk}/pause/")
    assert "It was paused already." in words(browser.post(f"/permissions/{grant.pk}/pause/", follow=True))
    assert [row.act for row in ConsentDecision.objects.order_by("id")] == ["given", "paused"]


def test_what_is_paused_can_be_narrowed_and_withdrawn(browser: Client, alices: Container, shop: MiniProgram) -> None:
    alices.code("shop", [NICKNAME, "USER_NAME"])
    grant = MiniProgramGrant.objects.get()
    browser.post(f"/permissions/{grant.pk}/pause/")
    assert "What it can see once it goes on" in words(browser.get(f"/permissions/{grant.pk}/"))
    browser.post(f"/permissions/{grant.pk}/withdraw/", {"scope": NICKNAME})
    grant.refresh_from_db()
    assert (set(grant.scopes), bool(grant.paused_at)) == ({"USER_NAME"}, True)
    browser.post(f"/permissions/{grant.pk}/withdraw/")
    assert not MiniProgramGrant.objects.live().exists()


def test_whoever_opens_a_paused_mini_program_is_told_why_it_gets_nothing(
    browser: Client, alice: User, shop: MiniProgram
) -> None:
    grant = MiniProgramGrant.give(alice, shop, ["auth_base"])
    assert "paused" not in words(browser.get("/mini/shop/"))
    grant.pause(by=alice)
    page = browser.get("/mini/shop/")
    assert "You have paused Shop: it sees nothing about you" in words(page)
    assert f'href="/permissions/{grant.pk}/"' in page.content.decode()
