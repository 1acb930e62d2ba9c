"""/receipts/verify/, and checking a receipt without us: what is genuine passes, and nothing else does."""

import json
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client

from authapi import platform, signing
from portal import keys
from portal.models import MiniProgram, MiniProgramGrant, User
from tests.conftest import EVERY_SCOPE, Container
from tests.pages import words
from tests.receipts import SCOPES, b64, decided, file_of, unb64, verified

VERIFY = "/receipts/verify/"


def check(text: str, client: Client | None = None) -> Any:
    return (client or Client()).post(VERIFY, {"receipt": text})


@pytest.fixture
def grant(alices: Container, alice: User, shop: MiniProgram) -> MiniProgramGrant:
    """What Alice gave to Shop: her nickname and her number."""
    alices.code("shop", SCOPES)
    return MiniProgramGrant.objects.get()


@pytest.fixture
def jws(browser: Client, grant: MiniProgramGrant) -> str:
    """The receipt of that, signed."""
    return str(file_of(browser, decided("given"))["jws"])


# --- The signature --------------------------------------------------------------------------------------------------


def test_it_verifies_with_the_published_key_and_nothing_of_ours(browser: Client, grant: MiniProgramGrant) -> None:
    file = file_of(browser, decided("given"))
    assert verified(file["jws"]) == file["receipt"]
    assert json.loads(unb64(file["jws"].split(".")[0])) == {"alg": "RS256", "kid": "1", "typ": "consent-receipt+jwt"}
    head, payload, signature = file["jws"].split(".")
    with pytest.raises(InvalidSignature):
        verified(f"{head}.{b64(unb64(payload).replace(b'Shop', b'Shap'))}.{signature}")


def test_it_verifies_after_the_key_was_changed_and_a_new_one_is_signed_with_the_new_key(
    browser: Client, jws: str
) -> None:
    call_command("rotate_signing_key", verbosity=0)
    assert "signed this with key 1" in words(check(jws))
    file = file_of(browser, decided("given"))
    assert json.loads(unb64(file["jws"].split(".")[0]))["kid"] == "2"
    assert verified(file["jws"]) == file["receipt"]
    assert "signed this with key 2" in words(check(file["jws"]))


# --- Checking one ---------------------------------------------------------------------------------------------------


def test_anybody_checks_a_pasted_receipt(jws: str, django_assert_num_queries: Any) -> None:
    assert "Paste a receipt of Super" in words(Client().get(VERIFY))
    with django_assert_num_queries(0):
        page = check(jws)
    assert page.status_code == 200
    text = words(page)
    assert "Genuine: Super signed this with key 1" in text
    assert "It says: You allowed: Nickname and Mobile number." in text
    assert "Who decided The person it is about" in text


def test_a_form_without_its_csrf_token_is_refused(jws: str) -> None:
    assert check(jws, Client(enforce_csrf_checks=True)).status_code == 403


def test_the_files_text_and_the_file_itself_are_read_too(browser: Client, jws: str) -> None:
    file = browser.get(f"/receipts/{decided('given').pk}/receipt.json").content
    assert "Genuine" in words(check(file.decode()))
    assert "Genuine" in words(Client().post(VERIFY, {"file": SimpleUploadedFile("receipt.json", file)}))
    assert "Genuine" in words(check(json.dumps({"jws": jws})))


def test_line_breaks_and_blanks_do_no_harm(jws: str) -> None:
    lines = "\r\n  ".join(jws[i : i + 76] for i in range(0, len(jws), 76))
    assert "Genuine" in words(check(f"\n {lines} \n"))


def test_the_longest_receipt_is_not_too_long(browser: Client, alices: Container, shop: MiniProgram) -> None:
    shop.scope_approvals.update(purpose="ก" * 200)
    alices.code("shop", EVERY_SCOPE)
    path = f"/receipts/{decided('given').pk}/"
    file = browser.get(f"{path}receipt.json").content
    assert "Genuine" in words(Client().post(VERIFY, {"file": SimpleUploadedFile("receipt.json", file)}))
    assert "Genuine" in words(check(json.loads(file)["jws"]))


def refused(text: Any, reason: str) -> None:
    page = check(text)
    assert page.status_code == 422
    assert reason in words(page)
    assert "Genuine" not in words(page)


@pytest.mark.trust(36)
@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize("place", [0, 40, -1])
def test_one_changed_character_anywhere_is_found(jws: str, part: int, place: int) -> None:
    parts = jws.split(".")
    changed = list(parts[part])
    changed[place] = "A" if changed[place] != "A" else "B"
    parts[part] = "".join(changed)
    assert check(".".join(parts)).status_code == 422


def resigned(jws: str, payload: bytes | None = None, key: Any = None, **head: Any) -> str:
    """The receipt with another header, signed by our key or another one."""
    old, old_payload, _signature = jws.split(".")
    claims = {**json.loads(unb64(old)), **head}
    body = b64(json.dumps({k: v for k, v in claims.items() if v is not None}).encode())
    message = f"{body}.{b64(payload) if payload is not None else old_payload}"
    return f"{message}.{b64(signing.sign(key or platform.private_key(), message.encode()))}"


@pytest.mark.trust(36)
@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ({"alg": "none"}, "It is not signed the way we sign"),
        ({"alg": "HS256"}, "It is not signed the way we sign"),
        ({"alg": "PS256"}, "It is not signed the way we sign"),
        ({"alg": ["RS256"]}, "It is not signed the way we sign"),
        ({"alg": None}, "It is not signed the way we sign"),
        ({"kid": "9"}, "names a key that was never ours"),
        ({"kid": 1}, "names a key that was never ours"),
        ({"kid": None}, "names a key that was never ours"),
        ({"kid": "\x00"}, "names a key that was never ours"),
        ({"typ": "JWT"}, "does not say that this is a receipt"),
        ({"crit": ["b64"], "b64": False}, "does not say that this is a receipt"),
    ],
)
def test_a_header_that_is_not_ours_is_refused(jws: str, head: dict[str, Any], reason: str) -> None:
    refused(resigned(jws, **head), reason)


def test_somebody_elses_signature_is_refused(jws: str) -> None:
    theirs = signing.load_private_key(keys.new_private_key())
    refused(resigned(jws, key=theirs), "The signature does not fit")
    refused(resigned(jws, key=theirs, jwk={"kty": "RSA"}, jku="https://evil.example/"), "The signature does not fit")
    head, payload, _signature = jws.split(".")
    refused(f"{head}.{payload}.", "it needs three parts")


@pytest.mark.trust(36)
def test_a_file_whose_readable_part_was_changed_is_refused(browser: Client, jws: str) -> None:
    file = file_of(browser, decided("given"))
    file["receipt"]["decision"]["told"] = "You allowed everything."
    refused(json.dumps(file), "The readable part of the file was changed")


@pytest.mark.trust(36)
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "There is nothing to check yet"),
        (" \n ", "There is nothing to check yet"),
        ("garbage", "it needs three parts"),
        ("a.b", "it needs three parts"),
        ("a.b.c.d", "it needs three parts"),
        ("e30.e30.e30", "It is not signed the way we sign"),
        ("a.a.a", "A part of it cannot be read"),
        ("bnVsbA.e30.e30", "A part of it cannot be read"),
        ("\x00", "it needs three parts"),
        ("é.é.é", "it needs three parts"),
        ("<script>alert(1)</script>.a.a", "it needs three parts"),
        ("{", "This file cannot be read"),
        ("{}", "There is no signature in this file"),
        ('{"jws": 1}', "There is no signature in this file"),
        ('{"jws": "\\ud800"}', "This file cannot be read"),
        ('{"jws": "a.a.a", "jws": "b"}', "This file cannot be read"),
        ('{"a":' * 5000, "This file cannot be read"),
    ],
    ids=lambda text: text[:20].strip() or "empty",
)
def test_garbage_is_told_what_is_wrong_with_it(db: None, text: str, reason: str) -> None:
    refused(text, reason)
    assert "<script>alert" not in check(text).content.decode()


@pytest.mark.trust(36)
def test_what_is_too_long_is_not_read(db: None) -> None:
    assert check("a" * 100_000).status_code == 400
    refused("e30." + "a" * 63_000 + ".é", "it needs three parts")
    page = Client().post(VERIFY, {"file": SimpleUploadedFile("receipt.json", b"a" * 200_000)})
    assert page.status_code == 422
    assert "This is too long to be a receipt." in words(page)
    binary = Client().post(VERIFY, {"file": SimpleUploadedFile("receipt.json", bytes(range(256)))})
    assert binary.status_code == 422
