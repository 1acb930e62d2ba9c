"""userId: opaque, the same within a sector, different between sectors, never reassigned (trust 29)."""

import re
from typing import Any

import pytest

from portal.models import Merchant, MiniProgram, MiniProgramGrant, User
from tests.conftest import Container, make_program
from tests.merchants import MerchantServer, public_pem

pytestmark = [pytest.mark.trust(29), pytest.mark.wire("5.2 userId")]


def user_id(server: MerchantServer, container: Container, app_id: str) -> str:
    """The userId that this mini-program sees of the container's user."""
    pair = server.exchange(container.code(app_id, ["auth_base"]))
    seen = server.user_info(pair["accessToken"])["userInfo"]["userId"]
    assert seen == pair["customerId"]
    return str(seen)


def test_it_is_opaque(alices: Container, alice: User, shop_server: MerchantServer) -> None:
    seen = user_id(shop_server, alices, "shop")
    assert re.fullmatch(r"[a-z2-7]{32}", seen)
    for known in (alice.uuid.hex, str(alice.uuid), alice.username, "639171234567"):
        assert known not in seen


def test_two_mini_programs_of_one_merchant_see_the_same_id(
    alices: Container, shop: MiniProgram, shop_server: MerchantServer
) -> None:
    make_program("shop2", ["auth_base"], shop.merchant)
    assert user_id(shop_server, alices, "shop") == user_id(shop_server, alices, "shop2")


def test_two_merchants_never_see_the_same_id(
    alices: Container, shop_server: MerchantServer, cafe_server: MerchantServer
) -> None:
    assert user_id(shop_server, alices, "shop") != user_id(cafe_server, alices, "cafe")


def test_two_merchants_of_one_sector_see_the_same_id(
    alices: Container, shop: MiniProgram, shop_server: MerchantServer
) -> None:
    sister = Merchant.objects.create(client_id="sister", name="Sister Ltd", sector=shop.merchant.sector)
    sister.keys.create(version=1, public_key=public_pem("sister"))
    make_program("deli", ["auth_base"], sister)
    assert user_id(MerchantServer("sister"), alices, "deli") == user_id(shop_server, alices, "shop")


def test_two_people_never_have_the_same_id(alices: Container, bobs: Container, shop_server: MerchantServer) -> None:
    assert user_id(shop_server, alices, "shop") != user_id(shop_server, bobs, "shop")


def test_it_survives_withdrawal_a_new_name_and_a_new_key(
    alices: Container, alice: User, shop: MiniProgram, shop_server: MerchantServer
) -> None:
    before = user_id(shop_server, alices, "shop")
    MiniProgramGrant.objects.get(user=alice).revoke(by=alice)
    User.objects.filter(pk=alice.pk).update(username="alicia", nickname="Ally")
    Merchant.objects.update(name="Shop & Sons")
    shop.merchant.keys.update(version=2)
    shop.merchant.keys.create(version=1, public_key=public_pem("shop-client"))
    assert user_id(shop_server, alices, "shop") == before


def test_it_is_never_reassigned(shop: MiniProgram, shop_server: MerchantServer, db: Any) -> None:
    """Not even to someone who gets the sign-in name, and the primary key, of a person who is gone."""
    first = User.objects.create_user("zoe")
    seen = user_id(shop_server, Container(first), "shop")
    User.objects.filter(pk=first.pk).update(username="gone", is_active=False)
    second = User.objects.create_user("zoe")
    assert user_id(shop_server, Container(second), "shop") != seen
    assert shop.merchant.sector.user_id(second.uuid.bytes) != shop.merchant.sector.user_id(first.uuid.bytes)
    assert User(pk=first.pk).uuid != first.uuid
