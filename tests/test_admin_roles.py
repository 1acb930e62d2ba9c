"""Roles: auditors read, support revokes one, managers approve, suspend and revoke many, administrators give roles.

The acts by which each of them could do harm, as forms that would work (trust 33); test_console_map.py tries the rest.
"""

from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Group
from django.test import Client

from authapi.models import AuthCode, ErrorAudit
from portal.models import ConsentDecision, User
from tests.conftest import Container
from tests.merchants import public_pem
from tests.operators import ROLES, Desk, counted, everything, in_role, last_log

pytestmark = pytest.mark.trust(33)

LISTS = (
    "portal/user",
    "portal/miniprogramgrant",
    "portal/consentdecision",
    "authapi/errorgroup",
    "authapi/erroraudit",
    "portal/merchantnotice",
    "portal/abusereport",
    "portal/miniprogram",
    "portal/scopeapproval",
    "portal/merchant",
    "portal/sector",
    "authapi/authcode",
    "oauth2_provider/accesstoken",
    "oauth2_provider/refreshtoken",
    "admin/logentry",
    "auth/group",
)


def acts_of_manager(scene: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """What only a manager may do: path and POST."""
    shop, cafe, alice = scene["shop"], scene["cafe"], scene["grants"][0].user
    why = {"reason": "because"}
    program = {"client_id": "new", "name": "New", "merchant": shop.merchant_id, "page_url": "https://new.example/"}
    key = {"keys-0-version": "2", "keys-0-public_key": public_pem("other")}
    review = {"approval": scene["waiting"].pk, "read": scene["waiting"].fingerprint(), "decision": "REWORD"}
    bulk = {"action": "revoke", "_selected_action": [grant.pk for grant in scene["grants"]]}
    across = {"action": "revoke", "_selected_action": [scene["grants"][0].pk], "select_across": "1"}
    return [
        ("/admin/portal/miniprogramgrant/", bulk | why),
        ("/admin/portal/miniprogramgrant/", bulk),
        ("/admin/portal/miniprogramgrant/", across | why),
        (f"/admin/portal/miniprogram/{cafe.pk}/act/approve/", why),
        (f"/admin/portal/miniprogram/{cafe.pk}/act/refuse/", why),
        (f"/admin/portal/miniprogram/{cafe.pk}/review/", review | why),
        ("/admin/portal/miniprogram/register/", program | {"owner": "shop-client", "wanted": "auth_base"} | why),
        (f"/admin/portal/miniprogram/{cafe.pk}/words/", why),
        (f"/admin/portal/miniprogram/{shop.pk}/act/suspend/", why),
        (f"/admin/portal/miniprogram/{shop.pk}/act/restore/", why),
        ("/admin/portal/miniprogram/", {"action": "suspend", "_selected_action": [shop.pk]} | why),
        ("/admin/portal/miniprogram/", {"action": "approve", "_selected_action": [cafe.pk]} | why),
        ("/admin/portal/miniprogram/add/", program | why),
        (f"/admin/portal/miniprogram/{shop.pk}/change/", program | why),
        ("/admin/portal/merchant/add/", {"client_id": "new", "name": "New"} | why),
        (f"/admin/portal/merchant/{shop.merchant_id}/change/", {"name": "New", "status": "DISABLED"} | key | why),
        ("/admin/portal/sector/add/", {"name": "new"} | why),
        (f"/admin/portal/user/{alice.pk}/act/freeze/", why),
        ("/admin/portal/user/", {"action": "freeze", "_selected_action": [alice.pk]} | why),
        (f"/admin/portal/merchantnotice/{scene['notice'].pk}/act/send_again/", why),
    ]


def acts_of_nobody(scene: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """What no role may do: write the ledger, the audit and tokens, delete, hand out roles."""
    alice, shop = scene["grants"][0].user, scene["shop"]
    written = {
        "portal/consentdecision": ConsentDecision.objects.latest("id"),
        "authapi/erroraudit": ErrorAudit.objects.latest("id"),
        "authapi/authcode": AuthCode.objects.latest("id"),
        "portal/miniprogramgrant": scene["grants"][0],
        "portal/merchantnotice": scene["notice"],
        "portal/abusereport": scene["report"],
    }
    acts = [(f"/admin/{path}/add/", {"reason": "x"}) for path in written]
    acts += [(f"/admin/{path}/{quote(row.pk)}/change/", {"reason": "x"}) for path, row in written.items()]
    acts += [(f"/admin/{path}/{quote(row.pk)}/delete/", {"post": "yes"}) for path, row in written.items()]
    return [
        *acts,
        (f"/admin/portal/user/{alice.pk}/delete/", {"post": "yes"}),
        ("/admin/portal/user/add/", {"username": "new"}),
        (f"/admin/portal/miniprogram/{shop.pk}/delete/", {"post": "yes"}),
        (f"/admin/portal/merchant/{shop.merchant_id}/delete/", {"post": "yes"}),
        ("/admin/auth/group/add/", {"name": "new"}),
        (
            "/admin/portal/miniprogramgrant/",
            {"action": "delete_selected", "_selected_action": [scene["grants"][0].pk]},
        ),
    ]


def refused(role: str, acts: list[tuple[str, dict[str, Any]]]) -> None:
    desk = Desk(in_role(role))
    before = everything()
    for path, data in acts:
        assert desk.post(path, data).status_code == 403, (role, path, data)
        assert everything() == before, (role, path)


def test_each_role_has_what_the_one_before_it_has(db: None) -> None:
    held = [set(Group.objects.get(name=role).permissions.values_list("codename", flat=True)) for role in ROLES]
    for_auditors = held[0] - {"export_rows", "verify_ledger"}
    assert for_auditors < held[1] < held[2]
    assert held[0] < held[2]
    assert all(name.startswith("view_") for name in for_auditors)
    assert held[1] - held[0] == {"revoke_grant", "close_report", "mark_error", "reveal_personal_data"}
    assert held[3] - held[0] == {"change_roles", "reset_second_factor", "change_user", "tend_job"}
    assert not {name for name in held[2] | held[3] if name.startswith("delete_")}


@pytest.mark.parametrize("role", ROLES)
def test_every_role_reads_every_list_and_page(role: str, scene: dict[str, Any]) -> None:
    desk = Desk(in_role(role))
    index = desk.page("/admin/")
    for path in LISTS:
        assert f'href="/admin/{path}/"' in index
        desk.page(f"/admin/{path}/")
    desk.page(f"/admin/portal/user/{scene['grants'][0].user_id}/change/")
    desk.page(f"/admin/portal/miniprogramgrant/{quote(scene['grants'][0].pk)}/change/")
    desk.page(f"/admin/portal/miniprogram/{scene['shop'].pk}/change/")
    desk.page(f"/admin/portal/merchant/{scene['shop'].merchant_id}/change/")
    desk.page(f"/admin/portal/merchantnotice/{scene['notice'].pk}/change/")
    desk.page(f"/admin/portal/abusereport/{scene['report'].pk}/change/")
    for path in ("authapi/authcode", "oauth2_provider/accesstoken", "oauth2_provider/refreshtoken"):
        assert "/change/" in desk.page(f"/admin/{path}/")


def test_an_auditor_can_neither_revoke_nor_close(scene: dict[str, Any]) -> None:
    grant = scene["grants"][0]
    one = {"action": "revoke", "_selected_action": [grant.pk], "reason": "because"}
    path = f"/admin/portal/miniprogramgrant/{quote(grant.pk)}/act/revoke/"
    close = f"/admin/portal/abusereport/{scene['report'].pk}/act/close/"
    acts = [(act, data) for act in (path, close) for data in ({"reason": "because"}, {})]
    refused("auditor", [*acts, ("/admin/portal/miniprogramgrant/", one)])
    assert Desk(User.objects.get(username="the-auditor")).get(path).status_code == 403


@pytest.mark.parametrize("role", ["auditor", "support", "administrator"])
def test_nobody_but_a_manager_does_a_managers_acts(role: str, scene: dict[str, Any]) -> None:
    also_an_administrators = "freeze" if role == "administrator" else "nothing"
    refused(role, [act for act in acts_of_manager(scene) if also_an_administrators not in str(act)])


def test_a_manager_is_refused_none_of_them(scene: dict[str, Any]) -> None:
    desk = Desk(in_role("manager"))
    for path, data in acts_of_manager(scene):
        before = everything()
        assert desk.post(path, data).status_code in (200, 302), path
        if "/act/" in path and "restore" not in path and "refuse" not in path:
            assert everything() != before, path


@pytest.mark.parametrize("role", ROLES)
def test_nobody_writes_history(role: str, scene: dict[str, Any]) -> None:
    refused(role, acts_of_nobody(scene))


@pytest.mark.parametrize("role", ["auditor", "support", "manager"])
def test_nobody_but_an_administrator_gives_roles(role: str, scene: dict[str, Any]) -> None:
    path = f"/admin/portal/user/{scene['grants'][0].user_id}/change/"
    refused(role, [(path, {"is_active": "on", "is_staff": "on", "is_superuser": "on", "reason": "x"})])


def test_an_administrator_gives_roles_to_others_and_makes_no_superuser(alice: User) -> None:
    desk, support = Desk(in_role("administrator")), Group.objects.get(name="support")
    path = f"/admin/portal/user/{alice.pk}/change/"
    assert 'name="is_superuser"' not in desk.page(path)
    form = {"is_active": "on", "is_staff": "on", "is_superuser": "on", "groups": [support.pk]}
    form |= counted("login_ids", 2) | counted("contacts", 3) | counted("addresses", 1)
    assert "Say why" in desk.post(path, form).content.decode()
    assert desk.post(path, form | {"reason": "joins the desk"}).status_code == 302
    alice.refresh_from_db()
    assert (alice.is_staff, alice.is_superuser, list(alice.groups.all())) == (True, False, [support])
    who, whom, words = last_log()
    assert (who, whom) == ("the-administrator", str(alice.pk))
    assert "Why: joins the desk" in words


def test_an_administrator_touches_neither_themselves_nor_a_superuser(olga: User) -> None:
    adam = in_role("administrator")
    desk, before = Desk(adam), everything()
    form = {"is_active": "on", "is_staff": "on", "groups": [group.pk for group in Group.objects.all()], "reason": "x"}
    for person in (adam, olga):
        start = f"/admin/portal/user/{person.pk}"
        assert 'name="is_staff"' not in desk.page(f"{start}/change/")
        for path, data in ((f"{start}/change/", form), (f"{start}/act/freeze/", {"reason": "x"})):
            assert desk.post(path, data).status_code == 403
    assert everything() == before


def test_an_administrator_freezes_an_operator_and_a_manager_does_not(db: None) -> None:
    support, manager, administrator = in_role("support"), in_role("manager"), in_role("administrator")
    path = f"/admin/portal/user/{support.pk}/act/freeze/"
    assert Desk(manager).post(path, {"reason": "x"}).status_code == 403
    assert Desk(administrator).post(path, {"reason": "left the company"}).status_code == 302
    support.refresh_from_db()
    assert support.status == "FROZEN"
    assert last_log() == ("the-administrator", str(support.pk), "Frozen. Why: left the company")


def test_roles_are_read_and_not_edited(olga: User) -> None:
    desk, group = Desk(olga), Group.objects.get(name="support")
    page = desk.page(f"/admin/auth/group/{group.pk}/change/")
    assert "Can revoke one grant" in page
    assert "Can approve" not in page
    assert desk.post(f"/admin/auth/group/{group.pk}/change/", {"name": "x"}).status_code == 403


def test_even_a_superuser_cannot_rewrite_history(olga: User, scene: dict[str, Any]) -> None:
    desk, before = Desk(olga), everything()
    for path, data in acts_of_nobody(scene)[:18]:
        assert desk.post(path, data).status_code == 403, path
    assert everything() == before


def test_support_revokes_one(scene: dict[str, Any]) -> None:
    desk = Desk(in_role("support"))
    one, other = scene["grants"]
    desk.act("/admin/portal/miniprogramgrant/", "revoke", [one], reason="asked by phone", scopes=list(one.scopes))
    one.refresh_from_db()
    other.refresh_from_db()
    assert one.ended_at
    assert other.ended_at is None


def test_a_role_sees_only_the_acts_it_may_do(scene: dict[str, Any]) -> None:
    path = f"/admin/portal/miniprogramgrant/{quote(scene['grants'][0].pk)}/change/"
    seen = {role: "/act/revoke/" in Desk(in_role(role)).page(path) for role in ROLES}
    assert seen == {"auditor": False, "support": True, "manager": True, "administrator": False}


def test_a_user_is_no_operator(alices: Container) -> None:
    for path in ("/admin/", *(f"/admin/{path}/" for path in LISTS)):
        response = alices.http.get(path)
        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/")


def test_a_frozen_operator_is_no_operator(db: None) -> None:
    manager = in_role("manager")
    desk = Desk(manager)
    desk.page("/admin/")
    User.objects.filter(pk=manager.pk).update(status="FROZEN")
    assert desk.get("/admin/").status_code == 302


def test_the_console_bears_the_brand(olga: User, settings: Any) -> None:
    settings.BRAND_NAME = "Qwik"
    assert "Qwik operations" in Desk(olga).page("/admin/")
    assert "Qwik operations" in Client().get("/admin/login/").content.decode()


@pytest.mark.trust(36)
def test_a_nul_byte_is_a_400(olga: User, scene: dict[str, Any]) -> None:
    desk = Desk(olga)
    for path in LISTS:
        assert desk.get(f"/admin/{path}/?q=a%00b").status_code == 400
        assert desk.get(f"/admin/{path}/a%00b/change/").status_code == 400
    assert desk.get("/admin/authapi/erroraudit/?program=%00").status_code == 400
    assert desk.post("/admin/portal/user/", {"action": "freeze", "_selected_action": "\0"}).status_code == 400


def test_id_tokens_have_no_page(olga: User) -> None:
    assert Desk(olga).get("/admin/oauth2_provider/idtoken/").status_code == 404
