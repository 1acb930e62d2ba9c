"""/admin/second-factor/: operators show a second factor, and without one can only set one up (trust 34)."""

import json
import re
from html import unescape
from time import time
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from django.contrib.admin.models import LogEntry
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from portal import erasure, second_factor
from portal.encryption import decrypt
from portal.models import User
from tests.conftest import PASSWORD, Container
from tests.operators import Desk, code_of, factor_of, in_role, last_log
from tests.pages import words
from tests.test_races import crowd

pytestmark = pytest.mark.trust(34)
HOME, SHOW = "/admin/second-factor/", "/admin/second-factor/show/"
APP, PASSKEY, CODES = "/admin/second-factor/app/", "/admin/second-factor/passkey/", "/admin/second-factor/codes/"
PLACES = ("/admin/", "/admin/portal/user/", "/admin/jsi18n/", "/admin/password_change/", "/admin/no/such/page/")


@pytest.fixture
def door(olga: User) -> Client:
    """Olga's browser after her password, and nothing else."""
    return signed_in(olga)


@pytest.fixture
def desk(olga: User) -> Desk:
    return Desk(olga)


def signed_in(user: User) -> Client:
    client = Client()
    answer = client.post("/admin/login/", {"username": user.username, "password": PASSWORD})
    assert answer.status_code == 302
    return client


def secret_of(page: Any) -> str:
    found = re.search(r'second-factor-secret">([A-Z2-7]+)<', page.content.decode())
    assert found
    return found[1]


def codes_on(page: Any) -> list[str]:
    return re.findall(r"<code>(\d{8})</code>", page.content.decode())


def now(secret: str, ahead: int = 0) -> str:
    return second_factor.code_of(secret, int(time()) // 30 + ahead)


def enrol(client: Client) -> tuple[str, list[str]]:
    """Set up an authenticator app; gives its secret and the recovery codes."""
    secret = secret_of(client.get(APP))
    answer = client.post(APP, {"code": now(secret)})
    assert (answer.status_code, answer["Location"]) == (302, CODES)
    return secret, codes_on(client.get(CODES))


# --- The guard --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
def test_a_password_alone_opens_nothing(olga: User, door: Client, place: str) -> None:
    factor_of(olga)
    for answer in (door.get(place), door.post(place)):
        assert answer.status_code == 302
        assert answer["Location"].startswith(SHOW)
    for page in (HOME, APP, PASSKEY, CODES, f"{HOME}{factor_of(olga).pk}/remove/"):
        for answer in (door.get(page), door.post(page, {"code": "1", "credential": "{}"})):
            assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, SHOW)
    assert Authenticator.objects.count() == 1


@pytest.mark.parametrize("place", PLACES)
def test_without_a_second_factor_one_can_only_be_set_up(door: Client, place: str) -> None:
    for answer in (door.get(place), door.post(place)):
        assert answer.status_code == 302
        assert answer["Location"].startswith(HOME)
        assert "/show/" not in answer["Location"]
    assert "Set up a second factor" in words(door.get(HOME))
    assert door.get(APP).status_code == door.get(PASSKEY).status_code == 200
    for page in (SHOW, CODES):
        assert door.get(page)["Location"] == HOME
    assert door.get(f"{HOME}1/remove/").status_code == 404


def test_a_plain_sign_in_is_not_enough(olga: User) -> None:
    """Neither the user's door nor a session made by other means passes the guard."""
    factor_of(olga)
    plain, user = Client(), Client()
    plain.force_login(olga)
    assert user.post("/accounts/login/", {"username": "olga", "password": PASSWORD}).status_code == 302
    for client in (plain, user):
        assert client.get("/admin/")["Location"].startswith(SHOW)
        assert client.get("/profile/").status_code == 200


def test_for_everybody_else_these_pages_are_not_there(alices: Container, alice: User) -> None:
    for page in (HOME, SHOW, APP, PASSKEY, CODES, f"{HOME}1/remove/"):
        assert alices.http.get(page).status_code == 404
        assert Client().get(page)["Location"] == f"/admin/login/?next={page}"
    User.objects.filter(pk=alice.pk).update(is_staff=True, status="FROZEN")
    assert alices.http.get(HOME).status_code == 404


def test_no_page_of_the_library_is_there(desk: Desk) -> None:
    for path in (
        "accounts/signup/",
        "accounts/email/",
        "accounts/password/reset/",
        "accounts/2fa/",
        "accounts/confirm-email/",
    ):
        assert desk.get(f"/{path}").status_code == 404
    for model in ("account/emailaddress", "mfa/authenticator"):
        assert desk.get(f"/admin/{model}/").status_code == 404


# --- Showing it -------------------------------------------------------------------------------------------------


def test_the_code_leads_to_where_one_wanted_to_go(olga: User, door: Client) -> None:
    factor_of(olga)
    step = door.get("/admin/portal/user/?q=bob")["Location"]
    key = door.cookies["sessionid"].value
    answer = door.post(step, {"code": code_of(olga)})
    assert answer["Location"] == "/admin/portal/user/?q=bob"
    assert door.cookies["sessionid"].value != key
    assert door.get("/admin/portal/user/?q=bob").status_code == 200
    assert door.get("/admin/login/")["Location"] == "/admin/"
    assert door.get(SHOW)["Location"] == HOME


@pytest.mark.parametrize("place", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", ""])
def test_it_leads_nowhere_else(olga: User, door: Client, place: str) -> None:
    factor_of(olga)
    assert door.post(SHOW, query_params={"next": place}, data={"code": code_of(olga)})["Location"] == "/admin/"


def test_a_code_works_once(olga: User) -> None:
    """Whatever forgets: the cache of one process is not where it is written down."""
    code = code_of(olga)
    assert signed_in(olga).post(SHOW, {"code": f"{code[:3]} {code[3:]}"}).status_code == 302
    cache.clear()
    for used in (code, code_of(olga, -1)):
        answer = signed_in(olga).post(SHOW, {"code": used})
        assert answer.status_code == 422
        assert "it was used before" in words(answer)
    assert signed_in(olga).post(SHOW, {"code": code_of(olga, 1)}).status_code == 302


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["totp", "recovery_codes"])
def test_of_many_who_send_one_code_at_once_one_gets_in(kind: str) -> None:
    olga = User.objects.create_superuser("olga", PASSWORD)
    factor_of(olga)
    code = code_of(olga) if kind == "totp" else RecoveryCodes.activate(olga).generate_codes()[0]
    doors = [signed_in(olga) for _ in range(9)]
    with crowd() as callers:
        calls = [lambda door=door: door.post(SHOW, {"code": code}).status_code for door in doors]
        answers = callers.held(calls, Authenticator.objects.filter(user=olga))
    assert sorted(answers) == [302] + [422] * 8


@pytest.mark.parametrize("code", ["000000", "", "abcdef", "१२३४५६", "1" * 33, "0\x00"])
def test_a_wrong_code_opens_nothing(olga: User, door: Client, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    factor_of(olga)
    monkeypatch.setattr(totp, "hotp_value", lambda secret, counter: 123456)
    answer = door.post(SHOW, {"code": code})
    assert answer.status_code == 422
    assert door.get("/admin/").status_code == 302
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("ahead", [-2, 2])
def test_an_old_or_early_code_is_refused(olga: User, door: Client, ahead: int) -> None:
    assert door.post(SHOW, {"code": code_of(olga, ahead)}).status_code == 422


def test_a_recovery_code_works_once_and_is_logged(olga: User, door: Client) -> None:
    _secret, codes = enrol(door)
    assert len(set(codes)) == 10
    assert signed_in(olga).post(SHOW, {"code": codes[3]}).status_code == 302
    assert last_log() == ("olga", str(olga.pk), "Used a recovery code; 9 left")
    assert signed_in(olga).post(SHOW, {"code": codes[3]}).status_code == 422
    assert signed_in(olga).post(SHOW, {"code": codes[4]}).status_code == 302


@pytest.mark.trust(19)
def test_codes_are_limited_and_a_right_password_does_not_begin_anew(olga: User) -> None:
    factor_of(olga)
    answers = []
    for _ in range(12):
        answers.append(signed_in(olga).post(SHOW, {"code": "wrong"}))
    assert [answer.status_code for answer in answers] == [422] * 10 + [429] * 2
    assert 880 <= int(answers[-1]["Retry-After"]) <= 900
    assert "There were too many tries. Wait 15 minutes" in words(answers[-1])
    assert signed_in(olga).post(SHOW, {"code": code_of(olga)}).status_code == 429


@pytest.mark.trust(19)
def test_codes_are_limited_from_all_addresses_together(olga: User) -> None:
    factor_of(olga)
    door = signed_in(olga)
    answers = [door.post(SHOW, {"code": "wrong"}, REMOTE_ADDR=f"198.51.100.{n}").status_code for n in range(22)]
    assert answers == [422] * 20 + [429] * 2


@pytest.mark.trust(19)
def test_without_counters_no_code_is_looked_at(olga: User, door: Client, settings: Any, monkeypatch: Any) -> None:
    from portal import cache as portal_cache

    for memory in ("_paused_until", "_silent_until"):
        monkeypatch.setattr(portal_cache, memory, 0.0)
    code = code_of(olga)
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1"}
    }
    answer = door.post(SHOW, {"code": code})
    assert (answer.status_code, answer["Retry-After"]) == (503, "60")


def test_a_passkey_that_nobody_made_opens_nothing(olga: User, door: Client) -> None:
    factor_of(olga)
    deep = "[" * 5000
    spoilt: list[Any] = [{}, {"id": "x", "response": {}}, {"response": {"userHandle": 1}}, [], "x", None, 5]
    for sent in (*map(json.dumps, spoilt), deep, f'{{"a":{deep}', '{"id": "\\u0000"}', "{" * 30_000):
        cache.clear()
        assert door.post(SHOW, {"credential": sent}).status_code == 422, sent[:50]


@pytest.mark.trust(19)
def test_a_new_password_is_no_way_to_guess_the_old_one(desk: Desk) -> None:
    new = {"new_password1": "Tr0ub4dor&3 and more", "new_password2": "Tr0ub4dor&3 and more"}
    page = "/admin/password_change/"
    answers = [desk.post(page, {"old_password": "wrong", **new}) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert "There were too many tries" in words(answers[-1])
    assert desk.post(page, {"old_password": PASSWORD, **new}).status_code == 429
    cache.clear()
    assert desk.post(page, {"old_password": PASSWORD, **new})["Location"] == f"{page}done/"
    assert desk.get("/admin/").status_code == 200


# --- Setting it up ----------------------------------------------------------------------------------------------


def test_an_app_is_set_up_by_its_first_code_and_the_door_is_open(olga: User, door: Client) -> None:
    page = door.get(APP)
    secret = secret_of(page)
    assert 'src="data:image/svg+xml;base64,' in page.content.decode()
    wrong = door.post(APP, {"code": "000000"})
    assert wrong.status_code == 422
    assert secret_of(wrong) == secret
    assert not Authenticator.objects.exists()
    assert door.post(APP, {"code": now(secret)})["Location"] == CODES
    assert last_log() == ("olga", str(olga.pk), "Second factor: added an authenticator app")
    assert decrypt(Authenticator.objects.get(type="totp").data["secret"]) == secret
    assert door.get("/admin/").status_code == 200
    assert signed_in(olga).post(SHOW, {"code": now(secret)}).status_code == 422  # it was used to set it up
    assert signed_in(olga).post(SHOW, {"code": now(secret, 1)}).status_code == 302


def test_recovery_codes_are_shown_once(door: Client, olga: User) -> None:
    _secret, codes = enrol(door)
    assert codes
    assert codes_on(door.get(CODES)) == []
    assert "10 of your recovery codes are left" in words(door.get(CODES))
    assert door.post(CODES)["Location"] == CODES
    assert last_log()[2] == "Second factor: made new recovery codes"
    fresh = codes_on(door.get(CODES))
    assert not set(fresh) & set(codes)
    assert signed_in(olga).post(SHOW, {"code": codes[0]}).status_code == 422
    assert signed_in(olga).post(SHOW, {"code": fresh[0]}).status_code == 302


def test_a_second_app_is_not_set_up(door: Client) -> None:
    enrol(door)
    assert door.get(APP)["Location"] == HOME
    assert "Authenticator app" in words(door.get(HOME))


def test_who_began_to_set_one_up_with_a_stolen_password_is_too_late(olga: User, door: Client) -> None:
    thief = signed_in(olga)
    secret = secret_of(thief.get(APP))
    enrol(door)
    assert thief.post(APP, {"code": now(secret)})["Location"].startswith(SHOW)
    assert Authenticator.objects.filter(type="totp").count() == 1


def test_removing_the_last_one_leads_back_to_the_start(olga: User, door: Client) -> None:
    enrol(door)
    path = f"{HOME}{Authenticator.objects.get(type='totp').pk}/remove/"
    assert "It is your last one" in words(door.get(path))
    assert Authenticator.objects.count() == 2
    assert door.post(path)["Location"] == HOME
    assert last_log() == ("olga", str(olga.pk), "Second factor: removed the authenticator app")
    assert not Authenticator.objects.exists()
    assert door.get("/admin/")["Location"].startswith(HOME)


def test_nobody_removes_anothers(desk: Desk) -> None:
    other = factor_of(in_role("manager"))
    assert desk.post(f"{HOME}{other.pk}/remove/").status_code == 404
    assert Authenticator.objects.filter(pk=other.pk).exists()


@pytest.mark.trust(35)
@pytest.mark.parametrize("act", ["app", "codes", "remove", "recovery code"])
def test_what_cannot_be_logged_does_not_happen(olga: User, door: Client, act: str, monkeypatch: Any) -> None:
    secret = secret_of(door.get(APP))
    codes: list[str] = []
    if act != "app":
        secret, codes = enrol(door)
    before = list(Authenticator.objects.order_by("pk").values("pk", "data"))
    stranger = signed_in(olga)

    def fails(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("no log")

    monkeypatch.setattr(LogEntry.objects, "create", fails)
    client, path, form = {
        "app": (door, APP, {"code": now(secret)}),
        "codes": (door, CODES, {}),
        "remove": (door, f"{HOME}{factor_of(olga).pk}/remove/", {}) if codes else (door, HOME, {}),
        "recovery code": (stranger, SHOW, {"code": "".join(codes[:1])}),
    }[act]
    with pytest.raises(RuntimeError, match="no log"):
        client.post(path, form)
    assert list(Authenticator.objects.order_by("pk").values("pk", "data")) == before


# --- Kept safely ------------------------------------------------------------------------------------------------


@pytest.mark.trust(6)
def test_no_row_tells_a_secret(olga: User, door: Client) -> None:
    """Neither before it is confirmed, when it waits in the session, nor afterwards."""
    waiting = secret_of(door.get(APP))
    assert waiting not in rows() + json.dumps(dict(door.session))
    secret, codes = enrol(door)
    text = rows() + json.dumps(dict(door.session))
    for told in (secret, *codes, Authenticator.objects.get(type="recovery_codes").wrap().generate_codes()[0]):
        assert told not in text


def rows() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT data FROM mfa_authenticator")
        return str(cursor.fetchall())


def test_a_secret_whose_key_is_gone_opens_nothing(olga: User, door: Client, settings: Any, caplog: Any) -> None:
    code = code_of(olga)
    settings.FIELD_ENCRYPTION_KEYS = (b"x" * 32,)
    User.objects.filter(pk=olga.pk).update(nickname="", username="olga")  # or nobody's session could be read
    assert door.post(SHOW, {"code": code}).status_code == 422
    assert "FIELD_ENCRYPTION_KEYS lacks the key" in caplog.text


def test_the_pages_are_not_kept_by_browsers_and_run_nothing_inline(door: Client) -> None:
    for page in (HOME, APP, PASSKEY):
        answer = door.get(page)
        html = answer.content.decode()
        assert "no-store" in answer["Cache-Control"]
        assert not re.search(r"<script(?![^>]*(src=|application/json))|\son\w+=|\sstyle=|<style", html)
        for source in re.findall(r'<script src="([^"]+)"', html):
            assert Client().get(unescape(source)).status_code == 200


def test_erasing_an_account_takes_it_along(alice: User) -> None:
    factor_of(alice)
    erasure.erase(alice)
    assert not Authenticator.objects.exists()


# --- An administrator resets it ---------------------------------------------------------------------------------


def test_an_administrator_resets_it_with_a_reason(olga: User) -> None:
    manager = in_role("manager")
    theirs, desk = Desk(manager), Desk(in_role("administrator"))
    act = f"/admin/portal/user/{manager.pk}/act/reset_second_factor/"
    assert act in desk.page(f"/admin/portal/user/{manager.pk}/change/")
    assert "Say why" in words(desk.post(act, {"reason": ""}))
    assert theirs.get("/admin/").status_code == 200
    assert desk.post(act, {"reason": "phone lost, called back"}).status_code == 302
    assert last_log() == (
        "the-administrator",
        str(manager.pk),
        "Second factor reset. Why: phone lost, called back",
    )
    assert theirs.get("/admin/")["Location"].startswith(HOME)
    assert act not in desk.page(f"/admin/portal/user/{manager.pk}/change/")


@pytest.mark.trust(33)
@pytest.mark.parametrize("role", ["auditor", "support", "manager"])
def test_no_other_role_resets_it(db: None, role: str) -> None:
    other, desk = in_role("administrator"), Desk(in_role(role))
    factor_of(other)
    assert desk.post(f"/admin/portal/user/{other.pk}/act/reset_second_factor/", {"reason": "x"}).status_code == 403
    assert Authenticator.objects.filter(user=other).exists()


@pytest.mark.trust(33)
def test_an_administrator_resets_neither_their_own_nor_a_superusers(olga: User) -> None:
    adam = in_role("administrator")
    desk = Desk(adam)
    factor_of(olga)
    for person in (adam, olga):
        path = f"/admin/portal/user/{person.pk}/act/reset_second_factor/"
        assert desk.post(path, {"reason": "x"}).status_code == 403
    assert Authenticator.objects.count() == 2


# --- On a development machine -----------------------------------------------------------------------------------


def test_the_command_is_a_demo_operators_phone(olga: User, door: Client, capsys: Any) -> None:
    factor_of(olga)
    for _ in range(2):
        call_command("second_factor", "olga")
        assert signed_in(olga).post(SHOW, {"code": capsys.readouterr().out.strip()}).status_code == 302
    with pytest.raises(CommandError, match="each works once"):
        call_command("second_factor", "olga")


def test_the_command_refuses_a_public_host_and_strangers(olga: User, settings: Any) -> None:
    with pytest.raises(CommandError, match="no authenticator app"):
        call_command("second_factor", "olga")
    with pytest.raises(CommandError, match="no authenticator app"):
        call_command("second_factor", "nobody")
    settings.PUBLIC = True
    with pytest.raises(CommandError, match="public host"):
        call_command("second_factor", "olga")
