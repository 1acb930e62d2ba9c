"""Big lists of the console: paged by key, counted only as far as it is cheap, read in few statements."""

import html
import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import OperationalError, connection
from django.utils import timezone

from authapi.models import ErrorAudit
from portal.admin import paging
from portal.models import ConsentDecision, MiniProgram, MiniProgramGrant, User
from tests.conftest import make_program
from tests.operators import Desk, in_role

GRANTS = "/admin/portal/miniprogramgrant/"
DECISIONS = "/admin/portal/consentdecision/"
ERRORS = "/admin/authapi/erroraudit/"
PEOPLE = "/admin/portal/user/"
NOON = timezone.now().replace(hour=12)
PAGE = 50


@pytest.fixture
def desk(db: None) -> Desk:
    return Desk(in_role("manager"))


@pytest.fixture
def grants(shop: MiniProgram, cafe: MiniProgram) -> list[MiniProgramGrant]:
    """120, newest first, every third one Cafe's; pairs of them begin in the same moment."""
    people = User.objects.bulk_create(User(username=f"user{n}") for n in range(120))
    rows = [
        MiniProgramGrant(
            user=user,
            mini_program=cafe if n % 3 == 0 else shop,
            since=NOON - timedelta(days=n // 2),
            scopes={"auth_base": NOON.isoformat(), **({"USER_ADDRESS": NOON.isoformat()} if n == 77 else {})},
        )
        for n, user in enumerate(people)
    ]
    MiniProgramGrant.objects.bulk_create(rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE portal_miniprogramgrant")  # or the planner goes by what other tests left behind
    return list(MiniProgramGrant.objects.order_by("-since", "-pk"))


def shown(page: str) -> list[str]:
    """The keys of the rows, in their order."""
    return re.findall(r'name="_selected_action" value="([^"]+)"', page)


def links(page: str) -> dict[str, str]:
    """{what it is: its query} under the list."""
    under = page.split('<p class="paginator">')[1].split("</p>")[0]
    return {label: html.unescape(query) for query, label in re.findall(r'<a href="(\?[^"]*)">(\w+)</a>', under)}


def said(page: str) -> str:
    """What is under the list, without the links."""
    under = page.split('<p class="paginator">')[1].split("</p>")[0]
    return " ".join(re.sub(r"<a .*?</a>", "", under).split())


def walked(desk: Desk, path: str, step: str) -> list[list[str]]:
    """The rows of every page from here in this direction."""
    page = desk.page(path)
    pages = [shown(page)]
    while step in links(page):
        page = desk.page(path.split("?")[0] + links(page)[step])
        pages.append(shown(page))
    return pages


def joined(pages: Iterable[list[str]]) -> list[str]:
    return [key for page in pages for key in page]


def test_next_walks_through_every_row_once(desk: Desk, grants: list[MiniProgramGrant]) -> None:
    pages = walked(desk, GRANTS, "Next")
    assert [len(page) for page in pages] == [50, 50, 20]
    assert joined(pages) == [grant.pk for grant in grants]


def test_last_and_previous_walk_back_to_the_first(desk: Desk, grants: list[MiniProgramGrant]) -> None:
    last = f"{GRANTS}{links(desk.page(GRANTS))['Last']}"
    pages = walked(desk, last, "Previous")
    assert [len(page) for page in pages] == [50, 50, 20]
    assert joined(reversed(pages)) == [grant.pk for grant in grants]
    assert set(links(desk.page(last))) == {"First", "Previous"}


def test_the_first_page_leads_only_on(desk: Desk, grants: list[MiniProgramGrant]) -> None:
    first = desk.page(GRANTS)
    assert set(links(first)) == {"Next", "Last"}
    second = desk.page(GRANTS + links(first)["Next"])
    assert set(links(second)) == {"First", "Previous", "Next", "Last"}
    assert desk.page(GRANTS + links(second)["Previous"]).count("action-select") == PAGE
    assert shown(desk.page(GRANTS + links(second)["First"])) == shown(first)


def test_a_row_that_comes_meanwhile_shifts_no_page(
    desk: Desk, grants: list[MiniProgramGrant], shop: MiniProgram, bob: User
) -> None:
    following = GRANTS + links(desk.page(GRANTS))["Next"]
    before = shown(desk.page(following))
    MiniProgramGrant.objects.create(user=bob, mini_program=shop)
    assert shown(desk.page(following)) == before


def test_pages_keep_filters_and_search(desk: Desk, grants: list[MiniProgramGrant]) -> None:
    shops = [grant.pk for grant in grants if grant.mini_program.client_id == "shop"]
    for query in ("program=shop", "q=shop", "merchant=shop-client", "state=live&program=shop"):
        assert joined(walked(desk, f"{GRANTS}?{query}", "Next")) == shops, query
        last = GRANTS + links(desk.page(f"{GRANTS}?{query}"))["Last"]
        assert joined(reversed(walked(desk, last, "Previous"))) == shops, query


def test_the_other_way_round_is_paged_too(desk: Desk, grants: list[MiniProgramGrant]) -> None:
    column = 6  # since; 0 is the box to tick
    pages = joined(walked(desk, f"{GRANTS}?o={column}", "Next"))
    assert len(pages) == len(set(pages)) == 120
    since = dict(MiniProgramGrant.objects.values_list("pk", "since"))
    assert [since[pk] for pk in pages] == sorted(since.values())


@pytest.mark.parametrize("column", [2, 8, 99, "x"])
def test_what_no_index_keeps_in_order_is_not_sorted_by(
    desk: Desk, grants: list[MiniProgramGrant], column: Any
) -> None:
    page = desk.page(f"{GRANTS}?o={column}")
    assert shown(page) == [grant.pk for grant in grants[:PAGE]]
    assert '<th scope="col" class="sortable column-since' in page
    assert '<th scope="col" class="sortable column-last_used_at' not in page


@pytest.mark.parametrize("page", ["2", "after:", "after:x,y", "after:1", "before:2026-01-01", "nonsense"])
def test_an_address_of_no_page_is_harmless(desk: Desk, grants: list[MiniProgramGrant], page: str) -> None:
    response = desk.get(GRANTS, {"p": page}, follow=True)
    assert response.status_code == 200
    assert shown(response.content.decode()) == [grant.pk for grant in grants[:PAGE]]


# --- Filters ----------------------------------------------------------------------------------------------------


def test_grants_of_a_merchant_are_those_of_all_its_mini_programs(
    desk: Desk, grants: list[MiniProgramGrant], shop: MiniProgram, bob: User
) -> None:
    second = make_program("shop-2", ["auth_base"], shop.merchant)
    MiniProgramGrant.objects.create(user=bob, mini_program=second, since=NOON - timedelta(days=20, hours=1))
    expected = MiniProgramGrant.objects.filter(mini_program__merchant=shop.merchant).order_by("-since", "-pk")
    for step, start in (("Next", ""), ("Previous", "&p=last")):
        pages = walked(desk, f"{GRANTS}?merchant=shop-client{start}", step)
        found = joined(pages if step == "Next" else reversed(pages))
        assert found == [grant.pk for grant in expected]
    assert said(desk.page(f"{GRANTS}?merchant=nobody")) == "0 grants"


def test_grants_of_some_days(desk: Desk, grants: list[MiniProgramGrant]) -> None:
    first, last = (NOON - timedelta(days=9)).date(), (NOON - timedelta(days=3)).date()
    for query, number in (
        (f"from={first}&until={last}", 12),
        (f"from={last}", 8),
        (f"until={first}", 100),
        (f"from={first}&until={last}&program=cafe", 4),
        (f"from={last}&until={first}", 0),
        ("from=yesterday", 0),
    ):
        assert said(desk.page(f"{GRANTS}?{query}")) == f"{number} grants", query


def test_grants_with_a_scope(desk: Desk, grants: list[MiniProgramGrant]) -> None:
    rare = [grant.pk for grant in grants if "USER_ADDRESS" in grant.scopes]
    assert shown(desk.page(f"{GRANTS}?scope=USER_ADDRESS")) == rare
    assert said(desk.page(f"{GRANTS}?scope=auth_base")) == "120 grants"
    assert said(desk.page(f"{GRANTS}?scope=USER_NATIONALITY")) == "0 grants"
    since = grants[0].scopes["auth_base"]
    assert not MiniProgramGrant.objects.holding(since).exists()  # it is a value, not a name


def test_errors_of_an_endpoint_are_those_under_every_prefix(desk: Desk) -> None:
    paths = ["/v1/authorizations/applyToken", "/ams/api/v2/authorizations/applyToken", "/v2/users/inquiryUserInfo"]
    at = [NOON - timedelta(minutes=n) for n in range(130)]
    rows = [ErrorAudit(endpoint=paths[n % 3], code="X", reason="r", trace_id=f"{n:032}", at=at[n]) for n in range(130)]
    ErrorAudit.objects.bulk_create(rows)
    expected = [str(row.pk) for row in ErrorAudit.objects.order_by("-at") if "applyToken" in row.endpoint]
    found, page = [], desk.page(f"{ERRORS}?endpoint=applyToken")
    while True:
        found += re.findall(r"erroraudit/(\d+)/change", page)
        if "Next" not in links(page):
            break
        page = desk.page(ERRORS + links(page)["Next"])
    assert found == expected
    assert said(desk.page(f"{ERRORS}?endpoint=query")) == "0 error audit"


# --- How many ---------------------------------------------------------------------------------------------------


def test_few_rows_are_counted_exactly(desk: Desk, grants: list[MiniProgramGrant]) -> None:
    assert said(desk.page(GRANTS)) == "120 grants"
    assert "80 found" in desk.page(f"{GRANTS}?q=shop")


def test_many_rows_are_said_to_be_an_estimate(desk: Desk, grants: list[MiniProgramGrant], monkeypatch: Any) -> None:
    monkeypatch.setattr(paging, "COUNTED", 100)
    monkeypatch.setattr(paging, "estimated", lambda rows: 0)
    assert said(desk.page(GRANTS)) == "more than 100 grants"
    monkeypatch.setattr(paging, "estimated", lambda rows: 4_987_654)
    page = desk.page(GRANTS)
    assert said(page) == "about 5,000,000 grants"
    assert said(desk.page(GRANTS + links(page)["Last"])) == "about 5,000,000 grants"


@pytest.mark.postgres
def test_the_estimate_is_the_planners(desk: Desk, grants: list[MiniProgramGrant], monkeypatch: Any) -> None:
    monkeypatch.setattr(paging, "COUNTED", 10)
    assert said(desk.page(GRANTS)) == "about 120 grants"
    assert said(desk.page(f"{GRANTS}?program=shop")) == "about 80 grants"


@pytest.mark.postgres
def test_what_takes_too_long_is_given_up_with_an_advice(
    desk: Desk, grants: list[MiniProgramGrant], monkeypatch: Any
) -> None:
    monkeypatch.setattr(paging, "PATIENCE", 50)

    def slow(self: paging.KeysetList) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")
        return []

    monkeypatch.setattr(paging.KeysetList, "_rows", slow)
    assert said(desk.page(GRANTS)).startswith("This takes too long to look up. Narrow the list")


def test_another_failure_of_the_database_is_not_hidden(desk: Desk, monkeypatch: Any) -> None:
    def gone(self: paging.KeysetList) -> list[Any]:
        raise OperationalError("the connection is gone")

    monkeypatch.setattr(paging.KeysetList, "_rows", gone)
    with pytest.raises(OperationalError):
        desk.get(GRANTS)


# --- Acts on all rows -------------------------------------------------------------------------------------------


def test_an_act_on_all_rows_is_one_on_the_filtered_rows(desk: Desk, grants: list[MiniProgramGrant]) -> None:
    path = f"{GRANTS}?program=cafe"
    page = desk.page(f"{GRANTS}?program=shop")
    assert "Select all 80 grants" in page
    posted = {"action": "revoke", "_selected_action": [grants[0].pk], "select_across": "1", "reason": "breach"}
    response = desk.post(path, posted, follow=True)
    assert "Done: 40 of 40." in response.content.decode()
    assert set(MiniProgramGrant.objects.live().values_list("mini_program__client_id", flat=True)) == {"shop"}
    assert LogEntry.objects.filter(change_message="Revoked. Why: breach").count() == 40


def test_no_act_is_offered_or_taken_on_more_rows_than_are_counted(
    desk: Desk, grants: list[MiniProgramGrant], monkeypatch: Any
) -> None:
    monkeypatch.setattr(paging, "COUNTED", 100)
    monkeypatch.setattr("portal.admin.pages.COUNTED", 100)
    page = desk.page(GRANTS)
    assert "0 of 50 selected" in page
    assert "Select all" not in page.replace("Select all objects on this page", "")
    posted = {"action": "revoke", "_selected_action": [grants[0].pk], "select_across": "1", "reason": "all"}
    response = desk.post(GRANTS, posted, follow=True)
    assert "Nothing was done: that is for at most 100 rows at once." in response.content.decode()
    assert MiniProgramGrant.objects.live().count() == 120
    assert not LogEntry.objects.filter(change_message__contains="Revoked").exists()
    assert not ConsentDecision.objects.exists()


# --- Statements -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["auditor", "manager"])
@pytest.mark.parametrize(
    "query",
    [
        "",
        "p=last",
        "program=shop",
        "merchant=shop-client",
        "merchant=shop-client&state=live&scope=auth_base&p=last",
        "q=shop",
        "q=shop&program=shop&state=live",
        "q=user7",
        "q=%23999999",
    ],
)
def test_a_page_of_grants_takes_few_statements(
    role: str, query: str, grants: list[MiniProgramGrant], django_assert_max_num_queries: Any
) -> None:
    desk = Desk(in_role(role))
    with django_assert_max_num_queries(12):
        desk.page(f"{GRANTS}?{query}")


@pytest.mark.parametrize("path", [DECISIONS, ERRORS, PEOPLE])
@pytest.mark.parametrize("query", ["", "p=last", "q=shop", "q=" + "f" * 32, "q=0917+123+4567"])
def test_a_page_of_anything_else_takes_few_statements(
    desk: Desk, path: str, query: str, grants: list[MiniProgramGrant], django_assert_max_num_queries: Any
) -> None:
    grant = grants[0]
    pair = {"user": grant.user, "mini_program": grant.mini_program}
    ConsentDecision.objects.bulk_create(ConsentDecision(act="given", grant=grant, **pair) for _ in range(60))
    ErrorAudit.objects.bulk_create(ErrorAudit(code="X", app_id="shop", trace_id="f" * 32) for _ in range(60))
    with django_assert_max_num_queries(12):
        desk.page(f"{path}?{query}")


@pytest.mark.postgres
def test_no_index_of_grants_hinders_writing_down_their_use(grants: list[MiniProgramGrant]) -> None:
    """What most calls of a merchant may write stays in its page of the table (a HOT update)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'portal_miniprogramgrant'")
        indexes = [definition for (definition,) in cursor.fetchall()]
    assert len(indexes) > 5
    assert not any("last_used_at" in definition for definition in indexes)


@pytest.mark.postgres
def test_no_index_is_for_prefixes_that_nobody_asks_for(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(r"SELECT indexname FROM pg_indexes WHERE indexdef LIKE '%\_pattern\_ops%'")
        found = [name for (name,) in cursor.fetchall() if name.startswith(("portal_", "authapi_", "oauth2_provider_"))]
    assert found == []
