"""The cast and the stage: Alice consents, Bob must never see anything of hers, Olga is an operator.

Shop may ask for everything, Cafe for little; they belong to different merchants.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from time import time
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import Client
from pytest_django.plugin import blocking_manager_key

from authapi import accesses, endpoint_times, platform
from authapi.models import ErrorAudit
from portal import recent_sign_in
from portal.models import Address, Contact, LoginId, Merchant, MiniProgram, ScopeApproval, Sector, User
from portal.scopes import BUILT_IN
from tests import machine, migrated
from tests.browsers import chromium, demo, page, running_demo  # noqa: F401  (fixtures)
from tests.console_stage import scene, stage  # noqa: F401  (fixtures)
from tests.ledgers import sealed, small_seals, written  # noqa: F401  (fixtures)
from tests.merchants import MerchantServer, public_pem
from tests.operators import restore_roles
from tests.served import served, visitor, window  # noqa: F401  (fixtures)

PASSWORD = "correct horse battery staple"
EVERY_SCOPE = [scope.name for scope in BUILT_IN]


def pytest_configure() -> None:
    """No thread writes counts behind a test's back, whichever fixture counts first."""
    settings.ACCESS_COUNT_SECONDS = 0


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Races need PostgreSQL's rows and locks: on SQLite they are left to `pytest -p tests.postgres`."""
    unfit = set() if settings.DATABASES["default"]["ENGINE"].endswith("postgresql") else {"postgres"}
    if machine.lacks_chromium():
        unfit.add("browser")
    left_out = [item for item in items if any(item.get_closest_marker(name) for name in unfit)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if machine.lacks_chromium():
        terminalreporter.write_line(machine.CHROMIUM_ADVICE, yellow=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """After a transactional test the tables are empty: bring the operators' roles back for the next test."""
    outcome = yield
    marker = item.get_closest_marker("django_db")
    transactional = "transactional_db" in getattr(item, "fixturenames", ())
    if nextitem and (transactional or (marker and marker.kwargs.get("transaction"))):
        with item.config.stash[blocking_manager_key].unblock():
            restore_roles()
    return outcome


@pytest.fixture(scope="session", autouse=True)
def _place_for_what_is_migrated_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    own = tmp_path_factory.getbasetemp()
    migrated.folder = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, _place_for_what_is_migrated_once: None
) -> Iterator[None]:
    """SQLite's test database lies in this process's memory. It begins as a copy, where `migrate` finds all done."""
    if connection.vendor != "sqlite":
        yield
        return
    name = connection.creation._get_test_db_name()
    with closing(sqlite3.connect(name, uri=True)) as ours, closing(sqlite3.connect(migrated.sqlite())) as made:
        made.backup(ours)
        yield


@pytest.fixture(autouse=True)
def _quick_passwords_and_own_media(settings: Any, tmp_path: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.WHITENOISE_AUTOREFRESH = True  # or each Client would read every static file first
    settings.ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost"]


@pytest.fixture(autouse=True)
def _nothing_counted_yet(settings: Any) -> None:
    """A cache of this process, empty: limits begin at nothing, and nobody's Redis is cleared."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    cache.clear()


@pytest.fixture(autouse=True)
def _counts_by_hand() -> None:
    """Each test begins with nothing counted; `accesses.counter.flush()` writes what it counts."""
    accesses.counter, endpoint_times.counter = accesses.Counter(), endpoint_times.Counter()


@pytest.fixture(autouse=True)
def _no_signing_key_but_the_environments() -> None:
    """As if it had been looked up just now: no test hears of another test's keys, nor counts that statement."""
    platform.know([])


def make_person(login: str, phone: str, **profile: Any) -> User:
    user = User.objects.create_user(login, PASSWORD, **profile)
    email = f"{login}@example.org"
    LoginId.objects.create(user=user, type="MOBILE_PHONE", value=phone)
    LoginId.objects.create(user=user, type="EMAIL", value=email)
    Contact.objects.create(user=user, type="MOBILE_PHONE", value=phone)
    Contact.objects.create(user=user, type="TELEPHONE", value="+63285551234")
    Contact.objects.create(user=user, type="EMAIL", value=email)
    Address.objects.create(user=user, label="Home", region="PH", city="Quezon City", address1="12 Mabini Street")
    return user


def make_program(app_id: str, scopes: Iterable[str], merchant: Merchant | None = None) -> MiniProgram:
    """A mini-program with approved scopes; its merchant's Client-Id is `<appId>-client` unless one is given."""
    if merchant is None:
        client_id = f"{app_id}-client"
        sector = Sector.objects.create(name=client_id)
        merchant = Merchant.objects.create(client_id=client_id, name=f"{app_id} Ltd", sector=sector)
        merchant.keys.create(version=1, public_key=public_pem(client_id))
    program = MiniProgram.objects.create(
        client_id=app_id,
        name=app_id.title(),
        merchant=merchant,
        developer=merchant.name,
        page_url=f"http://{app_id}.localhost:9000/",
        privacy_policy_url=f"https://{app_id}.example/privacy",
    )
    for scope in scopes:
        program.scope_approvals.create(
            scope=scope, purpose=f"{app_id} needs {scope}", state=ScopeApproval.State.APPROVED
        )
    return program


@pytest.fixture
def alice(db: None) -> User:
    return make_person(
        "alice",
        "+639171234567",
        nickname="Alice",
        first_name="Alice",
        middle_name="Reyes",
        last_name="Santos",
        gender="F",
        birth_date="1994-03-12",
        nationality="PH",
    )


@pytest.fixture
def bob(db: None) -> User:
    return make_person("bob", "+27609000084", nickname="Bob")


@pytest.fixture
def olga(db: None) -> User:
    """The operator with every right (a superuser); roles have their own tests."""
    return User.objects.create_superuser("olga", PASSWORD, nickname="Olga")


@pytest.fixture
def shop(db: None) -> MiniProgram:
    return make_program("shop", EVERY_SCOPE)


@pytest.fixture
def cafe(db: None) -> MiniProgram:
    return make_program("cafe", ["auth_base", "auth_user", "USER_NICKNAME"])


@pytest.fixture
def shop_server(shop: MiniProgram) -> MerchantServer:
    return MerchantServer("shop-client")


@pytest.fixture
def cafe_server(cafe: MiniProgram) -> MerchantServer:
    return MerchantServer("cafe-client")


def sign_in(client: Client, user: User, *, ago: float = 0) -> None:
    """As if they had typed their password on the sign-in page so many seconds ago."""
    client.force_login(user)
    session = client.session
    session[recent_sign_in.KEY] = int(time() - ago)
    session.save()


class Container:
    """The container's API as a signed-in user's browser calls it, CSRF token included."""

    def __init__(self, user: User | None) -> None:
        self.http = Client(enforce_csrf_checks=True)
        if user:
            sign_in(self.http, user)
        self.http.cookies["csrftoken"] = "x" * 32

    def post(self, path: str, body: Any, **headers: str) -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"X-CSRFToken": "x" * 32, **headers}
        return self.http.post(path, raw, content_type="application/json", headers=sent)

    def get_auth_code(self, app_id: str, scopes: Any = None, **more: Any) -> dict[str, Any]:
        response = self.post("/v1/authorizations/getAuthCode", {"appId": app_id, "scopes": scopes, **more})
        assert response.status_code == 200
        answer: dict[str, Any] = response.json()
        return answer

    def decide(self, consent_id: str, granted: list[str]) -> dict[str, Any]:
        path = f"/v1/authorizations/consents/{consent_id}/decision"
        answer: dict[str, Any] = self.post(path, {"grantedScopes": granted}).json()
        return answer

    def code(self, app_id: str, scopes: list[str]) -> str:
        """A code for these scopes, consenting to whatever is asked."""
        answer = self.get_auth_code(app_id, scopes)
        if "consentId" in answer:
            answer = self.decide(answer["consentId"], [s for s in scopes if s not in answer["authErrorScopes"]])
        return str(answer["authCode"])


@pytest.fixture
def container() -> Callable[[User | None], Container]:
    return Container


@pytest.fixture
def alices(alice: User) -> Container:
    """Alice's container."""
    return Container(alice)


@pytest.fixture
def bobs(bob: User) -> Container:
    return Container(bob)


@pytest.fixture
def browser(alice: User) -> Client:
    """Alice's browser, for the pages."""
    client = Client()
    sign_in(client, alice)
    return client


@pytest.fixture
def audited(db: None) -> Callable[..., ErrorAudit]:
    """`audited("CODE", ...)`: the newest audit row has this code and these fields; returns it."""

    def check(code: str, **fields: Any) -> ErrorAudit:
        row = ErrorAudit.objects.latest("id")
        assert row.code == code, row.reason
        for name, value in fields.items():
            assert getattr(row, name) == value, (name, getattr(row, name))
        assert row.reason
        assert len(row.trace_id) == 32
        return row

    return check
