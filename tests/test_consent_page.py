"""GET and POST /consent/<id>/ and /consent/<id>/done/: the sheet in a browser."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from portal.models import ConsentDecision, MiniProgram, MiniProgramGrant, PendingConsent, User
from tests.conftest import EVERY_SCOPE, Container
from tests.pages import fields, press, words


def ask(box: Container, scopes: list[str], app_id: str = "shop") -> str:
    """The path of a fresh sheet for these scopes."""
    return f"/consent/{box.get_auth_code(app_id, scopes)['consentId']}/"


def switches(response: Any) -> dict[str, bool]:
    """The sheet's switches by scope, and whether each is on."""
    found = re.findall(r'<input\b[^>]*name="scopes"[^>]*>', response.content.decode())
    return {re.findall(r'value="(\w+)"', tag)[0]: bool(re.search(r"\bchecked\b", tag)) for tag in found}


@pytest.mark.trust(22)
def test_the_sheet_says_who_asks_for_what_and_why_and_for_how_long(
    browser: Client, alices: Container, shop: MiniProgram
) -> None:
    path = ask(alices, ["auth_base", "PLAINTEXT_MOBILE_PHONE", "USER_NICKNAME"])
    page = browser.get(path)
    text = words(page)
    assert page.status_code == 200
    assert "Let Shop see your details?" in text
    assert "by shop Ltd" in text
    assert "Mobile number +63 ••• ••• 4567 shop needs PLAINTEXT_MOBILE_PHONE" in text
    assert "Nickname Al••• shop needs USER_NICKNAME" in text
    assert "Allow for this time only 30 days 1 year until I withdraw it" in text
    assert "9171234567" not in page.content.decode().replace(" ", "")


def test_a_sheet_needs_few_statements(
    browser: Client, alices: Container, shop: MiniProgram, django_assert_max_num_queries: Any
) -> None:
    path = ask(alices, EVERY_SCOPE)
    with django_assert_max_num_queries(8):
        browser.get(path)


def test_the_privacy_policy_opens_apart_from_the_sheet(browser: Client, alices: Container, shop: MiniProgram) -> None:
    html = browser.get(ask(alices, ["USER_NICKNAME"])).content.decode()
    link = re.findall(r'<a href="https://shop.example/privacy"[^>]*>', html)[0]
    assert 'target="_blank"' in link
    assert "noopener" in link


def test_an_empty_field_is_said_to_be_empty(bobs: Container, shop: MiniProgram) -> None:
    path = ask(bobs, ["USER_BIRTHDAY", "SEND_MESSAGE"])
    text = words(bobs.http.get(path))
    assert "Birthday Nothing in your profile yet" in text
    assert "Send you messages shop needs SEND_MESSAGE" in text  # a right to do something has no value to show


def test_the_sheet_says_what_the_mini_program_has_already(
    browser: Client, alices: Container, shop: MiniProgram
) -> None:
    alices.code("shop", ["auth_base", "USER_GENDER"])
    assert "Shop already has: User ID and Gender ." in words(browser.get(ask(alices, ["USER_NICKNAME"])))


@pytest.mark.trust(23)
def test_nothing_optional_is_switched_on_beforehand(browser: Client, alices: Container, shop: MiniProgram) -> None:
    page = browser.get(ask(alices, ["USER_NICKNAME", "USER_GENDER"]))
    assert switches(page) == {"USER_NICKNAME": False, "USER_GENDER": False}


@pytest.mark.trust(23)
def test_refusing_one_does_not_block_the_rest(browser: Client, alices: Container, shop: MiniProgram) -> None:
    path = ask(alices, ["USER_NICKNAME", "USER_GENDER"])
    answer = press(browser, path, decision="allow", scopes="USER_NICKNAME")
    assert (answer.status_code, answer["Location"]) == (302, f"{path}done/")
    assert list(MiniProgramGrant.objects.get().scopes) == ["USER_NICKNAME"]
    assert "Not allowed: Gender" in words(browser.get(answer["Location"]))


def test_both_buttons_weigh_the_same(browser: Client, alices: Container, shop: MiniProgram) -> None:
    html = browser.get(ask(alices, ["USER_NICKNAME"])).content.decode()
    buttons = re.findall(r'<button[^>]*class="(btn[^"]*)"[^>]*name="decision"[^>]*value="(\w+)"', html, flags=re.S)
    assert [value for _class, value in buttons] == ["refuse", "allow"]
    assert buttons[0][0] == buttons[1][0]


def test_a_required_line_has_no_switch_and_goes_with_allow(
    browser: Client, alices: Container, shop: MiniProgram
) -> None:
    shop.scope_approvals.filter(scope="USER_NICKNAME").update(required=True)
    path = ask(alices, ["USER_NICKNAME", "USER_GENDER"])
    page = browser.get(path)
    assert switches(page) == {"USER_GENDER": False}
    assert "Required" in words(page)
    press(browser, path, decision="allow")
    assert list(MiniProgramGrant.objects.get().scopes) == ["USER_NICKNAME"]


def test_allow_with_nothing_switched_on_asks_again(browser: Client, alices: Container, shop: MiniProgram) -> None:
    path = ask(alices, ["USER_NICKNAME"])
    page = press(browser, path, decision="allow")
    assert page.status_code == 422
    assert "Switch on what you want to allow" in words(page)
    assert browser.get(path).status_code == 200  # still open
    assert not ConsentDecision.objects.exists()


def test_a_sheet_that_comes_back_keeps_the_users_switches(
    browser: Client, alices: Container, shop: MiniProgram
) -> None:
    page = browser.post(ask(alices, ["USER_NICKNAME", "USER_GENDER"]), {"scopes": "USER_GENDER"})
    assert page.status_code == 422
    assert switches(page) == {"USER_NICKNAME": False, "USER_GENDER": True}


def test_dont_allow_grants_nothing_and_stands_in_the_ledger(
    browser: Client, alices: Container, alice: User, shop: MiniProgram
) -> None:
    path = ask(alices, ["USER_NICKNAME"])
    done = press(browser, path, decision="refuse", scopes="USER_NICKNAME", follow=True)
    assert "You did not allow Shop anything" in words(done)
    assert not MiniProgramGrant.objects.exists()
    assert ConsentDecision.objects.get().act == "refused"


@pytest.mark.trust(28)
def test_the_ledger_keeps_the_words_that_were_shown(browser: Client, alices: Container, shop: MiniProgram) -> None:
    press(browser, ask(alices, ["USER_NICKNAME"]), decision="allow", scopes="USER_NICKNAME")
    shown = ConsentDecision.objects.get().shown
    assert shown
    assert (shown.language, shown.version, len(shown.hash)) == ("en", "1", 64)
    assert shown.text["lines"][0]["purpose"] == "shop needs USER_NICKNAME"
    assert "Alice" not in str(shown.text)


@pytest.mark.trust(28)
@pytest.mark.parametrize("what", ["purpose", "name", "limit", "required"])
def test_a_sheet_that_changed_while_it_was_read_decides_nothing(
    browser: Client, alices: Container, shop: MiniProgram, what: str
) -> None:
    path = ask(alices, ["USER_NICKNAME", "USER_GENDER"])
    shown = fields(browser.get(path))
    approval = shop.scope_approvals.get(scope="USER_NICKNAME")
    if what == "purpose":
        approval.reword("To sell it", {}, by=None)
    elif what == "name":
        MiniProgram.objects.update(name="Shop of horrors")
    else:
        change = {"required": True} if what == "required" else {"max_days": 30}
        shop.scope_approvals.filter(scope="USER_NICKNAME").update(**change)
    sent = {"decision": "allow", "scopes": ["USER_NICKNAME", "USER_GENDER"], "duration": "always"}
    page = browser.post(path, {**sent, "shown": shown["shown"]})
    assert page.status_code == 422
    assert "This changed while you were reading. Please look again." in words(page)
    assert not any(switches(page).values())  # they were switched on for other words
    assert not ConsentDecision.objects.exists()
    assert browser.post(path, {**sent, "shown": fields(page)["shown"]}).status_code == 302
    assert MiniProgramGrant.objects.get().term_of("USER_NICKNAME").purpose == 1 + (what == "purpose")


@pytest.mark.trust(28)
@pytest.mark.parametrize("shown", [{}, {"shown": ""}, {"shown": "0" * 64}], ids=["none", "empty", "another"])
def test_a_yes_to_no_words_is_none(
    browser: Client, alices: Container, shop: MiniProgram, shown: dict[str, str]
) -> None:
    path = ask(alices, ["USER_NICKNAME"])
    sent = {"decision": "allow", "scopes": "USER_NICKNAME", "duration": "always", **shown}
    assert browser.post(path, sent).status_code == 422
    assert PendingConsent.objects.get().is_open


@pytest.mark.trust(28)
def test_a_refusal_always_counts_and_claims_no_words_that_were_not_read(
    browser: Client, alices: Container, shop: MiniProgram
) -> None:
    press(browser, ask(alices, ["USER_NICKNAME"]), decision="refuse")
    browser.post(ask(alices, ["USER_NICKNAME"]), {"decision": "refuse", "shown": "0" * 64})
    unread, read = ConsentDecision.objects.all()
    assert (read.act, unread.act) == ("refused", "refused")
    assert read.shown
    assert unread.shown is None


@pytest.mark.trust(20)
@pytest.mark.parametrize("extra", ["PLAINTEXT_MOBILE_PHONE", "auth_user", "NO_SUCH_SCOPE", "*"])
def test_a_scope_that_was_not_asked_cannot_be_slipped_in(
    browser: Client, alices: Container, shop: MiniProgram, extra: str
) -> None:
    path = ask(alices, ["USER_NICKNAME"])
    page = press(browser, path, decision="allow", scopes=["USER_NICKNAME", extra])
    assert page.status_code == 422
    assert "That was not what was asked" in words(page)
    assert not MiniProgramGrant.objects.exists()


@pytest.mark.trust(20)
def test_no_field_of_the_form_changes_who_gets_what(
    browser: Client, alices: Container, alice: User, bob: User, shop: MiniProgram, cafe: MiniProgram
) -> None:
    forged = {"user": bob.pk, "user_id": bob.pk, "appId": "cafe", "client_id": "cafe", "mini_program": cafe.pk}
    path = ask(alices, ["USER_NICKNAME"])
    press(browser, path, decision="allow", scopes="USER_NICKNAME", **forged)
    grant = MiniProgramGrant.objects.get()
    assert (grant.user, grant.mini_program, list(grant.scopes)) == (alice, shop, ["USER_NICKNAME"])


@pytest.mark.trust(25)
def test_bob_finds_nothing_where_alice_is_asked(
    bobs: Container, bob: User, alices: Container, shop: MiniProgram
) -> None:
    path = ask(alices, ["USER_NICKNAME"])
    browser = Client()
    browser.force_login(bob)
    assert browser.get(path).status_code == 404
    assert press(browser, path, decision="allow", scopes="USER_NICKNAME").status_code == 404
    assert browser.get(f"{path}done/").status_code == 404
    assert not MiniProgramGrant.objects.exists()


@pytest.mark.trust(24)
def test_only_the_container_may_frame_the_sheet(browser: Client, alices: Container, shop: MiniProgram) -> None:
    path = ask(alices, ["USER_NICKNAME"])
    done = press(browser, path, decision="refuse")["Location"]
    for page in (browser.get(ask(alices, ["USER_GENDER"])), browser.get(done)):
        assert "frame-ancestors 'self'" in page["Content-Security-Policy"].split("; ")
        assert page["X-Frame-Options"] == "SAMEORIGIN"
        assert "no-store" in page["Cache-Control"]
        assert page["Referrer-Policy"] == "same-origin"


@pytest.mark.trust(24)
@pytest.mark.parametrize("path", ["/", "/profile/", "/permissions/"])
def test_no_other_page_may_be_framed(browser: Client, path: str) -> None:
    page = browser.get(path)
    assert "frame-ancestors 'none'" in page["Content-Security-Policy"].split("; ")
    assert page["X-Frame-Options"] == "DENY"


def test_the_sheet_needs_a_sign_in(alices: Container, shop: MiniProgram) -> None:
    path = ask(alices, ["USER_NICKNAME"])
    answer = Client().get(path)
    assert (answer.status_code, answer["Location"]) == (302, f"/accounts/login/?next={path}")


def test_an_answer_without_the_csrf_token_is_refused(alices: Container, shop: MiniProgram) -> None:
    path = ask(alices, ["USER_NICKNAME"])
    assert alices.http.post(path, {"decision": "allow", "scopes": "USER_NICKNAME"}).status_code == 403
    assert PendingConsent.objects.get().is_open


def test_a_sheet_whose_time_ran_out_grants_nothing_and_says_what_to_do(
    browser: Client, alices: Container, shop: MiniProgram
) -> None:
    path = ask(alices, ["USER_NICKNAME"])
    PendingConsent.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    for done in (
        browser.get(path, follow=True),
        press(browser, path, decision="allow", scopes="USER_NICKNAME", follow=True),
    ):
        assert "The time to answer ran out" in words(done)
        assert "Go back to Shop" in words(done)
        assert "data-consent-decided" not in done.content.decode()
    assert not MiniProgramGrant.objects.exists()


def test_the_first_answer_stands(browser: Client, alices: Container, shop: MiniProgram) -> None:
    path = ask(alices, ["USER_NICKNAME"])
    press(browser, path, decision="refuse")
    again = press(browser, path, decision="allow", scopes="USER_NICKNAME", follow=True)
    assert "You answered this before. That answer stands." in words(again)
    assert "You did not allow Shop anything" in words(again)
    assert not MiniProgramGrant.objects.exists()
    assert "You answered this before" in words(browser.get(path, follow=True))


def test_the_page_after_the_answer_tells_the_container(browser: Client, alices: Container, shop: MiniProgram) -> None:
    path = ask(alices, ["USER_NICKNAME"])
    html = press(browser, path, decision="refuse", follow=True).content.decode()
    assert f'data-consent-decided="{path.split("/")[2]}"' in html
    assert "portal/consent.js" in html


def test_the_page_after_the_answer_leads_back_to_an_open_question(
    browser: Client, alices: Container, shop: MiniProgram
) -> None:
    path = ask(alices, ["USER_NICKNAME"])
    assert browser.get(f"{path}done/")["Location"] == path


def test_inside_the_container_the_sheet_has_no_stage(browser: Client, alices: Container, shop: MiniProgram) -> None:
    path = ask(alices, ["USER_NICKNAME"])
    assert '<body class="framed">' in browser.get(path, headers={"Sec-Fetch-Dest": "iframe"}).content.decode()
    assert '<body class="">' in browser.get(path).content.decode()


def test_a_host_scope_with_an_unknown_icon_still_has_a_sheet(
    browser: Client, alices: Container, shop: MiniProgram, settings: Any, tmp_path: Path
) -> None:
    file = tmp_path / "scopes.toml"
    file.write_text('[scopes.KYC_INFO]\nlabel = "Identity check"\nfields = ["kycLevel"]\nicon = "no-such-icon"\n')
    settings.SCOPES_FILE = str(file)
    shop.scope_approvals.create(scope="KYC_INFO", purpose="To rent you a car", state="APPROVED")
    page = browser.get(ask(alices, ["KYC_INFO"]))
    assert page.status_code == 200
    assert "Identity check Nothing in your profile yet To rent you a car" in words(page)
