"""/permissions/all/withdraw/: out of everything at once, after one question."""

import pytest
from django.test import Client

from portal.models import ConsentDecision, MerchantNotice, MiniProgram, MiniProgramGrant, User
from tests.conftest import Container, make_program
from tests.merchants import MerchantServer
from tests.pages import words

PATH = "/permissions/all/withdraw/"


def test_the_list_leads_to_it(browser: Client, alice: User, shop: MiniProgram) -> None:
    assert PATH not in browser.get("/permissions/").content.decode()
    MiniProgramGrant.give(alice, shop, ["auth_base"]).pause(by=alice)
    assert f'href="{PATH}"' in browser.get("/permissions/").content.decode()


@pytest.mark.trust(27)
def test_it_says_what_ends_and_what_that_means_and_asking_ends_nothing(
    browser: Client, alice: User, shop: MiniProgram, cafe: MiniProgram
) -> None:
    MiniProgramGrant.give(alice, shop, ["auth_base", "USER_NICKNAME"])
    MiniProgramGrant.give(alice, cafe, ["auth_base"]).pause(by=alice)
    text = words(browser.get(PATH))
    assert "2 mini-programs lose all access to your details at once and are told so." in text
    assert "What they already received stays with them" in text
    assert "Cafe User ID Paused" in text
    assert "Shop Nickname" in text
    assert MiniProgramGrant.objects.live().count() == 2


@pytest.mark.trust(10)
def test_everything_ends_and_every_merchant_feels_it(
    browser: Client,
    alices: Container,
    bobs: Container,
    shop_server: MerchantServer,
    cafe_server: MerchantServer,
) -> None:
    shop_token = shop_server.exchange(alices.code("shop", ["USER_NICKNAME"]))["accessToken"]
    cafe_token = cafe_server.exchange(alices.code("cafe", ["USER_NICKNAME"]))["accessToken"]
    bobs_token = shop_server.exchange(bobs.code("shop", ["USER_NICKNAME"]))["accessToken"]
    shop = MiniProgram.objects.get(client_id="shop")
    shop.merchant.notify_url = "https://shop.example/notify"
    shop.merchant.save()
    page = browser.post(PATH, follow=True)
    assert page.redirect_chain == [("/permissions/?show=withdrawn", 302)]
    assert "2 mini-programs no longer see anything about you. Open one to ask it to delete" in words(page)
    for server, token in ((shop_server, shop_token), (cafe_server, cafe_token)):
        assert server.user_info(token)["result"]["resultCode"] == "INVALID_ACCESS_TOKEN"
    assert shop_server.user_info(bobs_token)["userInfo"]["nickName"] == "Bob"
    assert ConsentDecision.objects.filter(act="withdrawn").count() == 2
    assert MerchantNotice.objects.get().body["reason"] == "USER_WITHDREW"

    page = browser.post(PATH, follow=True)
    assert "There was nothing left to withdraw." in words(page)
    assert ConsentDecision.objects.filter(act="withdrawn").count() == 2


def test_one_is_told_in_the_singular(browser: Client, alice: User, shop: MiniProgram) -> None:
    MiniProgramGrant.give(alice, shop, ["auth_base"])
    assert "One mini-program loses all access" in words(browser.get(PATH))
    assert "1 mini-program no longer sees anything about you." in words(browser.post(PATH, follow=True))


def test_without_anything_to_withdraw_it_says_so(browser: Client) -> None:
    page = browser.get(PATH)
    assert "There is nothing to withdraw." in words(page)
    assert '<form class="two' not in page.content.decode()


def test_a_long_list_names_fifty(browser: Client, alice: User, shop: MiniProgram) -> None:
    for number in range(52):
        program = make_program(f"program{number:02}", ["auth_base"], shop.merchant)
        MiniProgramGrant.give(alice, program, ["auth_base"])
    page = browser.get(PATH)
    assert "52 mini-programs lose" in words(page)
    assert "And 2 more" in words(page)
    assert page.content.decode().count("Program") == 50


def test_it_is_a_post_with_a_csrf_token(alices: Container, alice: User, shop: MiniProgram) -> None:
    MiniProgramGrant.give(alice, shop, ["auth_base"])
    assert alices.http.post(PATH).status_code == 403
    assert MiniProgramGrant.objects.live().exists()
