"""The error audit's groups: each error counted once, whoever gathers and whatever happens to them."""

import io
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone

from authapi import error_causes, error_groups, hints, results
from authapi.models import ErrorAudit, ErrorGroup, ErrorHour
from portal import settled
from portal.models import MiniProgram, Watermark
from tests.conftest import Container
from tests.merchants import MerchantServer

State = ErrorGroup.State


def write(times: int = 1, **fields: Any) -> list[ErrorAudit]:
    usual = {"code": "INVALID_SIGNATURE", "endpoint": "/v1/authorizations/applyToken", "trace_id": "a" * 32}
    rows = (
        ErrorAudit(**{**usual, "reason": "keyVersion 1 does not verify the request", **fields}) for _ in range(times)
    )
    return ErrorAudit.objects.write_all(rows)


def counts() -> list[int]:
    return list(ErrorGroup.objects.order_by("-count").values_list("count", flat=True))


# --- What is the same -------------------------------------------------------------------------------------------


def test_a_real_flood_of_one_cause_is_one_group(shop: MiniProgram, shop_server: MerchantServer) -> None:
    for number in range(3):
        shop_server.exchange(f"no-such-code-{number}")
    assert error_groups.gather() == 3
    group = ErrorGroup.objects.get()
    assert (group.code, group.endpoint, group.client_id, group.count) == (
        "INVALID_AUTHCODE",
        "applyToken",
        "shop-client",
        3,
    )
    assert group.cause == "no such code, or it belongs to another client"
    assert group.latest == list(ErrorAudit.objects.order_by("-pk").values_list("pk", flat=True))
    assert group.hours.get().count == 3
    assert str(group) == "INVALID_AUTHCODE, applyToken, shop-client"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "auth code #12 was used at 2026-11-26T01:02:03.000004+00:00",
            "auth code #7 was used at 2026-01-01T00:00:00+00:00",
        ),
        ("keyVersion 1 does not verify the request", "keyVersion 22 does not verify the request"),
        ("no merchant has the Client-Id abc", "no merchant has the Client-Id d e, f"),
        ("authClientId a did not sign", "authClientId b c did not sign"),
        ("foo is not coffee", "bar baz is not coffee"),
        (
            "Request-Time: more than 0:05:00 away from our clock, 2026-11-26T01:02:03+00:00.",
            "Request-Time: more than 0:05:00 away from our clock, 2026-12-31T23:59:59+00:00.",
        ),
        (
            "scopes: none is usable (FOO: unknown; BAR: unknown).",
            "scopes: none is usable (BAZ: unknown; QUX: unknown).",
        ),
        (
            "The body is not valid JSON: Expecting value: line 1 column 2 (char 1).",
            "The body is not valid JSON: Expecting value: line 9 column 80 (char 700).",
        ),
        ("a: it stands twice in one object.", "bcd: it stands twice in one object."),
        ("grantedScopes: A was not asked.", "grantedScopes: B was not asked."),
        ('grantType: "x y" is not a valid choice.', 'grantType: "z" is not a valid choice.'),
        ("user of 7e57ab1e-0000-4000-8000-123456789abc", "user of 00000000-0000-4000-8000-123456789abc"),
    ],
)
def test_what_differs_from_row_to_row_is_no_other_cause(db: None, one: str, other: str) -> None:
    write(reason=one)
    write(reason=other)
    error_groups.gather()
    assert counts() == [2]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"code": "A"}, {"code": "B"}),
        ({"endpoint": "/v1/authorizations/applyToken"}, {"endpoint": "/v1/authorizations/query"}),
        ({"app_id": "shop"}, {"app_id": ""}),
        ({"client_id": "shop-client"}, {"client_id": "who?"}),
        ({"reason": "access token #1 is revoked"}, {"reason": "there is no live grant behind access token #1"}),
        (
            {"reason": "scopes: none is usable (A: unknown)."},
            {"reason": "scopes: none is usable (A: not approved for this mini-program)."},
        ),
    ],
)
def test_what_makes_another_group(shop: MiniProgram, one: dict[str, str], other: dict[str, str]) -> None:
    write(**one)
    write(**other)
    error_groups.gather()
    assert counts() == [1, 1]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/authorizations/applyToken", "applyToken"),
        ("/ams/api/v2/authorizations/applyToken.htm", "applyToken"),
        ("/v1/customers/user/inquiryUserInfoByAccessToken", "inquiryUserInfo"),
        ("/v1/authorizations/getAuthCode", "getAuthCode"),
        ("/v1/authorizations/consents/abc", "consent"),
        ("/v1/authorizations/consents/abc/decision", "decision"),
        ("/v1/authorizations/reportError", "reportError"),
        ("/v9/whatever", "noSuchApi"),
    ],
)
def test_an_endpoint_is_called_as_on_the_wire(path: str, name: str) -> None:
    assert error_causes.endpoint(path) == name
    assert name in error_causes.endpoints()


def test_names_and_paths_that_nobody_has_are_one(db: None) -> None:
    for number in range(5):
        write(app_id=f"made-up-{number}", client_id=f"x{number}", endpoint=f"/v1/{number}", reason=f"no {number}")
    error_groups.gather()
    group = ErrorGroup.objects.get()
    assert (group.app_id, group.client_id, group.endpoint) == ("(unknown)", "(unknown)", "noSuchApi")


def test_ever_new_words_of_a_caller_do_not_become_ever_new_groups(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_groups, "MOST", 3)
    words = ("apple", "pear", "plum", "fig", "cherry", "lime")
    for word in words:
        write(2, reason=f"container: {word}")
        error_groups.gather()
    write(reason="container: kiwi")
    write(reason="container: apple")
    error_groups.gather()
    found = dict(ErrorGroup.objects.values_list("cause", "count"))
    assert found == {"container: apple": 3, "container: pear": 2, "container: plum": 2, error_causes.OTHERS: 7}


# --- Counting ---------------------------------------------------------------------------------------------------


def test_looking_again_counts_nothing_twice(db: None) -> None:
    write(3)
    assert (error_groups.gather(), error_groups.gather()) == (3, 0)
    write(2)
    assert (error_groups.gather(), error_groups.gather()) == (2, 0)
    assert counts() == [5]


def test_it_gathers_page_by_page_and_keeps_the_newest(db: None) -> None:
    first = datetime(2026, 3, 1, 10, 59, tzinfo=UTC)
    for number in range(30):
        write(at=first + timedelta(minutes=number), reason=f"auth code #{number} expired")
    assert error_groups.gather(batch=7) == 30
    group = ErrorGroup.objects.get()
    assert (group.count, group.first_at, group.last_at) == (30, first, first + timedelta(minutes=29))
    assert group.sample_reason == "auth code #29 expired"
    assert group.latest == list(ErrorAudit.objects.order_by("-pk").values_list("pk", flat=True)[:20])
    hours = {hour.astimezone(UTC).hour: count for hour, count in group.hours.values_list("hour", "count")}
    assert hours == {10: 1, 11: 29}


def test_who_dies_before_the_end_leaves_nothing_half_counted(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    write(2)

    def die(*args: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(Watermark, "move", die)
        with pytest.raises(SystemExit):
            error_groups.gather()
    assert not ErrorGroup.objects.exists()
    assert error_groups.gather() == 2
    assert counts() == [2]


def test_a_page_of_rows_takes_few_statements(shop: MiniProgram, django_assert_max_num_queries: Any) -> None:
    for number in range(40):
        write(5, reason=f"container: {'x' * number}", client_id="shop-client")
    with django_assert_max_num_queries(30):
        assert error_groups.gather() == 200


def test_the_command_gathers(db: None) -> None:
    write(3)
    out = io.StringIO()
    call_command("gather_errors", stdout=out)
    assert out.getvalue() == "Errors gathered: 3\n"
    assert counts() == [3]


def test_hours_are_forgotten_after_a_hundred_days(db: None) -> None:
    write(at=timezone.now() - timedelta(days=101))
    write(at=timezone.now() - timedelta(days=99))
    error_groups.gather()
    call_command("cleanup", stdout=io.StringIO())
    assert ErrorHour.objects.count() == 1
    assert counts() == [2]


# --- New and spiking --------------------------------------------------------------------------------------------


def state_of(now: datetime, monkeypatch: pytest.MonkeyPatch) -> tuple[State, int, int]:
    """After a look at this time: the group's state, errors in the last hour, and in the 24 hours before."""
    monkeypatch.setattr(timezone, "now", lambda: now)
    error_groups.gather()
    group = ErrorGroup.objects.get()
    return State(group.state), group.last_hour, group.day_before


NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def ago(hours: float) -> datetime:
    return NOON - timedelta(hours=hours)


def test_what_was_first_seen_today_is_new(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    write(20, at=ago(0.5))
    assert state_of(NOON, monkeypatch) == (State.NEW, 20, 0)
    assert state_of(NOON + timedelta(hours=23), monkeypatch) == (State.NEW, 0, 20)
    assert state_of(NOON + timedelta(hours=24), monkeypatch) == (State.USUAL, 0, 20)
    assert state_of(NOON + timedelta(hours=40), monkeypatch) == (State.USUAL, 0, 0)


@pytest.mark.parametrize(
    ("now", "before", "state"),
    [
        (21, 0, State.SPIKING),
        (20, 0, State.USUAL),  # too few to matter
        (31, 240, State.SPIKING),  # usually ten an hour
        (30, 240, State.USUAL),
        (300, 2400, State.USUAL),
        (301, 2400, State.SPIKING),
    ],
)
def test_what_comes_more_than_three_times_as_often_spikes(
    db: None, monkeypatch: pytest.MonkeyPatch, now: int, before: int, state: State
) -> None:
    write(at=ago(500))
    write(now, at=ago(0.5))
    write(before, at=ago(5))
    assert state_of(NOON, monkeypatch) == (state, now, before)


def test_a_spike_is_over_some_hours_later(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    write(at=ago(500))
    write(100, at=ago(0.5))
    assert state_of(NOON, monkeypatch)[0] == State.SPIKING
    assert state_of(NOON + timedelta(minutes=30), monkeypatch) == (State.SPIKING, 50, 50)
    assert state_of(NOON + timedelta(hours=2), monkeypatch) == (State.USUAL, 0, 100)


def test_what_is_known_is_neither(db: None, monkeypatch: pytest.MonkeyPatch, olga: Any) -> None:
    write(100, at=ago(0.5))
    assert state_of(NOON, monkeypatch)[0] == State.SPIKING
    ErrorGroup.objects.get().mark(by=olga, note="they know")
    write(100, at=ago(0.4))
    assert state_of(NOON, monkeypatch) == (State.KNOWN, 200, 0)
    assert ErrorGroup.objects.get().known_note == "they know"
    ErrorGroup.objects.get().unmark()
    assert state_of(NOON, monkeypatch)[0] == State.SPIKING


# --- Beside each other ------------------------------------------------------------------------------------------


def write_at_random(seed: int, deadline: float) -> int:
    """In transactions that take their time, a third of them rolled back; how many rows stayed."""
    kept = number = 0
    while time.monotonic() < deadline:
        number += 1
        with transaction.atomic():
            write(reason=f"auth code #{number} expired", code=f"CODE_{number % 3}")
            time.sleep(0.001 * ((number * seed) % 7))
            if (number + seed) % 3 == 0:
                transaction.set_rollback(True)
            else:
                kept += 1
    connection.close()
    return kept


def gather_until(stopped: threading.Event) -> int:
    total = 0
    while not stopped.is_set():
        total += error_groups.gather(batch=5)
    connection.close()
    return total


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_rows_written_while_workers_gather_are_counted_once_each() -> None:
    stopped, deadline = threading.Event(), time.monotonic() + 3
    with ThreadPoolExecutor(6) as pool:
        workers = [pool.submit(gather_until, stopped) for _ in range(2)]
        written = sum(pool.map(lambda seed: write_at_random(seed, deadline), (1, 2, 5, 11)))
        stopped.set()
        gathered = sum(worker.result() for worker in workers)
    gathered += error_groups.gather()
    assert written > 20
    assert gathered == ErrorAudit.objects.count() == written
    assert sum(counts()) == ErrorHour.objects.aggregate(total=Sum("count"))["total"] == written


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_rows_wait_while_a_transaction_that_writes_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settled, "PATIENCE", 0.1)
    begun, may_end = threading.Event(), threading.Event()

    def dawdle() -> None:
        with transaction.atomic():
            write()
            begun.set()
            may_end.wait(10)
        connection.close()

    writer = threading.Thread(target=dawdle)
    writer.start()
    begun.wait(10)
    write()
    assert error_groups.gather() == 0
    may_end.set()
    writer.join()
    assert error_groups.gather() == 2


# --- Hints ------------------------------------------------------------------------------------------------------


def test_every_code_has_a_hint() -> None:
    assert set(hints.codes()) == set(hints.BY_CODE)
    for refusal in (*results.MerchantRefusal.__subclasses__(), *results.JSAPI_ERRORS.values()):
        assert hints.BY_CODE[getattr(refusal, "code", "") or str(getattr(refusal, "error", ""))].fix
    assert set(hints.BY_CAUSE) <= set(hints.BY_CODE)


@pytest.mark.parametrize(
    ("code", "reason", "part"),
    [
        ("INVALID_SIGNATURE", "keyVersion 1 does not verify the request", "serialized anew"),
        (
            "INVALID_SIGNATURE",
            "Request-Time: more than 0:05:00 away from our clock, 2026-11-26T01:02:03+00:00.",
            "NTP",
        ),
        ("INVALID_SIGNATURE", "Signature: algorithm must be RSA256.", "algorithm=RSA256"),
        ("INVALID_SIGNATURE", "Signature: it has no part signature=<value>.", "URL-encoded base64"),
        ("INVALID_AUTHCODE", "the user paused the grant of auth code #3", "paused"),
        ("INVALID_AUTHCODE", "the grant of auth code #3 has ended", "Access ended"),
        ("INVALID_CODE", "it was issued for coffee", "another of its mini-programs"),
        ("INVALID_REFRESH_TOKEN", "refresh token #4 was revoked", "Access ended"),
        ("INVALID_ACCESS_TOKEN", "none of the token's scopes is still granted and approved", "lost its approval"),
        ("PARAM_ILLEGAL", "The body is not valid UTF-8.", "UTF-8"),
        ("2", "appId: this mini-program is suspended.", "suspended"),
        ("2", "scopes: none is usable (USER_NAME: not approved for this mini-program).", "nobody approved"),
        ("3", "TypeError, see the log", "trace id"),
        ("11", "the user has paused this mini-program, and can let it go on under Permissions", "paused"),
        ("GONE_LONG_AGO", "?", "none that we utter today"),
    ],
)
def test_a_frequent_cause_has_a_hint_of_its_own(code: str, reason: str, part: str) -> None:
    found = hints.hint(code, error_causes.cause(reason))
    assert part in found.fix
    assert found.who


def test_the_reasons_of_real_refusals_meet_their_hints(
    alices: Container, shop: MiniProgram, shop_server: MerchantServer
) -> None:
    code = alices.code("shop", ["USER_NICKNAME"])
    token = shop_server.exchange(code)["accessToken"]
    MiniProgram.objects.get().grants.get().revoke(by=None, reason="over")
    shop_server.user_info(token)
    alices.get_auth_code("nothing", ["USER_NICKNAME"])
    error_groups.gather()
    fixes = {group.code: hints.hint(group.code, group.cause).fix for group in ErrorGroup.objects.all()}
    assert "Access ended" in fixes["INVALID_ACCESS_TOKEN"]
    assert "not registered here" in fixes["2"]
