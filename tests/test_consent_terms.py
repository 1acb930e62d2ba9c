"""The sheet's terms: for how long, a purpose that changed, what is missing, and whether it is really you."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from authapi.models import ErrorAudit
from portal import durations
from portal.models import (
    Address,
    ConsentDecision,
    Contact,
    LoginId,
    Merchant,
    MiniProgram,
    MiniProgramGrant,
    User,
)
from tests.conftest import PASSWORD, Container, sign_in
from tests.pages import fields, press, words

Audited = Callable[..., ErrorAudit]
NICKNAME, MOBILE, ADDRESS = "USER_NICKNAME", "PLAINTEXT_MOBILE_PHONE", "USER_ADDRESS"
CONSENTS = "/v1/authorizations/consents"


def ask(box: Container, *scopes: str, app_id: str = "shop") -> str:
    """The path of a fresh sheet for these scopes."""
    return f"/consent/{box.get_auth_code(app_id, list(scopes))['consentId']}/"


def grant() -> MiniProgramGrant:
    return MiniProgramGrant.objects.get(ended_at=None)


# --- For how long -----------------------------------------------------------------------------------------------


@pytest.mark.trust(22)
@pytest.mark.parametrize(("duration", "days"), [("30d", 30), ("1y", 365), ("always", None)])
def test_what_is_chosen_is_what_holds(
    browser: Client, alices: Container, shop: MiniProgram, duration: str, days: int | None
) -> None:
    path = ask(alices, "auth_base", NICKNAME)
    done = press(browser, path, decision="allow", scopes=NICKNAME, duration=duration, follow=True)
    until = grant().term_of(NICKNAME).until
    if days is None:
        assert until is None
        assert "Nickname until you withdraw it" in words(done)
    else:
        assert until is not None
        assert abs(until - timezone.now() - timedelta(days=days)) < timedelta(minutes=1)
        assert f"Nickname until {until.day} " in words(done)


def test_the_longest_time_is_not_chosen_for_anybody(browser: Client, alices: Container, shop: MiniProgram) -> None:
    assert fields(browser.get(ask(alices, NICKNAME)))["duration"] == "1y"


@pytest.mark.parametrize("duration", ["", "2y", "ALWAYS", "always\0"])
def test_an_unknown_duration_allows_nothing(
    browser: Client, alices: Container, shop: MiniProgram, duration: str
) -> None:
    path = ask(alices, NICKNAME)
    page = press(browser, path, decision="allow", scopes=NICKNAME, duration=duration)
    assert page.status_code == 422
    assert "Choose for how long." in words(page)
    assert not MiniProgramGrant.objects.exists()
    # Refusing needs no duration.
    assert press(browser, path, decision="refuse", duration=duration).status_code == 302


def test_a_limit_of_the_operators_stands_on_its_line(browser: Client, alices: Container, shop: MiniProgram) -> None:
    shop.scope_approvals.filter(scope=NICKNAME).update(max_days=7)
    path = ask(alices, NICKNAME, "USER_GENDER")
    assert "At most 7 days" in words(browser.get(path))
    press(browser, path, decision="allow", scopes=[NICKNAME, "USER_GENDER"], duration="always")
    assert grant().term_of(NICKNAME).until
    assert not grant().term_of("USER_GENDER").until


def test_where_everything_is_limited_nothing_longer_is_offered(
    browser: Client, alices: Container, shop: MiniProgram
) -> None:
    shop.scope_approvals.filter(scope=NICKNAME).update(max_days=90)
    page = browser.get(ask(alices, NICKNAME))
    assert "Allow for this time only 30 days 90 days Don't allow" in words(page)
    assert "At most" not in words(page)


@pytest.mark.parametrize(
    ("limits", "values", "longest", "preset"),
    [
        ([None], "once 30d 1y always", "until I withdraw it", "1y"),
        ([90, None], "once 30d 1y always", "until I withdraw it", "1y"),
        ([90, 10], "once 30d 1y", "90 days", "1y"),
        ([30], "once 30d", "30 days", "30d"),
        ([1], "once 30d", "1 day", "30d"),
        ([365], "once 30d 1y", "1 year", "1y"),
        ([400], "once 30d 1y always", "400 days", "1y"),
        ([], "once 30d 1y always", "until I withdraw it", "1y"),
    ],
)
def test_nothing_is_offered_above_every_limit(
    limits: list[int | None], values: str, longest: str, preset: str
) -> None:
    choices = durations.offered(limits)
    assert [choice.value for choice in choices] == values.split()
    assert choices[-1].label == longest
    assert durations.preset(choices) == preset


@pytest.mark.trust(28)
def test_of_two_limits_the_lower_stands_on_its_line_and_both_hold(
    browser: Client, alices: Container, shop: MiniProgram
) -> None:
    for scope, days in ((NICKNAME, 90), ("USER_GENDER", 10)):
        shop.scope_approvals.filter(scope=scope).update(max_days=days)
    path = ask(alices, NICKNAME, "USER_GENDER")
    text = words(browser.get(path))
    assert "Allow for this time only 30 days 90 days Don't allow" in text
    assert (text.count("At most"), "At most 10 days" in text) == (1, True)
    done = press(browser, path, decision="allow", scopes=[NICKNAME, "USER_GENDER"], follow=True)
    assert words(done).count(" until ") == 2
    ends = [grant().term_of(scope).until for scope in (NICKNAME, "USER_GENDER")]
    assert [round((end - timezone.now()) / timedelta(days=1)) for end in ends if end] == [90, 10]
    shown = ConsentDecision.objects.latest("id").shown
    assert shown
    assert shown.text["durations"] == ["this time only", "30 days", "90 days"]
    assert [line["atMostDays"] for line in shown.text["lines"]] == [None, 10]


def test_this_time_only_is_said_and_asked_again_like_the_first_time(
    browser: Client, alices: Container, shop: MiniProgram
) -> None:
    path = ask(alices, NICKNAME)
    first = words(browser.get(path))
    done = press(browser, path, decision="allow", scopes=NICKNAME, duration="once", follow=True)
    assert "Allowed for Shop Nickname this time only" in words(done)
    assert words(browser.get(ask(alices, NICKNAME))) == first


def test_what_ends_at_one_time_is_said_in_one_line(browser: Client, alices: Container, shop: MiniProgram) -> None:
    reworded(shop, "For our advertisements")
    path = ask(alices, NICKNAME, "USER_GENDER")
    done = press(browser, path, decision="allow", scopes=[NICKNAME, "USER_GENDER"], follow=True)
    assert words(done).count(" until ") == 1


def test_json_takes_a_duration_and_names_a_bad_one(alices: Container, shop: MiniProgram, audited: Audited) -> None:
    consent = ask(alices, NICKNAME).split("/")[2]
    path = f"{CONSENTS}/{consent}/decision"
    refused = alices.post(path, {"grantedScopes": [NICKNAME], "duration": "2y"}).json()
    assert refused["error"] == 2
    assert "duration" in refused["errorMessage"]
    assert "once, 30d, 1y, always" in refused["errorMessage"]
    audited("2")
    assert alices.post(path, {"grantedScopes": [NICKNAME], "duration": "30d"}).json()["authCode"]
    assert grant().term_of(NICKNAME).until


# --- A changed purpose ------------------------------------------------------------------------------------------


def reworded(shop: MiniProgram, purpose: str, **purposes: str) -> bool:
    return shop.scope_approvals.get(scope=NICKNAME).reword(purpose, purposes, by=None)


@pytest.mark.trust(21)
def test_a_changed_purpose_is_asked_again_and_marked(browser: Client, alices: Container, shop: MiniProgram) -> None:
    alices.code("shop", ["auth_base", NICKNAME])
    assert reworded(shop, "For our advertisements")
    path = ask(alices, "auth_base", NICKNAME)
    text = words(browser.get(path))
    assert "Nickname Changed Al••• For our advertisements Before: shop needs USER_NICKNAME" in text
    assert "Shop already has: User ID ." in text
    press(browser, path, decision="allow", scopes=NICKNAME)
    assert alices.get_auth_code("shop", ["auth_base", NICKNAME])["authCode"]
    row = ConsentDecision.objects.latest("id")
    assert (row.act, row.terms[NICKNAME]["purpose"]) == ("renewed", 2)
    assert row.shown
    line = row.shown.text["lines"][0]
    assert (line["changed"], line["before"]) == (True, "shop needs USER_NICKNAME")


def test_refusing_the_new_purpose_leaves_the_old_grant(
    browser: Client, alices: Container, shop: MiniProgram, shop_server: Any
) -> None:
    pair = shop_server.exchange(alices.code("shop", [NICKNAME]))
    reworded(shop, "For our advertisements")
    path = ask(alices, NICKNAME)
    press(browser, path, decision="refuse")
    assert alices.get_auth_code("shop", consentId=path.split("/")[2])["error"] == 11
    assert shop_server.user_info(pair["accessToken"])["userInfo"]["nickName"] == "Alice"
    assert alices.get_auth_code("shop", [NICKNAME])["error"] == 2001


@pytest.mark.trust(28)
def test_the_purpose_that_was_agreed_to_is_shown_and_none_between(
    browser: Client, alices: Container, shop: MiniProgram
) -> None:
    alices.code("shop", [NICKNAME])
    reworded(shop, "For a while")
    reworded(shop, "For our advertisements")
    text = words(browser.get(ask(alices, NICKNAME)))
    assert "For our advertisements Before: shop needs USER_NICKNAME" in text
    assert "For a while" not in text


def test_what_was_never_allowed_or_ran_out_is_not_called_changed(
    browser: Client, alices: Container, shop: MiniProgram
) -> None:
    alices.code("shop", [NICKNAME])
    reworded(shop, "For our advertisements")
    shop.scope_approvals.get(scope="USER_GENDER").reword("For our statistics", {}, by=None)
    past = timezone.now() - timedelta(days=1)
    MiniProgramGrant.objects.update(terms={NICKNAME: {"until": past.isoformat()}})
    assert "Changed" not in words(browser.get(ask(alices, NICKNAME, "USER_GENDER")))


@pytest.mark.wire("2 GET consents")
def test_a_container_hears_the_limits_and_the_change(alices: Container, shop: MiniProgram) -> None:
    alices.code("shop", [NICKNAME])
    reworded(shop, "For our advertisements")
    for scope, days in ((NICKNAME, 90), ("USER_GENDER", 10)):
        shop.scope_approvals.filter(scope=scope).update(max_days=days)
    consent = ask(alices, NICKNAME, "USER_GENDER").split("/")[2]
    shown = alices.http.get(f"{CONSENTS}/{consent}").json()
    assert [choice["value"] for choice in shown["durations"]] == ["once", "30d", "1y"]
    assert [line["maxDays"] for line in shown["scopes"]] == [90, 10]
    assert [line["changed"] for line in shown["scopes"]] == [True, False]
    assert [line["previousPurpose"] for line in shown["scopes"]] == ["shop needs USER_NICKNAME", None]
    assert shown["alreadyGranted"] == []


def test_one_more_translation_changes_nothing(alices: Container, shop: MiniProgram) -> None:
    alices.code("shop", [NICKNAME])
    assert not reworded(shop, "shop needs USER_NICKNAME", id="shop butuh")
    assert alices.get_auth_code("shop", [NICKNAME])["authCode"]
    assert reworded(shop, "shop needs USER_NICKNAME", id="shop sangat butuh")
    assert alices.get_auth_code("shop", [NICKNAME])["error"] == 2001


def test_the_purpose_is_read_in_ones_own_language(browser: Client, alices: Container, shop: MiniProgram) -> None:
    reworded(shop, "shop needs USER_NICKNAME", id="Agar barista dapat memanggil Anda")
    path = ask(alices, NICKNAME)
    assert "Agar barista dapat memanggil Anda" in words(browser.get(path, headers={"Accept-Language": "id"}))
    assert "shop needs USER_NICKNAME" in words(browser.get(path, headers={"Accept-Language": "th"}))


@pytest.mark.trust(28)
def test_what_changes_while_it_is_read_is_read_again(browser: Client, alices: Container, shop: MiniProgram) -> None:
    path = ask(alices, NICKNAME)
    form = {**fields(browser.get(path)), "decision": "allow", "scopes": NICKNAME}
    reworded(shop, "For our advertisements")
    page = browser.post(path, form)
    assert page.status_code == 422
    assert "This changed while you were reading. Please look again." in words(page)
    assert not MiniProgramGrant.objects.exists()
    assert browser.post(path, {**form, "shown": fields(page)["shown"]}).status_code == 302


# --- Who asks ---------------------------------------------------------------------------------------------------


@pytest.mark.trust(22)
@pytest.mark.parametrize("verified", [True, False])
def test_whom_operators_have_checked_has_a_badge(
    browser: Client, alices: Container, shop: MiniProgram, verified: bool
) -> None:
    Merchant.objects.update(verified=verified)
    assert ("by shop Ltd Verified" in words(browser.get(ask(alices, NICKNAME)))) == verified


# --- What is missing --------------------------------------------------------------------------------------------

ADD = [
    (NICKNAME, {"nickname": "Ally"}),
    ("USER_NAME", {"first_name": "Ally"}),
    ("USER_GENDER", {"gender": "F"}),
    ("USER_BIRTHDAY", {"birth_date": "1994-03-12"}),
    ("USER_NATIONALITY", {"nationality": "PH"}),
    ("USER_CONTACTINFO", {"type": "EMAIL", "value": "ally@example.org"}),
    (MOBILE, {"type": "MOBILE_PHONE", "value": "0917 123 4567"}),
    ("USER_LOGIN_ID", {"type": "EMAIL", "value": "ally@example.org"}),
    (ADDRESS, {"address1": "12 Mabini Street", "region": "PH", "city": "Manila"}),
]


@pytest.fixture
def empty(alice: User) -> User:
    """Alice before she told us anything."""
    User.objects.filter(pk=alice.pk).update(
        nickname="",
        full_name="",
        first_name="",
        middle_name="",
        last_name="",
        gender="",
        nationality="",
        birth_date=None,
    )
    for rows in (LoginId, Contact, Address):
        rows.objects.filter(user=alice).delete()
    return alice


@pytest.mark.parametrize(("scope", "form"), ADD, ids=[scope for scope, _form in ADD])
def test_what_is_missing_is_added_right_there(
    empty: User, browser: Client, alices: Container, shop: MiniProgram, scope: str, form: dict[str, str]
) -> None:
    path = ask(alices, scope, "SEND_MESSAGE")
    assert "Nothing in your profile yet" in words(browser.get(path))
    answer = press(browser, path, add=scope, scopes="SEND_MESSAGE", duration="30d")
    assert answer["Location"] == f"{path}add/{scope}/"
    page = browser.get(answer["Location"])
    assert "Add to your profile:" in words(page)
    assert press(browser, answer["Location"], **form)["Location"] == path
    back = browser.get(path)
    assert "Nothing in your profile yet" not in words(back)
    # What was chosen before is still chosen, and nothing else.
    assert 'value="SEND_MESSAGE" aria-label' in " ".join(back.content.decode().split())
    assert fields(back)["duration"] == "30d"
    assert press(browser, path, decision="allow", scopes=scope).status_code == 302


@pytest.mark.parametrize(("scope", "form"), ADD, ids=[scope for scope, _form in ADD])
def test_bad_input_is_told_at_its_field_and_kept(
    empty: User, browser: Client, alices: Container, shop: MiniProgram, scope: str, form: dict[str, str]
) -> None:
    path = f"{ask(alices, scope)}add/{scope}/"
    page = press(browser, path, **dict.fromkeys(form, ""))
    assert page.status_code == 422
    assert "errorlist" in page.content.decode()
    assert browser.get(path).status_code == 200


@pytest.mark.trust(25)
def test_only_what_is_missing_on_ones_own_sheet_can_be_added(
    empty: User, browser: Client, alices: Container, bobs: Container, shop: MiniProgram
) -> None:
    path = ask(alices, NICKNAME)
    assert browser.get(f"{path}add/USER_GENDER/").status_code == 404
    assert browser.get(f"{path}add/SHOE_SIZE/").status_code == 404
    assert bobs.http.get(f"{path}add/{NICKNAME}/").status_code == 404
    assert press(browser, path, add="USER_GENDER").status_code == 404


@pytest.mark.trust(23)
def test_no_address_can_switch_anything_on(browser: Client, alices: Container, shop: MiniProgram) -> None:
    page = browser.get(f"{ask(alices, NICKNAME)}?scopes={NICKNAME}&duration=always")
    assert "checked" not in page.content.decode()
    assert fields(page)["duration"] == "1y"


# --- Is it really you -------------------------------------------------------------------------------------------


@pytest.fixture
def stale(alice: User) -> Client:
    """Alice's browser, an hour after she signed in."""
    client = Client()
    sign_in(client, alice, ago=3600)
    return client


def test_sensitive_data_asks_for_the_password_again(stale: Client, alices: Container, shop: MiniProgram) -> None:
    path = ask(alices, NICKNAME, MOBILE)
    page = press(stale, path, decision="allow", scopes=[NICKNAME, MOBILE], duration="30d")
    assert page.status_code == 422
    assert "Type your password to allow: Mobile number" in words(page)
    assert page.content.decode().count("checked") == 2
    assert not MiniProgramGrant.objects.exists()
    form = {**fields(page), "decision": "allow", "scopes": [NICKNAME, MOBILE]}
    wrong = stale.post(path, {**form, "password": "wrong"})
    assert (wrong.status_code, "This is not your password." in words(wrong)) == (422, True)
    assert stale.post(path, {**form, "password": ""}).status_code == 422
    assert stale.post(path, {**form, "password": PASSWORD}).status_code == 302
    assert grant().term_of(MOBILE).until
    # It was typed just now.
    path = ask(alices, ADDRESS)
    assert press(stale, path, decision="allow", scopes=ADDRESS).status_code == 302


def test_what_is_not_sensitive_asks_for_no_password(stale: Client, alices: Container, shop: MiniProgram) -> None:
    path = ask(alices, NICKNAME, MOBILE)
    assert press(stale, path, decision="allow", scopes=NICKNAME).status_code == 302


def test_refusing_asks_for_no_password(stale: Client, alices: Container, shop: MiniProgram) -> None:
    assert press(stale, ask(alices, MOBILE), decision="refuse", scopes=MOBILE).status_code == 302


@pytest.mark.trust(19)
def test_guessing_the_password_on_a_sheet_has_the_limits_of_signing_in(
    stale: Client, alices: Container, shop: MiniProgram, settings: Any
) -> None:
    settings.SIGN_IN_TRIES = 2
    path = ask(alices, MOBILE)
    tries = [press(stale, path, decision="allow", scopes=MOBILE, password="wrong") for _ in range(3)]
    assert [answer.status_code for answer in tries] == [422, 422, 429]
    assert int(tries[2]["Retry-After"]) > 0
    assert press(stale, path, decision="allow", scopes=MOBILE, password=PASSWORD).status_code == 429
    cache.clear()
    assert press(stale, path, decision="allow", scopes=MOBILE, password=PASSWORD).status_code == 302


def test_the_json_way_with_a_cookie_asks_too_and_a_first_party_token_vouches(
    alice: User, stale: Client, alices: Container, shop: MiniProgram, audited: Audited
) -> None:
    consent = ask(alices, MOBILE).split("/")[2]
    alices.http = stale
    alices.http.cookies["csrftoken"] = "x" * 32
    refused = alices.decide(consent, [MOBILE])
    assert refused["error"] == 3
    assert "recent sign-in" in refused["errorMessage"]
    assert "consentUrl" in refused["errorMessage"]
    audited("3", app_id="shop")
    token = StringIO()
    call_command("issue_first_party_token", "--login", "alice", stdout=token)
    answer = Client().post(
        f"{CONSENTS}/{consent}/decision",
        {"grantedScopes": [MOBILE]},
        content_type="application/json",
        headers={"Authorization": f"Bearer {token.getvalue().strip()}"},
    )
    assert answer.json().get("authCode"), answer.content


def test_signing_in_counts_as_recent(alice: User, shop: MiniProgram, alices: Container) -> None:
    client = Client()
    client.post("/accounts/login/", {"username": "alice", "password": PASSWORD})
    assert press(client, ask(alices, MOBILE), decision="allow", scopes=MOBILE).status_code == 302
