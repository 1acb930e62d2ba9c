"""`manage.py rotate_signing_key`: the next key signs, JWKS shows both, and no call is left without a signature."""

import base64
import io
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import requests
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.test import Client
from django.utils import timezone

from authapi import platform, signing
from authapi.management.commands import rotate_signing_key
from portal import keys
from portal.models import PlatformKey
from tests import servers
from tests.merchants import MerchantServer

JWKS = "/.well-known/jwks.json"
QUERY = "/v1/authorizations/query"
pytestmark = pytest.mark.wire("4.1 GET /.well-known/jwks.json")


def rotate(*arguments: str) -> str:
    out = io.StringIO()
    call_command("rotate_signing_key", *arguments, stdout=out)
    return out.getvalue()


def published() -> dict[str, rsa.RSAPublicKey]:
    """What a merchant finds in our key set, by kid."""
    return of_set(Client().get(JWKS).json())


def of_set(jwks: dict[str, Any]) -> dict[str, rsa.RSAPublicKey]:
    def number(text: str) -> int:
        return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))

    return {row["kid"]: rsa.RSAPublicNumbers(number(row["e"]), number(row["n"])).public_key() for row in jwks["keys"]}


def signed_with(known: dict[str, rsa.RSAPublicKey], headers: Any, content: bytes) -> str:
    """The keyVersion of an answer to QUERY, which verifies with that key of the set."""
    version, value = headers["signature"].removeprefix("algorithm=RSA256, keyVersion=").split(", signature=")
    message = f"POST {QUERY}\n{headers['client-id']}.{headers['response-time']}.".encode() + content
    known[version].verify(base64.b64decode(unquote(value)), message, padding.PKCS1v15(), hashes.SHA256())
    return str(version)


def version_of_an_answer(server: MerchantServer) -> str:
    response = server.send(QUERY, b"{}")
    return signed_with(published(), response, response.content)


@pytest.fixture
def short_sighted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each signature looks the keys up, as if ten seconds had passed."""
    monkeypatch.setattr(platform, "LOOK_UP_SECONDS", 0.0)
    platform.forget()


# --- The turn of a key ----------------------------------------------------------------------------------------------


def test_the_new_key_signs_at_once_and_both_are_published(shop_server: MerchantServer) -> None:
    assert version_of_an_answer(shop_server) == "1"
    before = published()
    assert "keyVersion 2" in rotate()
    assert version_of_an_answer(shop_server) == "2"
    assert list(published()) == ["1", "2"]
    assert published()["1"] == before["1"]
    assert published()["2"].key_size == 2048
    assert platform.public_pem() == PlatformKey.objects.get(version=2).public_key


def test_a_key_with_a_date_is_published_first_and_signs_from_then_on(
    shop_server: MerchantServer, short_sighted: None
) -> None:
    day = (timezone.now() + timedelta(days=21)).date().isoformat()
    assert f"signs from {day}T00:00+00:00" in rotate("--active-from", day)
    assert list(published()) == ["1", "2"]
    assert version_of_an_answer(shop_server) == "1"
    until = datetime.fromisoformat(f"{day}T00:00Z") + timedelta(days=30)
    assert PlatformKey.objects.get(version=1).retired_at == until
    PlatformKey.objects.filter(version=2).update(active_from=timezone.now())  # that day has come
    assert version_of_an_answer(shop_server) == "2"


def test_the_old_key_leaves_the_set_at_its_time_and_verifies_for_ever(
    shop_server: MerchantServer, short_sighted: None
) -> None:
    old, message = platform.public_key("1"), b"SEAL of long ago"
    signature, version = platform.sign(message)
    rotate("--retire-after-days", "7")
    until = PlatformKey.objects.get(version=1).retired_at
    assert until
    assert timedelta(days=6) < until - timezone.now() < timedelta(days=8)
    PlatformKey.objects.filter(version=1).update(retired_at=timezone.now())
    assert list(published()) == ["2"]
    assert version_of_an_answer(shop_server) == "2"
    assert platform.public_key("1") == old
    assert platform.signed(message, signature, version)
    assert not platform.signed(message, signature, "2")
    assert not platform.signed(message, signature, "3")


def test_keys_turn_again_and_again(shop_server: MerchantServer, short_sighted: None) -> None:
    for version in ("2", "3", "4"):
        rotate()
        assert version_of_an_answer(shop_server) == version
    assert list(published()) == ["1", "2", "3", "4"]
    assert [row.retired_at is None for row in PlatformKey.objects.all()] == [False, False, False, True]


def test_notices_are_signed_with_the_new_key(db: None) -> None:
    rotate()
    headers = platform.signed_headers("/notify", "shop-client", b"{}", prefix="request")
    assert headers["signature"].startswith("algorithm=RSA256, keyVersion=2, signature=")


def test_the_private_key_of_a_retired_version_is_erased_by_cleanup(db: None, short_sighted: None) -> None:
    rotate()
    signature, version = platform.sign(b"once")
    rotate()
    PlatformKey.objects.filter(version__lt=3).update(retired_at=timezone.now())
    out = io.StringIO()
    call_command("cleanup", stdout=out)
    assert "Signing keys erased: 1" in out.getvalue()
    assert [row.private_key is None for row in PlatformKey.objects.all()] == [True, True, False]
    assert platform.signed(b"once", signature, version)
    assert platform.sign(b"now")[1] == "3"


# --- What operators see ---------------------------------------------------------------------------------------------


@pytest.mark.trust(7)
def test_the_list_says_what_each_key_is_for_and_nothing_private(db: None, short_sighted: None) -> None:
    for _ in range(2):
        rotate()
    rotate("--active-from", "2099-01-01")
    PlatformKey.objects.filter(version=1).update(retired_at="2020-01-01T00:00Z")
    shown = rotate("--list")
    lines = [line.split("  ") for line in shown.splitlines()]
    assert [line[0] for line in lines] == ["1", "2", "3", "4"]
    assert [line[1].rstrip("0123456789-:+T") for line in lines] == [
        "retired ",
        "published until ",
        "signs",
        "signs from ",
    ]
    expected = [platform.thumbprint(key) for key in (platform.public_key(str(n)) for n in range(1, 5)) if key]
    assert [line[2] for line in lines] == expected
    assert "PRIVATE" not in shown


@pytest.mark.trust(7)
def test_the_database_holds_no_private_key_in_clear(db: None) -> None:
    rotate()
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM portal_platformkey ORDER BY version")
        dump = str(cursor.fetchall())
    pem = PlatformKey.objects.get(version=2).private_key
    assert pem
    assert "PRIVATE" not in dump
    assert pem.splitlines()[1] not in dump


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--active-from", "yesterday"], "use ISO-8601"),
        (["--active-from", "2020-01-01"], "it is past"),
        (["--retire-after-days", "-1"], "must be from 0 to 3650"),
        (["--retire-after-days", "9999"], "must be from 0 to 3650"),
    ],
)
def test_what_makes_no_sense_is_refused(db: None, arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        rotate(*arguments)
    assert not PlatformKey.objects.exists()


def test_a_rotation_that_comes_second_changes_nothing(db: None) -> None:
    first, second = (rotate_signing_key.new_key(timezone.now()) for _ in range(2))
    until = timezone.now() + timedelta(days=30)
    rotate_signing_key.save(first, until)
    with pytest.raises(IntegrityError):
        rotate_signing_key.save(second, until + timedelta(days=1))
    assert platform.public_pem() == first.public_key


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_of_operators_who_rotate_together_each_wins_clearly_or_is_told(db: None) -> None:
    def operator(_number: int) -> str:
        try:
            return rotate()
        except CommandError as error:
            return str(error)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(operator, range(4)))
    won = [words for words in told if "signs from now" in words]
    lost = [words for words in told if "Somebody else made keyVersion" in words]
    assert won
    assert len(won) + len(lost) == 4
    versions = [row.version for row in PlatformKey.objects.all()]
    assert versions == list(range(1, len(won) + 2))
    assert list(published()) == [str(version) for version in versions]


# --- What must not happen -------------------------------------------------------------------------------------------


@pytest.mark.trust(31)
def test_nobody_makes_us_a_key_with_sql(
    shop_server: MerchantServer, short_sighted: None, caplog: pytest.LogCaptureFixture
) -> None:
    rotate()
    pem = keys.new_private_key()
    forged = PlatformKey(
        version=9, private_key=pem, public_key=keys.public_key_of(pem), active_from=timezone.now(), endorsed_by="9"
    )
    forged.endorsement = signing.sign(signing.load_private_key(pem), forged.endorsed_message())
    forged.save()
    for by in ("9", "1", "2", ""):
        PlatformKey.objects.filter(version=9).update(endorsed_by=by)
        assert version_of_an_answer(shop_server) == "2"
        assert list(published()) == ["1", "2"]
        assert not platform.signed(b"x", signing.sign(signing.load_private_key(pem), b"x"), "9")
    assert "platform key 9 is ignored" in caplog.text
    assert "9  IGNORED: no earlier key of ours endorses it" in rotate("--list")
    PlatformKey.objects.filter(version=2).update(private_key=pem)
    assert version_of_an_answer(shop_server) == "1"
    PlatformKey.objects.filter(version=2).update(public_key=keys.public_key_of(pem))
    assert version_of_an_answer(shop_server) == "1"
    assert list(published()) == ["1"]


def test_a_signature_costs_no_statement(db: None, django_assert_num_queries: Callable[[int], Any]) -> None:
    rotate()
    platform.sign(b"looks up")
    with django_assert_num_queries(0):
        for _ in range(50):
            assert platform.sign(b"x")[1] == "2"


@pytest.mark.django_db(transaction=True)
def test_while_the_database_is_gone_the_known_key_goes_on(
    short_sighted: None, caplog: pytest.LogCaptureFixture
) -> None:
    rotate()
    assert platform.sign(b"x")[1] == "2"
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE portal_platformkey RENAME TO gone")
    try:
        assert platform.sign(b"x")[1] == "2"
        assert list(of_set(platform.jwks())) == ["1", "2"]
        assert "our signing keys cannot be looked up" in caplog.text
        platform.forget()
        assert platform.sign(b"x")[1] == "1"  # a process that begins now knows the environment's alone
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE gone RENAME TO portal_platformkey")
    assert platform.sign(b"x")[1] == "2"


def test_a_key_that_cannot_be_decrypted_does_not_sign_and_monitors_are_told(
    shop_server: MerchantServer, short_sighted: None, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    rotate()
    assert Client().get("/readyz").json()["checks"]["keys"] == "ok"
    settings.FIELD_ENCRYPTION_KEYS = (b"k" * 32,)
    assert version_of_an_answer(shop_server) == "1"
    assert "platform key 2 cannot sign, so 1 does" in caplog.text
    assert rotate("--list").startswith("1  signs  ")
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["keys"] == "UnreadableError"


def test_the_environments_key_under_another_version_breaks_with_the_rows(
    shop_server: MerchantServer, short_sighted: None, settings: Any
) -> None:
    rotate()
    settings.PLATFORM_SIGNING_KEY = keys.new_private_key()
    settings.PLATFORM_KEY_VERSION = "7"
    assert version_of_an_answer(shop_server) == "7"
    assert list(published()) == ["7"]
    assert "keyVersion 8" in rotate()
    assert version_of_an_answer(shop_server) == "8"


@pytest.mark.process
def test_a_running_process_follows_within_ten_seconds(tmp_path: Path) -> None:
    with servers.running(tmp_path) as portal:

        def answer() -> requests.Response:
            sent = {"Client-Id": "MERCHANT_COFFEE"}
            return requests.post(portal.base_url + QUERY, b"{}", headers=sent, timeout=10)

        assert "keyVersion=1," in answer().headers["signature"]
        servers.manage(portal.database, servers.stage().var_dir, "rotate_signing_key")
        began = time.monotonic()
        while "keyVersion=1," in answer().headers["signature"]:
            assert time.monotonic() < began + 11
            time.sleep(0.2)
        response, known = answer(), of_set(requests.get(portal.base_url + JWKS, timeout=10).json())
        assert signed_with(known, response.headers, response.content) == "2"
        assert list(known) == ["1", "2"]


def test_who_meets_a_new_key_version_finds_it_published(shop_server: MerchantServer) -> None:
    platform.sign(b"this process knows the environment's key, and looks up no other for ten seconds")
    rotate()
    platform.know([])  # as another process, which did not rotate
    assert platform.sign(b"x")[1] == "1"
    assert list(published()) == ["1", "2"]
