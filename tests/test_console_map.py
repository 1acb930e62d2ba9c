"""Every page and act of the console as every role: what is above it is 403 and changes nothing (trust 33 and 34)."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import Client

from portal.models import User
from tests import console_map
from tests.console_map import MODELS, PAGES, acts, addresses, filled, key_of, patterns, prefixes
from tests.operators import ROLES, Desk, everything, in_role

pytestmark = pytest.mark.trust(33)
WHY = {"reason": "because"}


# --- The tables are whole ---------------------------------------------------------------------------------------


def test_every_page_of_the_console_says_who_may_open_it() -> None:
    assert [found for found in patterns() if not console_map.is_known(found)] == []
    assert {model._meta.label for model in admin.site._registry} == set(MODELS)
    assert [found for found in PAGES if found not in patterns()] == []


def test_every_act_of_the_console_says_who_may_do_it() -> None:
    offered = list(acts())
    assert set(offered) == {(model, act) for model, table in MODELS.items() for act in table.acts}


def test_the_roles_are_those_of_the_tables(db: None) -> None:
    assert set(Group.objects.values_list("name", flat=True)) == set(ROLES) == console_map.EVERYBODY


# --- Each role tries everything ---------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_a_role_opens_its_own_pages_and_no_others(role: str, stage: dict[str, Any]) -> None:
    desk, before = Desk(in_role(role)), everything()
    wrong = []
    for address, roles in addresses():
        status = desk.get(address).status_code
        if (status == 403) is (role in roles) or status >= 500:
            wrong.append((address, status))
    assert wrong == []
    assert everything() == before


@pytest.mark.parametrize("role", ROLES)
def test_a_role_saves_only_what_is_its_own(role: str, stage: dict[str, Any]) -> None:
    desk, before = Desk(in_role(role)), everything()
    for model, start in prefixes().items():
        table = MODELS[model]
        for rest, roles in (("add/", table.add), (f"{key_of(model)}/change/", table.change)):
            status = desk.post(f"/admin/{start}{rest}", {}).status_code  # without a reason nothing is saved anyway
            refused = {403, 302} if table.leads_elsewhere else {403}
            assert status in ({200} if role in roles else refused), (model, rest, status)
        assert desk.post(f"/admin/{start}{key_of(model)}/delete/", {"post": "yes"}).status_code == 403
        if role not in table.export and "export/" in _below(start):
            assert desk.post(f"/admin/{start}export/", {"kind": "csv", **WHY}).status_code == 403, model
    for pattern, page in PAGES.items():
        if page.sends is not None and role not in page.sends:
            assert desk.post(f"/admin/{filled(pattern)}", WHY).status_code == 403, pattern
    assert everything() == before


def _below(start: str) -> set[str]:
    return {pattern.removeprefix(start) for pattern in patterns() if pattern.startswith(start)}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_does_only_its_own_acts(role: str, stage: dict[str, Any]) -> None:
    """By the button of a row and by the menu of a list, at first sight and with a reason."""
    desk, before = Desk(in_role(role)), everything()
    for model, act in acts():
        start, key = f"/admin/{prefixes()[model]}", key_of(model)
        chosen = {"action": act, "_selected_action": [next(_raw(model))]}
        asked = [desk.get(f"{start}{key}/act/{act}/"), desk.post(start, chosen)]
        if role in MODELS[model].acts[act]:
            of_a_list = 403 if MODELS[model].one_by_one else 200
            assert [answer.status_code for answer in asked] == [200, of_a_list], (model, act)
            continue
        done = [desk.post(f"{start}{key}/act/{act}/", WHY), desk.post(start, chosen | WHY)]
        assert [answer.status_code for answer in (*asked, *done)] == [403] * 4, (model, act)
    assert everything() == before


def _raw(label: str) -> Any:
    """The key of the first row, as a form sends it."""
    model = next(model for model in admin.site._registry if model._meta.label == label)
    yield model._default_manager.order_by("pk").values_list("pk", flat=True)[0]


# --- And whoever has no business there --------------------------------------------------------------------------

BEFORE_THE_GUARD = ("/admin/login/", "/admin/second-factor/")


@pytest.mark.trust(34)
@pytest.mark.parametrize("enrolled", [True, False])
def test_without_a_second_factor_no_page_opens(enrolled: bool, stage: dict[str, Any]) -> None:
    root = User.objects.get(username="root")
    client = Client()
    client.force_login(root)
    if not enrolled:
        root.authenticator_set.all().delete()  # type: ignore[attr-defined]  # allauth's
    step, before = ("/admin/second-factor/show/" if enrolled else "/admin/second-factor/"), everything()
    for address, _roles in addresses():
        if address.startswith(BEFORE_THE_GUARD):
            continue
        for answer in (client.get(address), client.post(address, WHY)):
            assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, step), address
    assert everything() == before


@pytest.mark.parametrize("who", ["nobody", "alice", "a frozen manager", "a manager who lost the role"])
def test_whoever_is_no_operator_is_shown_nothing(who: str, stage: dict[str, Any]) -> None:
    manager = in_role("manager")
    client = {"nobody": Client, "alice": Client}.get(who, lambda: Desk(manager))()
    if who == "alice":
        client.force_login(User.objects.get(username="alice"))
    User.objects.filter(pk=manager.pk).update(**({"status": "FROZEN"} if "frozen" in who else {"is_staff": False}))
    before = everything()
    for address, _roles in addresses():
        if address == "/admin/login/":
            continue
        for answer in (client.get(address), client.post(address, WHY)):
            assert answer.status_code in (302, 404), (address, answer.status_code)
            assert answer.status_code == 404 or answer["Location"].startswith(("/admin/login/", "/admin/")), address
    assert everything() == before
