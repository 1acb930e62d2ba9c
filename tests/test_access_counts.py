"""Who read what, how often, when last: counted beside inquiryUserInfo, which waits for no write (trust 27)."""

from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from authapi import accesses
from portal.models import AccessCount, MiniProgram, MiniProgramGrant, User
from tests import servers
from tests.conftest import Container
from tests.killable import RemoteMerchant
from tests.merchants import MerchantServer

BOTH = ["USER_NICKNAME", "USER_AVATAR"]


def token(alices: Container, server: MerchantServer, scopes: list[str]) -> str:
    return str(server.exchange(alices.code("shop", scopes))["accessToken"])


def counted() -> dict[str, int]:
    accesses.counter.flush()
    return dict(AccessCount.objects.values_list("scope", "count"))


@pytest.mark.trust(27)
def test_each_read_of_each_scope_is_counted(alices: Container, shop: MiniProgram, shop_server: MerchantServer) -> None:
    before = timezone.now()
    one, both = token(alices, shop_server, BOTH[:1]), token(alices, shop_server, BOTH)
    for access_token in (one, both, both):
        assert "nickName" in shop_server.user_info(access_token)["userInfo"]
    assert counted() == {"USER_NICKNAME": 3, "USER_AVATAR": 2}
    shop_server.user_info(both)
    assert counted() == {"USER_NICKNAME": 4, "USER_AVATAR": 3}
    assert all(before < last < timezone.now() for last in AccessCount.objects.values_list("last_at", flat=True))
    assert set(AccessCount.objects.values_list("grant__user__username", flat=True)) == {alices_name(alices)}


def alices_name(alices: Container) -> str:
    return User.objects.get(pk=alices.http.session["_auth_user_id"]).username


def test_a_refused_read_is_not_counted(
    alices: Container, alice: User, shop: MiniProgram, shop_server: MerchantServer
) -> None:
    access_token = token(alices, shop_server, BOTH)
    MiniProgramGrant.objects.get().revoke(by=alice, scopes=["USER_AVATAR"])
    shop_server.user_info(access_token)
    MiniProgramGrant.objects.get().revoke(by=alice)
    assert shop_server.user_info(access_token)["result"]["resultCode"] == "INVALID_ACCESS_TOKEN"
    assert counted() == {"USER_NICKNAME": 1}


def test_a_read_costs_no_statement_more(
    alices: Container, shop: MiniProgram, shop_server: MerchantServer, django_assert_num_queries: Any
) -> None:
    access_token = token(alices, shop_server, BOTH)
    shop_server.user_info(access_token)
    with django_assert_num_queries(2):
        shop_server.user_info(access_token)


def test_several_processes_add_up(alices: Container, shop: MiniProgram) -> None:
    grant_id, now = grant(alices), timezone.now()
    AccessCount.add({(grant_id, "USER_NICKNAME"): (3, now)})
    AccessCount.add({(grant_id, "USER_NICKNAME"): (4, now - timedelta(days=1)), (grant_id, "USER_AVATAR"): (1, now)})
    assert counted() == {"USER_NICKNAME": 7, "USER_AVATAR": 1}
    assert AccessCount.objects.get(scope="USER_NICKNAME").last_at == now


def grant(alices: Container) -> str:
    alices.code("shop", ["auth_base"])
    return str(MiniProgramGrant.objects.get().pk)


def test_threads_lose_no_count(alices: Container, shop: MiniProgram) -> None:
    grant_id = grant(alices)
    threads = [Thread(target=lambda: [accesses.counter.note(grant_id, BOTH) for _ in range(500)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted() == dict.fromkeys(BOTH, 4000)


def test_what_cannot_be_written_is_kept(alices: Container, shop: MiniProgram) -> None:
    accesses.counter.note(grant(alices), BOTH)

    def away(execute: Any, sql: str, *args: Any) -> Any:
        raise OperationalError("the database is away")

    with connection.execute_wrapper(away):
        assert accesses.counter.flush() == 0
    assert counted() == dict.fromkeys(BOTH, 1)


@pytest.mark.process
def test_a_process_that_is_asked_to_end_writes_its_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCESS_COUNT_SECONDS", "600")
    with servers.running(tmp_path) as portal:
        coffee = RemoteMerchant(portal, portal.program("coffee"))
        pair = coffee.exchange(portal.code("alice", "coffee", ["USER_NICKNAME"]))
        for _ in range(3):
            assert coffee.user_info(pair["accessToken"])["userInfo"]["nickName"]
    assert portal.sql("SELECT scope, count FROM portal_accesscount") == [("USER_NICKNAME", 3)]
