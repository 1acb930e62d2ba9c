"""Sensitive scopes ask for a recent sign-in, on the sheet and through the container's API."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as configured
from django.test import Client

from authapi.models import ErrorAudit
from portal import cache, recent_sign_in
from portal.models import ConsentDecision, MiniProgram, MiniProgramGrant, PendingConsent, User
from tests.conftest import PASSWORD, Container, sign_in
from tests.pages import fields, press, words
from tests.test_consent_page import ask, switches

Audited = Callable[..., ErrorAudit]
PHONE = "PLAINTEXT_MOBILE_PHONE"
QUESTION = "Type your password to allow: Mobile number"


@pytest.fixture
def stale(alice: User) -> Client:
    """Alice's browser, a while after she signed in."""
    browser = Client()
    sign_in(browser, alice, ago=301)
    return browser


def allow(browser: Client, path: str, *scopes: str, **form: Any) -> Any:
    """Switch these on and press Allow."""
    return press(browser, path, decision="allow", scopes=[*scopes], **form)


def password_field(page: Any) -> bool:
    return 'type="password"' in page.content.decode()


def test_a_recent_sign_in_is_enough(browser: Client, alices: Container, shop: MiniProgram) -> None:
    assert allow(browser, ask(alices, [PHONE]), PHONE).status_code == 302
    assert MiniProgramGrant.objects.get().names == [PHONE]


def test_a_session_from_before_there_was_this_rule_is_not_recent(
    alice: User, alices: Container, shop: MiniProgram
) -> None:
    browser = Client()
    browser.force_login(alice)
    assert allow(browser, ask(alices, [PHONE]), PHONE).status_code == 422


@pytest.mark.parametrize("required", [True, False])
def test_an_old_sign_in_is_asked_for_the_password(
    stale: Client, alices: Container, shop: MiniProgram, required: bool
) -> None:
    shop.scope_approvals.filter(scope=PHONE).update(required=required)
    path = ask(alices, [PHONE, "USER_GENDER", "USER_NICKNAME"])
    assert not password_field(stale.get(path))
    page = allow(stale, path, "USER_GENDER", *([] if required else [PHONE]), duration="30d")
    assert page.status_code == 422
    assert QUESTION in words(page)
    assert switches(page) == {"USER_GENDER": True, "USER_NICKNAME": False, **({} if required else {PHONE: True})}
    assert fields(page)["duration"] == "30d"
    assert not ConsentDecision.objects.exists()

    sent = {"decision": "allow", "scopes": [PHONE, "USER_GENDER"], "duration": "30d", "shown": fields(page)["shown"]}
    assert stale.post(path, {**sent, "password": PASSWORD})["Location"] == f"{path}done/"
    assert MiniProgramGrant.objects.get().names == ["USER_GENDER", PHONE]


@pytest.mark.parametrize(("typed", "says"), [("wrong", "This is not your password."), ("", "Type your password.")])
def test_a_wrong_password_decides_nothing(
    stale: Client, alices: Container, shop: MiniProgram, typed: str, says: str
) -> None:
    path = ask(alices, [PHONE])
    page = allow(stale, path, PHONE, password=typed)
    assert page.status_code == 422
    assert says in words(page)
    html = page.content.decode()
    assert "autofocus" in re.findall(r'<input[^>]*id="id_password"[^>]*>', html, re.S)[0]
    assert "wrong" not in html
    assert switches(page) == {PHONE: True}
    assert PendingConsent.objects.get().is_open
    assert not ConsentDecision.objects.exists()
    assert allow(stale, path, PHONE, password=PASSWORD).status_code == 302


@pytest.mark.trust(19)
def test_passwords_are_limited_together_with_sign_ins(
    stale: Client, alices: Container, shop: MiniProgram, settings: Any
) -> None:
    settings.SIGN_IN_TRIES = 3
    Client().post("/accounts/login/", {"username": "alice", "password": "wrong"})
    path = ask(alices, [PHONE])
    assert [allow(stale, path, PHONE, password="wrong").status_code for _ in range(2)] == [422] * 2
    page = allow(stale, path, PHONE, password=PASSWORD)
    assert page.status_code == 429
    assert 880 <= int(page["Retry-After"]) <= 900
    assert "There were too many tries. Wait 15 minutes, then try again." in words(page)
    assert password_field(page)
    assert not ConsentDecision.objects.exists()
    assert Client().post("/accounts/login/", {"username": "alice", "password": PASSWORD}).status_code == 429
    assert press(stale, path, decision="refuse").status_code == 302  # refusing needs no password


@pytest.mark.trust(19)
def test_without_counters_no_password_is_looked_at(
    stale: Client, alices: Container, shop: MiniProgram, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for memory in ("_paused_until", "_silent_until"):
        monkeypatch.setattr(cache, memory, 0.0)  # what it learns here is forgotten afterwards
    path = ask(alices, [PHONE])
    nobody_there = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1"}
    settings.CACHES = {"default": nobody_there}
    page = allow(stale, path, PHONE, password=PASSWORD)
    assert (page.status_code, page["Retry-After"]) == (503, "60")
    assert "Nobody can sign in at this moment" in words(page)
    assert not ConsentDecision.objects.exists()


def test_who_has_no_password_signs_in_again(stale: Client, alice: User, alices: Container, shop: MiniProgram) -> None:
    alice.set_unusable_password()
    alice.save()
    sign_in(stale, alice, ago=301)
    path = f"/consent/{PendingConsent.ask(alice, shop, [PHONE], asked=[PHONE], errors={}).pk}/"
    form = {**fields(stale.get(path)), "decision": "allow", "scopes": PHONE}
    for frame, back in (("document", path), ("iframe", "/mini/shop/")):
        page = stale.post(path, form, headers={"Sec-Fetch-Dest": frame})
        assert page.status_code == 422
        assert not password_field(page)
        assert "Mobile number You have no password here: sign out, sign in as you always do" in words(page)
        button = re.findall(r'<button[^>]*formaction="/accounts/logout/"[^>]*>', page.content.decode())[0]
        assert 'formtarget="_top"' in button
        assert f'value="/accounts/login/?next={back}"' in button
    out = stale.post("/accounts/logout/", {"next": f"/accounts/login/?next={path}"})
    assert out["Location"] == f"/accounts/login/?next={path}"
    assert f'name="next" value="{path}"' in stale.get(out["Location"]).content.decode()


def test_the_time_is_a_setting(stale: Client, alices: Container, shop: MiniProgram, settings: Any) -> None:
    settings.RECENT_SIGN_IN = configured.RECENT_SIGN_IN * 2
    assert allow(stale, ask(alices, [PHONE]), PHONE).status_code == 302


# --- The container's own sheet --------------------------------------------------------------------------------------


@pytest.mark.wire("2 POST decision: recent sign-in")
def test_a_decision_with_an_old_sign_in_is_error_3_and_leads_to_our_sheet(
    stale: Client, alice: User, alices: Container, shop: MiniProgram, audited: Audited
) -> None:
    sign_in(alices.http, alice, ago=301)
    asked = alices.get_auth_code("shop", [PHONE, "USER_GENDER"])
    failed = alices.decide(asked["consentId"], [PHONE, "USER_GENDER"])
    assert (failed["error"], failed["authErrorScopes"]) == (3, {PHONE: "3"})
    assert "Show consentUrl" in failed["errorMessage"]
    audited("3", app_id="shop", user=alice, scopes=[PHONE])
    assert PendingConsent.objects.get().is_open
    allow(stale, f"/consent/{asked['consentId']}/", PHONE, password=PASSWORD)
    assert alices.get_auth_code("shop", consentId=asked["consentId"])["authSuccessScopes"] == [PHONE]


@pytest.mark.wire("2 POST decision: recent sign-in")
@pytest.mark.parametrize("header", ["Basic eDp4", "Token x", "Bearer", "x", ""])
def test_only_a_token_of_ours_vouches(alice: User, alices: Container, shop: MiniProgram, header: str) -> None:
    sign_in(alices.http, alice, ago=301)
    consent_id = alices.get_auth_code("shop", [PHONE])["consentId"]
    path = f"/v1/authorizations/consents/{consent_id}/decision"
    failed = alices.post(path, {"grantedScopes": [PHONE]}, Authorization=header)
    assert failed.json()["error"] == 3
    assert PendingConsent.objects.get().is_open


@pytest.mark.wire("2 POST decision: recent sign-in")
def test_other_decisions_need_no_recent_sign_in(alice: User, alices: Container, shop: MiniProgram) -> None:
    sign_in(alices.http, alice, ago=301)
    first, second = (alices.get_auth_code("shop", [PHONE, "USER_GENDER"])["consentId"] for _ in range(2))
    assert alices.decide(first, ["USER_GENDER"])["authSuccessScopes"] == ["USER_GENDER"]
    assert alices.decide(second, [])["error"] == 11


@pytest.mark.trust(7)
def test_the_session_keeps_a_time_and_no_password(stale: Client, alices: Container, shop: MiniProgram) -> None:
    allow(stale, ask(alices, [PHONE]), PHONE, password=PASSWORD)
    assert isinstance(stale.session[recent_sign_in.KEY], int)
    assert PASSWORD not in str(dict(stale.session))
