"""/permissions/: who sees what about me, found by name and by what became of it."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client
from django.utils import timezone

from portal.models import ConsentDecision, Merchant, MiniProgram, MiniProgramGrant, User
from portal.models.grants import OVER
from portal.terms import Duration
from tests.conftest import Container, make_program
from tests.pages import words


@pytest.fixture
def grant(alices: Container, alice: User, shop: MiniProgram) -> MiniProgramGrant:
    """What Alice gave to Shop: her nickname and her number."""
    alices.code("shop", ["auth_base", "USER_NICKNAME", "PLAINTEXT_MOBILE_PHONE"])
    return MiniProgramGrant.objects.get()


def let_in(user: User, merchant: Merchant, name: str, number: int = 0) -> MiniProgramGrant:
    """A grant to a mini-program of this name."""
    program = make_program(f"program{number:03}", ["auth_base", "USER_NICKNAME"], merchant)
    MiniProgram.objects.filter(pk=program.pk).update(name=name)
    return MiniProgramGrant.give(user, program, ["auth_base", "USER_NICKNAME"])


def many_grants(user: User, merchant_of: MiniProgram, n: int) -> None:
    for i in range(n):
        let_in(user, merchant_of.merchant, f"Program {i:03}", i)


def listed(page: Any) -> list[str]:
    """The names on the cards, in their order."""
    found = re.findall(r'href="/permissions/[\w-]{32}/">.*?class="title">\s*(.*?)\s*<', page.content.decode(), re.S)
    return [name for name in found if name]


def counts(page: Any) -> dict[str, int]:
    """What stands on the filters."""
    found = re.findall(r'class="chip".*?>\s*(\w+)\s*<span>(\d+)</span>', page.content.decode(), re.S)
    return {name: int(count) for name, count in found}


def test_a_card_says_what_is_seen_since_when_and_when_last(browser: Client, grant: MiniProgramGrant) -> None:
    MiniProgramGrant.objects.update(since="2026-03-04T12:00Z", last_used_at=timezone.now() - timedelta(hours=2))
    page = browser.get("/permissions/")
    assert "Shop Nickname and Mobile number Since 4 March 2026 · last used 2 hours ago" in words(page)
    assert '<time datetime="2026-03-04T12:00:00+00:00">' in page.content.decode()


def test_a_card_of_the_user_id_alone_says_so(browser: Client, alice: User, shop: MiniProgram) -> None:
    MiniProgramGrant.give(alice, shop, ["auth_base"])
    assert "Shop User ID Since" in words(browser.get("/permissions/"))


def test_only_a_verified_merchant_has_the_badge(browser: Client, grant: MiniProgramGrant, shop: MiniProgram) -> None:
    assert "Verified" not in words(browser.get("/permissions/"))
    Merchant.objects.update(verified=True)
    assert "Shop Verified Nickname" in words(browser.get("/permissions/"))
    assert "by shop Ltd Verified" in words(browser.get(f"/permissions/{grant.pk}/"))


def test_the_most_recently_used_comes_first(browser: Client, alice: User, shop: MiniProgram) -> None:
    for number, name in enumerate(("Old", "Never", "New")):
        let_in(alice, shop.merchant, name, number)
    now = timezone.now()
    for name, ago in (("Old", 5), ("New", 1)):
        MiniProgramGrant.objects.filter(mini_program__name=name).update(last_used_at=now - timedelta(days=ago))
    assert listed(browser.get("/permissions/")) == ["New", "Old", "Never"]


# --- What became of them ----------------------------------------------------------------------------------------


@pytest.fixture
def each(alice: User, olga: User, shop: MiniProgram) -> None:
    """One grant of each kind, and two that were taken away."""
    names = ("Active", "Paused", "Lapsed", "Swept", "Unused", "Withdrawn", "Revoked")
    made = {name: let_in(alice, shop.merchant, f"Is {name}", number) for number, name in enumerate(names)}
    made["Paused"].pause(by=alice)
    MiniProgramGrant.objects.filter(pk=made["Lapsed"].pk).update(expires_at=timezone.now() - timedelta(minutes=1))
    made["Swept"].revoke(by=None, reason=OVER)
    made["Unused"].revoke(by=None, reason="nobody used it")
    made["Withdrawn"].revoke(by=alice)
    made["Revoked"].revoke(by=olga, reason="a complaint was right")


@pytest.mark.parametrize(
    ("show", "names"),
    [
        ("", ["Is Active"]),
        ("active", ["Is Active"]),
        ("nonsense", ["Is Active"]),
        ("paused", ["Is Paused"]),
        ("expired", ["Is Lapsed", "Is Swept", "Is Unused"]),
        ("withdrawn", ["Is Revoked", "Is Withdrawn"]),
    ],
)
def test_each_stands_where_it_belongs(browser: Client, each: None, show: str, names: list[str]) -> None:
    page = browser.get("/permissions/", {"show": show})
    assert sorted(listed(page)) == names
    assert counts(page) == {"Active": 1, "Paused": 1, "Expired": 3, "Withdrawn": 2}


def test_a_card_of_what_ended_says_how(browser: Client, each: None) -> None:
    withdrawn = words(browser.get("/permissions/?show=withdrawn"))
    assert re.search(r"Is Withdrawn Nickname You withdrew on \d+ \w+ \d{4}", withdrawn)
    assert re.search(r"Is Revoked Nickname Ended by an operator on", withdrawn)
    assert "Withdraw everything" not in withdrawn
    assert re.search(r"Is Lapsed Nickname Ended by itself on", words(browser.get("/permissions/?show=expired")))


def test_a_paused_card_says_so_and_can_go_on(browser: Client, each: None) -> None:
    page = browser.get("/permissions/?show=paused")
    assert "never used Paused Let it go on" in words(page)
    assert re.search(r'action="/permissions/[\w-]{32}/resume/"', page.content.decode())


def test_what_ended_last_comes_first(browser: Client, alice: User, shop: MiniProgram) -> None:
    for number, name in enumerate(("First", "Second")):
        let_in(alice, shop.merchant, name, number).revoke(by=alice)
    assert listed(browser.get("/permissions/?show=withdrawn")) == ["Second", "First"]


@pytest.mark.parametrize(
    ("show", "says"),
    [
        ("", "No mini-program sees your details"),
        ("paused", "Nothing is paused"),
        ("expired", "Nothing has run out yet"),
        ("withdrawn", "Nothing has been withdrawn yet"),
    ],
)
def test_an_empty_list_says_what_would_stand_there(browser: Client, show: str, says: str) -> None:
    text = words(browser.get("/permissions/", {"show": show}))
    assert says in text
    assert "Withdraw from all" not in text
    assert "Find by name" not in text


# --- What deserves a look ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "soon"), [(13, True), (15, False)])
def test_what_ends_within_two_weeks_is_marked(browser: Client, grant: MiniProgramGrant, days: int, soon: bool) -> None:
    MiniProgramGrant.objects.update(expires_at=timezone.now() + timedelta(days=days))
    text = words(browser.get("/permissions/"))
    assert "· until " in text
    assert ("Ends soon" in text) is soon


def test_what_ends_today_says_in_how_long(browser: Client, grant: MiniProgramGrant) -> None:
    MiniProgramGrant.objects.update(expires_at=timezone.now() + timedelta(minutes=59, seconds=30))
    assert re.search(r"ends in (59|60) minutes|ends in 1 hour", words(browser.get("/permissions/")))


def test_a_part_that_ends_soon_is_marked(browser: Client, grant: MiniProgramGrant, shop: MiniProgram) -> None:
    shop.scope_approvals.filter(scope="USER_NICKNAME").update(max_days=7)
    grant.retime(Duration.ALWAYS, by=grant.user)
    assert "A part ends soon" in words(browser.get("/permissions/"))


@pytest.mark.parametrize("column", ["since", "last_used_at"])
def test_what_nobody_uses_is_marked(browser: Client, grant: MiniProgramGrant, settings: Any, column: str) -> None:
    long_ago = timezone.now() - timedelta(days=94, hours=1)
    MiniProgramGrant.objects.update(since=long_ago)
    MiniProgramGrant.objects.update(**{column: long_ago})
    assert "Not used for 94 days · still needed?" in words(browser.get("/permissions/"))
    assert "Shop has not used this for 94 days." in words(browser.get(f"/permissions/{grant.pk}/"))
    MiniProgramGrant.objects.update(last_used_at=timezone.now() - timedelta(days=89))
    assert "Not used" not in words(browser.get("/permissions/"))
    settings.GRANT_UNUSED_REMIND = timedelta(days=89)
    assert "Not used for 89 days" in words(browser.get("/permissions/"))
    settings.GRANT_UNUSED_REMIND = timedelta(0)
    assert "Not used" not in words(browser.get("/permissions/"))


# --- Search -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["café", "CAFE", "fé cen", " Café  Central ", "cafe\u0301", "ｃａｆｅ"])
def test_a_name_is_found_however_it_is_typed(browser: Client, alice: User, shop: MiniProgram, query: str) -> None:
    let_in(alice, shop.merchant, "Café Central", 1)
    let_in(alice, shop.merchant, "Ferry", 2)
    page = browser.get("/permissions/", {"q": query})
    assert listed(page) == ["Café Central"]
    assert "1 found for" in words(page)


@pytest.mark.parametrize("name", ["咖啡角", "مقهى", "กาแฟ", "100% <b>&amp;"])
def test_the_search_stands_in_its_field_and_goes_along(
    browser: Client, alice: User, shop: MiniProgram, name: str
) -> None:
    for number in range(21):
        let_in(alice, shop.merchant, f"{name} {number}", number)
    let_in(alice, shop.merchant, "Ferry", 21)
    page = browser.get("/permissions/", {"q": name})
    html = page.content.decode()
    assert len(listed(page)) == 20
    assert counts(page)["Active"] == 21
    assert 'label class="hidden" for="q"' in html
    assert page.context["query"] == name
    assert "<b>&amp;" not in html
    more = re.search(r'rel="next"\s+href="([^"]+)"', html)
    assert more
    assert f"q={quote(name).replace('%20', '+')}" in more[1]
    assert len(listed(browser.get("/permissions/" + more[1].replace("&amp;", "&")))) == 1
    paused = re.search(r'href="(\?q=[^"]+show=paused)"', html)
    assert paused
    assert browser.get("/permissions/" + paused[1].replace("&amp;", "&")).context["query"] == name


def test_a_search_keeps_the_filter(browser: Client, each: None) -> None:
    page = browser.get("/permissions/", {"q": "is", "show": "paused"})
    assert listed(page) == ["Is Paused"]
    assert '<input type="hidden" name="show" value="paused">' in page.content.decode()
    page = browser.get("/permissions/", {"q": "pau"})
    assert listed(page) == []
    assert counts(page) == {"Active": 0, "Paused": 1, "Expired": 0, "Withdrawn": 0}


@pytest.mark.parametrize("query", ["zzz", "%", "_", "\x00", "'; --", "x" * 3000])
def test_a_search_that_finds_nothing_says_so(browser: Client, grant: MiniProgramGrant, query: str) -> None:
    page = browser.get("/permissions/", {"q": query})
    assert page.status_code == 200
    assert "No mini-program of that name here" in words(page)
    assert "0 found for" in words(page)


# --- What it costs ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["", "program"])
def test_two_hundred_grants_cost_no_more_than_one(
    browser: Client, alice: User, shop: MiniProgram, django_assert_max_num_queries: Any, query: str
) -> None:
    many_grants(alice, shop, 200)
    with django_assert_max_num_queries(7):
        page = browser.get("/permissions/", {"q": query})
    assert len(listed(page)) == 20
    assert len(page.content) < 60_000
    with django_assert_max_num_queries(7):
        browser.get("/permissions/", {"q": query, "show": "withdrawn"})


def test_the_twenty_first_card_is_on_the_second_page(browser: Client, alice: User, shop: MiniProgram) -> None:
    many_grants(alice, shop, 21)
    first, second = browser.get("/permissions/"), browser.get("/permissions/?page=2")
    assert "Page 1 of 2" in words(first)
    assert len(listed(second)) == 1
    assert not set(listed(first)) & set(listed(second))
    assert browser.get("/permissions/?page=nonsense").status_code == 200
    assert len(listed(browser.get("/permissions/?page=99"))) == 1


# --- The way out ------------------------------------------------------------------------------------------------


@pytest.mark.trust(27)
def test_the_consequences_are_stated_before_everything_is_withdrawn(browser: Client, grant: MiniProgramGrant) -> None:
    text = words(browser.get("/permissions/"))
    assert text.index("Withdrawing takes effect at once") < text.index("Withdraw everything")


@pytest.mark.trust(26)
def test_everything_is_withdrawn_two_clicks_from_home(browser: Client, grant: MiniProgramGrant) -> None:
    assert 'href="/permissions/"' in browser.get("/").content.decode()
    assert f'action="/permissions/{grant.pk}/withdraw/"' in browser.get("/permissions/").content.decode()
    page = browser.post(f"/permissions/{grant.pk}/withdraw/", follow=True)
    assert page.redirect_chain == [("/permissions/", 302)]
    assert "Shop no longer sees anything about you. Ask it to delete what it has" in words(page)
    assert f'<a href="/permissions/{grant.pk}/">' in page.content.decode()
    assert ConsentDecision.objects.latest("id").act == "withdrawn"


def test_a_name_cannot_write_into_the_page(browser: Client, grant: MiniProgramGrant) -> None:
    MiniProgram.objects.update(name="<b>Shop</b>")
    page = browser.post(f"/permissions/{grant.pk}/withdraw/", follow=True)
    assert "&lt;b&gt;Shop&lt;/b&gt; no longer sees anything" in page.content.decode()
    assert "<b>" not in page.content.decode()


def test_the_list_leads_to_my_data(browser: Client, grant: MiniProgramGrant) -> None:
    assert 'href="/profile/data/"' in browser.get("/permissions/").content.decode()
