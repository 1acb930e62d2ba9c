"""A lost answer is normal on mobile networks: a refresh may be repeated for seconds, while nobody saw its pair."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from oauth2_provider.models import AccessToken, RefreshToken

from authapi.codes import digest
from authapi.models import ErrorAudit
from portal.models import MiniProgramGrant, User
from tests.conftest import Container
from tests.merchants import MerchantServer

pytestmark = pytest.mark.trust(3)
Audited = Callable[..., ErrorAudit]


@pytest.fixture
def first(alices: Container, shop_server: MerchantServer) -> dict[str, Any]:
    """The pair of an exchange, before any refresh."""
    return shop_server.exchange(alices.code("shop", ["auth_base", "USER_NICKNAME"]))


def code_of(answer: dict[str, Any]) -> str:
    return str(answer["result"]["resultCode"])


def age(token: str, seconds: float) -> None:
    """As if this token had been rotated so long ago."""
    then = timezone.now() - timedelta(seconds=seconds)
    assert RefreshToken.objects.filter(token_checksum=digest(token)).exclude(revoked=None).update(revoked=then)


def live_pairs() -> int:
    return RefreshToken.objects.filter(revoked=None, access_token__expires__gt=timezone.now()).count()


def test_a_repeated_refresh_gets_a_fresh_pair_in_place_of_the_unseen_one(
    first: dict[str, Any], shop_server: MerchantServer
) -> None:
    lost = shop_server.refresh(first["refreshToken"])
    again = shop_server.refresh(first["refreshToken"])
    assert code_of(again) == "SUCCESS"
    assert again["accessToken"] != lost["accessToken"]
    assert again["refreshToken"] != lost["refreshToken"]
    assert live_pairs() == 1
    assert code_of(shop_server.user_info(again["accessToken"])) == "SUCCESS"
    assert again["customerId"] == first["customerId"]


def test_it_may_be_repeated_more_than_once(first: dict[str, Any], shop_server: MerchantServer) -> None:
    answers = [shop_server.refresh(first["refreshToken"]) for _ in range(4)]
    assert [code_of(answer) for answer in answers] == ["SUCCESS"] * 4
    assert live_pairs() == 1
    assert code_of(shop_server.refresh(answers[-1]["refreshToken"])) == "SUCCESS"


def test_the_unseen_pair_is_dead(first: dict[str, Any], shop_server: MerchantServer, audited: Audited) -> None:
    lost = shop_server.refresh(first["refreshToken"])
    shop_server.refresh(first["refreshToken"])
    assert code_of(shop_server.user_info(lost["accessToken"])) == "INVALID_ACCESS_TOKEN"
    audited("INVALID_ACCESS_TOKEN")
    assert code_of(shop_server.refresh(lost["refreshToken"])) == "INVALID_REFRESH_TOKEN"
    audited("INVALID_REFRESH_TOKEN")
    assert live_pairs() == 1


@pytest.mark.parametrize("path", ["/v2/users/inquiryUserInfo", "/v1/authorizations/query"])
def test_once_the_new_access_token_was_shown_it_is_a_replay(
    first: dict[str, Any], shop_server: MerchantServer, audited: Audited, path: str
) -> None:
    seen = shop_server.refresh(first["refreshToken"])
    shop_server.post(path, accessToken=seen["accessToken"])
    assert code_of(shop_server.refresh(first["refreshToken"])) == "USED_REFRESH_TOKEN"
    audited("USED_REFRESH_TOKEN", app_id="shop")
    assert live_pairs() == 0
    assert code_of(shop_server.user_info(seen["accessToken"])) == "INVALID_ACCESS_TOKEN"


def test_once_the_new_refresh_token_was_used_it_is_a_replay(
    first: dict[str, Any], shop_server: MerchantServer, audited: Audited
) -> None:
    second = shop_server.refresh(first["refreshToken"])
    shop_server.refresh(second["refreshToken"])
    assert code_of(shop_server.refresh(first["refreshToken"])) == "USED_REFRESH_TOKEN"
    audited("USED_REFRESH_TOKEN")
    assert live_pairs() == 0


def test_after_ten_seconds_it_is_a_replay(
    first: dict[str, Any], shop_server: MerchantServer, audited: Audited
) -> None:
    shop_server.refresh(first["refreshToken"])
    age(first["refreshToken"], 10.5)
    assert code_of(shop_server.refresh(first["refreshToken"])) == "USED_REFRESH_TOKEN"
    audited("USED_REFRESH_TOKEN")
    assert live_pairs() == 0


def test_repeating_does_not_prolong_the_ten_seconds(first: dict[str, Any], shop_server: MerchantServer) -> None:
    shop_server.refresh(first["refreshToken"])
    age(first["refreshToken"], 9)
    assert code_of(shop_server.refresh(first["refreshToken"])) == "SUCCESS"
    row = RefreshToken.objects.get(token_checksum=digest(first["refreshToken"]))
    assert row.revoked
    assert timezone.now() - row.revoked > timedelta(seconds=8)


def test_it_can_be_switched_off(
    first: dict[str, Any], shop_server: MerchantServer, audited: Audited, settings: Any
) -> None:
    settings.REFRESH_GRACE = timedelta(0)
    shop_server.refresh(first["refreshToken"])
    assert code_of(shop_server.refresh(first["refreshToken"])) == "USED_REFRESH_TOKEN"
    audited("USED_REFRESH_TOKEN")
    assert live_pairs() == 0


def test_another_client_cannot_repeat_it(
    first: dict[str, Any], shop_server: MerchantServer, cafe_server: MerchantServer, audited: Audited
) -> None:
    unseen = shop_server.refresh(first["refreshToken"])
    assert code_of(cafe_server.refresh(first["refreshToken"])) == "INVALID_REFRESH_TOKEN"
    audited("INVALID_REFRESH_TOKEN", client_id="cafe-client")
    assert code_of(shop_server.user_info(unseen["accessToken"])) == "SUCCESS"


def test_a_withdrawal_in_between_wins(
    first: dict[str, Any], shop_server: MerchantServer, alice: User, audited: Audited
) -> None:
    shop_server.refresh(first["refreshToken"])
    MiniProgramGrant.objects.get().revoke(by=alice)
    assert code_of(shop_server.refresh(first["refreshToken"])) == "USED_REFRESH_TOKEN"
    audited("USED_REFRESH_TOKEN")
    assert live_pairs() == 0


def test_a_frozen_user_stays_frozen(
    first: dict[str, Any], shop_server: MerchantServer, alice: User, audited: Audited
) -> None:
    shop_server.refresh(first["refreshToken"])
    User.objects.filter(pk=alice.pk).update(status=User.Status.FROZEN)
    assert code_of(shop_server.refresh(first["refreshToken"])) == "USER_STATUS_ERROR"
    audited("USER_STATUS_ERROR", user=alice)


def test_the_scopes_stay_as_they_were(first: dict[str, Any], shop_server: MerchantServer) -> None:
    shop_server.refresh(first["refreshToken"])
    shop_server.refresh(first["refreshToken"])
    assert set(AccessToken.objects.values_list("scope", flat=True)) == {"auth_base USER_NICKNAME"}


@pytest.mark.trust(2)
def test_an_auth_code_has_no_such_grace(alices: Container, shop_server: MerchantServer, audited: Audited) -> None:
    code = alices.code("shop", ["auth_base"])
    shop_server.exchange(code)
    assert code_of(shop_server.exchange(code)) == "USED_AUTHCODE"
    audited("USED_AUTHCODE")
    assert live_pairs() == 0
