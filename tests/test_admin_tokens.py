"""Codes and tokens at the console: that they exist and for whom, never what they are."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from oauth2_provider.models import get_access_token_model, get_refresh_token_model

from authapi.models import AuthCode
from portal.models import MiniProgram, MiniProgramGrant, User
from tests.conftest import Container
from tests.merchants import MerchantServer
from tests.operators import Desk

MODELS = {
    "/admin/authapi/authcode/": AuthCode,
    "/admin/oauth2_provider/accesstoken/": get_access_token_model(),
    "/admin/oauth2_provider/refreshtoken/": get_refresh_token_model(),
}


@pytest.fixture
def desk(olga: User) -> Desk:
    return Desk(olga)


@pytest.fixture
def secrets(alices: Container, bobs: Container, shop: MiniProgram, cafe: MiniProgram) -> list[str]:
    """Alice has a pair at Shop, Bob one at Cafe; every secret and every hash of them."""
    found = []
    for container, app_id in ((alices, "shop"), (bobs, "cafe")):
        code = container.code(app_id, ["USER_NICKNAME"])
        pair = MerchantServer(f"{app_id}-client").exchange(code)
        found += [code, pair["accessToken"], pair["refreshToken"]]
    found += AuthCode.objects.values_list("code", flat=True)
    for model in (get_access_token_model(), get_refresh_token_model()):
        found += model.objects.values_list("token_checksum", flat=True)
    return found


@pytest.mark.trust(7)
@pytest.mark.trust(32)
@pytest.mark.parametrize("path", MODELS)
def test_neither_secret_nor_hash_is_shown(desk: Desk, secrets: list[str], path: str) -> None:
    pages = [desk.page(path), *(desk.page(f"{path}{row.pk}/change/") for row in MODELS[path].objects.all())]
    assert len(pages) == 3
    for page in pages:
        assert not [secret[:10] for secret in secrets if secret[:12] in page]


@pytest.mark.trust(32)
@pytest.mark.parametrize("lookup", ["code__startswith", "token_checksum__startswith", "token__startswith"])
def test_no_filter_guesses_a_hash(desk: Desk, secrets: list[str], lookup: str) -> None:
    for path in MODELS:
        assert desk.get(path, {lookup: "a"}).status_code == 400


@pytest.mark.parametrize("path", MODELS)
@pytest.mark.parametrize("query", ["q=alice", "q=shop", "program=shop", "q=0917+123+4567"])
def test_they_are_found_by_person_and_mini_program(desk: Desk, secrets: list[str], path: str, query: str) -> None:
    page = desk.page(f"{path}?{query}")
    for row in MODELS[path].objects.all():
        assert (f"{path}{row.pk}/change/" in page) is (row.user.username == "alice")


def test_one_is_found_by_the_number_the_audit_names(desk: Desk, secrets: list[str]) -> None:
    code = AuthCode.objects.get(user__username="bob")
    page = desk.page(f"/admin/authapi/authcode/?q=%3D{code.pk}")
    assert page.count("/change/") == 1
    assert f"#{code.pk}" in page
    assert "Used" in page


def test_a_secret_finds_nothing(desk: Desk, secrets: list[str]) -> None:
    for path in MODELS:
        for secret in secrets:
            assert "/change/" not in desk.get(path, {"q": secret}).content.decode().replace(secret, "")


@pytest.mark.parametrize("path", MODELS)
def test_fifty_take_few_statements(
    desk: Desk, alice: User, shop: MiniProgram, path: str, django_assert_max_num_queries: Any
) -> None:
    grant = MiniProgramGrant.objects.create(user=alice, mini_program=shop)
    soon = timezone.now() + timedelta(hours=1)
    for n in range(55):
        fields: dict[str, Any] = {"user": alice, "application": shop}
        if MODELS[path] is AuthCode:
            fields |= {"grant": grant, "code": f"{n:064}", "expires": soon}
        elif "access" in path:
            fields |= {"token": "", "token_checksum": f"{n:064}", "expires": soon}
        else:
            fields |= {"token": "", "token_checksum": f"{n:064}"}
        MODELS[path].objects.create(**fields)
    with django_assert_max_num_queries(12):
        assert desk.page(path).count('class="field-state') == 50
