"""Many callers at once, on a real PostgreSQL: one wins, the others are told why, nothing is left over."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone
from oauth2_provider.models import AccessToken, RefreshToken

from portal.models import MiniProgram, MiniProgramGrant, User
from tests.conftest import Container
from tests.merchants import MerchantServer

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
CALLERS = 50
ROUNDS = 3


def at_once(callers: int, call: Callable[[], Any]) -> list[Any]:
    """Call it from so many threads at the same moment, each with its own connection."""
    barrier = Barrier(callers)

    def one(_number: int) -> Any:
        try:
            barrier.wait()
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(callers) as pool:
        return list(pool.map(one, range(callers)))


def live_tokens() -> tuple[int, int]:
    access = AccessToken.objects.filter(expires__gt=timezone.now()).count()
    return access, RefreshToken.objects.filter(revoked=None).count()


@pytest.mark.trust(1)
def test_one_of_many_exchanges_of_a_code_gets_tokens(alices: Container, shop_server: MerchantServer) -> None:
    for _round in range(ROUNDS):
        code = alices.code("shop", ["auth_base", "USER_NICKNAME"])
        answers = at_once(CALLERS, lambda code=code: MerchantServer("shop-client").exchange(code))
        codes = Counter(answer["result"]["resultCode"] for answer in answers)
        assert codes == {"SUCCESS": 1, "USED_AUTHCODE": CALLERS - 1}
        # The second use revoked what the first one got (trust 2), and nothing else was issued.
        assert live_tokens() == (0, 0)
    assert AccessToken.objects.count() == ROUNDS


@pytest.mark.trust(3)
def test_one_of_many_refreshes_wins_and_the_family_is_revoked(alices: Container, shop_server: MerchantServer) -> None:
    for number in range(ROUNDS):
        token = shop_server.exchange(alices.code("shop", ["auth_base"]))["refreshToken"]
        answers = at_once(CALLERS, lambda token=token: MerchantServer("shop-client").refresh(token))
        codes = Counter(answer["result"]["resultCode"] for answer in answers)
        assert codes == {"SUCCESS": 1, "USED_REFRESH_TOKEN": CALLERS - 1}
        assert live_tokens() == (0, 0)
        assert RefreshToken.objects.count() == 2 * (number + 1)


def test_a_withdrawal_during_exchanges_leaves_no_live_token(
    alices: Container, alice: User, shop: MiniProgram, shop_server: MerchantServer
) -> None:
    for _round in range(ROUNDS):
        codes = [alices.code("shop", ["auth_base"]) for _ in range(6)]
        grant = MiniProgramGrant.objects.live().get(user=alice)
        jobs = [lambda code=code: MerchantServer("shop-client").exchange(code) for code in codes]
        jobs.insert(3, lambda grant=grant: grant.revoke(by=alice))
        waiting = iter(jobs)
        at_once(len(jobs), lambda waiting=waiting: next(waiting)())
        assert live_tokens() == (0, 0)


def test_many_first_calls_make_one_grant(alice: User, shop: MiniProgram) -> None:
    answers = at_once(10, lambda: Container(alice).get_auth_code("shop"))
    assert all("authCode" in answer for answer in answers)
    assert MiniProgramGrant.objects.filter(user=alice, ended_at=None).count() == 1
    assert connection.vendor == "postgresql"
