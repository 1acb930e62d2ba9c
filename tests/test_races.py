"""Many callers at once, on a real PostgreSQL: one wins, the others are told why, and the rows are counted.

A race is *held* when the row everybody wants is kept locked until every caller waits for it: then all of them are
under way together, whatever the machine does. A *free* race lets them run; late ones come as replays.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, connections, models, transaction
from django.utils import timezone
from oauth2_provider.models import AccessToken, RefreshToken

from authapi.codes import digest
from authapi.models import AuthCode
from portal.models import MiniProgram, MiniProgramGrant, User
from tests.conftest import Container
from tests.merchants import MerchantServer

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
CALLERS = 50
ROUNDS = 20
FEW = 4
Call = Callable[[], Any]
# In this database: other tests may race in theirs, on the same server.
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


class Crowd:
    """So many threads, each with a database connection of its own that lives as long as the crowd."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.pool = pool

    def free(self, calls: list[Call]) -> list[Any]:
        """Everybody at the same moment."""
        barrier = Barrier(len(calls))
        return [future.result(60) for future in [self.pool.submit(_after, barrier, call) for call in calls]]

    def held(self, calls: list[Call], row: models.QuerySet[Any]) -> list[Any]:
        """Everybody while this row is locked; it is let go when all of them wait."""
        with transaction.atomic():
            assert list(row.select_for_update())
            futures = [self.pool.submit(call) for call in calls]
            _wait_for_waiters(len(calls), futures)
        return [future.result(60) for future in futures]


def _after(barrier: Barrier, call: Call) -> Any:
    barrier.wait(60)
    return call()


def _wait_for_waiters(number: int, futures: list[Future[Any]]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # a transaction would see the same ones for ever
            cursor.execute(WAITING)
            if cursor.fetchone()[0] >= number:
                return
        assert not any(future.done() for future in futures)
        time.sleep(0.005)
    raise AssertionError("not everybody came to wait")


@contextmanager
def crowd() -> Iterator[Crowd]:
    with ThreadPoolExecutor(CALLERS) as pool:
        yield Crowd(pool)
        barrier = Barrier(CALLERS)
        for future in [pool.submit(_leave, barrier) for _ in range(CALLERS)]:
            future.result(60)


def _leave(barrier: Barrier) -> None:
    connections.close_all()
    barrier.wait(60)


def live() -> tuple[int, int]:
    """Access tokens and refresh tokens that work now."""
    now = timezone.now()
    access = AccessToken.objects.filter(expires__gt=now, refresh_token__revoked=None).exclude(refresh_token=None)
    return access.count(), RefreshToken.objects.filter(revoked=None).count()


def orphans() -> int:
    """Halves of a pair. A rotated refresh token may have let go of its dead access token, and nothing else may."""
    lone_access = AccessToken.objects.filter(refresh_token=None, expires__gt=timezone.now())
    return lone_access.count() + RefreshToken.objects.filter(access_token=None, revoked=None).count()


def outcomes(answers: list[Any]) -> Counter[str]:
    return Counter(answer["result"]["resultCode"] for answer in answers)


@pytest.mark.trust(1)
def test_one_of_fifty_exchanges_gets_tokens_and_they_live(alices: Container, shop_server: MerchantServer) -> None:
    with crowd() as callers:
        for number in range(1, ROUNDS + 1):
            code = alices.code("shop", ["auth_base", "USER_NICKNAME"])
            call = lambda code=code: MerchantServer("shop-client").exchange(code)  # noqa: E731
            answers = callers.held([call] * CALLERS, AuthCode.objects.filter(code=digest(code)))
            assert outcomes(answers) == {"SUCCESS": 1, "USED_AUTHCODE": CALLERS - 1}
            assert live() == (number, number)
            assert AccessToken.objects.count() == RefreshToken.objects.count() == number
            assert orphans() == 0


@pytest.mark.trust(1)
@pytest.mark.trust(2)
def test_a_latecomer_of_a_race_is_a_replay(alices: Container, shop_server: MerchantServer) -> None:
    with crowd() as callers:
        for number in range(1, ROUNDS + 1):
            code = alices.code("shop", ["auth_base"])
            call = lambda code=code: MerchantServer("shop-client").exchange(code)  # noqa: E731
            assert outcomes(callers.free([call] * CALLERS)) == {"SUCCESS": 1, "USED_AUTHCODE": CALLERS - 1}
            assert AccessToken.objects.count() == RefreshToken.objects.count() == number
            MerchantServer("shop-client").exchange(code)
            assert live() == (0, 0)


@pytest.mark.trust(3)
def test_one_of_fifty_refreshes_wins_and_its_pair_lives(alices: Container, shop_server: MerchantServer) -> None:
    with crowd() as callers:
        token = shop_server.exchange(alices.code("shop", ["auth_base"]))["refreshToken"]
        for number in range(1, ROUNDS + 1):
            call = lambda token=token: MerchantServer("shop-client").refresh(token)  # noqa: E731
            answers = callers.held([call] * CALLERS, RefreshToken.objects.filter(token_checksum=digest(token)))
            assert outcomes(answers) == {"SUCCESS": 1, "USED_REFRESH_TOKEN": CALLERS - 1}
            assert live() == (1, 1)
            assert AccessToken.objects.count() == RefreshToken.objects.count() == number + 1
            assert orphans() == 0
            token = next(answer["refreshToken"] for answer in answers if "refreshToken" in answer)


@pytest.mark.trust(3)
def test_a_latecomer_with_a_refresh_replaces_the_unseen_pair(alices: Container, shop_server: MerchantServer) -> None:
    with crowd() as callers:
        for number in range(1, FEW + 1):
            token = shop_server.exchange(alices.code("shop", ["auth_base"]))["refreshToken"]
            call = lambda token=token: MerchantServer("shop-client").refresh(token)  # noqa: E731
            answers = callers.free([call] * CALLERS)
            assert outcomes(answers).keys() <= {"SUCCESS", "USED_REFRESH_TOKEN"}
            assert live() == (number, number)
            assert orphans() == 0
            assert sum(still_works(answer) for answer in answers) == 1


def still_works(answer: dict[str, Any]) -> bool:
    if "accessToken" not in answer:
        return False
    info = MerchantServer("shop-client").user_info(answer["accessToken"])
    return bool(info["result"]["resultStatus"] == "S")


@pytest.mark.trust(3)
def test_without_grace_exactly_one_wins_however_late_the_others_are(
    alices: Container, shop_server: MerchantServer, settings: Any
) -> None:
    settings.REFRESH_GRACE = timedelta(0)
    with crowd() as callers:
        for _number in range(FEW):
            token = shop_server.exchange(alices.code("shop", ["auth_base"]))["refreshToken"]
            call = lambda token=token: MerchantServer("shop-client").refresh(token)  # noqa: E731
            answers = callers.free([call] * CALLERS)
            assert outcomes(answers) == {"SUCCESS": 1, "USED_REFRESH_TOKEN": CALLERS - 1}
            MerchantServer("shop-client").refresh(token)  # surely late
            assert live() == (0, 0)


@pytest.mark.trust(10)
def test_a_withdrawal_during_exchanges_leaves_no_live_token(
    alices: Container, alice: User, shop: MiniProgram, shop_server: MerchantServer
) -> None:
    with crowd() as callers:
        for _round in range(2 * FEW):
            codes = [alices.code("shop", ["auth_base"]) for _ in range(6)]
            grant = MiniProgramGrant.objects.live().get(user=alice)
            jobs: list[Call] = [lambda code=code: MerchantServer("shop-client").exchange(code) for code in codes]
            jobs.insert(3, lambda grant=grant: grant.revoke(by=alice))
            callers.free(jobs)
            assert live() == (0, 0)


@pytest.mark.trust(10)
def test_a_withdrawal_during_refreshes_leaves_no_live_token(
    alices: Container, alice: User, shop: MiniProgram, shop_server: MerchantServer
) -> None:
    with crowd() as callers:
        for _round in range(2 * FEW):
            tokens = [shop_server.exchange(alices.code("shop", ["auth_base"]))["refreshToken"] for _ in range(6)]
            grant = MiniProgramGrant.objects.live().get(user=alice)
            jobs: list[Call] = [lambda token=token: MerchantServer("shop-client").refresh(token) for token in tokens]
            jobs.insert(3, lambda grant=grant: grant.revoke(by=alice))
            callers.free(jobs)
            assert live() == (0, 0)


def test_many_first_calls_make_one_grant(alice: User, shop: MiniProgram) -> None:
    with crowd() as callers:
        answers = callers.free([lambda: Container(alice).get_auth_code("shop")] * CALLERS)
    assert all("authCode" in answer for answer in answers)
    assert MiniProgramGrant.objects.filter(user=alice, ended_at=None).count() == 1
