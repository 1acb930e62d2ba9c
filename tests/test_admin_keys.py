"""A merchant's keys at the console: tested by a signature, retired for a reason and never by an oversight."""

import base64
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA512, HashAlgorithm
from django.utils import timezone

from portal.admin import key_tests
from portal.models import Merchant, MerchantKey, MiniProgram
from tests.conftest import Container
from tests.merchants import MerchantServer, key_of, public_pem
from tests.operators import Desk, counted, everything, in_role, last_log

LIST = "/admin/portal/merchant/"
TEXT = re.compile(r"key-self-test:[A-Za-z0-9_-]{43}")


@pytest.fixture
def manager(db: None) -> Desk:
    return Desk(in_role("manager"))


@pytest.fixture
def path(shop: MiniProgram) -> str:
    """Where the first key of Shop's merchant is tested."""
    return f"{LIST}{shop.merchant_id}/keys/1/test/"


def asked(desk: Desk, path: str) -> str:
    """The text to sign."""
    found = TEXT.search(desk.page(path))
    assert found
    return found[0]


def signed(text: str, key: str = "shop-client", algorithm: HashAlgorithm | None = None, pad: Any = None) -> str:
    signature = key_of(key).sign(text.encode(), pad or padding.PKCS1v15(), algorithm or SHA256())
    return base64.b64encode(signature).decode()


# --- Tested -------------------------------------------------------------------------------------------------------


@pytest.mark.trust(12)
@pytest.mark.trust(30)
def test_a_key_is_tested_by_a_signature(manager: Desk, shop: MiniProgram, path: str) -> None:
    assert path in manager.page(f"{LIST}{shop.merchant_id}/change/")
    answer = manager.post(path, {"signature": signed(asked(manager, path))})
    assert answer["Location"] == f"{LIST}{shop.merchant_id}/change/"
    tested_at = shop.merchant.keys.get().tested_at
    assert tested_at
    assert timezone.now() - tested_at < timedelta(minutes=1)
    words = "Tested keyVersion 1: the merchant holds its private half."
    assert last_log() == ("the-manager", str(shop.merchant_id), words)


@pytest.mark.skipif(not shutil.which("openssl"), reason="the command that the page shows is openssl's")
def test_the_command_on_the_page_makes_the_signature(
    manager: Desk, shop: MiniProgram, path: str, tmp_path: Path
) -> None:
    pem = key_of("shop-client").private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "private_key.pem").write_bytes(pem)
    command = key_tests.COMMAND.format(text=asked(manager, path))
    assert command.replace("'", "&#x27;") in manager.page(path)
    made = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert manager.post(path, {"signature": made.stdout}).status_code == 302


@pytest.mark.trust(12)
def test_a_signature_tests_a_key_once(manager: Desk, path: str) -> None:
    signature = signed(asked(manager, path))
    assert manager.post(path, {"signature": signature}).status_code == 302
    MerchantKey.objects.update(tested_at=None)
    assert "sign the text that stands here now" in manager.post(path, {"signature": signature}).content.decode()
    assert MerchantKey.objects.get(version=1).tested_at is None


@pytest.mark.trust(12)
def test_a_text_holds_for_ten_minutes(manager: Desk, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text, now = asked(manager, path), key_tests.time.time()
    assert asked(manager, path) == text
    monkeypatch.setattr(key_tests.time, "time", lambda: now + 601)
    assert manager.post(path, {"signature": signed(text)}).status_code == 200
    assert MerchantKey.objects.get().tested_at is None


def test_another_text_may_be_had(manager: Desk, path: str) -> None:
    text = asked(manager, path)
    found = TEXT.search(manager.post(path, {"anew": "1"}).content.decode())
    assert found
    assert found[0] != text
    assert manager.post(path, {"signature": signed(text)}).status_code == 200


@pytest.mark.trust(12)
def test_a_text_is_for_one_key_and_one_operator(manager: Desk, olga: Any, shop: MiniProgram, path: str) -> None:
    shop.merchant.keys.create(version=2, public_key=public_pem("shop-next"))
    text = asked(manager, path)
    assert asked(Desk(olga), path) != text
    second = path.replace("keys/1", "keys/2")
    assert (
        "text that stands here now" in manager.post(second, {"signature": signed(text, "shop-next")}).content.decode()
    )


PSS = padding.PSS(padding.MGF1(SHA256()), padding.PSS.MAX_LENGTH)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda text: signed(text, "thief"), "The key is another one, or the text is."),
        (lambda text: signed(text, "shop-next"), "signed with the private half of keyVersion 2, not 1"),
        (lambda text: signed(text + "\n"), "A line break was signed with the text."),
        (lambda text: signed(text, algorithm=SHA512()), "This was signed with SHA-512."),
        (lambda text: signed(text, pad=PSS), "This was signed with RSA-PSS."),
        (lambda text: base64.b64encode(b"x" * 64).decode(), "has 256 bytes, this has 64"),
        (lambda text: "Signature: 0x1234", "This is not base64."),
        (lambda text: "é", "This is not base64."),
        (lambda text: " ", "Paste the signature."),
    ],
)
def test_what_is_wrong_is_told(manager: Desk, shop: MiniProgram, path: str, make: Any, said: str) -> None:
    shop.merchant.keys.create(version=2, public_key=public_pem("shop-next"))
    text, before = asked(manager, path), everything()
    assert said in manager.post(path, {"signature": make(text)}).content.decode()
    assert everything() == before
    assert manager.post(path, {"signature": signed(text)}).status_code == 302  # the text still holds


@pytest.mark.trust(7)
def test_a_private_key_that_is_pasted_is_not_sent_back(manager: Desk, path: str) -> None:
    asked(manager, path)
    page = manager.post(path, {"signature": "-----BEGIN PRIVATE KEY-----\nMIIEsecret"}).content.decode()
    assert "This is a private key." in page
    assert "MIIEsecret" not in page


# --- Retired ------------------------------------------------------------------------------------------------------


@pytest.mark.trust(12)
@pytest.mark.trust(30)
def test_a_key_is_retired_for_a_reason(manager: Desk, shop: MiniProgram, shop_server: MerchantServer) -> None:
    shop.merchant.keys.create(version=2, public_key=public_pem("shop-next"))
    path = f"{LIST}{shop.merchant_id}/keys/1/retire/"
    assert "Calls that name this version are refused" in manager.page(path)
    before = everything()
    assert "Say why" in manager.post(path, {"reason": " "}).content.decode()
    assert everything() == before
    assert manager.post(path, {"reason": "version 2 is in use"}).status_code == 302
    assert re.fullmatch(r"keyVersion 1 works until .+\. Why: version 2 is in use", last_log()[2])
    assert shop_server.user_info("none")["result"]["resultCode"] == "KEY_NOT_FOUND"
    again = manager.post(path, {"reason": "again"}, follow=True)
    assert "It was retired before" in again.content.decode()


def test_a_key_is_retired_on_a_day_to_come(manager: Desk, shop: MiniProgram, shop_server: MerchantServer) -> None:
    shop.merchant.keys.create(version=2, public_key=public_pem("shop-next"))
    path, day = f"{LIST}{shop.merchant_id}/keys/1/retire/", timezone.now() + timedelta(days=7)
    past = {"until": "2020-01-01T00:00", "reason": "x"}
    assert "That is past." in manager.post(path, past).content.decode()
    form = {"until": f"{day:%Y-%m-%dT%H:%M}", "reason": "agreed"}
    assert manager.post(path, form).status_code == 302
    retired_at = shop.merchant.keys.get(version=1).retired_at
    assert retired_at
    assert retired_at.date() == day.date()
    assert shop_server.user_info("none")["result"]["resultCode"] == "INVALID_ACCESS_TOKEN"
    assert "Works until" in manager.page(f"{LIST}{shop.merchant_id}/change/")


@pytest.mark.trust(30)
def test_the_last_key_is_not_retired_unawares(manager: Desk, shop: MiniProgram) -> None:
    path, before = f"{LIST}{shop.merchant_id}/keys/1/retire/", everything()
    assert "This is the last live key of shop Ltd." in manager.page(path)
    assert "Add the next key first" in manager.post(path, {"reason": "stolen"}).content.decode()
    keys = {"keys-0-id": shop.merchant.keys.get().pk, "keys-0-merchant": shop.merchant_id}
    ends = {"keys-0-retired_at_0": "2020-01-01", "keys-0-retired_at_1": "00:00:00"}
    form = {"name": "shop Ltd", "status": "ACTIVE", "reason": "x", **counted("keys", 1), **keys, **ends}
    assert "No key would stay." in manager.post(f"{LIST}{shop.merchant_id}/change/", form).content.decode()
    assert everything() == before
    assert manager.post(path, {"reason": "stolen", "is_known": "on"}).status_code == 302
    assert last_log()[2].endswith("It was the last live key. Why: stolen")


# --- Who, and what there is ---------------------------------------------------------------------------------------


@pytest.mark.trust(33)
@pytest.mark.parametrize("role", ["auditor", "support"])
def test_who_may_not_change_keys_reads_them(role: str, shop: MiniProgram, path: str) -> None:
    desk = Desk(in_role(role))
    page = desk.page(f"{LIST}{shop.merchant_id}/change/")
    assert shop.merchant.keys.get().fingerprint in page
    assert path not in page
    before = everything()
    for address in (path, path.replace("/test/", "/retire/")):
        assert (desk.get(address).status_code, desk.post(address, {"reason": "x"}).status_code) == (403, 403)
    assert everything() == before


@pytest.mark.parametrize("number", ["7", "9" * 30])
def test_a_key_that_is_not_there_has_no_page(manager: Desk, shop: MiniProgram, number: str) -> None:
    assert manager.get(f"{LIST}{shop.merchant_id}/keys/{number}/test/").status_code == 404
    assert manager.get(f"{LIST}{number}/keys/1/retire/").status_code == 404


def test_the_fingerprint_is_openssls(shop: MiniProgram) -> None:
    key = shop.merchant.keys.get()
    der = (
        key_of("shop-client")
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    printed = subprocess.run(["sha256sum"], input=der, capture_output=True, check=True).stdout.decode().split()[0]
    assert key.fingerprint == printed
    assert MerchantKey(public_key="nonsense").fingerprint == ""


def test_the_pages_take_few_statements(
    manager: Desk, shop: MiniProgram, path: str, django_assert_max_num_queries: Any
) -> None:
    MerchantKey.objects.bulk_create(
        MerchantKey(merchant=shop.merchant, version=version, public_key=public_pem("shop-client"))
        for version in range(2, 30)
    )
    for address in (f"{LIST}{shop.merchant_id}/change/", path, path.replace("/test/", "/retire/")):
        with django_assert_max_num_queries(12):
            manager.page(address)


def test_keys_of_another_algorithm_never_get_here(manager: Desk, alices: Container, shop: MiniProgram) -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()
    pem = weak.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    form = {"name": "x", "status": "ACTIVE", "reason": "x", **counted("keys", 1, 1)}
    form |= {"keys-0-id": shop.merchant.keys.get().pk, "keys-0-merchant": shop.merchant_id}
    form |= {"keys-1-version": 2, "keys-1-public_key": pem}
    page = manager.post(f"{LIST}{shop.merchant_id}/change/", form).content.decode()
    assert "This RSA key has 1024 bits; 2048 is the least." in page
    assert Merchant.objects.get(pk=shop.merchant_id).keys.count() == 1
