"""The console's search: what an operator holds in their hand leads to its page, without a word of it in an address."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from playwright.sync_api import expect

from authapi.models import ErrorAudit
from portal.models import MiniProgram, MiniProgramGrant, User
from tests.conftest import Container
from tests.operators import Desk, in_role
from tests.served import Served

FIND = "/admin/find/"


@pytest.fixture
def desk(db: None) -> Desk:
    return Desk(in_role("auditor"))


def leads_to(desk: Desk, term: str) -> str:
    """Where a search leads straight."""
    response = desk.post(FIND, {"q": term})
    assert response.status_code == 302, response.content.decode()
    return str(response.headers["Location"])


def lists(desk: Desk, term: str) -> str:
    response = desk.post(FIND, {"q": term})
    assert response.status_code == 200
    return str(response.content.decode())


def error(**fields: Any) -> ErrorAudit:
    return ErrorAudit.objects.write(
        **{"endpoint": "/v2/x", "code": "INVALID_SIGNATURE", "reason": "no", "trace_id": "ab" * 16, **fields}
    )


@pytest.mark.parametrize(
    "term", ["alice", "+639171234567", "0917 123 4567", "alice@example.org", " ALICE@example.org "]
)
def test_a_person_is_found_by_what_they_sign_in_with(desk: Desk, alice: User, term: str) -> None:
    assert leads_to(desk, term) == f"/admin/portal/user/{alice.pk}/change/"


def test_a_person_is_found_by_number_and_external_id(desk: Desk, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(external_id="ext-77")
    for term in (f"#{alice.pk}", "ext-77"):
        assert leads_to(desk, term) == f"/admin/portal/user/{alice.pk}/change/"


@pytest.mark.trust(32)
@pytest.mark.parametrize("term", ["ali", "+63917123456", "alice@example", "example.org"])
def test_a_part_of_a_persons_name_finds_nobody(desk: Desk, alice: User, term: str) -> None:
    page = lists(desk, term)
    assert "Nothing that you may view was found." in page
    assert f"/user/{alice.pk}/" not in page
    assert term not in page


def test_a_trace_id_leads_to_its_error(desk: Desk) -> None:
    row = error()
    assert leads_to(desk, row.trace_id) == f"/admin/authapi/erroraudit/{row.pk}/change/"
    assert leads_to(desk, row.trace_id.upper()) == f"/admin/authapi/erroraudit/{row.pk}/change/"


def test_a_grant_id_leads_to_the_grant(desk: Desk, alices: Container, shop: MiniProgram) -> None:
    alices.code("shop", ["USER_NICKNAME"])
    grant = MiniProgramGrant.objects.get()
    address = leads_to(desk, grant.pk)
    assert desk.page(address).count(grant.pk)


def test_an_error_code_leads_to_its_list(desk: Desk) -> None:
    error()
    assert leads_to(desk, "invalid_signature") == "/admin/authapi/erroraudit/?code=INVALID_SIGNATURE"
    assert "INVALID_SIGNATURE" in desk.page(leads_to(desk, "INVALID_SIGNATURE"))


def test_an_app_id_in_full_leads_to_the_mini_program(desk: Desk, shop: MiniProgram) -> None:
    assert leads_to(desk, "shop") == f"/admin/portal/miniprogram/{shop.pk}/change/"
    assert leads_to(desk, "shop-client") == f"/admin/portal/merchant/{shop.merchant_id}/change/"


def test_the_beginning_of_a_name_lists_what_it_may_be(desk: Desk, shop: MiniProgram, cafe: MiniProgram) -> None:
    page = lists(desk, "sho")
    for text in ("Mini-programs", "appId shop", "Merchants", "shop Ltd", "Client-Id shop-client"):
        assert text in page
    assert "cafe" not in page


@pytest.mark.parametrize(
    ("term", "address"),
    [
        ("suspend", "/admin/portal/miniprogram/"),
        ("reports", "/admin/portal/abusereport/"),
        ("ledger", "/admin/authapi/ledgercheck/"),
        ("why?", "/admin/why/"),
        ("stuck", "/admin/portal/job/"),
        ("kill", "/admin/portal/massrevocation/"),
        ("passkey", "/admin/second-factor/"),
        ("dashboard", "/admin/"),
    ],
)
def test_a_page_is_found_by_what_is_done_there(desk: Desk, term: str, address: str) -> None:
    assert leads_to(desk, term) == address


# --- Safe ---------------------------------------------------------------------------------------------------------


@pytest.mark.trust(33)
def test_what_an_operator_may_not_view_is_not_found(alice: User, shop: MiniProgram) -> None:
    row = error()
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename="view_merchant"))
    desk = Desk(clerk)
    for term in ("alice", "#1", row.trace_id, row.code, "reports", "ledger", "why?"):
        assert "Nothing that you may view was found." in lists(desk, term)
    assert leads_to(desk, "shop") == f"/admin/portal/merchant/{shop.merchant_id}/change/"


def test_who_is_no_operator_finds_nothing(browser: Client, alice: User) -> None:
    for client in (Client(), browser):
        response = client.post(FIND, {"q": "alice"})
        assert response.status_code == 302
        assert response.headers["Location"].startswith("/admin/login/")


@pytest.mark.trust(32)
def test_what_was_looked_for_stays_out_of_addresses_pages_and_caches(desk: Desk, alice: User) -> None:
    assert "alice" not in leads_to(desk, "alice@example.org")
    response = desk.post(FIND, {"q": "nobody@example.org"})
    assert "no-store" in response.headers["Cache-Control"]
    assert b"nobody@example.org" not in response.content
    assert b"Nothing that you may view" not in desk.get(FIND, {"q": "alice@example.org"}).content
    assert not LogEntry.objects.exists()


def test_a_search_from_elsewhere_is_refused(alice: User) -> None:
    desk = Desk(in_role("auditor"))
    desk.handler.enforce_csrf_checks = True
    assert desk.post(FIND, {"q": "alice"}).status_code == 403


@pytest.mark.trust(36)
@pytest.mark.parametrize("term", ["", " ", "#", "#" + "9" * 20, "é" * 300, "%", "_", "'; --", "\u2028", "#-1"])
def test_nonsense_finds_nothing(desk: Desk, alice: User, shop: MiniProgram, term: str) -> None:
    page = lists(desk, term)
    assert "What can be found" in page


@pytest.mark.trust(36)
def test_a_nul_byte_is_a_bad_request(desk: Desk) -> None:
    assert desk.post(FIND, {"q": "a\0b"}).status_code == 400


def test_it_takes_few_statements(desk: Desk, shop: MiniProgram, django_assert_max_num_queries: Any) -> None:
    for term in ("sho", "ab" * 16, "INVALID_SIGNATURE", "+639171234567", "#12", "suspend"):
        with django_assert_max_num_queries(12):
            desk.post(FIND, {"q": term})


# --- In a browser -------------------------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.parametrize("keys", ["/", "Control+k"])
def test_a_key_leads_to_the_search(served: Served, desk: Desk, keys: str) -> None:
    page = served.show(desk.get("/admin/portal/miniprogram/"))
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press(keys)
    field = page.get_by_role("searchbox", name="Find")
    expect(field).to_be_focused()
    page.keyboard.type("a/b")
    expect(field).to_have_value("a/b")
    assert served.blocked == []
