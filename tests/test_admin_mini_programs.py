"""Mini-programs at the console: described, given scopes, suspended and restored; each act with who and why."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission

from portal.admin.scope_approvals import languages
from portal.models import MiniProgram, ScopeApproval, User
from tests.conftest import Container, make_program
from tests.merchants import MerchantServer
from tests.operators import Desk, counted, everything, in_role, last_log

LIST = "/admin/portal/miniprogram/"


@pytest.fixture
def manager(db: None) -> Desk:
    return Desk(in_role("manager"))


def form_of(program: MiniProgram, *new: dict[str, str], **changes: Any) -> dict[str, Any]:
    """What the browser posts for this mini-program; `new` are more scopes to ask for."""
    rows = list(program.scope_approvals.all())
    posted = {
        "name": program.name,
        "developer": program.developer,
        "page_url": program.page_url,
        "privacy_policy_url": program.privacy_policy_url,
        "features": program.features,
        "reason": "as agreed",
        **counted("scope_approvals", len(rows), len(new)),
    }
    for number, row in enumerate(rows):
        fields = {"id": row.pk, "scope": row.scope, "purpose": row.purpose, "state": row.state}
        posted |= {f"scope_approvals-{number}-{name}": value for name, value in fields.items()}
    for number, fields in enumerate(new, len(rows)):
        posted |= {f"scope_approvals-{number}-{name}": value for name, value in fields.items()}
    return {**posted, "mini_program": program.pk, **changes}


def test_the_list_says_who_owns_it_and_what_waits(manager: Desk, shop: MiniProgram, cafe: MiniProgram) -> None:
    cafe.scope_approvals.create(scope="USER_AVATAR", purpose="to show it")
    MiniProgram.objects.filter(pk=shop.pk).update(status="SUSPENDED")
    page = manager.page(LIST)
    for text in ("cafe", "cafe Ltd", "App_User_Authorization, Send_Message", "USER_AVATAR", "Suspended"):
        assert text in page
    narrowed = manager.page(f"{LIST}?status__exact=SUSPENDED")
    assert f"{LIST}{shop.pk}/change/" in narrowed
    assert f"{LIST}{cafe.pk}/change/" not in narrowed


@pytest.mark.trust(32)
def test_the_toolkits_secret_and_redirects_are_not_there(olga: User, shop: MiniProgram) -> None:
    page = Desk(olga).page(f"{LIST}{shop.pk}/change/")
    for name in ("client_secret", "redirect_uris", "authorization_grant_type", "algorithm", "skip_authorization"):
        assert name not in page
    assert shop.client_secret not in page


def test_a_new_mini_program_is_made_with_a_reason(manager: Desk, shop: MiniProgram) -> None:
    posted = form_of(
        shop, client_id="shop2", name="Shop Two", merchant=shop.merchant_id, page_url="https://two.example/"
    )
    posted |= counted("scope_approvals", 0)
    assert manager.post(f"{LIST}add/", {**posted, "reason": ""}).status_code == 200
    assert manager.post(f"{LIST}add/", posted).status_code == 302
    made = MiniProgram.objects.get(client_id="shop2")
    assert (made.name, made.merchant, made.status) == ("Shop Two", shop.merchant, "ACTIVE")
    assert last_log() == ("the-manager", str(made.pk), "Added. Why: as agreed")


def test_its_page_cannot_come_from_our_origin(manager: Desk, shop: MiniProgram, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["portal.example", "testserver"]
    response = manager.post(f"{LIST}{shop.pk}/change/", form_of(shop, page_url="https://portal.example/shop"))
    assert "own origin" in response.content.decode()
    shop.refresh_from_db()
    assert shop.page_url == "http://shop.localhost:9000/"


def test_app_id_merchant_and_status_are_not_edited(manager: Desk, shop: MiniProgram, cafe: MiniProgram) -> None:
    asked = form_of(shop, client_id="x", merchant=cafe.merchant_id, status="SUSPENDED", features=["Send_Message"])
    assert manager.post(f"{LIST}{shop.pk}/change/", asked).status_code == 302
    changed = MiniProgram.objects.get(pk=shop.pk)
    assert (changed.client_id, changed.merchant_id, changed.status) == ("shop", shop.merchant_id, "ACTIVE")
    assert changed.features == ["Send_Message"]
    assert last_log()[2] == "Changed Features. Why: as agreed"


@pytest.mark.trust(15)
@pytest.mark.trust(30)
def test_a_waiting_scope_works_once_it_is_approved(
    manager: Desk, alices: Container, cafe: MiniProgram, audited: Callable[..., Any]
) -> None:
    row = cafe.scope_approvals.create(scope="USER_AVATAR", purpose="to show it")
    assert alices.get_auth_code("cafe", ["USER_AVATAR"])["error"] == 2
    audited("2", app_id="cafe")
    manager.act(LIST, "approve", [cafe], reason="they sent the contract")
    row.refresh_from_db()
    assert (row.state, row.decided_by.username) == ("APPROVED", "the-manager")
    assert row.decided_at
    words = "Approved: USER_AVATAR (Waiting → Approved; “to show it”, optional, no longest time)"
    assert last_log() == ("the-manager", str(cafe.pk), f"{words}. Why: they sent the contract")
    assert alices.get_auth_code("cafe", ["USER_AVATAR"])["error"] == 2001


def test_a_refused_scope_stays_refused(manager: Desk, alices: Container, cafe: MiniProgram) -> None:
    row = cafe.scope_approvals.create(scope="USER_AVATAR", purpose="to show it")
    manager.post(f"{LIST}{cafe.pk}/act/refuse/", {"reason": "no need for it"})
    row.refresh_from_db()
    assert (row.state, row.decided_by.username) == ("REFUSED", "the-manager")
    assert cafe.scope_approvals.filter(state="APPROVED").count() == 3
    assert alices.get_auth_code("cafe", ["USER_AVATAR"])["authErrorScopes"] == {"USER_AVATAR": "40006"}


@pytest.mark.trust(33)
def test_the_table_decides_nothing(manager: Desk, cafe: MiniProgram) -> None:
    before = list(cafe.scope_approvals.values())
    posted = form_of(cafe) | {"scope_approvals-0-state": "REFUSED"}
    assert manager.post(f"{LIST}{cafe.pk}/change/", posted).status_code == 302
    assert list(cafe.scope_approvals.values()) == before
    assert f"{LIST}{cafe.pk}/review/" in manager.page(f"{LIST}{cafe.pk}/change/")


def test_a_new_scope_waits_until_it_is_decided(manager: Desk, cafe: MiniProgram) -> None:
    new = {"scope": "USER_AVATAR", "purpose": "to show it", "state": "REQUESTED"}
    assert manager.post(f"{LIST}{cafe.pk}/change/", form_of(cafe, new)).status_code == 302
    row = cafe.scope_approvals.get(scope="USER_AVATAR")
    assert (row.state, row.decided_by) == ("REQUESTED", None)
    assert "Asked for: USER_AVATAR (“to show it”, optional, no longest time)" in manager.page(
        f"{LIST}{cafe.pk}/history/"
    )
    unknown = {"scope": "EVERYTHING", "purpose": "", "state": "APPROVED"}
    assert manager.post(f"{LIST}{cafe.pk}/change/", form_of(cafe, unknown)).status_code == 200
    assert cafe.scope_approvals.count() == 4


def approve(olga: User, program: MiniProgram) -> None:
    """A superuser approves whatever waits."""
    Desk(olga).post(f"{LIST}{program.pk}/act/approve/", {"reason": "read it"})


def purposes_of(row: ScopeApproval, number: int, **texts: str) -> dict[str, str]:
    """What the browser posts for the purpose of one scope in the languages."""
    posted = {code: texts.get(code, row.purposes.get(code, "")) for code, _name in languages()}
    return {f"scope_approvals-{number}-purposes_{code}": text for code, text in posted.items()}


def test_a_purpose_is_written_in_each_language(manager: Desk, olga: User, cafe: MiniProgram, settings: Any) -> None:
    row, path = cafe.scope_approvals.all()[2], f"{LIST}{cafe.pk}/change/"
    page = manager.page(path)
    for code, name in settings.LANGUAGES[1:]:
        assert f'name="scope_approvals-2-purposes_{code}"' in page
        assert f">{name}</label>" in page
    assert "0 of 6 languages" in page
    posted = form_of(cafe) | purposes_of(row, 2, id=" Untuk menyapa Anda ", ar="لنحيّيك")
    assert manager.post(path, posted).status_code == 302
    assert "2 of 6 languages" in manager.page(path)  # what is proposed
    approve(olga, cafe)
    row.refresh_from_db()
    # Nobody agreed to it in these languages before: no new version.
    assert (row.purposes, row.purpose_version) == ({"id": "Untuk menyapa Anda", "ar": "لنحيّيك"}, 1)
    assert "2 of 6 languages" in manager.page(path)
    assert last_log()[2].endswith("Why: read it")


@pytest.mark.trust(28)
@pytest.mark.trust(30)
def test_another_purpose_is_a_new_version_and_the_old_one_is_shown(
    manager: Desk, olga: User, cafe: MiniProgram
) -> None:
    row, path = cafe.scope_approvals.all()[2], f"{LIST}{cafe.pk}/change/"
    row.reword(row.purpose, {"id": "Untuk menyapa Anda"}, by=None)
    posted = form_of(cafe) | purposes_of(row, 2, id="Untuk menjualnya")
    assert manager.post(path, posted | {"scope_approvals-2-purpose": "to sell it"}).status_code == 302
    row.refresh_from_db()
    assert (row.purpose, row.purpose_version) == ("cafe needs USER_NICKNAME", 1)  # it stands until it is approved
    approve(olga, cafe)
    row.refresh_from_db()
    assert (row.purpose, row.purposes, row.purpose_version) == ("to sell it", {"id": "Untuk menjualnya"}, 2)
    old = row.earlier_purposes.get()
    assert (old.purpose, old.purposes, old.version) == ("cafe needs USER_NICKNAME", {"id": "Untuk menyapa Anda"}, 1)
    assert old.replaced_by
    assert old.replaced_by.username == "the-manager"
    shown = manager.page(path)
    assert "changed by the-manager: cafe needs USER_NICKNAME · Untuk menyapa Anda" in shown
    assert manager.post(path, form_of(cafe)).status_code == 302  # without the languages, nothing of them changes
    row.refresh_from_db()
    assert (row.purposes, row.purpose_version) == ({"id": "Untuk menjualnya"}, 2)


def test_a_purpose_that_is_too_long_is_refused(manager: Desk, cafe: MiniProgram) -> None:
    row = cafe.scope_approvals.all()[2]
    posted = form_of(cafe) | purposes_of(row, 2, th="x" * 201)
    response = manager.post(f"{LIST}{cafe.pk}/change/", posted)
    assert "at most 200 characters" in response.content.decode()
    row.refresh_from_db()
    assert row.purposes == {}


def test_the_longest_time_is_set_and_taken_away(manager: Desk, olga: User, cafe: MiniProgram) -> None:
    path = f"{LIST}{cafe.pk}/change/"
    for sent, kept in (("30", 30), ("", None)):
        before = cafe.scope_approvals.all()[2].max_days
        assert manager.post(path, form_of(cafe) | {"scope_approvals-2-max_days": sent}).status_code == 302
        assert cafe.scope_approvals.all()[2].max_days == before
        approve(olga, cafe)
        assert cafe.scope_approvals.all()[2].max_days == kept
    response = manager.post(path, form_of(cafe) | {"scope_approvals-2-max_days": "0"})
    assert "greater than or equal to 1" in response.content.decode()


def test_who_only_looks_reads_the_purposes(cafe: MiniProgram) -> None:
    row = cafe.scope_approvals.all()[2]
    row.reword("to greet you", {"id": "Untuk menyapa Anda"}, by=None)
    page = Desk(in_role("auditor")).page(f"{LIST}{cafe.pk}/change/")
    assert "Bahasa Indonesia: Untuk menyapa Anda" in page
    assert "changed by a command: cafe needs USER_NICKNAME" in page
    assert "<textarea" not in page


def test_whoever_approves_reads_every_language(manager: Desk, cafe: MiniProgram) -> None:
    cafe.scope_approvals.create(scope="USER_AVATAR", purpose="to show it", purposes={"id": "Untuk menjualnya"})
    assert "USER_AVATAR: to show it · Untuk menjualnya" in manager.page(f"{LIST}{cafe.pk}/act/approve/")


def test_a_page_of_many_scopes_takes_few_statements(
    manager: Desk, shop: MiniProgram, django_assert_max_num_queries: Any
) -> None:
    for row in shop.scope_approvals.all():
        row.reword("to sell it", {}, by=User.objects.get(username="the-manager"))
    with django_assert_max_num_queries(14):
        manager.page(f"{LIST}{shop.pk}/change/")


@pytest.mark.trust(33)
def test_who_may_not_approve_cannot_by_the_table(cafe: MiniProgram) -> None:
    clerk = User.objects.create_user("clerk", is_staff=True)
    names = ("view_miniprogram", "change_miniprogram", "change_scopeapproval", "add_scopeapproval")
    clerk.user_permissions.set(Permission.objects.filter(codename__in=names))
    row = cafe.scope_approvals.create(scope="USER_AVATAR", purpose="to show it")
    posted = form_of(cafe) | {"scope_approvals-3-state": "APPROVED", "scope_approvals-0-purpose": "to sell it on"}
    assert Desk(clerk).post(f"{LIST}{cafe.pk}/change/", posted).status_code == 302
    row.refresh_from_db()
    assert row.state == "REQUESTED"
    # What was approved is what was read: it stands, and another purpose waits.
    changed = cafe.scope_approvals.get(scope="auth_base")
    assert (changed.state, changed.purpose, changed.draft_state) == ("APPROVED", "cafe needs auth_base", "REQUESTED")
    assert changed.draft["purpose"] == "to sell it on"
    assert cafe.scope_approvals.get(scope="auth_user").draft is None


@pytest.mark.trust(10)
@pytest.mark.trust(30)
def test_a_suspended_mini_program_is_felt_at_the_next_call(
    manager: Desk,
    alices: Container,
    alice: User,
    shop: MiniProgram,
    shop_server: MerchantServer,
    audited: Callable[..., Any],
) -> None:
    pair = shop_server.exchange(alices.code("shop", ["USER_NICKNAME"]))
    before = everything()
    assert "Say why" in manager.act(LIST, "suspend", [shop], reason="").content.decode()
    assert everything() == before
    manager.act(LIST, "suspend", [shop], reason="sells data")
    assert last_log() == ("the-manager", str(shop.pk), "Suspended. Why: sells data")
    assert shop_server.user_info(pair["accessToken"])["result"]["resultCode"] == "ACCESS_DENIED"
    audited("ACCESS_DENIED", app_id="shop", user=alice)

    manager.post(f"{LIST}{shop.pk}/act/restore/", {"reason": "they stopped"})
    assert last_log()[2] == "Active. Why: they stopped"
    assert shop_server.user_info(pair["accessToken"])["result"]["resultCode"] == "SUCCESS"


def test_the_buttons_are_those_that_make_sense(manager: Desk, shop: MiniProgram) -> None:
    path = f"{LIST}{shop.pk}/change/"

    def buttons() -> list[str]:
        page = manager.page(path)
        return [name for name in ("approve", "refuse", "suspend", "restore") if f"/act/{name}/" in page]

    assert buttons() == ["suspend"]
    MiniProgram.objects.filter(pk=shop.pk).update(status="SUSPENDED")
    shop.scope_approvals.filter(scope="USER_NAME").update(state=ScopeApproval.State.REQUESTED)
    assert buttons() == ["approve", "refuse", "restore"]


def test_fifty_mini_programs_take_few_statements(
    manager: Desk, cafe: MiniProgram, django_assert_max_num_queries: Any
) -> None:
    for number in range(55):
        make_program(f"cafe{number}", ["auth_base"], merchant=cafe.merchant)
    with django_assert_max_num_queries(12):
        assert manager.page(LIST).count('class="action-select"') == 50
