"""/permissions/, /permissions/<grant>/ and its /withdraw/: who sees what about me, and how to stop it."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from portal.models import ConsentDecision, MiniProgram, MiniProgramGrant, User
from tests.conftest import Container, make_program
from tests.merchants import MerchantServer
from tests.pages import words


@pytest.fixture
def grant(alices: Container, alice: User, shop: MiniProgram) -> MiniProgramGrant:
    """What Alice gave to Shop: her nickname and her number."""
    alices.code("shop", ["auth_base", "USER_NICKNAME", "PLAINTEXT_MOBILE_PHONE"])
    return MiniProgramGrant.objects.get()


def many_grants(user: User, merchant_of: MiniProgram, n: int) -> None:
    for i in range(n):
        program = make_program(f"program{i:02}", ["auth_base"], merchant_of.merchant)
        MiniProgramGrant.give(user, program, ["auth_base", "USER_NICKNAME"])


def test_a_card_says_what_is_seen_since_when_and_when_last(browser: Client, grant: MiniProgramGrant) -> None:
    MiniProgramGrant.objects.update(since="2026-03-04T12:00Z", last_used_at=timezone.now() - timedelta(hours=2))
    page = browser.get("/permissions/")
    text = words(page)
    assert "Shop User ID, Nickname, Mobile number Since 4 March 2026" in text
    assert re.search(r"last used 2\shours ago", text)
    assert '<time datetime="2026-03-04T12:00:00+00:00">' in page.content.decode()


def test_without_mini_programs_the_page_says_so(browser: Client) -> None:
    assert "No mini-program sees your details" in words(browser.get("/permissions/"))


def test_twenty_cards_cost_no_more_statements_than_one(
    browser: Client, alice: User, shop: MiniProgram, django_assert_max_num_queries: Any
) -> None:
    many_grants(alice, shop, 20)
    with django_assert_max_num_queries(8):
        page = browser.get("/permissions/")
    assert page.content.decode().count("Withdraw everything") == 20


def test_the_twenty_first_card_is_on_the_second_page(browser: Client, alice: User, shop: MiniProgram) -> None:
    many_grants(alice, shop, 21)
    first, second = browser.get("/permissions/"), browser.get("/permissions/?page=2")
    assert "Page 1 of 2" in words(first)
    assert second.content.decode().count("Withdraw everything") == 1
    assert browser.get("/permissions/?page=nonsense").status_code == 200


@pytest.mark.trust(27)
def test_the_detail_page_shows_each_scope_with_masked_value_and_purpose(
    browser: Client, grant: MiniProgramGrant, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(10):
        page = browser.get(f"/permissions/{grant.pk}/")
    text = words(page)
    assert "Nickname Al••• shop needs USER_NICKNAME Since" in text
    assert "Mobile number +63 ••• ••• 4567 shop needs PLAINTEXT_MOBILE_PHONE Since" in text
    assert "Until you withdraw it" in text
    assert "9171234567" not in page.content.decode().replace(" ", "")


def test_user_id_stands_there_once_and_cannot_go_alone(browser: Client, alice: User, shop: MiniProgram) -> None:
    grant = MiniProgramGrant.give(alice, shop, ["auth_base", "USER_ID", "USER_NICKNAME"])
    html = browser.get(f"/permissions/{grant.pk}/").content.decode()
    assert html.count('<p class="title">User ID</p>') == 1
    assert re.findall(r'name="scope"\s+value="(\w+)"', html) == ["USER_NICKNAME"]
    for scope in ("auth_base", "USER_ID"):
        page = browser.post(f"/permissions/{grant.pk}/withdraw/", {"scope": scope}, follow=True)
        assert "User ID ends only together with everything else." in words(page)
    grant.refresh_from_db()
    assert set(grant.scopes) == {"auth_base", "USER_ID", "USER_NICKNAME"}


@pytest.mark.trust(10)
def test_one_withdrawn_scope_is_gone_at_once_and_the_rest_stays(
    browser: Client, alices: Container, shop: MiniProgram, shop_server: MerchantServer
) -> None:
    token = shop_server.exchange(alices.code("shop", ["auth_base", "USER_NICKNAME", "USER_GENDER"]))["accessToken"]
    grant = MiniProgramGrant.objects.get()
    page = browser.post(f"/permissions/{grant.pk}/withdraw/", {"scope": "USER_GENDER"}, follow=True)
    assert "Shop no longer has: Gender." in words(page)
    assert "You withdrew: Gender." in words(page)
    assert set(shop_server.user_info(token)["userInfo"]) == {"userId", "nickName"}
    row = ConsentDecision.objects.latest("id")
    assert (row.act, set(row.scopes_after)) == ("narrowed", {"auth_base", "USER_NICKNAME"})


@pytest.mark.trust(27)
def test_the_consequences_are_stated_before_everything_is_withdrawn(browser: Client, grant: MiniProgramGrant) -> None:
    html = words(browser.get(f"/permissions/{grant.pk}/"))
    assert html.index("Shop loses all access at once") < html.rindex("Withdraw everything")
    assert html.index("What it already received stays with it") < html.index("Withdraw Nickname")
    listed = words(browser.get("/permissions/"))
    assert listed.index("Withdrawing takes effect at once") < listed.index("Withdraw everything")


@pytest.mark.trust(26)
def test_everything_is_withdrawn_two_clicks_from_home(browser: Client, grant: MiniProgramGrant) -> None:
    assert 'href="/permissions/"' in browser.get("/").content.decode()
    assert f'action="/permissions/{grant.pk}/withdraw/"' in browser.get("/permissions/").content.decode()
    page = browser.post(f"/permissions/{grant.pk}/withdraw/", follow=True)
    assert page.redirect_chain == [("/permissions/", 302)]
    assert "Shop no longer sees anything about you." in words(page)
    assert ConsentDecision.objects.latest("id").act == "withdrawn"


@pytest.mark.parametrize("scope", ["USER_GENDER", "NO_SUCH_SCOPE", ""])
def test_withdrawing_what_was_never_given_changes_nothing(
    browser: Client, grant: MiniProgramGrant, scope: str
) -> None:
    page = browser.post(f"/permissions/{grant.pk}/withdraw/", {"scope": scope}, follow=True)
    assert "There was nothing left to withdraw." in words(page)
    assert ConsentDecision.objects.count() == 1
    assert MiniProgramGrant.objects.live().exists()


def test_what_ended_is_kept_with_its_history(browser: Client, grant: MiniProgramGrant, olga: User) -> None:
    grant.revoke(by=olga, reason="a complaint was right")
    assert "Shop" not in words(browser.get("/permissions/"))
    assert "Shop User ID, Nickname, Mobile number Ended on" in words(browser.get("/permissions/?show=ended"))
    text = words(browser.get(f"/permissions/{grant.pk}/"))
    assert "Shop has no access any more." in text
    assert "An operator ended all access. Reason: a complaint was right" in text
    assert "Withdraw" not in text


def test_a_grant_past_its_time_counts_as_ended(browser: Client, grant: MiniProgramGrant) -> None:
    MiniProgramGrant.objects.update(expires_at=timezone.now() - timedelta(days=1))
    assert "Shop" not in words(browser.get("/permissions/"))
    assert "Shop" in words(browser.get("/permissions/?show=ended"))
    assert "Shop has no access any more." in words(browser.get(f"/permissions/{grant.pk}/"))


@pytest.mark.trust(27)
def test_the_history_tells_each_change_in_words(
    browser: Client, alices: Container, alice: User, olga: User, shop: MiniProgram
) -> None:
    alices.code("shop", ["auth_base"])
    alices.code("shop", ["USER_NICKNAME"])
    alices.code("shop", ["USER_GENDER", "USER_NAME"])
    alices.decide(alices.get_auth_code("shop", ["USER_ADDRESS"])["consentId"], [])
    grant = MiniProgramGrant.objects.get()
    grant.revoke(by=alice, scopes=["USER_NAME"])
    grant.revoke(by=olga, scopes=["USER_GENDER"], reason="not needed")
    html = browser.get(f"/permissions/{grant.pk}/").content.decode()
    told = re.findall(r'<li class="event[^>]*>\s*<p class="title">(.*?)</p>', html, flags=re.S)
    assert told == [
        "An operator took away: Gender. Reason: not needed",
        "You withdrew: Name.",
        "You did not allow: Address.",
        "You also allowed: Name and Gender.",
        "You allowed: Nickname.",
        "You opened it, and it got: User ID.",
    ]


def test_a_scope_no_longer_approved_is_marked(browser: Client, grant: MiniProgramGrant, shop: MiniProgram) -> None:
    shop.scope_approvals.filter(scope="USER_NICKNAME").update(state="REFUSED")
    assert re.search(
        r"Nickname Al••• Since .{5,30} · not passed on at present", words(browser.get(f"/permissions/{grant.pk}/"))
    )


@pytest.mark.trust(25)
def test_bob_finds_nothing_of_alices(bob: User, grant: MiniProgramGrant) -> None:
    bobs_browser = Client()
    bobs_browser.force_login(bob)
    assert "Shop" not in words(bobs_browser.get("/permissions/"))
    assert bobs_browser.get(f"/permissions/{grant.pk}/").status_code == 404
    assert bobs_browser.post(f"/permissions/{grant.pk}/withdraw/").status_code == 404
    assert MiniProgramGrant.objects.live().exists()


def test_withdrawing_is_a_post_with_a_csrf_token(browser: Client, alices: Container, grant: MiniProgramGrant) -> None:
    assert browser.get(f"/permissions/{grant.pk}/withdraw/").status_code == 405
    assert alices.http.post(f"/permissions/{grant.pk}/withdraw/").status_code == 403
    assert MiniProgramGrant.objects.live().exists()


def test_the_pages_need_a_sign_in(grant: MiniProgramGrant) -> None:
    for path in ("/permissions/", f"/permissions/{grant.pk}/"):
        assert Client().get(path)["Location"] == f"/accounts/login/?next={path}"
