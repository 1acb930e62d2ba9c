"""/profile/delete/: asked for with the password, thought over, then nothing of the person is left (trust 29)."""

import io
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.http import Http404
from django.test import Client
from django.utils import timezone

from authapi import accesses
from portal import erasure
from portal.encryption import Encrypted, UnreadableError, decrypt
from portal.models import (
    AbuseReport,
    ConsentDecision,
    InboxNotice,
    LoginId,
    Merchant,
    MerchantNotice,
    MiniProgram,
    MiniProgramGrant,
    PendingConsent,
    PlatformKey,
    User,
)
from portal.rotation import models_with
from portal.views import profile
from tests.conftest import EVERY_SCOPE, PASSWORD, Container, make_person, sign_in
from tests.ledgers import seal, verify
from tests.merchants import MerchantServer
from tests.pages import press, words
from tests.test_dump import as_sql, spellings, told

DELETE, KEEP = "/profile/delete/", "/profile/keep/"
PAGES = ["/", "/profile/", "/profile/data/", DELETE, "/permissions/", "/inbox/"]


def signs_in(name: str) -> bool:
    return bool(Client().post("/accounts/login/", {"username": name, "password": PASSWORD}).status_code == 302)


def let_time_pass() -> None:
    """The days to think it over are gone."""
    User.objects.exclude(deletion_due_at=None).update(deletion_due_at=timezone.now() - timedelta(seconds=1))


# --- Asking for it, and changing one's mind -------------------------------------------------------------------------


def test_the_page_says_what_happens_and_what_stays(browser: Client, alice: User, shop: MiniProgram) -> None:
    MiniProgramGrant.give(alice, shop, ["USER_NICKNAME"])
    text = words(browser.get(DELETE))
    assert "You have 14 days to change your mind." in text
    assert "1 mini-program loses access and is told that you deleted your account." in text
    assert "The record of decisions stays" in text
    assert alice.deletion_due_at is None


def test_the_days_are_the_operators_to_set(browser: Client, alice: User, settings: Any) -> None:
    settings.ACCOUNT_DELETION_DAYS = 30
    assert "You have 30 days to change your mind." in words(browser.get(DELETE))
    press(browser, DELETE, password=PASSWORD)
    alice.refresh_from_db()
    assert alice.deletion_due_at
    assert timedelta(days=29) < alice.deletion_due_at - timezone.now() <= timedelta(days=30)


def test_the_password_plans_it_and_every_page_says_when(browser: Client, alice: User) -> None:
    assert press(browser, DELETE, password=PASSWORD)["Location"] == DELETE
    User.objects.update(deletion_due_at="2027-01-09T10:00Z")
    for path in PAGES:
        page = browser.get(path)
        assert "Your account will be deleted on 9 January 2027" in words(page), path
        assert f'action="{KEEP}"' in page.content.decode(), path
    assert "You asked us to delete your account." in words(browser.get("/inbox/"))
    assert "password" not in browser.get(DELETE).content.decode()
    alice.refresh_from_db()
    assert alice.is_active
    assert alice.nickname == "Alice"
    assert signs_in("alice")


def test_asking_twice_moves_nothing(browser: Client, alice: User) -> None:
    browser.post(DELETE, {"password": PASSWORD})
    first = User.objects.get(pk=alice.pk).deletion_due_at
    browser.post(DELETE, {"password": PASSWORD})
    assert User.objects.get(pk=alice.pk).deletion_due_at == first
    assert InboxNotice.objects.count() == 1


def test_keeping_it_takes_one_press(browser: Client, alice: User) -> None:
    browser.post(DELETE, {"password": PASSWORD})
    page = browser.post(KEEP, follow=True)
    assert "Your account stays. Nothing will be deleted." in words(page)
    assert "will be deleted on" not in words(page)
    let_time_pass()
    assert erasure.erase_due() == 0
    assert "You decided to keep your account." in words(browser.get("/inbox/"))


def test_keeping_what_nobody_wanted_deleted_says_nothing(browser: Client) -> None:
    page = browser.post(KEEP, follow=True)
    assert "Your account stays" not in words(page)
    assert not InboxNotice.objects.exists()
    assert browser.get(KEEP).status_code == 405


@pytest.mark.parametrize(
    ("password", "remedy"), [("wrong", "This is not your password."), ("", "Type your password.")]
)
def test_a_wrong_password_plans_nothing(browser: Client, alice: User, password: str, remedy: str) -> None:
    page = browser.post(DELETE, {"password": password})
    assert page.status_code == 422
    assert remedy in words(page)
    assert User.objects.get(pk=alice.pk).deletion_due_at is None


@pytest.mark.trust(19)
def test_guessing_the_password_here_is_limited_too(browser: Client, alice: User) -> None:
    statuses = [browser.post(DELETE, {"password": f"guess {n}"}).status_code for n in range(11)]
    assert statuses == [422] * 10 + [429]
    assert User.objects.get(pk=alice.pk).deletion_due_at is None


def test_a_stranger_and_a_forged_form_plan_nothing(alice: User) -> None:
    for path in (DELETE, KEEP):
        assert Client().post(path)["Location"] == f"/accounts/login/?next={path}"
    forger = Client(enforce_csrf_checks=True)
    sign_in(forger, alice)
    assert forger.post(DELETE, {"password": PASSWORD}).status_code == 403
    assert User.objects.get(pk=alice.pk).deletion_due_at is None


def test_an_operator_is_told_why_not(olga: User) -> None:
    desk = Client()
    sign_in(desk, olga)
    assert "This account belongs to an operator" in words(desk.get(DELETE))
    page = desk.post(DELETE, {"password": PASSWORD})
    assert page.status_code == 403
    assert "This account belongs to an operator" in words(page)
    assert User.objects.get(pk=olga.pk).deletion_due_at is None


def test_who_became_an_operator_meanwhile_stays(alice: User) -> None:
    erasure.ask(alice)
    User.objects.filter(pk=alice.pk).update(is_staff=True)
    let_time_pass()
    assert erasure.erase_due() == 0


def test_bobs_account_is_not_alices_to_delete(browser: Client, bob: User) -> None:
    browser.post(DELETE, {"password": PASSWORD, "user": bob.pk})
    let_time_pass()
    assert erasure.erase_due() == 1
    bob.refresh_from_db()
    assert (bob.nickname, bob.login_ids.count()) == ("Bob", 2)


def test_nothing_is_erased_before_its_time(alice: User) -> None:
    erasure.ask(alice)
    assert erasure.erase_due() == 0
    assert signs_in("alice")


# --- After it ---------------------------------------------------------------------------------------------------


class Erased:
    """What was there of Alice before, when she is gone: she had let Shop see everything."""

    def __init__(self, alice: User, alices: Container, browser: Client, shop_server: MerchantServer) -> None:
        self.alice, self.browser, self.server = alice, browser, shop_server
        Merchant.objects.update(notify_url="https://merchant.example/notify")
        alice.avatar.save("a.jpg", ContentFile(b"pixels"))
        User.objects.filter(pk=alice.pk).update(extra={"loyaltyCard": "LC-7781-0042"}, external_id="host-4711")
        self.picture = alice.avatar.name
        self.tokens = shop_server.exchange(alices.code("shop", EVERY_SCOPE))
        self.unused_code = alices.code("shop", ["auth_base"])
        self.user_id = shop_server.user_info(self.tokens["accessToken"])["userInfo"]["userId"]
        accesses.counter.flush()
        self.first_party = issue("alice")
        alices.get_auth_code("cafe", ["USER_NICKNAME"])  # a sheet that waits
        cafe = MiniProgram.objects.get(client_id="cafe")
        AbuseReport.objects.create(user=alice, mini_program=cafe, kind="spam", words="My name is Alice Santos")
        browser.post(DELETE, {"password": PASSWORD})
        let_time_pass()
        self.count = erasure.erase_due()


def issue(login: str) -> str:
    out = io.StringIO()
    call_command("issue_first_party_token", login=login, stdout=out)
    return out.getvalue().strip()


@pytest.fixture
def erased(alice: User, alices: Container, browser: Client, shop_server: MerchantServer, cafe: MiniProgram) -> Erased:
    return Erased(alice, alices, browser, shop_server)


def test_the_merchant_is_refused_and_told(erased: Erased, audited: Any) -> None:
    assert erased.count == 1
    answer = erased.server.user_info(erased.tokens["accessToken"])
    assert answer["result"]["resultCode"] == "INVALID_ACCESS_TOKEN"
    audited("INVALID_ACCESS_TOKEN")
    assert erased.server.refresh(erased.tokens["refreshToken"])["result"]["resultStatus"] == "F"
    assert erased.server.exchange(erased.unused_code)["result"]["resultStatus"] == "F"
    notice = MerchantNotice.objects.get()
    assert notice.body["reason"] == "USER_DELETED"
    assert notice.body["customerId"] == erased.user_id
    assert notice.state == "WAITING"


def test_nobody_signs_in_and_who_was_is_out(erased: Erased, alices: Container) -> None:
    for name in ("alice", "alice@example.org", "0917 123 4567"):
        assert not signs_in(name)
    assert erased.browser.get("/profile/")["Location"].startswith("/accounts/login/")
    path, body = "/v1/authorizations/getAuthCode", {"appId": "shop", "scopes": ["auth_base"]}
    assert alices.post(path, body).status_code == 401
    bearer = {"Authorization": f"Bearer {erased.first_party}"}
    assert Client().post(path, body, "application/json", headers=bearer).status_code == 401


@pytest.mark.trust(31)
def test_the_ledger_still_holds_and_says_that_the_user_ended_it(erased: Erased) -> None:
    last = ConsentDecision.objects.filter(user=erased.alice).latest("pk")
    assert (last.act, last.actor_id, last.reason) == ("withdrawn", erased.alice.pk, "the account was deleted")
    assert last.scopes_after == []
    seal()
    assert verify() == []


@pytest.mark.trust(29)
def test_the_phone_number_is_free_and_gets_another_user_id(
    erased: Erased, shop: MiniProgram, shop_server: MerchantServer
) -> None:
    uuid = User.objects.get(pk=erased.alice.pk).uuid
    assert uuid == erased.alice.uuid
    newcomer = make_person("alice", "+639171234567", nickname="Another Alice")
    assert signs_in("0917 123 4567")
    token = shop_server.exchange(Container(newcomer).code("shop", ["auth_base", "auth_user"]))["accessToken"]
    info = shop_server.user_info(token)["userInfo"]
    assert info["nickName"] == "Another Alice"
    assert info["userId"] != erased.user_id


def test_every_row_of_hers_is_gone(erased: Erased) -> None:
    gone = User.objects.get(pk=erased.alice.pk)
    assert (gone.status, gone.is_active, gone.deletion_due_at) == ("INACTIVE", False, None)
    assert not gone.has_usable_password()
    assert gone.external_id is None
    for model in (LoginId, InboxNotice, PendingConsent):
        assert not model._default_manager.exists()
    assert not gone.contacts.exists()
    assert not gone.addresses.exists()


@pytest.mark.django_db(transaction=True)
def test_the_picture_goes_with_the_rest(erased: Erased) -> None:
    assert not default_storage.exists(erased.picture)


def test_no_encrypted_column_of_hers_holds_anything(erased: Erased) -> None:
    """A column that is added later must be emptied, too; her login is a random one."""
    for model, fields in models_with(Encrypted):
        if model is PlatformKey:
            continue
        key = "pk" if model is User else "user"
        for row in model._default_manager.filter(**{key: erased.alice.pk}):
            held = {field.name for field in fields if getattr(row, field.name)}
            assert held <= {"username"}, (model, held)


@pytest.mark.trust(6)
@pytest.mark.django_db(transaction=True)
def test_a_dump_tells_nothing_of_her_even_with_the_key(erased: Erased) -> None:
    text = as_sql().decode()
    text += "\n".join(decrypted(text))
    values = ["Alice", "Reyes", "Santos", "alice", "alice@example.org", "1994-03-12", "12 Mabini Street"]
    values += ["LC-7781-0042", "host-4711", "Quezon City", *spellings("+639171234567"), "+63285551234"]
    assert [value for value in values if told(text, value)] == []
    assert "shop Ltd" in text


def decrypted(text: str) -> Iterator[str]:
    """Every value in a dump that the portal's key opens."""
    for stored in re.findall(r"\b[0-9a-f]{8}:[A-Za-z0-9+/]{20,}={0,2}", text):
        try:
            yield decrypt(stored)
        except UnreadableError:
            continue


@pytest.mark.django_db(transaction=True)
def test_that_reading_of_a_dump_finds_who_is_there(bob: User) -> None:
    assert {"Bob", "+27609000084", "12 Mabini Street"} <= set(decrypted(as_sql().decode()))


def test_one_that_cannot_be_erased_holds_up_no_other(
    alice: User, bob: User, shop: MiniProgram, caplog: pytest.LogCaptureFixture
) -> None:
    MiniProgramGrant.give(alice, shop, ["auth_base"])
    MiniProgramGrant.objects.update(scopes=5)  # nothing we ever write
    for user in (alice, bob):
        erasure.ask(user)
    let_time_pass()
    assert erasure.erase_due() == 1
    assert not User.objects.get(pk=bob.pk).is_active
    assert User.objects.get(pk=alice.pk).nickname == "Alice"
    assert f"user {alice.pk} could not be erased; it stays due" in caplog.text


def test_a_form_of_the_profile_that_was_on_its_way_brings_nothing_back(browser: Client, alice: User) -> None:
    request = browser.get("/profile/").wsgi_request
    page = profile.parts(request)
    erasure.erase(alice)
    with pytest.raises(Http404):
        profile.save(**page)
    assert User.objects.get(pk=alice.pk).nickname == ""
