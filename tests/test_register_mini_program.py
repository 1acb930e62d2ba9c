"""`manage.py register_mini_program`: from nothing to a mini-program whose merchant can call, in one command."""

import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.core.management import CommandError, call_command
from django.utils import timezone

from portal.models import Merchant, MerchantKey, MiniProgram, ScopeApproval, Sector
from tests.conftest import Container
from tests.merchants import MerchantServer, key_of, public_pem

pytestmark = pytest.mark.django_db
Register = Callable[..., str]


@pytest.fixture
def register(tmp_path: Path) -> Register:
    """Registers `tea` of `tea-client` with approved auth_base and USER_NICKNAME; arguments replace or add."""
    key = tmp_path / "tea.pem"
    key.write_text(public_pem("tea-client"))

    def run(**changes: Any) -> str:
        usual = {"app-id": "tea", "client-id": "tea-client", "name": "Tea Time", "public-key": key}
        arguments = {**usual, "scopes": "auth_base,USER_NICKNAME", **changes}
        given = [
            f"--{name}={one}"
            for name, value in arguments.items()
            for one in (value if isinstance(value, list) else [value])
            if value is not True
        ]
        given += [f"--{name}" for name, value in arguments.items() if value is True]
        out = io.StringIO()
        call_command("register_mini_program", *given, stdout=out)
        return out.getvalue()

    return run


def approved(app_id: str = "tea") -> list[str]:
    return list(MiniProgram.objects.get(client_id=app_id).approvals())


def counts() -> list[int]:
    return [model.objects.count() for model in (Merchant, MerchantKey, MiniProgram, ScopeApproval, Sector)]


def test_the_new_mini_program_works(register: Register, alices: Container) -> None:
    said = register()
    assert said == (
        "Made tea of tea-client (sector tea-client), keyVersion 1, ACTIVE, approved: auth_base, USER_NICKNAME\n"
    )
    pair = MerchantServer("tea-client").exchange(alices.code("tea", ["auth_base", "USER_NICKNAME"]))
    info = MerchantServer("tea-client").user_info(pair["accessToken"])["userInfo"]
    assert info == {"userId": pair["customerId"], "nickName": "Alice"}


def test_again_changes_nothing(register: Register) -> None:
    register(**{"page-url": "https://tea.example/page"})
    before, rows = counts(), list(ScopeApproval.objects.values())
    merchant = Merchant.objects.values().get()
    assert register().startswith("Updated tea of tea-client")
    assert counts() == before == [1, 1, 1, 2, 1]
    assert list(ScopeApproval.objects.values()) == rows
    assert Merchant.objects.values().get() == merchant
    assert MiniProgram.objects.get().page_url == "https://tea.example/page"


def test_exactly_the_listed_scopes_are_approved(register: Register) -> None:
    register()
    ScopeApproval.objects.filter(scope="USER_NICKNAME").update(purpose="So we can greet you")
    register(scopes=" auth_base , USER_NAME,USER_NAME,")
    assert approved() == ["auth_base", "USER_NAME"]
    assert ScopeApproval.objects.get(scope="USER_NICKNAME").state == "REFUSED"
    register()
    assert approved() == ["auth_base", "USER_NICKNAME"]
    assert ScopeApproval.objects.get(scope="USER_NICKNAME").purpose == "So we can greet you"


def test_it_says_what_for_in_each_language_and_for_how_long(register: Register) -> None:
    told = ["USER_NICKNAME=So we can greet you", "USER_NICKNAME[id]=Supaya kami bisa menyapa Anda"]
    register(purpose=told, **{"max-days": ["USER_NICKNAME=30"]}, verified=True)
    row = ScopeApproval.objects.get(scope="USER_NICKNAME")
    assert (row.purpose, row.purposes) == ("So we can greet you", {"id": "Supaya kami bisa menyapa Anda"})
    assert (row.max_days, row.purpose_version, row.earlier_purposes.count()) == (30, 1, 0)
    assert Merchant.objects.get().verified

    register()
    row.refresh_from_db()
    assert (row.purpose, row.max_days, row.purpose_version) == ("So we can greet you", 30, 1)
    assert Merchant.objects.get().verified


def test_another_purpose_is_a_change_and_a_translation_is_none(register: Register) -> None:
    register(purpose=["USER_NICKNAME=So we can greet you"])
    register(purpose=["USER_NICKNAME[ar]=لنحيّيك"])
    row = ScopeApproval.objects.get(scope="USER_NICKNAME")
    assert (row.purpose, row.purposes, row.purpose_version) == ("So we can greet you", {"ar": "لنحيّيك"}, 1)
    register(purpose=["USER_NICKNAME=To sell it"], **{"max-days": "USER_NICKNAME=7"})
    row.refresh_from_db()
    assert (row.purpose, row.purposes, row.purpose_version, row.max_days) == ("To sell it", {"ar": "لنحيّيك"}, 2, 7)
    assert row.earlier_purposes.get().purpose == "So we can greet you"


def test_a_requested_scope_that_is_not_listed_is_refused(register: Register) -> None:
    register()
    MiniProgram.objects.get().scope_approvals.create(scope="USER_ADDRESS")
    register()
    assert ScopeApproval.objects.get(scope="USER_ADDRESS").state == "REFUSED"


@pytest.mark.trust(29)
def test_two_mini_programs_of_one_merchant_see_one_user_id(register: Register, alices: Container) -> None:
    register()
    register(**{"app-id": "tea2", "name": "Tea to go"})
    assert Merchant.objects.get().name == "Tea Time"
    server = MerchantServer("tea-client")
    first, second = (server.exchange(alices.code(name, ["auth_base"]))["customerId"] for name in ("tea", "tea2"))
    assert first == second


@pytest.mark.trust(29)
def test_merchants_share_user_ids_only_in_a_named_sector(
    register: Register, alices: Container, tmp_path: Path
) -> None:
    ids = {}
    for client_id, sector in (("tea-client", "group"), ("mate-client", "group"), ("lone-client", "")):
        (tmp_path / client_id).write_text(public_pem(client_id))
        more = {"sector": sector} if sector else {}
        app_id = client_id.split("-")[0]
        register(**{"app-id": app_id, "client-id": client_id, "public-key": tmp_path / client_id, **more})
        ids[app_id] = MerchantServer(client_id).exchange(alices.code(app_id, ["auth_base"]))["customerId"]
    assert ids["tea"] == ids["mate"] != ids["lone"]


def test_a_new_key_comes_beside_the_old_one(register: Register, alices: Container, tmp_path: Path) -> None:
    register()
    (tmp_path / "new.pem").write_text(public_pem("tea-client-2"))
    register(**{"public-key": tmp_path / "new.pem", "key-version": 2})
    assert list(MerchantKey.objects.order_by("version").values_list("version", flat=True)) == [1, 2]
    server = MerchantServer("tea-client")
    assert server.exchange(alices.code("tea", ["auth_base"]))["result"]["resultCode"] == "SUCCESS"


def test_the_old_key_works_until_its_day(register: Register, tmp_path: Path) -> None:
    register()
    (tmp_path / "new.pem").write_text(public_pem("tea-client-2"))
    day = (timezone.now() + timedelta(days=14)).date().isoformat()
    changes = {"public-key": tmp_path / "new.pem", "key-version": 2, "retire-others": day}
    register(**changes)
    old, new = MerchantKey.objects.order_by("version")
    assert old.retired_at
    assert (old.retired_at.date().isoformat(), new.retired_at) == (day, None)
    servers = {1: MerchantServer("tea-client"), 2: MerchantServer("tea-client", "tea-client-2", key_version=2)}
    assert {n: server.user_info("none")["result"]["resultCode"] for n, server in servers.items()} == {
        1: "INVALID_ACCESS_TOKEN",
        2: "INVALID_ACCESS_TOKEN",
    }
    MerchantKey.objects.filter(version=1).update(retired_at=timezone.now())  # that day has come
    assert servers[1].user_info("none")["result"]["resultCode"] == "KEY_NOT_FOUND"
    assert servers[2].user_info("none")["result"]["resultCode"] == "INVALID_ACCESS_TOKEN"
    register(**changes | {"retire-others": "2099-01-01"})
    assert MerchantKey.objects.get(version=1).retired_at.year < 2099  # type: ignore[union-attr]


def test_bare_base64_is_a_key_too(register: Register, tmp_path: Path) -> None:
    (tmp_path / "bare").write_text("".join(public_pem("tea-client").splitlines()[1:-1]))
    register(**{"public-key": tmp_path / "bare"})
    assert MerchantKey.objects.count() == 1


def test_a_suspended_mini_program_stays_suspended(register: Register) -> None:
    register()
    MiniProgram.objects.update(status="SUSPENDED")
    assert "SUSPENDED" in register()
    assert MiniProgram.objects.get().status == "SUSPENDED"


def elliptic_pem() -> str:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def short_pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def private_pem() -> str:
    return (
        key_of("tea-client")
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


@pytest.mark.trust(12)
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda: "", "This field cannot be blank"),
        (lambda: "hello", "This is no public key"),
        (lambda: "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "This is no public key"),
        (lambda: "Schlüssel", "neither PEM nor base64"),
        (elliptic_pem, "This is no RSA key"),
        (short_pem, "1024 bits; 2048 is the least"),
        (private_pem, "holds a private key"),
    ],
    ids=["empty", "text", "broken", "umlaut", "elliptic", "short", "private"],
)
def test_a_bad_key_is_refused(register: Register, tmp_path: Path, content: Callable[[], str], reason: str) -> None:
    (tmp_path / "bad").write_text(content(), encoding="utf-8")
    with pytest.raises(CommandError, match=f"--public-key: .*{reason}"):
        register(**{"public-key": tmp_path / "bad"})
    assert counts() == [0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("argument", "value", "reason"),
    [
        ("scopes", "auth_base,NONSENSE", "--scopes: there is no scope 'NONSENSE'. There are: auth_base, USER_ID"),
        ("scopes", ",", "--scopes: it names no scope. There are: auth_base, USER_ID"),
        ("public-key", "/nowhere.pem", "--public-key: /nowhere.pem: No such file or directory"),
        ("public-key", "/", "--public-key: /: Is a directory"),
        ("app-id", "a" * 33, "--app-id: Ensure this value has at most 32 characters"),
        ("app-id", "tea time", "--app-id: Letters, digits, dot, dash and underscore"),
        ("app-id", "", "argument --app-id: it is empty"),
        ("client-id", "c" * 129, "--client-id: at most 128"),
        ("client-id", "tea client", "--client-id: at most 128"),
        ("client-id", "thé", "--client-id: at most 128"),
        ("name", "n" * 256, "--name: Ensure this value has at most 255 characters"),
        ("name", " ", "argument --name: it is empty"),
        ("name", "\udcff", "argument --name: it is not UTF-8"),
        ("key-version", "0", "--key-version must be from 1 to 999999999"),
        ("key-version", "1000000000", "--key-version must be from 1 to 999999999"),
        ("key-version", "one", "argument --key-version: invalid int value"),
        ("retire-others", "soon", "argument --retire-others: use ISO-8601"),
        ("retire-others", "2020-01-01", "argument --retire-others: it is past"),
        ("purpose", "USER_NICKNAME", "argument --purpose: use SCOPE=TEXT or SCOPE[LANGUAGE]=TEXT"),
        ("purpose", "USER_NICKNAME= ", "argument --purpose: write 1 to 200 characters after the ="),
        ("purpose", "USER_NICKNAME=" + "x" * 201, "argument --purpose: write 1 to 200 characters after the ="),
        (
            "purpose",
            "USER_NICKNAME[de]=Hallo",
            "argument --purpose: there is no language 'de'. There are: zh-hans, id",
        ),
        ("purpose", "USER_NICKNAME[en]=Hi", "Without a language it is the text in en"),
        ("purpose", "USER_NAME=Hi", "--purpose: USER_NAME is not among --scopes. Add it there, or leave this"),
        ("max-days", "30", "argument --max-days: use SCOPE=DAYS with 1 to 36500 days"),
        ("max-days", "USER_NICKNAME=0", "argument --max-days: use SCOPE=DAYS with 1 to 36500 days"),
        ("max-days", "USER_NICKNAME=99999", "argument --max-days: use SCOPE=DAYS with 1 to 36500 days"),
        ("max-days", "USER_NAME=30", "--max-days: USER_NAME is not among --scopes."),
        ("page-url", "tea.example", "--page-url: Enter a valid URL"),
        ("page-url", "javascript:alert(1)", "--page-url: Enter a valid URL"),
        ("page-url", "https://tea.example:99999/", "--page-url: This address has no usable host or port"),
        ("sector", "s" * 129, "--sector: Ensure this value has at most 128 characters"),
    ],
)
def test_a_bad_argument_is_named(register: Register, argument: str, value: str, reason: str) -> None:
    with pytest.raises(CommandError) as refused:
        register(**{argument: value})
    assert reason in str(refused.value)
    assert counts() == [0, 0, 0, 0, 0]


def test_the_portals_own_origin_is_no_page(register: Register) -> None:
    with pytest.raises(CommandError, match="--page-url: This is the portal's own origin"):
        register(**{"page-url": "https://localhost/page"})


def test_another_merchants_app_id_is_refused(register: Register) -> None:
    register()
    with pytest.raises(CommandError, match="--app-id: tea belongs to another merchant"):
        register(**{"client-id": "thief"})
    assert counts() == [1, 1, 1, 2, 1]
    assert MiniProgram.objects.get().merchant.client_id == "tea-client"


@pytest.mark.trust(29)
def test_the_sector_of_a_merchant_never_changes(register: Register) -> None:
    register(sector="group")
    register(sector="group")
    with pytest.raises(CommandError, match="--sector: tea-client belongs to the sector group"):
        register(sector="other")
    assert Merchant.objects.get().sector.name == "group"


@pytest.mark.trust(29)
def test_a_strangers_sector_is_not_joined_by_its_name_alone(register: Register, tmp_path: Path) -> None:
    register(sector="mate-client")
    with pytest.raises(CommandError, match="--sector: the sector mate-client belongs to other merchants"):
        register(**{"app-id": "mate", "client-id": "mate-client"})


@pytest.mark.trust(12)
def test_a_retired_key_version_does_not_come_back(register: Register) -> None:
    register()
    MerchantKey.objects.update(retired_at=timezone.now())
    with pytest.raises(CommandError, match="--key-version: version 1 was retired"):
        register()
