"""The ledger at the console: found and read, never written."""

import re
from typing import Any

import pytest

from portal.models import ConsentDecision, MiniProgram, MiniProgramGrant, User
from portal.terms import Duration
from tests.conftest import Container
from tests.operators import Desk, in_role
from tests.test_terms import allow

LIST = "/admin/portal/consentdecision/"


@pytest.fixture
def desk(db: None) -> Desk:
    return Desk(in_role("auditor"))


@pytest.fixture
def given(alices: Container, shop: MiniProgram) -> ConsentDecision:
    alices.code("shop", ["USER_NICKNAME"])
    return ConsentDecision.objects.latest("id")


@pytest.mark.parametrize("by", ["trace_id", "grant_id", "login", "app_id"])
def test_a_decision_is_found(desk: Desk, given: ConsentDecision, bobs: Container, cafe: MiniProgram, by: str) -> None:
    bobs.code("cafe", ["USER_NICKNAME"])
    other = ConsentDecision.objects.latest("id")
    term = {"login": "alice", "app_id": "shop"}.get(by) or getattr(given, by)
    page = desk.get(LIST, {"q": term}).content.decode()
    assert f"{LIST}{given.pk}/change/" in page
    assert f"{LIST}{other.pk}/change/" not in page


def test_the_list_is_narrowed_by_act(desk: Desk, alice: User, given: ConsentDecision) -> None:
    MiniProgramGrant.objects.get().revoke(by=alice, reason="enough")
    page = desk.page(f"{LIST}?act__exact=withdrawn")
    assert "enough" in page
    assert f"{LIST}{given.pk}/change/" not in page
    assert f"{LIST}{given.pk}/change/" in desk.page(f"{LIST}?within=hour&program=shop")


@pytest.mark.trust(28)
def test_the_page_shows_the_words_the_user_saw(desk: Desk, given: ConsentDecision) -> None:
    page = desk.page(f"{LIST}{given.pk}/change/")
    for text in ("shop needs USER_NICKNAME", "What you like to be called.", given.trace_id, "USER_NICKNAME"):
        assert text in page


@pytest.mark.trust(28)
def test_the_terms_stand_in_the_list_and_on_the_page(desk: Desk, alices: Container, shop: MiniProgram) -> None:
    allow(alices, ["USER_NICKNAME"], Duration.ONCE)
    row = ConsentDecision.objects.get()
    for path in (LIST, f"{LIST}{row.pk}/change/"):
        assert re.search(r"USER_NICKNAME until [^<]+, this time only", desk.page(path))


@pytest.mark.trust(31)
def test_the_list_offers_no_act(olga: User, given: ConsentDecision) -> None:
    page = Desk(olga).page(LIST)
    for offer in ("delete_selected", f"{LIST}add/", 'name="action"'):
        assert offer not in page


def test_fifty_decisions_take_few_statements(
    desk: Desk, alice: User, shop: MiniProgram, django_assert_max_num_queries: Any
) -> None:
    row = {"user": alice, "mini_program": shop, "actor": alice, "act": "given"}
    ConsentDecision.objects.bulk_create(ConsentDecision(**row) for _ in range(60))
    with django_assert_max_num_queries(12):
        assert desk.page(LIST).count('class="field-after') == 50
