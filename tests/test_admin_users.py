"""People at the console: found by an exact name, shown masked, frozen with a reason."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group

from portal.models import LoginId, MiniProgram, User
from tests.conftest import Container
from tests.merchants import MerchantServer
from tests.operators import Desk, counted, everything, in_role, last_log

LIST = "/admin/portal/user/"


@pytest.fixture
def desk(olga: User) -> Desk:
    return Desk(olga)


@pytest.fixture
def manager(db: None) -> Desk:
    return Desk(in_role("manager"))


@pytest.mark.trust(32)
def test_numbers_mails_and_addresses_are_masked(desk: Desk, alice: User) -> None:
    LoginId.objects.create(user=alice, type="OTHER", value="alice-the-great")
    page = desk.page(f"{LIST}{alice.pk}/change/")
    for shown in ("+63 ••• ••• 4567", "a•••@example.org", "ali•••", "12 •••", "Que•••"):
        assert shown in page
    for hidden in ("9171234567", "alice@example.org", "alice-the-great", "85551234", "Mabini", "Quezon City"):
        assert hidden not in page


@pytest.mark.trust(32)
def test_a_nickname_is_masked_in_the_list_too(desk: Desk) -> None:
    User.objects.create_user("+639998887777", nickname="Marikit")
    page = desk.page(LIST)
    assert "Mar•••" in page
    assert "Marikit" not in page


@pytest.mark.trust(32)
def test_no_secret_of_a_person_is_shown_even_to_a_superuser(desk: Desk, alice: User) -> None:
    for page in (desk.page(LIST), desk.page(f"{LIST}{alice.pk}/change/"), desk.page(f"{LIST}{alice.pk}/history/")):
        assert alice.password not in page
        assert str(alice.uuid) not in page
        assert alice.uuid.hex not in page


@pytest.mark.trust(32)
@pytest.mark.parametrize(
    ("login", "shown"), [("+639998887777", "+63 ••• ••• 7777"), ("zed@example.org", "z•••@example.org")]
)
def test_a_login_that_is_a_number_or_a_mail_is_masked_too(desk: Desk, login: str, shown: str) -> None:
    user = User.objects.create_user(login)
    for path in (LIST, f"{LIST}{user.pk}/change/", f"{LIST}{user.pk}/act/freeze/"):
        page = desk.page(path)
        assert shown in page
        assert login not in page


@pytest.mark.parametrize(
    "name", ["alice", "ext-1", "0917 123 4567", "+639171234567", "63-9171234567", "Alice@example.org"]
)
def test_a_person_is_found_by_an_exact_name(desk: Desk, alice: User, bob: User, name: str) -> None:
    User.objects.filter(pk=alice.pk).update(external_id="ext-1")
    page = desk.get(LIST, {"q": name}).content.decode()
    assert f"{LIST}{alice.pk}/change/" in page
    assert f"{LIST}{bob.pk}/change/" not in page


def test_a_person_is_found_by_number(desk: Desk, alice: User, bob: User) -> None:
    page = desk.get(LIST, {"q": f"#{alice.pk}"}).content.decode()
    assert f"{LIST}{alice.pk}/change/" in page
    assert f"{LIST}{bob.pk}/change/" not in page


@pytest.mark.trust(32)
@pytest.mark.parametrize("part", ["ali", "0917", "917123", "example.org", "%", "#", "#99999999999999999999", "²"])
def test_half_a_name_finds_nobody(desk: Desk, alice: User, part: str) -> None:
    assert f"{LIST}{alice.pk}/change/" not in desk.get(LIST, {"q": part}).content.decode()


@pytest.mark.trust(32)
@pytest.mark.parametrize(
    "lookup",
    ["password__startswith", "uuid__startswith", "birth_date__year", "login_ids__value__startswith", "extra__a"],
)
def test_no_filter_guesses_what_is_hidden(desk: Desk, alice: User, lookup: str) -> None:
    assert desk.get(LIST, {lookup: "m"}).status_code == 400


def test_the_list_is_narrowed_by_status(desk: Desk, alice: User, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(status="FROZEN")
    page = desk.page(f"{LIST}?status__exact=FROZEN")
    assert f"{LIST}{bob.pk}/change/" in page
    assert f"{LIST}{alice.pk}/change/" not in page


@pytest.mark.trust(10)
@pytest.mark.trust(30)
def test_a_frozen_person_is_felt_at_the_next_call(
    manager: Desk,
    alices: Container,
    alice: User,
    shop: MiniProgram,
    shop_server: MerchantServer,
    audited: Callable[..., Any],
) -> None:
    pair = shop_server.exchange(alices.code("shop", ["USER_NICKNAME"]))
    path = f"{LIST}{alice.pk}/act/freeze/"
    assert "Reason" in manager.page(path)
    response = manager.post(path, {"reason": "stolen phone"}, follow=True)
    assert "Done: 1 of 1." in response.content.decode()
    assert last_log() == ("the-manager", str(alice.pk), "Frozen. Why: stolen phone")
    assert shop_server.user_info(pair["accessToken"])["result"]["resultCode"] == "USER_STATUS_ERROR"
    audited("USER_STATUS_ERROR", user=alice, app_id="shop")

    manager.act(LIST, "unfreeze", [alice], reason="phone is back")
    assert shop_server.user_info(pair["accessToken"])["result"]["resultCode"] == "SUCCESS"
    assert last_log()[2] == "Unfrozen. Why: phone is back"


@pytest.mark.trust(30)
@pytest.mark.parametrize("reason", ["", "   "])
def test_freezing_needs_a_reason(manager: Desk, alice: User, reason: str) -> None:
    before = everything()
    response = manager.act(LIST, "freeze", [alice], reason=reason)
    assert "Say why: the reason goes into the record." in response.content.decode()
    assert everything() == before


def test_freezing_twice_does_it_once(manager: Desk, alice: User) -> None:
    manager.act(LIST, "freeze", [alice], reason="one")
    response = manager.post(LIST, {"action": "freeze", "_selected_action": [alice.pk], "reason": "two"}, follow=True)
    assert "Done: 0 of 1." in response.content.decode()
    assert last_log()[2] == "Frozen. Why: one"


@pytest.mark.trust(33)
def test_a_manager_cannot_freeze_an_operator(manager: Desk, olga: User, alice: User) -> None:
    before = everything()
    assert manager.act(LIST, "freeze", [alice, olga], reason="coup").status_code == 403
    assert everything() == before


@pytest.mark.trust(33)
def test_only_a_superuser_makes_an_operator(manager: Desk, desk: Desk, alice: User) -> None:
    group = Group.objects.get(name="support")
    asked = {
        "is_active": "on",
        "is_staff": "on",
        "groups": [group.pk],
        "username": "x",
        "status": "FROZEN",
        "reason": "new",
    }
    asked |= counted("login_ids", 2) | counted("contacts", 3) | counted("addresses", 1)
    assert manager.post(f"{LIST}{alice.pk}/change/", asked).status_code == 403
    assert "Say why" in desk.post(f"{LIST}{alice.pk}/change/", {**asked, "reason": ""}).content.decode()
    assert desk.post(f"{LIST}{alice.pk}/change/", asked).status_code == 302
    alice.refresh_from_db()
    assert (alice.is_staff, alice.username, alice.status) == (True, "alice", "ACTIVE")
    assert list(alice.groups.all()) == [group]
    assert last_log()[2].endswith("Why: new")


def test_fifty_people_take_few_statements(desk: Desk, django_assert_max_num_queries: Any) -> None:
    User.objects.bulk_create(User(username=f"user{n}") for n in range(60))
    with django_assert_max_num_queries(12):
        assert desk.page(LIST).count('class="action-select"') == 50
