"""`manage.py seed_demo`: the cast a newcomer, and anybody's script, can rely on."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from django.apps import apps
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from authapi import platform
from portal.management.commands import seed_demo
from portal.models import AbuseReport, ConsentDecision, LoginId, MerchantNotice, MiniProgram, ScopeApproval, User
from tests import merchants
from tests.conftest import EVERY_SCOPE, Container
from tests.merchants import MerchantServer

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One folder of keys for all tests here: making them takes a while."""
    monkeypatch.setattr(seed_demo, "DEMO_DIR", tmp_path_factory.getbasetemp() / "demo")


def seed(**options: Any) -> str:
    out = io.StringIO()
    call_command("seed_demo", stdout=out, **options)
    return out.getvalue()


def seed_json() -> dict[str, Any]:
    report: dict[str, Any] = json.loads(seed(json=True))
    return report


def state() -> dict[str, list[Any]]:
    """Every row of ours, without what a fresh row gets anew."""
    rows = {}
    for model in apps.get_app_config("portal").get_models():
        anew = ("updated", "entered_at")
        fields = [f.attname for f in model._meta.concrete_fields if not f.primary_key and f.attname not in anew]
        rows[model.__name__] = sorted(model._default_manager.values_list(*fields), key=str)
    return rows


def test_the_report_has_this_shape(db: None, capfd: pytest.CaptureFixture[str]) -> None:
    call_command("seed_demo", json=True)
    report = json.loads(capfd.readouterr().out)
    assert set(report) == {"users", "operators", "miniPrograms", "platform"}
    assert [user["login"] for user in report["users"]] == ["alice", "bob", "carol", "dave"]
    assert all(set(user) == {"login", "password"} for user in report["users"])
    assert [(who["login"], who["role"]) for who in report["operators"]] == [
        ("olga", "manager"),
        ("sam", "support"),
        ("audrey", "auditor"),
        ("adam", "administrator"),
    ]
    assert all(set(who) == {"login", "password", "role", "totpSecret"} for who in report["operators"])
    programs = {program["appId"]: program for program in report["miniPrograms"]}
    assert list(programs) == ["coffee", "coffee2", "cafe", "gone"]
    keys = {"appId", "clientId", "keyVersion", "privateKey", "scopes", "status"}
    assert all(set(program) == keys for program in programs.values())
    assert programs["coffee"]["scopes"] == EVERY_SCOPE
    assert programs["cafe"]["scopes"] == ["auth_base", "auth_user", "USER_NICKNAME"]
    assert {name: program["status"] for name, program in programs.items()} == {
        "coffee": "ACTIVE",
        "coffee2": "ACTIVE",
        "cafe": "ACTIVE",
        "gone": "SUSPENDED",
    }
    clients = {name: program["clientId"] for name, program in programs.items()}
    assert clients["coffee"] == clients["coffee2"]
    assert len(set(clients.values())) == 3
    for program in programs.values():
        load_pem_private_key(program["privateKey"].encode(), password=None)
    assert report["platform"] == {"publicKey": platform.public_pem()}
    load_pem_public_key(report["platform"]["publicKey"].encode())


def test_the_report_is_what_the_database_says() -> None:
    for program in seed_json()["miniPrograms"]:
        row = MiniProgram.objects.get(client_id=program["appId"])
        assert set(row.approvals()) == set(program["scopes"])
        assert (row.status, row.merchant.client_id) == (program["status"], program["clientId"])


def test_again_nothing_changes() -> None:
    first = seed_json()
    before = state()
    assert seed_json() == first
    assert state() == before


def test_a_changed_cast_is_brought_back() -> None:
    seed()
    before = state()
    carol = User.objects.get(username="carol")
    carol.nickname, carol.status, carol.extra, carol.is_superuser = "C", "FROZEN", {"x": "y"}, True
    carol.avatar.save("c.png", ContentFile(b"x"))
    User.objects.filter(username="alice").update(nickname="", is_active=False, password="!")
    User.objects.get(username="bob").login_ids.first().delete()  # type: ignore[union-attr]
    ScopeApproval.objects.update(state="REFUSED")
    MiniProgram.objects.update(status="SUSPENDED", features=[], name="x")
    MiniProgram.objects.get(client_id="coffee").scope_approvals.all().delete()
    report = seed_json()
    after = state()
    for rows in (before, after):
        del rows["User"]  # a reset password is hashed with another salt
    assert after == before
    assert Client().login(username="alice", password=report["users"][0]["password"])
    carol.refresh_from_db()
    assert (carol.nickname, carol.status, carol.extra, carol.is_superuser, carol.avatar.name) == (
        "",
        "ACTIVE",
        {},
        False,
        "",
    )


def test_a_picture_whose_file_is_lost_is_made_again() -> None:
    seed()
    name = str(User.objects.get(username="alice").avatar.name)
    default_storage.delete(name)
    seed()
    assert default_storage.exists(str(User.objects.get(username="alice").avatar.name))


@pytest.mark.parametrize("login", ["alice", "bob"])
def test_alice_and_bob_have_every_field(
    login: str, container: Callable[[User], Container], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = seed_json()["miniPrograms"][0]
    key = load_pem_private_key(program["privateKey"].encode(), password=None)
    monkeypatch.setattr(merchants, "key_of", lambda name: key)
    server = MerchantServer(program["clientId"])
    pair = server.exchange(container(User.objects.get(username=login)).code("coffee", EVERY_SCOPE))
    info = server.user_info(pair["accessToken"])["userInfo"]
    assert set(info) == {
        "userId",
        "status",
        "nickName",
        "userName",
        "avatar",
        "gender",
        "birthDate",
        "nationality",
        "loginIdInfos",
        "contactInfos",
        "userAddresses",
    }
    assert set(info["userName"]) == {"fullName", "firstName", "middleName", "lastName"}
    assert {entry["contactType"] for entry in info["contactInfos"]} == {"MOBILE_PHONE", "TELEPHONE", "EMAIL"}
    assert {"MOBILE_PHONE", "EMAIL"} <= {entry["loginIdType"] for entry in info["loginIdInfos"]}
    assert set(info["userAddresses"][0]) == {"label", "region", "state", "city", "address1", "address2", "zipCode"}


def test_carol_has_almost_nothing_and_dave_is_frozen() -> None:
    seed()
    carol, dave = User.objects.get(username="carol"), User.objects.get(username="dave")
    assert (carol.status, carol.nickname, carol.name_in_full, carol.avatar.name) == ("ACTIVE", "", "", "")
    assert not carol.login_ids.exists()
    assert not carol.contacts.exists()
    assert not carol.addresses.exists()
    assert dave.status == "FROZEN"


def test_everybody_signs_in_and_operators_reach_the_console() -> None:
    report = seed_json()
    for person in report["users"] + report["operators"]:
        browser = Client()
        assert browser.login(username=person["login"], password=person["password"]), person["login"]
        user = User.objects.get(username=person["login"])
        assert user.is_staff == ("role" in person)
        assert [group.name for group in user.groups.all()] == ([person["role"]] if "role" in person else [])
    assert Client().login(username="+63 917 123 4567", password=report["users"][0]["password"])


def test_in_words_it_names_everybody() -> None:
    said = seed()
    assert "Users: alice, bob, carol, dave" in said
    assert "Mini-programs: coffee, coffee2, cafe, gone" in said
    assert "PRIVATE KEY" not in said


def test_a_public_host_gets_no_demo(settings: Any) -> None:
    settings.PUBLIC = True
    with pytest.raises(CommandError, match="public host"):
        seed()
    assert not User.objects.exists()


def test_a_stranger_with_alices_number_is_not_overwritten() -> None:
    stranger = User.objects.create_user("stranger")
    LoginId.objects.create(user=stranger, type="MOBILE_PHONE", value="+639171234567")
    with pytest.raises(CommandError, match="Somebody else has a login id"):
        seed()
    assert list(User.objects.all()) == [stranger]


# --- Alice's past -----------------------------------------------------------------------------------------------


def test_the_showcase_gives_alice_one_grant_of_each_kind() -> None:
    seed(showcase=True)
    now, alice = timezone.now(), User.objects.get(username="alice")
    grants = {row.mini_program.client_id: row for row in alice.grants.select_related("mini_program")}
    assert {name for name, row in grants.items() if row.ended_at} == {"cafe", "cinema", "gone"}
    assert {name for name, row in grants.items() if row.paused_at} == {"rides"}
    assert (now - grants["market"].last_used_at).days == 94
    assert (grants["coffee2"].next_end_at - now).days == 4
    assert grants["coffee"].access_counts.get(scope="USER_NICKNAME").count == 388
    acts = set(alice.consent_decisions.values_list("act", flat=True))
    assert acts == {*ConsentDecision.Act.values} - {"renewed"}
    notices = alice.inbox.unread().values_list("kind", "mini_program__client_id")
    assert set(notices) == {
        ("purpose", "fitness"),
        ("unused", "market"),
        ("decision", "cafe"),
        ("decision", "gone"),
        ("report", "gone"),
    }
    purpose = alice.inbox.get(kind="purpose")
    assert purpose.facts == {"scope": "USER_BIRTHDAY", "version": 2, "was": 1}
    assert (now - purpose.created).days == 2
    assert grants["cinema"].deletion_asked_at
    assert not MerchantNotice.objects.exclude(state="SENT").exists()
    assert MiniProgram.objects.get(client_id="gone").status == "SUSPENDED"
    assert AbuseReport.objects.filter(state="OPEN").count() == 2


@pytest.mark.trust(31)
def test_her_past_stands_in_the_ledger_like_any_other() -> None:
    seed(showcase=True)
    call_command("seal_ledger", stdout=io.StringIO())
    said = io.StringIO()
    call_command("verify_ledger", stdout=said)
    assert "portal.ConsentDecision: sound" in said.getvalue()
    times = list(ConsentDecision.objects.order_by("id").values_list("at", flat=True))
    assert times == sorted(times)


def test_a_past_is_given_once() -> None:
    seed(showcase=True)
    before = state()
    seed(showcase=True)
    seed()
    assert state() == before


def test_only_who_asks_for_the_showcase_gets_it() -> None:
    seed()
    assert not ConsentDecision.objects.exists()
    assert MiniProgram.objects.count() == 4


# --- What mini-programs ask for ---------------------------------------------------------------------------------


def test_every_purpose_is_there_in_every_language(settings: Any) -> None:
    seed(showcase=True)
    others = {code for code, _name in settings.LANGUAGES} - {settings.LANGUAGE_CODE}
    asked = ScopeApproval.objects.exclude(scope__in=["auth_base", "USER_ID"])
    assert asked.count() > 25
    for row in asked:
        texts = [row.purpose, *row.purposes.values()]
        assert row.purposes.keys() == others, row
        assert all(0 < len(text) <= 200 for text in texts), row
        assert len(set(texts)) >= 6, row  # Indonesian and Malay may agree


def test_some_are_verified_and_one_phone_number_is_not_for_ever() -> None:
    seed()
    verified = dict(MiniProgram.objects.values_list("client_id", "merchant__verified"))
    assert verified == {"coffee": True, "coffee2": True, "cafe": False, "gone": False}
    capped = ScopeApproval.objects.exclude(max_days=None).get()
    assert (capped.mini_program.client_id, capped.scope, capped.max_days) == ("coffee2", "PLAINTEXT_MOBILE_PHONE", 30)


def test_a_purpose_that_an_operator_changed_is_brought_back_as_a_change() -> None:
    seed()
    row = ScopeApproval.objects.get(mini_program__client_id="coffee", scope="USER_ADDRESS")
    row.reword("To sell it", {}, by=None)
    seed()
    row.refresh_from_db()
    assert (row.purpose, row.purpose_version) == ("To deliver your order", 3)
