"""/permissions/<grant>/ and what can be done there: one mini-program, line by line, and its history."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from portal import scopes, sheet, values
from portal.models import (
    AccessCount,
    ConsentDecision,
    Merchant,
    MerchantNotice,
    MiniProgram,
    MiniProgramGrant,
    PendingConsent,
    User,
)
from portal.terms import Duration
from tests.conftest import EVERY_SCOPE, Container
from tests.merchants import MerchantServer
from tests.pages import words

NICKNAME, MOBILE = "USER_NICKNAME", "PLAINTEXT_MOBILE_PHONE"


@pytest.fixture
def grant(alices: Container, alice: User, shop: MiniProgram) -> MiniProgramGrant:
    """What Alice gave to Shop: her nickname and her number."""
    alices.code("shop", ["auth_base", NICKNAME, MOBILE])
    return MiniProgramGrant.objects.get()


def allow(alices: Container, names: list[str], duration: Duration) -> None:
    """Alice allows this for a while, on the sheet."""
    consent = PendingConsent.objects.get(pk=alices.get_auth_code("shop", names)["consentId"])
    consent.decide(consent.asked, shown=sheet.of(consent).consent_text(), duration=duration)


def text_of(browser: Client, grant: MiniProgramGrant) -> str:
    return words(browser.get(f"/permissions/{grant.pk}/"))


def told(browser: Client, grant: MiniProgramGrant, history: str = "") -> list[str]:
    """The sentences of the history, newest first."""
    html = browser.get(f"/permissions/{grant.pk}/", {"history": history}).content.decode()
    return re.findall(r'<li class="event[^>]*>\s*<p class="title">(.*?)</p>', html, flags=re.S)


# --- Each line --------------------------------------------------------------------------------------------------


@pytest.mark.trust(27)
def test_each_scope_stands_there_with_masked_value_and_purpose(browser: Client, grant: MiniProgramGrant) -> None:
    text = text_of(browser, grant)
    assert "Nickname Al••• shop needs USER_NICKNAME" in text
    assert "Mobile number +63 ••• ••• 4567 shop needs PLAINTEXT_MOBILE_PHONE" in text
    assert "Until you withdraw it." in text


def test_the_exact_value_is_shown_on_demand_only(browser: Client, grant: MiniProgramGrant) -> None:
    html = browser.get(f"/permissions/{grant.pk}/").content.decode()
    folded = re.findall(r'<details class="gets">.*?</details>', html, re.S)
    assert re.search(r"Show what it gets.*Mobile number.*<bdi>63-9171234567</bdi>", folded[-1], re.S)
    assert "9171234567" not in re.sub(r"<details.*?</details>", "", html, flags=re.S)


@pytest.mark.parametrize("name", EVERY_SCOPE)
def test_what_it_gets_is_what_user_info_answers(
    alices: Container, shop: MiniProgram, shop_server: MerchantServer, name: str
) -> None:
    alice = User.objects.get(username="alice")
    alice.avatar = "avatars/alice.png"
    alice.save()
    answer = shop_server.user_info(shop_server.exchange(alices.code("shop", [name]))["accessToken"])["userInfo"]
    user_id = answer.pop("userId") if "userId" not in scopes.catalogue()[name].fields else answer["userId"]
    shown = values.of(
        alice, scopes.catalogue()[name], user_id=user_id, full_url=lambda path: f"http://testserver{path}"
    )
    assert shown == answer
    pairs = values.told(alice, scopes.catalogue()[name], user_id=user_id, full_url=str)
    assert bool(pairs) == bool(answer)
    assert all(label and value for label, value in pairs)


def test_a_purpose_stands_there_in_the_readers_language(
    browser: Client, grant: MiniProgramGrant, shop: MiniProgram
) -> None:
    shop.scope_approvals.filter(scope=NICKNAME).update(purposes={"id": "Agar barista bisa memanggilmu"})
    page = browser.get(f"/permissions/{grant.pk}/", headers={"Accept-Language": "id"})
    assert "Agar barista bisa memanggilmu" in words(page)


def test_a_purpose_that_changed_is_marked(browser: Client, grant: MiniProgramGrant, shop: MiniProgram) -> None:
    says = "What it is for has changed; it will ask you."
    assert says not in text_of(browser, grant)
    shop.scope_approvals.get(scope=NICKNAME).reword("To sell it", {}, by=None)
    text = text_of(browser, grant)
    assert text.count(says) == 1
    assert text.index("To sell it") < text.index(says) < text.index("Mobile number")


@pytest.mark.trust(27)
def test_how_often_it_was_read_and_when_last(browser: Client, grant: MiniProgramGrant) -> None:
    now = timezone.now()
    AccessCount.add(
        {(grant.pk, NICKNAME): (14, now - timedelta(hours=2)), (grant.pk, MOBILE): (1, now - timedelta(days=3))}
    )
    text = text_of(browser, grant)
    assert "· read 14 times, last 2 hours ago" in text
    assert "· read once, 3 days ago" in text
    assert "· never read" in text  # the user ID


def test_a_scope_no_longer_approved_is_marked(browser: Client, grant: MiniProgramGrant, shop: MiniProgram) -> None:
    shop.scope_approvals.filter(scope=NICKNAME).update(state="REFUSED")
    html = browser.get(f"/permissions/{grant.pk}/")
    assert re.search(
        r"Nickname Al••• Since [\w ]+ · not passed on at present", words(html).replace("Nickname Si", "Si")
    )
    assert "<bdi>Alice</bdi>" not in html.content.decode()


def test_user_id_stands_there_once_and_cannot_go_alone(browser: Client, alice: User, shop: MiniProgram) -> None:
    grant = MiniProgramGrant.give(alice, shop, ["auth_base", "USER_ID", NICKNAME])
    html = browser.get(f"/permissions/{grant.pk}/").content.decode()
    assert html.count('<p class="title">User ID</p>') == 1
    assert re.findall(r'role="switch".*?name="scope"\s+value="(\w+)"', html, re.S) == [NICKNAME]
    for scope in ("auth_base", "USER_ID"):
        page = browser.post(f"/permissions/{grant.pk}/withdraw/", {"scope": scope}, follow=True)
        assert "User ID ends only together with everything else." in words(page)
    grant.refresh_from_db()
    assert set(grant.scopes) == {"auth_base", "USER_ID", NICKNAME}


def test_different_times_stand_at_each_line(browser: Client, alices: Container, shop: MiniProgram) -> None:
    shop.scope_approvals.filter(scope=NICKNAME).update(max_days=7)
    allow(alices, ["auth_base", NICKNAME, "USER_NAME"], Duration.MONTH)
    text = text_of(browser, MiniProgramGrant.objects.get())
    assert len(re.findall(r"Since [\w ]+ · until \d+ \w+ \d{4} · never read", text)) == 2
    assert "Some of it ends earlier" in text
    assert "Nickname: never longer than 7 days." in text


def test_one_time_for_all_stands_there_once(browser: Client, alices: Container, shop: MiniProgram) -> None:
    allow(alices, ["auth_base", NICKNAME, "USER_NAME"], Duration.MONTH)
    text = text_of(browser, MiniProgramGrant.objects.get())
    assert len(re.findall(r"[Uu]ntil \d+ \w+ \d{4}", text)) == 1
    assert "or until you withdraw it." in text


def test_a_line_whose_time_ran_out_says_so_and_stays_out(
    browser: Client, alices: Container, alice: User, shop: MiniProgram
) -> None:
    allow(alices, ["USER_AVATAR"], Duration.ALWAYS)
    allow(alices, [NICKNAME], Duration.MONTH)
    grant = MiniProgramGrant.objects.get()
    past = (timezone.now() - timedelta(days=1)).isoformat()
    MiniProgramGrant.objects.update(terms={NICKNAME: {"until": past}})
    page = browser.get(f"/permissions/{grant.pk}/")
    assert "its time ran out on" in words(page)
    assert re.findall(r'name="scope"\s+value="(\w+)"', page.content.decode()) == ["USER_AVATAR"]
    browser.post(f"/permissions/{grant.pk}/duration/", {"duration": "1y"})
    grant.refresh_from_db()
    assert grant.open_scopes() == {"USER_AVATAR"}


def test_the_page_costs_eight_statements_at_most(
    browser: Client, alice: User, shop: MiniProgram, django_assert_max_num_queries: Any
) -> None:
    some = MiniProgramGrant.give(alice, shop, ["auth_base", NICKNAME, MOBILE])
    with django_assert_max_num_queries(8):
        browser.get(f"/permissions/{some.pk}/")
    every = MiniProgramGrant.give(alice, shop, EVERY_SCOPE)
    with django_assert_max_num_queries(8):  # login ids, contacts and addresses are tables of their own
        page = browser.get(f"/permissions/{every.pk}/")
    assert len(page.content) < 80_000


# --- Withdrawing ------------------------------------------------------------------------------------------------


@pytest.mark.trust(10)
def test_one_withdrawn_scope_is_gone_at_once_and_the_rest_stays(
    browser: Client, alices: Container, shop: MiniProgram, shop_server: MerchantServer
) -> None:
    token = shop_server.exchange(alices.code("shop", ["auth_base", NICKNAME, "USER_GENDER"]))["accessToken"]
    grant = MiniProgramGrant.objects.get()
    page = browser.post(f"/permissions/{grant.pk}/withdraw/", {"scope": "USER_GENDER"}, follow=True)
    assert "Shop no longer has: Gender." in words(page)
    assert "You withdrew: Gender." in words(page)
    assert set(shop_server.user_info(token)["userInfo"]) == {"userId", "nickName"}
    row = ConsentDecision.objects.latest("id")
    assert (row.act, set(row.scopes_after)) == ("narrowed", {"auth_base", NICKNAME})


@pytest.mark.trust(27)
def test_the_consequences_are_stated_before(browser: Client, grant: MiniProgramGrant) -> None:
    text = text_of(browser, grant)
    assert text.index("Shop loses all access at once") < text.rindex("Withdraw everything")
    assert text.index("What Shop already received stays with it") < text.index("Nickname Al•••")
    assert "afterwards you can ask it here to delete that" in text
    assert text.index("Nothing is deleted, and you can let it go on") < text.index("Withdraw everything")


@pytest.mark.parametrize("scope", ["USER_GENDER", "NO_SUCH_SCOPE", ""])
def test_withdrawing_what_was_never_given_changes_nothing(
    browser: Client, grant: MiniProgramGrant, scope: str
) -> None:
    page = browser.post(f"/permissions/{grant.pk}/withdraw/", {"scope": scope}, follow=True)
    assert "There was nothing left to withdraw." in words(page)
    assert ConsentDecision.objects.count() == 1
    assert MiniProgramGrant.objects.live().exists()


# --- For how long -----------------------------------------------------------------------------------------------


def test_the_duration_is_changed_and_felt_by_the_next_refresh(
    browser: Client, alices: Container, shop: MiniProgram, shop_server: MerchantServer
) -> None:
    pair = shop_server.exchange(alices.code("shop", [NICKNAME]))
    grant = MiniProgramGrant.objects.get()
    page = browser.post(f"/permissions/{grant.pk}/duration/", {"duration": "30d"}, follow=True)
    assert re.search(r"Shop is allowed what stands below until \d+ \w+ \d{4}\.", words(page))
    assert re.search(r"You changed how long: until \d+ \w+ \d{4}\.", words(page))
    grant.refresh_from_db()
    assert grant.expires_at
    assert (
        shop_server.refresh(pair["refreshToken"])["refreshTokenExpiryTime"][:19] <= grant.expires_at.isoformat()[:19]
    )
    page = browser.post(f"/permissions/{grant.pk}/duration/", {"duration": "always"}, follow=True)
    assert "You changed how long: until you withdraw it." in words(page)
    page = browser.post(f"/permissions/{grant.pk}/duration/", {"duration": "always"}, follow=True)
    assert "It was allowed for that long already." in words(page)


@pytest.mark.parametrize("chosen", ["", "once", "1000y", None])
def test_another_duration_changes_nothing(browser: Client, grant: MiniProgramGrant, chosen: str | None) -> None:
    sent = {} if chosen is None else {"duration": chosen}
    page = browser.post(f"/permissions/{grant.pk}/duration/", sent, follow=True)
    assert "Choose for how long, then press Change." in words(page)
    assert ConsentDecision.objects.count() == 1


# --- Afterwards -------------------------------------------------------------------------------------------------


def test_what_ended_is_kept_with_its_history(browser: Client, grant: MiniProgramGrant, olga: User) -> None:
    grant.revoke(by=olga, reason="a complaint was right")
    text = text_of(browser, grant)
    assert "Shop has no access any more" in text
    assert "What it received Nickname and Mobile number" in text
    assert "An operator ended all access. Reason: a complaint was right" in text
    assert "Withdraw" not in text
    assert "Pause" not in text


def test_who_let_it_in_again_finds_the_way(browser: Client, grant: MiniProgramGrant, alices: Container) -> None:
    grant.revoke(by=grant.user)
    assert "You let Shop in again later" not in text_of(browser, grant)
    alices.code("shop", ["auth_base", NICKNAME])
    page = browser.get(f"/permissions/{grant.pk}/")
    assert "You let Shop in again later" in words(page)
    assert f'href="/permissions/{MiniProgramGrant.objects.live().get().pk}/"' in page.content.decode()


def test_the_merchant_is_asked_once_to_delete(browser: Client, grant: MiniProgramGrant) -> None:
    Merchant.objects.update(notify_url="https://shop.example/notify")
    path = f"/permissions/{grant.pk}/ask-deletion/"
    assert "Withdraw everything first." in words(browser.post(path, follow=True))
    grant.revoke(by=grant.user)
    MerchantNotice.objects.all().delete()
    assert "Ask for deletion" in text_of(browser, grant)
    page = browser.post(path, follow=True)
    assert "Shop is asked to delete what it received." in words(page)
    assert re.search(r"You asked on \d+ \w+ \d{4} to have it deleted", words(page))
    assert "You asked for that before." in words(browser.post(path, follow=True))
    notice = MerchantNotice.objects.get()
    sector = grant.mini_program.merchant.sector
    assert notice.body == {
        "authorizationNotifyType": "DATA_DELETION_REQUESTED",
        "authClientId": "shop-client",
        "appId": "shop",
        "customerId": sector.user_id(grant.user.uuid.bytes),
    }
    grant.refresh_from_db()
    assert grant.deletion_asked_at


def test_who_cannot_be_asked_here_gets_a_letter(browser: Client, grant: MiniProgramGrant) -> None:
    grant.revoke(by=grant.user)
    page = browser.get(f"/permissions/{grant.pk}/")
    letter = re.search(r"<textarea[^>]*readonly>(.*?)</textarea>", page.content.decode(), re.S)
    assert letter
    assert grant.mini_program.merchant.sector.user_id(grant.user.uuid.bytes) in letter[1]
    assert "to: Nickname and Mobile number." in letter[1]
    assert 'href="https://shop.example/privacy"' in page.content.decode()
    assert "Ask for deletion" not in words(page)
    answer = browser.post(f"/permissions/{grant.pk}/ask-deletion/", follow=True)
    assert "It takes no such requests from here." in words(answer)
    grant.refresh_from_db()
    assert grant.deletion_asked_at is None


@pytest.mark.parametrize("act", ["pause", "resume", "duration"])
def test_an_ended_grant_answers_that_it_has_ended(browser: Client, grant: MiniProgramGrant, act: str) -> None:
    grant.revoke(by=grant.user)
    page = browser.post(f"/permissions/{grant.pk}/{act}/", {"duration": "1y"}, follow=True)
    assert "This has ended. There is nothing left to change." in words(page)
    assert ConsentDecision.objects.latest("id").act == "withdrawn"


# --- The history ------------------------------------------------------------------------------------------------


@pytest.mark.trust(27)
def test_the_history_tells_each_change_in_words(
    browser: Client, alices: Container, alice: User, olga: User, shop: MiniProgram
) -> None:
    alices.code("shop", ["auth_base"])
    alices.code("shop", [NICKNAME])
    alices.code("shop", ["USER_GENDER", "USER_NAME"])
    alices.decide(alices.get_auth_code("shop", ["USER_ADDRESS"])["consentId"], [])
    grant = MiniProgramGrant.objects.get()
    grant.revoke(by=alice, scopes=["USER_NAME"])
    grant.revoke(by=olga, scopes=["USER_GENDER"], reason="not needed")
    assert told(browser, grant) == [
        "An operator took away: Gender. Reason: not needed",
        "You withdrew: Name.",
        "You did not allow: Address.",
        "You also allowed: Name and Gender.",
        "You allowed: Nickname.",
        "You opened it, and it got: User ID.",
    ]


@pytest.mark.trust(27)
def test_the_history_tells_for_how_long(browser: Client, alices: Container, alice: User, shop: MiniProgram) -> None:
    allow(alices, [NICKNAME], Duration.MONTH)
    allow(alices, ["USER_NAME"], Duration.YEAR)
    allow(alices, ["USER_AVATAR"], Duration.ONCE)
    allow(alices, ["USER_AVATAR"], Duration.ALWAYS)
    shop.scope_approvals.filter(scope="USER_GENDER").update(max_days=1)
    allow(alices, ["USER_GENDER", "USER_BIRTHDAY"], Duration.ALWAYS)
    grant = MiniProgramGrant.objects.get()
    grant.pause(by=alice)
    grant.resume(by=alice)
    grant.revoke(by=None, scopes=[NICKNAME], reason="its time ran out")
    assert told(browser, grant) == [
        "The time for Nickname ran out.",
        "You let it go on.",
        "You paused it.",
        "You also allowed: Gender (for 1 day) and Birthday (until you withdraw it).",
        "You allowed again: Picture.",
        "You also allowed: Picture, this time only.",
        "You also allowed: Name, for 1 year.",
        "You allowed: Nickname, for 30 days.",
    ]


def test_the_history_tells_that_a_purpose_was_agreed_to(
    browser: Client, alices: Container, alice: User, shop: MiniProgram
) -> None:
    allow(alices, [NICKNAME], Duration.ALWAYS)
    shop.scope_approvals.get(scope=NICKNAME).reword("To print it", {}, by=None)
    allow(alices, [NICKNAME], Duration.MONTH)
    newest = told(browser, MiniProgramGrant.objects.get())[0]
    assert newest == "What it is for had changed, and you agreed: Nickname, for 30 days."


def test_the_history_tells_what_ended_by_itself(browser: Client, grant: MiniProgramGrant, olga: User) -> None:
    grant.retime(Duration.MONTH, by=olga)
    assert re.fullmatch(r"An operator changed how long: until \d+ \w+ \d{4}\.", told(browser, grant)[0])
    grant.revoke(by=None, reason="nobody used it")
    assert told(browser, grant)[0] == "Nobody had used it for a long time, and all access ended."


def test_every_decision_can_be_reached(browser: Client, grant: MiniProgramGrant) -> None:
    for _ in range(15):
        grant.pause(by=grant.user)
        grant.resume(by=grant.user)
    first, second = told(browser, grant), told(browser, grant, "2")
    assert (len(first), len(second)) == (20, 11)
    assert second[-1] == "You allowed: Nickname and Mobile number."
    html = browser.get(f"/permissions/{grant.pk}/").content.decode()
    assert re.search(r'rel="next"\s+href="\?history=2#history">Earlier<', html)
    html = browser.get(f"/permissions/{grant.pk}/?history=2").content.decode()
    assert re.search(r'rel="prev"\s+href="\?history=1#history">Later<', html)
    assert "Earlier" not in html
    for wanted in ("0", "-1", "x", "9" * 30, "²", ""):
        assert browser.get(f"/permissions/{grant.pk}/", {"history": wanted}).status_code == 200


# --- Whose it is ------------------------------------------------------------------------------------------------

POSTS = ["withdraw", "pause", "resume", "duration", "ask-deletion"]


@pytest.mark.trust(25)
@pytest.mark.parametrize("act", ["", *POSTS, "report"])
def test_bob_finds_nothing_of_alices(bob: User, grant: MiniProgramGrant, act: str) -> None:
    bobs_browser = Client()
    bobs_browser.force_login(bob)
    path = f"/permissions/{grant.pk}/{act}/".replace("//", "/")
    sent = {"duration": "30d", "kind": "other"}
    statuses = {bobs_browser.post(path, sent).status_code}
    if act not in POSTS:
        statuses = {bobs_browser.get(path).status_code, bobs_browser.post(path, sent).status_code}
    nowhere = bobs_browser.post(path.replace(grant.pk, "x" * 32), sent).status_code
    assert statuses == {404} == {nowhere}
    assert "Shop" not in words(bobs_browser.get("/permissions/"))
    assert "Shop" not in words(bobs_browser.get("/permissions/all/withdraw/"))
    assert ConsentDecision.objects.count() == 1
    assert MiniProgramGrant.objects.usable().exists()


@pytest.mark.parametrize("act", POSTS)
def test_an_act_is_a_post_with_a_csrf_token(
    browser: Client, alices: Container, grant: MiniProgramGrant, act: str
) -> None:
    assert browser.get(f"/permissions/{grant.pk}/{act}/").status_code == 405
    assert alices.http.post(f"/permissions/{grant.pk}/{act}/", {"duration": "30d"}).status_code == 403
    assert ConsentDecision.objects.count() == 1


@pytest.mark.parametrize("act", ["", "report/", *(f"{act}/" for act in POSTS)])
def test_the_pages_need_a_sign_in(grant: MiniProgramGrant, act: str) -> None:
    for path in ("/permissions/", "/permissions/all/withdraw/", f"/permissions/{grant.pk}/{act}"):
        assert Client().get(path)["Location"] == f"/accounts/login/?next={path}"
        assert Client().post(path).status_code == 302


@pytest.mark.parametrize("act", ["withdraw", "pause", "ask-deletion"])
def test_pressing_twice_does_no_more_than_once(browser: Client, grant: MiniProgramGrant, act: str) -> None:
    if act == "ask-deletion":
        grant.revoke(by=grant.user)
        Merchant.objects.update(notify_url="https://shop.example/notify")
    browser.post(f"/permissions/{grant.pk}/{act}/")
    before = (ConsentDecision.objects.count(), MerchantNotice.objects.count())
    assert browser.post(f"/permissions/{grant.pk}/{act}/").status_code == 302
    assert (ConsentDecision.objects.count(), MerchantNotice.objects.count()) == before
