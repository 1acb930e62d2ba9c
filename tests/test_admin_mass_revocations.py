"""The kill switch at the desk: dry run, second manager, no undo, everything in the log (trust 30, 33, 34)."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from portal.mass_revocations import carry_on
from portal.models import MassRevocation, MiniProgram, MiniProgramGrant, User
from tests.conftest import Container
from tests.operators import Desk, in_role, last_log

pytestmark = [pytest.mark.trust(30), pytest.mark.trust(33)]
LIST = "/admin/portal/massrevocation/"
ADD = f"{LIST}add/"
ASKED = {"app_id": "shop", "reason": "leaked key"}


@pytest.fixture
def manager(db: None) -> Desk:
    return Desk(in_role("manager"))


@pytest.fixture
def second(manager: Desk) -> Desk:
    user = User.objects.create_user("second", is_staff=True)
    user.groups.set(User.objects.get(username="the-manager").groups.all())
    return Desk(user)


@pytest.fixture
def granted(alices: Container, bobs: Container, shop: MiniProgram) -> MiniProgram:
    alices.code("shop", ["auth_base", "USER_NICKNAME"])
    bobs.code("shop", ["auth_base"])
    return shop


def asked(manager: Desk, **fields: Any) -> MassRevocation:
    response = manager.post(ADD, {**ASKED, "ask": "1", **fields})
    assert response.status_code == 302, response.content.decode()
    return MassRevocation.objects.latest("id")


def test_the_dry_run_says_how_many_and_changes_nothing(manager: Desk, granted: MiniProgram) -> None:
    page = manager.post(ADD, {**ASKED, "count": "1"}).content.decode()
    assert "2 grants of 2 users, 0 refresh tokens" in page
    assert "Ask a second manager" in page
    assert not MassRevocation.objects.exists()
    assert LogEntry.objects.count() == 0


def test_asking_is_recorded_and_revokes_nothing(manager: Desk, granted: MiniProgram) -> None:
    batch = asked(manager)
    assert (batch.state, batch.counted["grants"]) == ("ASKED", 2)
    who, what, words = last_log()
    assert (who, what) == ("the-manager", str(batch.pk))
    assert words == ("Asked for everything of shop: 2 grants of 2 users, 0 refresh tokens. Why: leaked key")
    assert carry_on() == 0
    assert MiniProgramGrant.objects.live().count() == 2


def test_who_asked_cannot_approve(manager: Desk, granted: MiniProgram) -> None:
    batch = asked(manager)
    before = LogEntry.objects.count()
    page = manager.post(f"{LIST}{batch.pk}/act/approve/", {"name": "shop", "reason": "me"}, follow=True)
    assert "somebody else has to approve it" in page.content.decode()
    batch.refresh_from_db()
    assert (batch.state, LogEntry.objects.count()) == ("ASKED", before)


def test_the_second_manager_types_the_name_and_access_ends(manager: Desk, second: Desk, granted: MiniProgram) -> None:
    batch = asked(manager)
    act = f"{LIST}{batch.pk}/act/approve/"
    page = second.page(act)
    assert "2 grants of 2 users" in page
    assert "cannot be undone" in page
    assert "Type shop to approve" in page
    wrong = second.post(act, {"name": "cafe", "reason": "agreed"}).content.decode()
    assert "This is not what is about to be cut off. Type: shop" in wrong
    assert MiniProgramGrant.objects.live().count() == 2
    assert second.post(act, {"name": "shop", "reason": "agreed"}).status_code == 302
    assert MiniProgramGrant.objects.live().count() == 0
    assert last_log() == ("second", str(batch.pk), "Approved: everything of shop. Why: agreed")
    assert carry_on() == 2
    assert last_log() == ("second", str(batch.pk), "Done: 2 grants and 0 tokens ended. Why: leaked key")
    page = second.page(f"{LIST}{batch.pk}/change/")
    assert "2 of about 2 grants" in page
    assert "act/" not in page


def test_a_refused_one_is_over(manager: Desk, second: Desk, granted: MiniProgram) -> None:
    batch = asked(manager)
    second.post(f"{LIST}{batch.pk}/act/refuse/", {"reason": "wrong shop"})
    assert last_log() == ("second", str(batch.pk), "Refused. Why: wrong shop")
    second.post(f"{LIST}{batch.pk}/act/approve/", {"name": "shop", "reason": "after all"})
    batch.refresh_from_db()
    assert batch.state == "REFUSED"
    assert MiniProgramGrant.objects.live().count() == 2


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"app_id": ""}, "Name either one mini-program or one merchant."),
        ({"client_id": "shop-client"}, "Name either one mini-program or one merchant."),
        ({"app_id": "nowhere"}, "There is no mini-program with this appId."),
        ({"app_id": "", "client_id": "nobody"}, "There is no merchant with this Client-Id."),
        ({"reason": ""}, "Say why"),
        ({"scopes": ["NO_SUCH"]}, "NO_SUCH is not one of the available choices"),
        (
            {"since": "2026-02-01T00:00", "until": "2026-01-01T00:00"},
            "This is not after",
        ),
        ({"since": "yesterday"}, "Enter a valid date"),
    ],
)
def test_a_bad_request_names_the_field(
    manager: Desk, granted: MiniProgram, fields: dict[str, Any], words: str
) -> None:
    page = manager.post(ADD, {**ASKED, "ask": "1", **fields})
    assert page.status_code == 200
    assert words in page.content.decode()
    assert not MassRevocation.objects.exists()


@pytest.mark.parametrize("role", ["auditor", "support"])
def test_lower_roles_read_and_neither_ask_nor_approve(manager: Desk, granted: MiniProgram, role: str) -> None:
    batch, desk = asked(manager), Desk(in_role(role))
    assert "shop" in desk.page(LIST)
    assert "leaked key" in desk.page(f"{LIST}{batch.pk}/change/")
    assert desk.post(ADD, {**ASKED, "ask": "1"}).status_code == 403
    for act in ("approve", "refuse"):
        answer = desk.post(f"{LIST}{batch.pk}/act/{act}/", {"name": "shop", "reason": "why not"})
        assert answer.status_code == 403
    assert MassRevocation.objects.get().state == "ASKED"


@pytest.mark.trust(34)
def test_both_steps_ask_for_a_recent_sign_in(manager: Desk, second: Desk, granted: MiniProgram) -> None:
    batch = asked(manager)
    late = Desk(User.objects.get(username="second"), ago=3600)
    page = late.post(f"{LIST}{batch.pk}/act/approve/", {"name": "shop", "reason": "agreed"})
    assert "Is it still you?" in page.content.decode()
    assert "Is it still you?" in late.page(ADD)
    batch.refresh_from_db()
    assert batch.state == "ASKED"


def test_list_and_page_take_few_statements(
    manager: Desk, granted: MiniProgram, django_assert_max_num_queries: Any
) -> None:
    batches = [asked(manager) for _number in range(5)]
    with django_assert_max_num_queries(12):
        manager.page(LIST)
    with django_assert_max_num_queries(12):
        manager.page(f"{LIST}{batches[0].pk}/change/")
