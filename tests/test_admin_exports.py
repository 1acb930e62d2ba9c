"""Lists of the console as files: the filters and columns of the screen, asked for with a reason, and in the log."""

import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from resource import getpagesize
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.utils import timezone

from authapi import error_groups
from authapi.models import ErrorAudit
from portal.admin import exports
from portal.models import ConsentDecision, MiniProgram, MiniProgramGrant, User
from tests.conftest import Container
from tests.operators import Desk, everything, in_role

ERRORS = "/admin/authapi/erroraudit/"
LISTS = (
    ERRORS,
    "/admin/authapi/errorgroup/",
    "/admin/portal/consentdecision/",
    "/admin/portal/miniprogramgrant/",
    "/admin/admin/logentry/",
)


@pytest.fixture
def desk(db: None) -> Desk:
    return Desk(in_role("auditor"))


def row(**fields: Any) -> ErrorAudit:
    usual = {"endpoint": "/v2/users/inquiryUserInfo", "code": "ACCESS_DENIED", "reason": "no", "trace_id": "f" * 32}
    return ErrorAudit.objects.write(**(usual | fields))


def export(desk: Desk, path: str, query: str = "", kind: str = "csv", reason: str = "for the audit") -> str:
    """The file, whole."""
    response = desk.post(f"{path}export/?{query}", {"kind": kind, "reason": reason})
    assert response.status_code == 200
    assert response.streaming
    return bytes(response.getvalue()).decode()


def records(desk: Desk, path: str, query: str = "") -> list[dict[str, Any]]:
    return [json.loads(line) for line in export(desk, path, query, "jsonl").splitlines()]


def logged() -> list[tuple[str, str, str]]:
    """Who, on which list, with which words: every line about a list, from the first."""
    rows = LogEntry.objects.filter(object_id=None).order_by("id").select_related("user")
    return [(one.user.username, one.object_repr, one.change_message) for one in rows]


@pytest.fixture
def scene(alices: Container, bobs: Container, shop: MiniProgram, cafe: MiniProgram, olga: User) -> None:
    """A few rows in every list."""
    alices.code("shop", ["auth_base", "USER_NICKNAME"])
    bobs.code("cafe", ["auth_base", "USER_NICKNAME"])
    row(app_id="shop", code="ACCESS_DENIED")
    row(app_id="cafe", code="USER_STATUS_ERROR", user=User.objects.get(username="bob"))
    error_groups.gather()
    LogEntry.objects.log_actions(olga.pk, [shop], 2, "did it", single_object=True)


# --- What is in it ----------------------------------------------------------------------------------------------


def test_it_has_the_lists_rows_columns_and_order(desk: Desk, scene: None) -> None:
    lines = list(csv.DictReader(io.StringIO(export(desk, ERRORS))))
    assert list(lines[0]) == ["at", "code", "endpoint", "app_id", "who", "reason", "trace_id"]
    assert [line["code"] for line in lines] == ["USER_STATUS_ERROR", "ACCESS_DENIED"]
    assert lines[0]["at"] == timezone.localtime(ErrorAudit.objects.latest("id").at).isoformat()
    assert lines[0]["who"].startswith("bob (#")


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        ("program=shop", ["ACCESS_DENIED"]),
        ("code=USER_STATUS_ERROR&within=day", ["USER_STATUS_ERROR"]),
        ("q=cafe", ["USER_STATUS_ERROR"]),
        ("code=USED_CODE", []),
        ("p=7&o=2", ["ACCESS_DENIED", "USER_STATUS_ERROR"]),
    ],
)
def test_it_is_narrowed_as_the_list_is(desk: Desk, scene: None, query: str, codes: list[str]) -> None:
    assert sorted(one["code"] for one in records(desk, ERRORS, query)) == codes


def test_json_lines_keep_numbers_lists_and_nothing(desk: Desk, scene: None) -> None:
    (group, _other) = records(desk, "/admin/authapi/errorgroup/")
    assert (group["state"], group["count"], group["last_hour"]) == ("New", 1, 1)
    decision = records(desk, "/admin/portal/consentdecision/", "program=cafe")[0]
    assert (decision["act"], decision["user"], decision["after"]) == ("Given", "bob", "auth_base, USER_NICKNAME")
    grant = records(desk, "/admin/portal/miniprogramgrant/", "program=shop")[0]
    assert (grant["state"], grant["user"], grant["last_used_at"]) == ("Live", "alice", None)
    act = records(desk, "/admin/admin/logentry/")[-1]
    assert (act["user"], act["what_and_why"]) == ("olga", "did it")


def test_a_reason_is_not_cut(desk: Desk) -> None:
    row(reason="x" * 300)
    assert records(desk, ERRORS)[0]["reason"] == "x" * 300


@pytest.mark.trust(32)
def test_personal_data_is_masked_as_on_the_screen(desk: Desk, scene: None) -> None:
    User.objects.filter(username="alice").update(username="+639171234567")
    User.objects.filter(username="bob").update(username="bob@example.org")
    for path in LISTS:
        for kind in ("csv", "jsonl"):
            file = export(desk, path, kind=kind)
            assert "9171234567" not in file
            assert "bob@example.org" not in file
    assert "4567" in export(desk, "/admin/portal/miniprogramgrant/")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_runs_in_a_spreadsheet(desk: Desk, start: str) -> None:
    row(reason=f"{start}HYPERLINK(1)", app_id=f'{start}"a,b')
    (line,) = csv.DictReader(io.StringIO(export(desk, ERRORS), newline=""))
    assert (line["reason"], line["app_id"]) == (f"'{start}HYPERLINK(1)", f"'{start}\"a,b")
    assert records(desk, ERRORS)[0]["reason"] == f"{start}HYPERLINK(1)"


def test_a_file_is_named_typed_and_stored_nowhere(desk: Desk) -> None:
    for kind, content_type in (("csv", "text/csv; charset=utf-8"), ("jsonl", "application/jsonl; charset=utf-8")):
        response = desk.post(f"{ERRORS}export/", {"kind": kind, "reason": "x"})
        assert response["Content-Type"] == content_type
        assert response["Content-Disposition"].startswith('attachment; filename="erroraudit-')
        assert response["Content-Disposition"].endswith(f'.{kind}"')
        assert "no-store" in response["Cache-Control"]
        assert "Content-Length" not in response


# --- What remains of it -----------------------------------------------------------------------------------------


@pytest.mark.trust(30)
def test_it_leaves_who_what_and_why_before_the_first_byte_and_how_many_after_the_last(desk: Desk, scene: None) -> None:
    response = desk.post(f"{ERRORS}export/?program=shop&within=day", {"kind": "csv", "reason": "ticket 7"})
    began = "Export as CSV began. Filters: program=shop, within=day. Why: ticket 7"
    assert logged() == [("the-auditor", "error audit", began)]
    response.getvalue()
    ended = "Export ended: 1 rows. Filters: program=shop, within=day. Why: ticket 7"
    assert logged() == [("the-auditor", "error audit", began), ("the-auditor", "error audit", ended)]


@pytest.mark.trust(30)
def test_one_that_breaks_off_says_so(desk: Desk) -> None:
    for _ in range(1200):
        row()
    response = desk.post(f"{ERRORS}export/", {"kind": "jsonl", "reason": "x"})
    next(iter(response.streaming_content))
    response._iterator.close()  # as a server does; response.close() would close the test's connection too
    assert logged()[-1][2] == "Export broke off: 500 rows. No filters. Why: x"


@pytest.mark.trust(32)
@pytest.mark.parametrize(
    ("term", "told"),
    [("%2B639171234567", "#{0}"), ("alice@example.org", "#{0}"), ("nobody@example.org", "n•••@example.org")],
)
def test_the_log_does_not_keep_whose_phone_was_searched(
    desk: Desk, scene: None, alice: User, term: str, told: str
) -> None:
    export(desk, "/admin/portal/miniprogramgrant/", f"q={term}")
    assert f"Filters: q={told.format(alice.pk)}." in logged()[0][2]


@pytest.mark.trust(35)
def test_what_cannot_be_logged_is_not_exported(desk: Desk, scene: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the log is full")

    monkeypatch.setattr(type(LogEntry.objects), "create", fail, raising=False)
    with pytest.raises(RuntimeError):
        desk.post(f"{ERRORS}export/", {"kind": "csv", "reason": "x"})


@pytest.mark.trust(30)
@pytest.mark.parametrize("form", [{"kind": "csv", "reason": " "}, {"reason": "x"}, {"kind": "xls", "reason": "x"}])
def test_nothing_is_exported_without_a_reason_and_a_form(desk: Desk, scene: None, form: dict[str, str]) -> None:
    before = everything()
    response = desk.post(f"{ERRORS}export/", form)
    assert not response.streaming
    assert "errornote" in response.content.decode()
    assert everything() == before


def test_the_page_before_it_says_which_rows_and_columns(desk: Desk, scene: None) -> None:
    assert f'href="{ERRORS}export/?program=shop"' in desk.page(f"{ERRORS}?program=shop")
    page = desk.page(f"{ERRORS}export/?program=shop")
    assert "Filters: program=shop" in page
    assert "at, code, endpoint, app_id, who, reason, trace_id" in page
    assert LogEntry.objects.filter(object_id=None).count() == 0


# --- Who may ----------------------------------------------------------------------------------------------------


@pytest.mark.trust(33)
@pytest.mark.parametrize(("role", "may"), [("auditor", True), ("support", False), ("manager", True)])
def test_auditors_and_managers_take_lists_along(role: str, may: bool, scene: None) -> None:
    desk, before = Desk(in_role(role)), everything()
    for path in LISTS:
        assert ("export/" in desk.page(path)) == may
        assert desk.get(f"{path}export/").status_code == (200 if may else 403)
        if not may:
            assert desk.post(f"{path}export/", {"kind": "csv", "reason": "x"}).status_code == 403
    assert everything() == before


@pytest.mark.trust(33)
def test_lists_that_are_for_the_screen_alone_have_no_export(olga: User, scene: None) -> None:
    for path in ("/admin/portal/user/", "/admin/authapi/authcode/", "/admin/oauth2_provider/refreshtoken/"):
        assert "export/" not in Desk(olga).page(path)
        assert not Desk(olga).post(f"{path}export/", {"kind": "csv", "reason": "x"}).streaming


@pytest.mark.trust(34)
def test_whoever_signed_in_long_ago_is_asked_first(scene: None) -> None:
    desk = Desk(in_role("auditor"), ago=3600)
    response = desk.post(f"{ERRORS}export/?program=shop", {"kind": "csv", "reason": "ticket 7"})
    assert not response.streaming
    page = response.content.decode()
    assert "Is it still you?" in page
    assert 'value="ticket 7"' in page
    assert logged() == []


@pytest.mark.trust(32)
def test_a_filter_the_list_does_not_take_is_refused(desk: Desk) -> None:
    for query in ("reason__startswith=a", "user__password__startswith=p"):
        response = desk.post(f"{ERRORS}export/?{query}", {"kind": "csv", "reason": "x"})
        assert response.status_code == 400


# --- Many rows --------------------------------------------------------------------------------------------------


MANY = """
INSERT INTO authapi_erroraudit (at, endpoint, code, reason, app_id, client_id, scopes, trace_id, mac)
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < %s)
SELECT {at}, endpoint, code, reason, app_id, client_id, scopes, trace_id, mac FROM numbers, authapi_erroraudit
WHERE id = %s
"""


def many(times: int) -> None:
    """So many rows, one a second."""
    at = "at - n * interval '1 second'" if connection.vendor == "postgresql" else "datetime(at, -n || ' seconds')"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # a list's patience ends with its transaction, which is the test's here
            cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(MANY.format(at=at), [times - 1, row(reason="r" * 200).pk])


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize()


def held(desk: Desk, kind: str) -> tuple[int, int]:
    """(lines, the most memory it took beyond what was taken before) of an export that nobody keeps."""
    response = desk.post(f"{ERRORS}export/", {"kind": kind, "reason": "x"})
    lines, before = 0, resident()
    most = before
    for number, piece in enumerate(response.streaming_content):
        lines += piece.count(b"\n")
        most = max(most, resident()) if number % 10 == 0 else most
    return lines, most - before


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_hundred_thousand_rows_take_no_more_memory_than_ten_thousand(desk: Desk, kind: str) -> None:
    header = int(kind == "csv")
    many(10_000)
    lines, little = held(desk, kind)
    assert lines == 10_000 + header
    many(90_000)
    lines, much = held(desk, kind)
    assert lines == 100_000 + header
    assert much < little + 50_000_000  # a list of them all takes three times that
    assert logged()[-1][2] == "Export ended: 100000 rows. No filters. Why: x"


def test_each_row_takes_no_statement_of_its_own(
    desk: Desk, alice: User, shop: MiniProgram, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    now = timezone.now()
    MiniProgramGrant.objects.bulk_create(
        MiniProgramGrant(user=alice, mini_program=shop, scopes={}, since=now - timedelta(days=n), ended_at=now)
        for n in range(60)
    )
    ConsentDecision.objects.write_all(
        ConsentDecision(user=alice, mini_program=shop, act="paused", actor=alice) for _ in range(60)
    )
    for path in LISTS:
        with django_assert_max_num_queries(22):
            export(desk, path)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_postgresql_gives_them_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "PAGE", 10)
    desk = Desk(in_role("auditor"))
    many(1200)
    response = desk.post(f"{ERRORS}export/", {"kind": "jsonl", "reason": "x"})
    assert sum(piece.count(b"\n") for piece in response.streaming_content) == 1200
    assert logged()[-1][2] == "Export ended: 1200 rows. No filters. Why: x"
