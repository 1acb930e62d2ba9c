"""Merchants at the console: their keys rotate, their sector stays, their parked notices are sent again."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from authapi.models import ErrorAudit
from portal.models import Merchant, MerchantNotice, MiniProgram, Sector, User
from tests.conftest import Container
from tests.merchants import MerchantServer, public_pem
from tests.operators import Desk, counted, everything, in_role, last_log

LIST = "/admin/portal/merchant/"
NOTICES = "/admin/portal/merchantnotice/"


@pytest.fixture
def manager(db: None) -> Desk:
    return Desk(in_role("manager"))


def form_of(merchant: Merchant, new_keys: int = 0, **changes: Any) -> dict[str, Any]:
    keys = list(merchant.keys.all())
    posted: dict[str, Any] = {
        "name": merchant.name,
        "status": merchant.status,
        "notify_url": merchant.notify_url,
        "reason": "as agreed",
        **counted("keys", len(keys), new_keys),
    }
    for number, key in enumerate(keys):
        posted |= {f"keys-{number}-id": key.pk, f"keys-{number}-merchant": merchant.pk}
    return {**posted, **changes}


def test_a_merchant_is_made_with_a_sector(manager: Desk) -> None:
    assert manager.post("/admin/portal/sector/add/", {"name": "teas", "reason": "new"}).status_code == 302
    sector = Sector.objects.get(name="teas")
    posted = {"client_id": "TEA", "name": "Tea Ltd", "status": "ACTIVE", "sector": sector.pk, "reason": "contract"}
    posted |= counted("keys", 0, 1) | {"keys-0-version": 1, "keys-0-public_key": public_pem("tea")}
    assert manager.post(f"{LIST}add/", posted).status_code == 302
    made = Merchant.objects.get(client_id="TEA")
    assert (made.name, made.sector, made.keys.get().version) == ("Tea Ltd", sector, 1)
    assert "Why: contract" in last_log()[2]


@pytest.mark.trust(29)
def test_client_id_and_sector_stay(manager: Desk, shop: MiniProgram, cafe: MiniProgram) -> None:
    asked = form_of(shop.merchant, client_id="x", sector=cafe.merchant.sector_id, notify_url="https://shop.example/n")
    assert manager.post(f"{LIST}{shop.merchant_id}/change/", asked).status_code == 302
    merchant = Merchant.objects.get(pk=shop.merchant_id)
    assert (merchant.client_id, merchant.sector_id) == ("shop-client", shop.merchant.sector_id)
    assert merchant.notify_url == "https://shop.example/n"
    assert last_log() == ("the-manager", str(merchant.pk), "Changed Notify URL. Why: as agreed")


@pytest.mark.trust(30)
def test_the_badge_is_given_with_a_reason(manager: Desk, shop: MiniProgram) -> None:
    path = f"{LIST}{shop.merchant_id}/change/"
    assert manager.post(path, form_of(shop.merchant, verified="on", reason=" ")).status_code == 200
    assert not Merchant.objects.get(pk=shop.merchant_id).verified
    assert manager.post(path, form_of(shop.merchant, verified="on", reason="saw the papers")).status_code == 302
    assert Merchant.objects.get(pk=shop.merchant_id).verified
    assert last_log() == ("the-manager", str(shop.merchant_id), "Changed Verified. Why: saw the papers")
    assert "shop-client" in manager.page(f"{LIST}?verified__exact=1")


@pytest.mark.trust(32)
def test_the_salt_of_a_sector_is_not_shown(olga: User, shop: MiniProgram) -> None:
    sector = shop.merchant.sector
    for page in (
        Desk(olga).page("/admin/portal/sector/"),
        Desk(olga).page(f"/admin/portal/sector/{sector.pk}/change/"),
    ):
        assert "salt" not in page
        assert bytes(sector.salt).hex() not in page


@pytest.mark.trust(12)
@pytest.mark.trust(30)
def test_keys_rotate_without_a_gap(
    manager: Desk, alices: Container, shop: MiniProgram, shop_server: MerchantServer
) -> None:
    path = f"{LIST}{shop.merchant_id}/change/"
    new = {"keys-1-version": 2, "keys-1-public_key": public_pem("shop-next")}
    assert manager.post(path, form_of(shop.merchant, 1, **new)).status_code == 302
    assert "Why: as agreed" in last_log()[2]
    assert shop_server.exchange(alices.code("shop", ["auth_base"]))["result"]["resultCode"] == "SUCCESS"

    now = timezone.now() - timedelta(minutes=1)
    retired = {"keys-0-retired_at_0": f"{now:%Y-%m-%d}", "keys-0-retired_at_1": f"{now:%H:%M:%S}"}
    assert manager.post(path, form_of(shop.merchant, **retired)).status_code == 302
    assert shop.merchant.keys.get(version=1).retired_at
    refused = shop_server.post("/v2/authorizations/applyToken", grantType="AUTHORIZATION_CODE", authCode="x")
    assert refused["result"]["resultCode"] == "KEY_NOT_FOUND"


@pytest.mark.trust(12)
def test_a_key_works_until_the_day_an_operator_sets(
    manager: Desk, shop: MiniProgram, shop_server: MerchantServer, audited: Callable[..., ErrorAudit]
) -> None:
    def code(server: MerchantServer) -> str:
        return str(server.user_info("none")["result"]["resultCode"])

    path, day = f"{LIST}{shop.merchant_id}/change/", timezone.now() + timedelta(days=14)
    new = {"keys-1-version": 2, "keys-1-public_key": public_pem("shop-next")}
    end = {"keys-0-retired_at_0": f"{day:%Y-%m-%d}", "keys-0-retired_at_1": "00:00:00"}
    assert manager.post(path, form_of(shop.merchant, 1, **new, **end)).status_code == 302
    retired_at = shop.merchant.keys.get(version=1).retired_at
    assert retired_at
    assert retired_at.date() == day.date()
    assert "Why: as agreed" in last_log()[2]
    second = MerchantServer("shop-client", "shop-next", key_version=2)
    assert (code(shop_server), code(second)) == ("INVALID_ACCESS_TOKEN", "INVALID_ACCESS_TOKEN")

    later = {"keys-0-retired_at_0": f"{day + timedelta(days=7):%Y-%m-%d}", "keys-0-retired_at_1": "00:00:00"}
    assert manager.post(path, form_of(shop.merchant, **later)).status_code == 302
    assert shop.merchant.keys.get(version=1).retired_at == retired_at + timedelta(days=7)  # they asked for a week
    shop.merchant.keys.filter(version=1).update(retired_at=timezone.now())  # that day has come
    assert (code(second), code(shop_server)) == ("INVALID_ACCESS_TOKEN", "KEY_NOT_FOUND")
    audited("KEY_NOT_FOUND", client_id="shop-client")


def test_a_key_is_never_changed_and_retired_is_retired(manager: Desk, shop: MiniProgram) -> None:
    path, key = f"{LIST}{shop.merchant_id}/change/", shop.merchant.keys.get()
    asked = {"keys-0-version": 9, "keys-0-public_key": public_pem("thief")}
    assert manager.post(path, form_of(shop.merchant, **asked)).status_code == 302
    shop.merchant.keys.update(retired_at=timezone.now() - timedelta(days=1))
    assert (
        manager.post(
            path, form_of(shop.merchant, **{"keys-0-retired_at_0": "", "keys-0-retired_at_1": ""})
        ).status_code
        == 302
    )
    after = shop.merchant.keys.get()
    assert (after.version, after.public_key) == (1, key.public_key)
    assert after.retired_at


def test_the_next_key_version_is_proposed(manager: Desk, shop: MiniProgram) -> None:
    shop.merchant.keys.create(version=6, public_key=public_pem("shop-client"))
    page = manager.page(f"{LIST}{shop.merchant_id}/change/")
    assert 'name="keys-__prefix__-version" value="7"' in page


@pytest.mark.parametrize("text", ["nonsense", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"])
def test_a_key_that_is_none_is_refused(manager: Desk, shop: MiniProgram, text: str) -> None:
    before = everything()
    asked = form_of(shop.merchant, 1, **{"keys-1-version": 2, "keys-1-public_key": text})
    response = manager.post(f"{LIST}{shop.merchant_id}/change/", asked)
    assert "This is no public key" in response.content.decode()
    assert everything() == before


@pytest.mark.trust(30)
def test_a_change_needs_a_reason(manager: Desk, shop: MiniProgram) -> None:
    before = everything()
    response = manager.post(f"{LIST}{shop.merchant_id}/change/", form_of(shop.merchant, status="DISABLED", reason=" "))
    assert "Say why: the reason goes into the record." in response.content.decode()
    assert everything() == before


@pytest.fixture
def parked(shop: MiniProgram) -> MerchantNotice:
    later = timezone.now() + timedelta(hours=1)
    return MerchantNotice.objects.create(
        merchant=shop.merchant,
        body={"authorizationNotifyType": "TOKEN_CANCELED"},
        state="PARKED",
        attempts=30,
        due_at=later,
        last_error="HTTP 500",
    )


def test_a_parked_notice_is_sent_again(manager: Desk, parked: MerchantNotice) -> None:
    page = manager.page(f"{NOTICES}?state__exact=PARKED")
    assert str(parked.notify_id) in page
    assert "HTTP 500" in page
    manager.act(NOTICES, "send_again", [parked], reason="their server is back")
    parked.refresh_from_db()
    assert parked.state == "WAITING"
    assert parked.due_at <= timezone.now()
    assert last_log() == ("the-manager", str(parked.pk), "Sent again. Why: their server is back")


def test_a_notice_that_arrived_is_not_sent_again(manager: Desk, parked: MerchantNotice) -> None:
    MerchantNotice.objects.update(state="SENT")
    before = everything()
    manager.post(f"{NOTICES}{parked.pk}/act/send_again/", {"reason": "again"})
    assert everything() == before


def test_fifty_notices_and_merchants_take_few_statements(
    manager: Desk, shop: MiniProgram, django_assert_max_num_queries: Any
) -> None:
    MerchantNotice.objects.bulk_create(MerchantNotice(merchant=shop.merchant, body={}) for _ in range(60))
    Merchant.objects.bulk_create(
        Merchant(client_id=f"c{n}", name=f"n{n}", sector=shop.merchant.sector) for n in range(60)
    )
    with django_assert_max_num_queries(12):
        assert manager.page(NOTICES).count('class="action-select"') == 50
    with django_assert_max_num_queries(12):
        assert manager.page(LIST).count('class="field-status') == 50
