"""Too many failed calls: REQUEST_TRAFFIC_EXCEED_LIMIT and Retry-After, and nobody else notices (trust 19)."""

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches

from authapi.models import ErrorAudit
from portal import limits
from portal.models import Merchant, MiniProgram
from tests.conftest import Container
from tests.merchants import MerchantServer, verify_answer
from tests.redis_server import RedisServer

pytestmark = pytest.mark.trust(19)
Audited = Callable[..., ErrorAudit]
APPLY_TOKEN = "/v2/authorizations/applyToken"
QUERY = "/v1/authorizations/query"
EXCEEDED = "REQUEST_TRAFFIC_EXCEED_LIMIT"


class Caller(MerchantServer):
    """A merchant's server at an address of its own."""

    def __init__(self, client_id: str, address: str = "203.0.113.7", key: str = "") -> None:
        super().__init__(client_id, key)
        self.http.defaults["REMOTE_ADDR"] = address

    def code(self, path: str = APPLY_TOKEN, **fields: Any) -> str:
        return str(self.post(path, **fields)["result"]["resultCode"])

    def guess(self, code: str) -> str:
        return self.code(grantType="AUTHORIZATION_CODE", authCode=code)


@pytest.fixture
def mallory(shop: MiniProgram) -> Caller:
    """Signs as Shop with a key of her own."""
    return Caller("shop-client", "198.51.100.66", key="mallory")


# --- The answer -------------------------------------------------------------------------------------------------


@pytest.mark.wire("3 REQUEST_TRAFFIC_EXCEED_LIMIT")
@pytest.mark.parametrize(("version", "status"), [(1, "U"), (2, "F")])
def test_a_refusal_over_the_limit_says_how_long_to_wait(
    mallory: Caller, audited: Audited, settings: Any, version: int, status: str
) -> None:
    settings.LIMIT_CLIENT = 2
    path = f"/v{version}/authorizations/applyToken"
    assert [mallory.code(path) for _ in range(2)] == ["INVALID_SIGNATURE"] * 2
    response = mallory.send(path, b"{}")
    assert response.status_code == 200
    verify_answer(path, "shop-client", response)
    assert response.json()["result"] == {
        "resultStatus": status,
        "resultCode": EXCEEDED,
        "resultMessage": "Too many requests. Wait as long as Retry-After says.",
    }
    assert 1 <= int(response["Retry-After"]) <= 60
    row = audited(EXCEEDED, client_id="shop-client", endpoint=path, address="198.51.100.66")
    assert "more than 2 failed calls a minute under this Client-Id from this address" in row.reason
    assert "INVALID_SIGNATURE" in row.reason


def test_a_flood_leaves_one_row_and_one_log_line_for_all_that_is_over(
    mallory: Caller, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.LIMIT_CLIENT = 3
    codes = [mallory.code() for _ in range(20)]
    assert codes == ["INVALID_SIGNATURE"] * 3 + [EXCEEDED] * 17
    rows = list(ErrorAudit.objects.order_by("id").values_list("code", flat=True))
    assert rows == ["INVALID_SIGNATURE"] * 3 + [EXCEEDED]
    warned = [record for record in caplog.records if record.name == "authapi.limits"]
    assert [record.levelno for record in warned] == [logging.WARNING]


# --- Nobody else is locked out ------------------------------------------------------------------------------------


def test_a_valid_call_is_never_refused_whoever_floods_under_its_name(
    mallory: Caller, alices: Container, settings: Any
) -> None:
    settings.LIMIT_CLIENT = settings.LIMIT_ADDRESS = settings.LIMIT_PREFIX = 1
    for address in ("198.51.100.66", "203.0.113.7"):
        mallory.http.defaults["REMOTE_ADDR"] = address
        assert {mallory.code() for _ in range(9)} == {"INVALID_SIGNATURE", EXCEEDED}
    shop = Caller("shop-client", "203.0.113.7")
    pair = shop.exchange(alices.code("shop", ["auth_base"]))
    assert pair["result"]["resultCode"] == "SUCCESS"
    assert shop.user_info(pair["accessToken"])["result"]["resultCode"] == "SUCCESS"


def test_a_stranger_does_not_use_up_the_clients_own_refusals(mallory: Caller, settings: Any) -> None:
    settings.LIMIT_CLIENT = 2
    assert [mallory.code() for _ in range(4)][-1] == EXCEEDED
    assert Caller("shop-client").guess("nothing") == "INVALID_AUTHCODE"
    assert Caller("shop-client", key="other").code() == "INVALID_SIGNATURE"


def test_mistakes_of_form_do_not_count(shop: MiniProgram, settings: Any) -> None:
    settings.LIMIT_CLIENT = settings.LIMIT_ADDRESS = settings.LIMIT_PREFIX = 1
    caller = Caller("shop-client")
    assert {caller.code() for _ in range(5)} == {"PARAM_ILLEGAL"}
    assert {caller.code("/v2/nothing") for _ in range(5)} == {"INVALID_API"}


# --- What counts --------------------------------------------------------------------------------------------------


def test_calls_of_one_address_count_together_whatever_client_they_name(
    shop: MiniProgram, audited: Audited, settings: Any
) -> None:
    settings.LIMIT_ADDRESS = 3
    Merchant.objects.get(client_id="shop-client").keys.filter(version=1).update(version=7)
    codes = [Caller(name).code() for name in ("nobody", "shop-client", "noone", "nix", "nada")]
    assert codes == ["INVALID_CLIENT", "KEY_NOT_FOUND", "INVALID_CLIENT", EXCEEDED, EXCEEDED]
    assert "more than 3 failed calls a minute from this address" in audited(EXCEEDED, client_id="nix").reason
    assert ErrorAudit.objects.filter(code=EXCEEDED).count() == 1
    assert Caller("nobody", "203.0.113.8").code() == "INVALID_CLIENT"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("203.0.113.7", "::ffff:203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
    ],
)
def test_an_ipv6_household_is_one_address(db: None, settings: Any, one: str, other: str, same: bool) -> None:
    settings.LIMIT_ADDRESS = 1
    assert Caller("nobody", one).code() == "INVALID_CLIENT"
    assert Caller("nobody", other).code() == (EXCEEDED if same else "INVALID_CLIENT")


def test_a_clients_guesses_count_wherever_it_calls_from(
    shop: MiniProgram, cafe: MiniProgram, audited: Audited, settings: Any
) -> None:
    settings.LIMIT_CLIENT = 3
    codes = [Caller("shop-client", f"203.0.113.{n}").guess(f"guess{n:03}") for n in range(5)]
    assert codes == ["INVALID_AUTHCODE"] * 3 + [EXCEEDED] * 2
    audited(EXCEEDED, client_id="shop-client", address="203.0.113.3")
    tokens = Caller("shop-client", "203.0.113.9")
    assert tokens.code(QUERY, accessToken="guessed-too") == EXCEEDED
    assert tokens.code(grantType="REFRESH_TOKEN", refreshToken="guessed-three") == EXCEEDED
    assert Caller("cafe-client").guess("another1") == "INVALID_AUTHCODE"


def test_clients_that_try_one_prefix_together_share_its_limit(
    shop: MiniProgram, cafe: MiniProgram, audited: Audited, settings: Any
) -> None:
    settings.LIMIT_PREFIX = 2
    guesses = [("shop", "abcdefgh1"), ("cafe", "abcdefgh2"), ("shop", "abcdefgh3")]
    assert [Caller(f"{app}-client", f"203.0.113.{n}").guess(code) for n, (app, code) in enumerate(guesses)] == [
        "INVALID_AUTHCODE",
        "INVALID_AUTHCODE",
        EXCEEDED,
    ]
    assert "with this code or token" in audited(EXCEEDED, client_id="shop-client").reason
    assert Caller("shop-client").guess("abcdefgX") == "INVALID_AUTHCODE"


def test_who_repeats_a_used_code_guesses_nothing(alices: Container, shop: MiniProgram, settings: Any) -> None:
    settings.LIMIT_CLIENT = settings.LIMIT_ADDRESS = 1
    caller = Caller("shop-client")
    code = alices.code("shop", ["auth_base"])
    caller.exchange(code)
    assert {caller.guess(code) for _ in range(50)} == {"USED_AUTHCODE"}
    settings.LIMIT_PREFIX = 50
    assert caller.guess(code) == EXCEEDED
    assert caller.guess("something else") == "INVALID_AUTHCODE"


def test_a_field_that_is_not_the_refused_one_does_not_dodge_the_limit(shop: MiniProgram, settings: Any) -> None:
    settings.LIMIT_PREFIX = 2
    caller = Caller("shop-client")
    fields = {"grantType": "REFRESH_TOKEN", "refreshToken": "the-one-guessed"}
    codes = [caller.code(**fields, authCode=f"{n}-decoy", accessToken=f"{n}-decoy") for n in range(3)]
    assert codes == ["INVALID_REFRESH_TOKEN"] * 2 + [EXCEEDED]


def test_a_token_that_is_no_text_is_no_trouble(shop: MiniProgram, settings: Any) -> None:
    settings.LIMIT_PREFIX = 1
    caller = Caller("shop-client")
    for body in (b"[]", b'{"accessToken": {"a": 1}}', b'{"accessToken": "\\ud800"}', b"\xff"):
        for _ in range(2):
            response = caller.send(QUERY, body)
            assert response.json()["result"]["resultCode"] in ("PARAM_ILLEGAL", "INVALID_ACCESS_TOKEN", EXCEEDED)


def test_a_caller_without_address_is_counted_by_its_name(db: None, settings: Any) -> None:
    settings.LIMIT_ADDRESS, settings.LIMIT_CLIENT = 1, 2
    assert [Caller("nobody", "").code() for _ in range(3)] == ["INVALID_CLIENT"] * 2 + [EXCEEDED]


@pytest.mark.trust(7)
def test_the_cache_holds_no_client_no_address_and_no_part_of_a_token(shop: MiniProgram) -> None:
    Caller("shop-client").guess("Secret78-and-more")
    stored = str(caches["default"]._cache) + str(caches["default"]._expire_info)  # type: ignore[attr-defined]
    assert stored.count("limit:") == 6
    for text in ("Secret78", "shop-client", "203.0.113.7"):
        assert text not in stored


# --- The container's API ------------------------------------------------------------------------------------------


def test_calls_without_a_valid_user_are_429_over_the_limit(
    container: Callable[[Any], Container], shop: MiniProgram, audited: Audited, settings: Any
) -> None:
    settings.LIMIT_ADDRESS = 2
    nobody = container(None)
    path, guess = "/v1/authorizations/getAuthCode", {"Authorization": "Bearer guessed"}
    answers = [nobody.post(path, {"appId": "shop"}, **guess) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 429, 429, 429]
    assert answers[2].json()["error"] == 3
    assert 1 <= int(answers[2]["Retry-After"]) <= 60
    assert list(ErrorAudit.objects.order_by("id").values_list("code", flat=True)) == ["401", "401", "429"]
    assert "without a valid user" in audited("429", address="127.0.0.1").reason


def test_a_signed_in_user_is_not_limited_by_strangers_at_the_same_address(
    container: Callable[[Any], Container], alices: Container, shop: MiniProgram, settings: Any
) -> None:
    settings.LIMIT_ADDRESS = 1
    for _ in range(3):
        container(None).post("/v1/authorizations/getAuthCode", {"appId": "shop"})
    assert "authCode" in alices.get_auth_code("shop")


# --- The counters -------------------------------------------------------------------------------------------------


def test_a_window_ends_and_the_next_begins_at_nothing() -> None:
    assert limits.hit("k", 2, 1) is None
    assert limits.hit("k", 2, 1) is None
    assert limits.hit("k", 2, 1) == limits.Over(retry_after=limits.hit("k", 2, 1).retry_after, first=True)  # type: ignore[union-attr]
    time.sleep(1.1)
    assert limits.hit("k", 2, 1) is None


@pytest.mark.parametrize("kind", ["in this process", pytest.param("redis", marks=pytest.mark.process)])
def test_of_parallel_callers_exactly_one_is_the_first_above_the_limit(
    kind: str, tmp_path: Path, settings: Any
) -> None:
    server = RedisServer(tmp_path) if kind == "redis" else None
    if server:
        settings.CACHES = {
            "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": server.url}
        }
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: limits.hit("many", 20, 60), range(100)))
    if server:
        server.stop()
    over = [one for one in found if one]
    assert len(over) == 80
    assert sum(one.first for one in over) == 1
    assert all(50 <= one.retry_after <= 60 for one in over)


def test_what_is_taken_back_was_not_counted() -> None:
    for _ in range(5):
        assert limits.hit("k", 1, 60) is None
        limits.take_back("k")
    limits.take_back("never counted")
    assert limits.hit("never counted", 1, 60) is None
    assert limits.hit("never counted", 1, 60)
