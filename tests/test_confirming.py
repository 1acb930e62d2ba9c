"""Sensitive acts of the console ask for a recent sign-in, and then go on with nothing lost (trust 34)."""

import re
from html import unescape
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path as url

from portal import recent_sign_in, urls
from portal.admin.confirming import recently_signed_in
from portal.models import AbuseReport, MerchantNotice, MiniProgram, MiniProgramGrant, User
from tests.conftest import PASSWORD, Container
from tests.operators import Desk, code_of, counted, everything, in_role, last_log
from tests.pages import words

pytestmark = pytest.mark.trust(34)
QUESTION = "Is it still you?"
SCOPES = ["auth_base", "USER_NICKNAME"]


@pytest.fixture
def stale(olga: User) -> Desk:
    """Olga's desk, a while after she signed in."""
    return Desk(olga, ago=301)


@pytest.fixture
def grant(alice: User, shop: MiniProgram) -> MiniProgramGrant:
    return MiniProgramGrant.give(alice, shop, SCOPES)


def revoking(grant: MiniProgramGrant) -> tuple[str, dict[str, Any]]:
    return f"/admin/portal/miniprogramgrant/{grant.pk}/act/revoke/", {"reason": "breach", "scopes": SCOPES}


def again(page: Any, **typed: str) -> dict[str, Any]:
    """What a browser sends from the page that asks, with this typed into it."""
    form: dict[str, Any] = {}
    for name, value in re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.content.decode()):
        form.setdefault(name, []).append(unescape(value))
    return {**form, **{f"confirm-{name}": value for name, value in typed.items()}}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_after_a_while_it_is_asked_and_nothing_is_lost(stale: Desk, grant: MiniProgramGrant) -> None:
    path, form = revoking(grant)
    assert QUESTION not in stale.page(path)
    before = everything()
    page = stale.post(path, form)
    assert page.status_code == 200
    assert QUESTION in words(page)
    assert everything() == before
    sent = again(page, password=PASSWORD)
    assert (sent["reason"], sent["scopes"]) == (["breach"], SCOPES)
    assert stale.post(path, sent).status_code == 302
    grant.refresh_from_db()
    assert grant.ended_at
    assert last_log() == ("olga", grant.pk, "Revoked. Why: breach")
    assert "breach" in grant.decisions.latest("id").reason


def test_a_code_does_as_well_and_works_once(stale: Desk, olga: User, grant: MiniProgramGrant) -> None:
    path, form = revoking(grant)
    code = code_of(olga)
    assert stale.post(path, again(stale.post(path, form), code=code)).status_code == 302
    other = Desk(olga, ago=301)
    page = other.post(path, again(other.post(path, form), code=code))
    assert page.status_code == 422
    assert "it was used before" in words(page)


def test_for_some_minutes_it_is_not_asked_again(
    stale: Desk, olga: User, grant: MiniProgramGrant, settings: Any
) -> None:
    path, form = revoking(grant)
    stale.post(path, again(stale.post(path, form | {"scopes": ["USER_NICKNAME"]}), password=PASSWORD))
    assert stale.post(path, form | {"scopes": ["auth_base"]}).status_code == 302
    grant.refresh_from_db()
    assert grant.ended_at
    settings.RECENT_SIGN_IN *= 2
    assert QUESTION not in words(Desk(olga, ago=301).post(path, form))


@pytest.mark.parametrize(("typed", "says"), [({"password": "wrong"}, "not your password"), ({}, "Type a code")])
def test_a_wrong_proof_does_nothing_and_asks_again(
    stale: Desk, grant: MiniProgramGrant, typed: dict[str, str], says: str
) -> None:
    path, form = revoking(grant)
    before = everything()
    page = stale.post(path, again(stale.post(path, form), **typed))
    assert page.status_code == 422
    assert says in words(page)
    assert 'value="wrong"' not in page.content.decode()
    assert everything() == before
    assert stale.post(path, again(page, password=PASSWORD)).status_code == 302


@pytest.mark.trust(19)
def test_a_wrong_password_counts_like_a_try_to_sign_in(stale: Desk, grant: MiniProgramGrant) -> None:
    path, form = revoking(grant)
    page = stale.post(path, form)
    for _ in range(10):
        assert stale.post(path, again(page, password="wrong")).status_code == 422
    page = stale.post(path, again(page, password=PASSWORD))
    assert page.status_code == 429
    assert 880 <= int(page["Retry-After"]) <= 900
    assert Client().post("/admin/login/", {"username": "olga", "password": PASSWORD}).status_code == 429
    assert not LogEntry.objects.exists()


@pytest.mark.trust(33)
def test_a_recent_sign_in_gives_no_right(grant: MiniProgramGrant, alice: User) -> None:
    """403 comes before the question, and the answer does not change it."""
    desk, before = Desk(in_role("auditor"), ago=301), everything()
    path, form = revoking(grant)
    proof = {"confirm-method": "POST", "confirm-password": PASSWORD}
    for address, sent in ((path, form), (f"/admin/portal/user/{alice.pk}/change/", {"is_staff": "on", "reason": "x"})):
        assert desk.post(address, sent).status_code == 403
        assert desk.post(address, sent | proof).status_code == 403
    assert everything() == before


def test_every_sensitive_act_asks(
    stale: Desk, olga: User, alices: Container, alice: User, shop: MiniProgram, cafe: MiniProgram
) -> None:
    """On one row and on many, and so does saving what says who may do what."""
    grants = [MiniProgramGrant.give(alice, program, SCOPES) for program in (shop, cafe)]
    waiting = cafe.scope_approvals.create(scope="USER_AVATAR", purpose="to show it")
    decision = {"approval": waiting.pk, "read": waiting.fingerprint(), "decision": "APPROVED"}
    why, before = {"reason": "x"}, everything()
    role = {"is_active": "on", "is_staff": "on", "groups": [Group.objects.get(name="manager").pk], **why}
    role |= counted("login_ids", 2) | counted("contacts", 3) | counted("addresses", 1)
    for path, form in (
        ("/admin/portal/miniprogramgrant/", {"action": "revoke", "_selected_action": [g.pk for g in grants]} | why),
        ("/admin/portal/miniprogram/", {"action": "suspend", "_selected_action": [shop.pk]} | why),
        (f"/admin/portal/miniprogram/{shop.pk}/act/suspend/", why),
        (f"/admin/portal/miniprogram/{shop.pk}/act/restore/", why),
        (f"/admin/portal/miniprogram/{cafe.pk}/act/approve/", why),
        (f"/admin/portal/user/{alice.pk}/act/freeze/", why),
        (f"/admin/portal/user/{alice.pk}/act/reset_second_factor/", why),
        (f"/admin/portal/user/{alice.pk}/change/", role),
        (f"/admin/portal/miniprogram/{cafe.pk}/review/", decision | why),
        (f"/admin/portal/merchant/{shop.merchant_id}/keys/1/retire/", {"is_known": "on"} | why),
        (f"/admin/portal/merchant/{shop.merchant_id}/change/", {"name": "New", "status": "DISABLED"} | why),
        ("/admin/portal/merchant/add/", {"client_id": "new", "name": "New"} | why),
    ):
        page = stale.post(path, form)
        assert (page.status_code, QUESTION in words(page)) == (200, True), path
        sent = {name: value for name, value in again(page).items() if name in form}
        assert sent == {name: [str(one) for one in listed(value)] for name, value in form.items()}
    for path in ("second-factor/passkey/", "second-factor/codes/"):
        assert QUESTION in stale.page(f"/admin/{path}")
    assert everything() == before


def test_a_role_is_given_after_the_question(stale: Desk, alice: User) -> None:
    group = Group.objects.get(name="support")
    form = {"is_active": "on", "is_staff": "on", "groups": [group.pk], "reason": "joins"}
    form |= counted("login_ids", 2) | counted("contacts", 3) | counted("addresses", 1)
    path = f"/admin/portal/user/{alice.pk}/change/"
    assert stale.post(path, again(stale.post(path, form), password=PASSWORD)).status_code == 302
    assert list(User.objects.get(pk=alice.pk).groups.all()) == [group]
    assert last_log()[2].endswith("Why: joins")


def test_many_are_revoked_after_the_question(stale: Desk, alice: User, shop: MiniProgram, cafe: MiniProgram) -> None:
    grants = [MiniProgramGrant.give(alice, program, SCOPES) for program in (shop, cafe)]
    path = "/admin/portal/miniprogramgrant/?state=live"
    form = {"action": "revoke", "_selected_action": [grant.pk for grant in grants], "reason": "breach"}
    assert stale.post(path, again(stale.post(path, form), password=PASSWORD)).status_code == 302
    assert not MiniProgramGrant.objects.filter(ended_at=None).exists()


def test_a_harmless_act_does_not_ask(stale: Desk, alice: User, shop: MiniProgram) -> None:
    report = AbuseReport.objects.create(user=alice, mini_program=shop, kind="spam", words="x")
    notice = MerchantNotice.objects.create(merchant=shop.merchant, body={}, state="PARKED")
    for path in (f"abusereport/{report.pk}/act/close/", f"merchantnotice/{notice.pk}/act/send_again/"):
        assert stale.post(f"/admin/portal/{path}", {"reason": "x", "outcome": "nothing"}).status_code == 302


def test_a_file_cannot_wait_and_the_page_says_so(stale: Desk, shop: MiniProgram) -> None:
    form = {"name": "Shop", "page_url": shop.page_url, "reason": "x", "features": []}
    logo = SimpleUploadedFile("logo.png", b"\x89PNG", "image/png")
    page = stale.post(f"/admin/portal/miniprogram/{shop.pk}/change/", {**form, "logo": logo})
    assert "A file cannot wait here: choose logo.png again afterwards." in words(page)


# --- For a view of somebody else --------------------------------------------------------------------------------


@recently_signed_in
def export(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.method} {request.POST.get('columns', '')}")


urlpatterns = [url("admin/export/", export), *urls.urlpatterns]


@override_settings(ROOT_URLCONF=__name__)
def test_a_page_is_opened_after_the_question(stale: Desk) -> None:
    """A link leads to the question, and the question back to the link."""
    page = stale.get("/admin/export/?q=1")
    assert QUESTION in words(page)
    answer = stale.post("/admin/export/?q=1", again(page, password=PASSWORD))
    assert (answer.status_code, answer["Location"]) == (302, "/admin/export/?q=1")
    assert stale.get(answer["Location"]).content == b"GET "


@override_settings(ROOT_URLCONF=__name__)
def test_a_form_of_a_page_goes_on(stale: Desk) -> None:
    page = stale.post("/admin/export/", {"columns": 'a"b<'})
    assert 'value="a&quot;b&lt;"' in page.content.decode()
    assert again(page)["columns"] == ['a"b<']
    assert stale.post("/admin/export/", again(page, password=PASSWORD)).content == b'POST a"b<'


@pytest.mark.trust(7)
def test_no_password_is_sent_back_or_kept(stale: Desk, grant: MiniProgramGrant) -> None:
    path, form = revoking(grant)
    page = stale.post(path, again(stale.post(path, form), password="hunter2", code="123456"))
    assert "hunter2" not in page.content.decode()
    assert "hunter2" not in str(dict(stale.session))
    assert isinstance(stale.session[recent_sign_in.KEY], int)


def test_the_question_needs_the_token_against_forgery(stale: Desk, grant: MiniProgramGrant) -> None:
    path, form = revoking(grant)
    forger = Client(enforce_csrf_checks=True)
    forger.cookies = stale.cookies
    assert forger.post(path, form | {"confirm-method": "POST", "confirm-password": PASSWORD}).status_code == 403
