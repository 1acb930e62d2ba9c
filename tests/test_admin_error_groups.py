"""Groups of errors at the console: what is new or spiking stands first, with what to do; what is known, last."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from authapi import error_groups
from authapi.models import ErrorAudit, ErrorGroup
from portal.models import MiniProgram, User
from tests.operators import Desk, everything, in_role, last_log

LIST = "/admin/authapi/errorgroup/"
ROWS = "/admin/authapi/erroraudit/"
State = ErrorGroup.State


@pytest.fixture
def support(db: None) -> Desk:
    return Desk(in_role("support"))


def happen(times: int = 1, hours: float = 0, **fields: Any) -> ErrorGroup:
    """So many errors, so many hours ago, and their group."""
    usual = {"code": "INVALID_SIGNATURE", "endpoint": "/v1/authorizations/applyToken", "trace_id": "a" * 32}
    usual |= {"reason": "keyVersion 1 does not verify the request"} | fields
    at = timezone.now() - timedelta(hours=hours)
    ErrorAudit.objects.write_all(ErrorAudit(**usual, at=at) for _ in range(times))  # type: ignore[misc]
    error_groups.gather()
    return ErrorGroup.objects.latest("id")


@pytest.fixture
def four(shop: MiniProgram, cafe: MiniProgram, olga: User) -> dict[str, ErrorGroup]:
    """A group in each state."""
    usual = happen(3, 100, code="EXPIRED_AUTHCODE", reason="auth code #3 expired", app_id="cafe")
    known = happen(50, client_id="shop-client", reason="Signature: algorithm must be RSA256.")
    known.mark(by=olga, note="they are on it")
    new = happen(2, 3, code="PARAM_ILLEGAL", reason="Client-Id: the header is missing.")
    spiking = happen(40, app_id="shop", client_id="shop-client")
    return {"usual": usual, "known": known, "new": new, "spiking": spiking}


def url(group: ErrorGroup, end: str = "change") -> str:
    return f"{LIST}{group.pk}/{end}/"


def found(desk: Desk, groups: dict[str, ErrorGroup], query: str = "") -> list[str]:
    """Which of these the list shows, from its top."""
    page = desk.page(f"{LIST}?{query}")
    places = {name: page.find(url(group)) for name, group in groups.items()}
    return sorted((name for name, place in places.items() if place >= 0), key=places.__getitem__)


def test_spiking_ones_stand_first_then_new_ones_and_known_ones_last(
    support: Desk, four: dict[str, ErrorGroup]
) -> None:
    assert found(support, four) == ["spiking", "new", "usual", "known"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("state=spiking", ["spiking"]),
        ("state=new", ["new"]),
        ("state=known", ["known"]),
        ("state=usual", ["usual"]),
        ("code=EXPIRED_AUTHCODE", ["usual"]),
        ("program=cafe", ["usual"]),
        ("client=shop-client", ["spiking", "known"]),
        ("endpoint=applyToken&client=shop-client&state=known", ["known"]),
        ("endpoint=getAuthCode", []),
        ("within=day", ["spiking", "new", "known"]),
        ("within=hour", ["spiking", "known"]),
        ("q=shop", ["spiking"]),
        ("q=param_illegal", ["new"]),
    ],
)
def test_the_list_is_narrowed(support: Desk, four: dict[str, ErrorGroup], query: str, names: list[str]) -> None:
    assert found(support, four, query) == names


def test_a_line_says_what_where_since_when_and_how_often(support: Desk, four: dict[str, ErrorGroup]) -> None:
    happen(4170, app_id="shop", client_id="shop-client")
    page = support.page(f"{LIST}?state=spiking")
    for text in ("INVALID_SIGNATURE", "applyToken", "shop", "4,210", "keyVersion [n] does not verify the request"):
        assert text in page
    assert "4,210, usually 0" in page


def test_a_page_says_the_reason_what_to_do_and_the_trend(support: Desk, four: dict[str, ErrorGroup]) -> None:
    happen(7, 5, app_id="shop", client_id="shop-client")
    page = support.page(url(four["spiking"]))
    assert "keyVersion 1 does not verify the request" in page
    assert "The merchant&#x27;s server:" in page
    assert "the body was serialized anew after signing" in page
    assert page.count('class="chart-bar series-1"') == 2
    assert page.count('<th scope="row">') == 48  # the same as a table
    assert "style=" not in page


def test_the_latest_rows_are_those_of_the_group(support: Desk, four: dict[str, ErrorGroup]) -> None:
    rows = ErrorAudit.objects.order_by("-pk")
    mine = set(rows.filter(app_id="shop").values_list("pk", flat=True)[:20])
    page = support.page(url(four["spiking"]))
    assert set(map(int, re.findall(rf'<a href="{ROWS}(\d+)/change/', page))) == mine


def test_the_way_to_all_rows_finds_no_others(support: Desk, four: dict[str, ErrorGroup]) -> None:
    page = support.page(url(four["usual"]))
    link = page.split(f'href="{ROWS}?')[1].split('"')[0].replace("&amp;", "&")
    rows = support.page(f"{ROWS}?{link}")
    assert rows.count('class="field-code') == 3
    assert "EXPIRED_AUTHCODE" in rows


@pytest.mark.trust(30)
def test_what_is_marked_as_known_has_a_note_and_stands_last(support: Desk, four: dict[str, ErrorGroup]) -> None:
    group = four["spiking"]
    assert "It moves to the end of the list" in support.page(url(group, "act/mark"))
    response = support.post(url(group, "act/mark"), {"reason": "their new server, ticket 12"})
    assert response["Location"] == url(group)
    assert last_log() == ("the-support", str(group.pk), "Marked as known. Why: their new server, ticket 12")
    page = support.page(url(group))
    assert "their new server, ticket 12" in page
    assert url(group, "act/mark") not in page
    happen(100, app_id="shop", client_id="shop-client")
    assert found(support, four)[:2] == ["new", "usual"]


@pytest.mark.trust(30)
def test_what_is_no_longer_known_comes_up_again(support: Desk, four: dict[str, ErrorGroup]) -> None:
    group = four["known"]
    assert "they are on it" in support.page(url(group, "act/unmark"))
    support.post(url(group, "act/unmark"), {"reason": "they say it is us"})
    assert last_log() == ("the-support", str(group.pk), "No longer known. Why: they say it is us")
    error_groups.gather()
    group.refresh_from_db()
    assert (group.state, group.known_note, group.known_by) == (State.SPIKING, "", None)


@pytest.mark.trust(30)
@pytest.mark.parametrize("act", ["mark", "unmark"])
def test_neither_happens_without_a_reason(support: Desk, four: dict[str, ErrorGroup], act: str) -> None:
    before = [*everything(), list(ErrorGroup.objects.order_by("pk").values())]
    page = support.post(url(four["known"], f"act/{act}"), {"reason": " "}).content.decode()
    assert "errornote" in page
    assert [*everything(), list(ErrorGroup.objects.order_by("pk").values())] == before


@pytest.mark.trust(35)
def test_what_cannot_be_logged_is_not_marked(
    support: Desk, four: dict[str, ErrorGroup], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the log is full")

    monkeypatch.setattr(type(LogEntry.objects), "log_actions", fail)
    with pytest.raises(RuntimeError):
        support.post(url(four["new"], "act/mark"), {"reason": "x"})
    assert ErrorGroup.objects.get(pk=four["new"].pk).known_at is None


@pytest.mark.trust(33)
@pytest.mark.parametrize("act", ["mark", "unmark"])
def test_an_auditor_reads_and_marks_nothing(four: dict[str, ErrorGroup], act: str) -> None:
    desk = Desk(in_role("auditor"))
    assert f"/act/{act}/" not in desk.page(url(four["new"]))
    group = four["new" if act == "mark" else "known"]
    before = list(ErrorGroup.objects.order_by("pk").values())
    assert desk.get(url(group, f"act/{act}")).status_code == 403
    assert desk.post(url(group, f"act/{act}"), {"reason": "x"}).status_code == 403
    assert desk.act(LIST, act, [group], reason="x").status_code == 403
    assert list(ErrorGroup.objects.order_by("pk").values()) == before


@pytest.mark.trust(33)
def test_nobody_writes_or_deletes_a_group(olga: User, four: dict[str, ErrorGroup]) -> None:
    desk = Desk(olga)
    for path in (f"{LIST}add/", url(four["new"], "delete")):
        assert desk.post(path, {"post": "yes"}).status_code == 403
    assert desk.post(url(four["new"]), {"known_note": "x"}).status_code == 403


@pytest.mark.trust(32)
@pytest.mark.parametrize("lookup", ["known_by__password__startswith", "fingerprint", "sample_reason__contains"])
def test_no_other_lookup_is_taken(support: Desk, lookup: str) -> None:
    assert support.get(LIST, {lookup: "1"}).status_code == 400


def test_markup_from_a_caller_stays_text(support: Desk, db: None) -> None:
    group = happen(code="2", reason="container: <script>alert(1)</script>")
    for page in (support.page(LIST), support.page(url(group))):
        assert "<script>alert" not in page


def test_an_errors_own_page_says_what_to_do(support: Desk, four: dict[str, ErrorGroup]) -> None:
    row = ErrorAudit.objects.filter(code="PARAM_ILLEGAL").latest("id")
    assert "It must send Client-Id, Request-Time and Signature" in support.page(f"{ROWS}{row.pk}/change/")


def test_the_lists_and_pages_take_few_statements_and_none_reads_the_audit(
    support: Desk, four: dict[str, ErrorGroup], django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        happen(code="3", reason=f"container: {'y' * number}", client_id="shop-client")
    for query in ("", "state=new", "code=3&client=shop-client&endpoint=applyToken&within=day"):
        with django_assert_max_num_queries(12) as captured:
            support.page(f"{LIST}?{query}")
        assert not [one for one in captured if "authapi_erroraudit" in one["sql"]]
    with django_assert_max_num_queries(12) as captured:
        support.page(url(four["spiking"]))
    (read,) = (one["sql"] for one in captured if 'FROM "authapi_erroraudit"' in one["sql"])
    assert '"authapi_erroraudit"."id" IN (' in read
