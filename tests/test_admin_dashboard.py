"""The console's start page: how it goes, from sums alone, and nothing that an operator may not view."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.db import connection
from django.utils import timezone, translation

from authapi import error_groups
from authapi.endpoint_hours import BUCKETS, EndpointHour
from authapi.models import ErrorAudit
from portal import charts, tallying
from portal.dashboard import failures, heaps, periods
from portal.models import (
    AbuseReport,
    ConsentDecision,
    DecisionDay,
    DecisionTotal,
    MerchantNotice,
    MiniProgram,
    MiniProgramGrant,
    Seal,
    User,
    Watermark,
)
from tests.conftest import Container
from tests.ledgers import seal
from tests.operators import ROLES, Desk, in_role

INDEX = "/admin/"
PARTS = ("Live grants", "Decisions today", "Open reports", "Permissions", "Errors by code", "Slowest", "Queues")


@pytest.fixture
def desk(db: None) -> Desk:
    return Desk(in_role("auditor"))


@pytest.fixture
def busy(alices: Container, bobs: Container, shop: MiniProgram, alice: User) -> None:
    """A grant, a refusal, a withdrawal, all of them counted."""
    alices.code("shop", ["USER_NICKNAME"])
    bobs.decide(bobs.get_auth_code("shop", ["USER_NICKNAME"])["consentId"], [])
    bobs.code("shop", ["USER_AVATAR"])
    MiniProgramGrant.objects.get(user__username="bob").revoke(by=User.objects.get(username="bob"))
    tallying.tally()


def count_days(program: MiniProgram, back: int = 0, **acts: int) -> None:
    day = timezone.localdate() - timedelta(days=back)
    DecisionDay.add({(day, program.pk, act, "USER_NICKNAME"): number for act, number in acts.items()})


def card(page: str, label: str) -> str:
    """The number under this label."""
    found = re.search(rf"{label}</span>\s*<strong>([^<]*)</strong>", page)
    assert found, label
    return found[1]


# --- Numbers -----------------------------------------------------------------------------------------------------


def test_a_fresh_installation_says_that_there_is_nothing_yet(desk: Desk) -> None:
    page = desk.page(INDEX)
    for words in ("Nobody was asked", "No errors were counted", "was refused", "No endpoint was called"):
        assert words in page
    assert "chart-plot" not in page
    assert card(page, "Live grants") == "0"


def test_the_numbers_of_today(desk: Desk, busy: None, alice: User, shop: MiniProgram) -> None:
    AbuseReport.objects.create(user=alice, mini_program=shop, kind="spam")
    MerchantNotice.objects.create(merchant=shop.merchant, body={}, state="PARKED")
    shop.scope_approvals.filter(scope="USER_GENDER").update(state="REQUESTED")
    page = desk.page(INDEX)
    numbers = {"Live grants": "1", "Decisions today": "4", "Open reports": "1", "Parked notices": "1"}
    assert {label: card(page, label) for label in numbers} == numbers
    assert card(page, "Scopes to review") == "1"


def test_each_number_leads_to_the_list_behind_it(desk: Desk, busy: None, alice: User, shop: MiniProgram) -> None:
    AbuseReport.objects.create(user=alice, mini_program=shop, kind="spam")
    MerchantNotice.objects.create(merchant=shop.merchant, body={}, state="PARKED")
    shop.scope_approvals.filter(scope="USER_GENDER").update(state="REQUESTED")
    count_days(shop, refused=5, given=20)
    links = set(re.findall(r'href="(/admin/[^"]*\?[^"]*)"', desk.page(INDEX)))
    assert len(links) >= 10
    for link in links:
        page = desk.page(link.replace("&amp;", "&"))  # a filter that is none would lead elsewhere
        assert re.search(r"1 |2 |3 |4 ", page)
        assert "/admin/" in page


def test_the_lists_of_a_day_hold_that_days_decisions(desk: Desk, busy: None) -> None:
    page = desk.page(INDEX)
    given, withdrawn = (
        re.search(rf'<a href="([^"]*act__in={acts}[^"]*)">(\d+)</a>', page)
        for acts in ("given%2Cwidened%2Crenewed", "withdrawn%2Cnarrowed")
    )
    assert given
    assert withdrawn
    for link, act in ((given, "given"), (withdrawn, "withdrawn")):
        rows = desk.page(link[1].replace("&amp;", "&"))
        assert len(re.findall(r'class="field-act(?: |")', rows)) == int(link[2])
        assert ConsentDecision.objects.filter(act=act).count() == int(link[2])


def test_what_people_refuse_most_is_ranked_by_its_share(desk: Desk, shop: MiniProgram, cafe: MiniProgram) -> None:
    count_days(shop, given=90, refused=10)
    count_days(cafe, given=5, refused=15)
    page = desk.page(INDEX)
    ranked = re.search(r"Refused most, by mini-program.*?</table>", page, re.DOTALL)
    assert ranked
    assert re.findall(r"([\d.]+) %", ranked[0]) == ["75.0", "10.0"]
    assert ranked[0].index("cafe") < ranked[0].index("shop")
    assert "25 of 120" in page  # by scope


def test_a_rate_of_few_and_of_silent_scopes_is_not_shown(desk: Desk, shop: MiniProgram) -> None:
    count_days(shop, given=5, refused=4)
    DecisionDay.add({(timezone.localdate(), shop.pk, "given", "auth_base"): 1000})
    assert "at least ten times was refused" in desk.page(INDEX)


def test_slow_endpoints(desk: Desk) -> None:
    hour = int(timezone.now().timestamp()) // 3600
    buckets = [0] * len(BUCKETS)
    buckets[BUCKETS.index("upto_200")] = 40
    EndpointHour.add({(hour, "applyToken"): [40, 40 * 150_000, *buckets]})
    page = desk.page(INDEX)
    assert re.search(r"applyToken</th>\s*<td class=\"number\">195 ms", page)
    assert "150 ms" in page


def test_errors_are_stacked_by_code_and_the_rare_are_others(db: None) -> None:
    period = periods.of("24h")
    rows = [(f"CODE_{number}", slot, 10 - number) for number in range(9) for slot in period.slots[-2:]]
    chart = failures.chart(period, rows)
    assert chart
    assert [(one.name, one.total) for one in chart.series] == [
        *((f"CODE_{number}", 2 * (10 - number)) for number in range(6)),
        ("others", 2 * (4 + 3 + 2)),
    ]
    assert len(chart.bars) == 14
    assert {bar.kind for bar in chart.bars} == set(range(1, 8))


def test_errors_lead_to_the_list_of_their_code_and_time(desk: Desk) -> None:
    for code in ("INVALID_SIGNATURE", "INVALID_SIGNATURE", "ACCESS_DENIED"):
        ErrorAudit.objects.write(endpoint="/v2/x", code=code, reason="no", trace_id="ab" * 16)
    error_groups.gather()
    for asked in ("24h", "30d"):
        page = desk.page(f"{INDEX}?range={asked}")
        assert "INVALID_SIGNATURE 2, ACCESS_DENIED 1." in page
        link = re.search(r'<a href="([^"]*code=INVALID_SIGNATURE[^"]*)">2</a>', page)
        assert link
        rows = desk.page(link[1].replace("&amp;", "&"))
        assert rows.count("field-trace_id") == 2


# --- Time --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("asked", "days"), [("24h", 7), ("7d", 7), ("30d", 30), ("90d", 90)])
def test_how_far_back_it_looks(desk: Desk, shop: MiniProgram, asked: str, days: int) -> None:
    count_days(shop, days - 1, refused=20)
    assert f"last {days} days" in desk.page(f"{INDEX}?range={asked}")
    assert "20 of 20" in desk.page(f"{INDEX}?range={asked}")
    DecisionDay.objects.all().delete()
    DecisionTotal.objects.all().delete()
    cache.clear()
    count_days(shop, days, refused=20)
    assert "20 of 20" not in desk.page(f"{INDEX}?range={asked}")


@pytest.mark.parametrize("nonsense", ["", "1d", "30D", "999999999d", "<script>", "7d&range=x"])
def test_another_stretch_of_time_is_the_usual_one(desk: Desk, nonsense: str) -> None:
    page = desk.page(f"{INDEX}?range={nonsense}")
    assert '<a href="?range=30d"\n' in page or '<a href="?range=30d" aria-current="page"' in page
    assert "<script>" not in page


def test_slots_are_those_of_the_portals_time_zone() -> None:
    with timezone.override("Asia/Manila"):
        day, hours = periods.of("7d"), periods.of("24h")
        assert [slot.hour for slot in day.slots] == [0] * 7
        assert day.slots[-1] <= day.now < day.end_of(day.slots[-1])
        assert hours.slots[-1] <= hours.now < hours.end_of(hours.slots[-1])
        assert hours.now - hours.since < timedelta(hours=24)


# --- Queues ------------------------------------------------------------------------------------------------------


def test_a_queue_that_nobody_works_at_is_marked(desk: Desk, shop: MiniProgram, alice: User) -> None:
    notice = MerchantNotice.objects.create(merchant=shop.merchant, body={})
    MiniProgramGrant.give(alice, shop, ["auth_base"])
    tallying.tally()
    page = desk.page(INDEX)
    assert "Nobody sends them" not in page
    assert "These numbers are old." not in page
    assert "Unsealed rows are not protected." not in page
    hour_ago = timezone.now() - timedelta(hours=1)
    ConsentDecision.objects.update(at=hour_ago)
    MerchantNotice.objects.filter(pk=notice.pk).update(created=hour_ago)
    Watermark.objects.update(at=hour_ago)
    page = desk.page(INDEX)
    assert "Nobody sends them" in page
    assert "These numbers are old." in page
    assert "Unsealed rows are not protected." in page
    seal()
    Seal.objects.update(sealed_at=hour_ago)  # and nothing was decided since
    assert "Unsealed rows are not protected." not in desk.page(INDEX)


def test_heaps_tell_how_many_and_since_when(db: None, shop: MiniProgram) -> None:
    first = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    for number in range(3):
        row = MerchantNotice.objects.create(merchant=shop.merchant, body={})
        MerchantNotice.objects.filter(pk=row.pk).update(created=first + timedelta(days=number))
    found = heaps.count({"a": (MerchantNotice.objects.all(), "created"), "b": (User.objects.filter(pk=0), "")})
    assert (found["a"].count, found["a"].oldest) == (3, first)
    assert (found["b"].count, found["b"].oldest) == (0, None)


def test_a_heap_is_counted_no_further_than_need_be(
    desk: Desk, shop: MiniProgram, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heaps, "MOST", 2)
    for _number in range(4):
        AbuseReport.objects.create(user=alice, mini_program=shop, kind="spam")
    assert card(desk.page(INDEX), "Open reports") == "2+"


@pytest.mark.postgres
def test_of_many_grants_the_number_is_an_estimate(desk: Desk, busy: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heaps, "MOST", 0)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE portal_miniprogramgrant")
    assert card(desk.page(INDEX), "Live grants") == "about 1"


# --- What an operator may view -----------------------------------------------------------------------------------


@pytest.mark.trust(33)
def test_every_role_sees_all_of_it(busy: None) -> None:
    for role in ROLES:
        page = Desk(in_role(role)).page(INDEX)
        assert all(part in page for part in PARTS), role


@pytest.mark.trust(33)
@pytest.mark.parametrize(
    ("permission", "shown"),
    [
        ("view_miniprogramgrant", {"Live grants"}),
        ("view_abusereport", {"Open reports"}),
        ("view_consentdecision", {"Decisions today", "Permissions", "Queues"}),
        ("view_erroraudit", {"Errors by code", "Slowest"}),
        ("view_merchantnotice", {"Queues"}),
        ("view_merchant", set()),
    ],
)
def test_what_an_operator_may_not_view_is_not_there(busy: None, permission: str, shown: set[str]) -> None:
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename=permission))
    page = Desk(clerk).page(INDEX)
    assert {part for part in PARTS if part in page} == shown


# --- Cost and form -----------------------------------------------------------------------------------------------


def test_it_takes_few_statements(desk: Desk, busy: None, django_assert_max_num_queries: Any) -> None:
    for asked in periods.CHOICES:
        cache.clear()
        with django_assert_max_num_queries(12):
            desk.page(f"{INDEX}?range={asked}")


def test_it_takes_few_statements_where_there_is_more_than_is_counted(
    desk: Desk, busy: None, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    monkeypatch.setattr(heaps, "MOST", 0)
    with django_assert_max_num_queries(12):
        desk.page(INDEX)


def test_a_chart_can_be_read_without_seeing_it(desk: Desk, busy: None) -> None:
    page = desk.page(INDEX)
    assert re.search(r'role="img"\s+aria-labelledby="chart-decisions-title chart-decisions-summary"', page)
    assert "Given 2, Withdrawn by users 1, Refused 1, Revoked or expired 0." in page
    assert "<summary>The numbers</summary>" in page
    assert "style=" not in page


def test_numbers_of_a_picture_have_a_point_in_every_language(desk: Desk, busy: None) -> None:
    with translation.override("id"):
        page = desk.get(INDEX, headers={"Accept-Language": "id"}).content.decode()
    assert re.search(r'x1="\d+\.\d+%"', page)
    assert not re.search(r'(x|x1|x2|width)="\d+,\d+%"', page)


@pytest.mark.parametrize(
    ("highest", "labels"),
    [
        (0, ["0", "1"]),
        (3, ["0", "1", "2", "3"]),
        (10, ["0", "2", "4", "6", "8", "10"]),
        (43, ["0", "10", "20", "30", "40", "50"]),
        (1980, ["0", "500", "1k", "1.5k", "2k"]),
        (4_100_000, ["0", "1M", "2M", "3M", "4M", "5M"]),
    ],
)
def test_a_scale_has_round_numbers(highest: int, labels: list[str]) -> None:
    chart = charts.lines("x", "X", ["a", "b"], [charts.Series("one", [0, highest])])
    assert [tick.label for tick in chart.ticks] == labels
    assert all(charts.TOP <= tick.y <= charts.BOTTOM for tick in chart.ticks)


def test_the_page_of_a_part_of_the_console_leads_to_its_lists(desk: Desk) -> None:
    """The trail above each list leads there."""
    page = desk.page("/admin/portal/")
    content = page[page.index('id="content-main"') :]
    for path in ("portal/user/", "portal/miniprogramgrant/", "portal/massrevocation/"):
        assert f'href="/admin/{path}"' in content
    assert "authapi" not in content
