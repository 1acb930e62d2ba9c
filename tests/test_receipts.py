"""/receipts/<decision>/, its receipt.json, and /receipts/verify/: what a decision leaves in its person's hands."""

import base64
import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from authapi import platform, signing
from portal import keys
from portal.models import ConsentDecision, ConsentText, MiniProgram, MiniProgramGrant, User
from portal.terms import Duration, Term
from tests.conftest import EVERY_SCOPE, Container
from tests.pages import words

VERIFY = "/receipts/verify/"
SCOPES = ["auth_base", "USER_NICKNAME", "PLAINTEXT_MOBILE_PHONE"]


def decided(act: str) -> ConsentDecision:
    return ConsentDecision.objects.filter(act=act).latest("id")


def file_of(browser: Client, decision: ConsentDecision) -> dict[str, Any]:
    response = browser.get(f"/receipts/{decision.pk}/receipt.json")
    assert response.status_code == 200
    found: dict[str, Any] = response.json()
    return found


def receipt_of(browser: Client, act: str) -> dict[str, Any]:
    """What the newest receipt of this act says."""
    found: dict[str, Any] = file_of(browser, decided(act))["receipt"]
    return found


def states(receipt: dict[str, Any]) -> dict[str, str]:
    return {event["purpose_id"]: event["event_state"] for event in receipt["consent_record"]["event"]}


def consented(receipt: dict[str, Any]) -> list[str]:
    """What somebody who knows Kantara's fields alone takes for granted."""
    return [purpose["purpose"] for purpose in receipt["services"][0]["purposes"]]


def check(text: str, client: Client | None = None) -> Any:
    return (client or Client()).post(VERIFY, {"receipt": text})


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def published() -> dict[str, rsa.RSAPublicKey]:
    """Our keys as anybody finds them."""

    def number(text: str) -> int:
        return int.from_bytes(unb64(text))

    found = Client().get("/.well-known/jwks.json").json()["keys"]
    return {key["kid"]: rsa.RSAPublicNumbers(number(key["e"]), number(key["n"])).public_key() for key in found}


def verified(jws: str) -> dict[str, Any]:
    """The payload, checked with nothing of ours but the published key. Raises InvalidSignature."""
    head, payload, signature = jws.split(".")
    key = published()[json.loads(unb64(head))["kid"]]
    key.verify(unb64(signature), f"{head}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256())
    found: dict[str, Any] = json.loads(unb64(payload))
    return found


@pytest.fixture
def grant(alices: Container, alice: User, shop: MiniProgram) -> MiniProgramGrant:
    """What Alice gave to Shop: her nickname and her number."""
    alices.code("shop", SCOPES)
    return MiniProgramGrant.objects.get()


@pytest.fixture
def jws(browser: Client, grant: MiniProgramGrant) -> str:
    """The receipt of that, signed."""
    return str(file_of(browser, decided("given"))["jws"])


# --- What it says ---------------------------------------------------------------------------------------------------


@pytest.mark.trust(28)
def test_the_receipt_of_what_was_given_has_the_fields_of_both_standards(
    browser: Client, alice: User, grant: MiniProgramGrant, settings: Any
) -> None:
    settings.JURISDICTION = "PH"
    receipt, decision = receipt_of(browser, "given"), decided("given")
    user_id = grant.mini_program.merchant.sector.user_id(alice.uuid.bytes)
    kantara = {
        name: receipt[name] for name in ("version", "jurisdiction", "collectionMethod", "language", "policyUrl")
    }
    assert kantara == {
        "version": "KI-CR-v1.1.0",
        "jurisdiction": "PH",
        "collectionMethod": "consent sheet",
        "language": "en",
        "policyUrl": "https://shop.example/privacy",
    }
    assert receipt["consentTimestamp"] == receipt["iat"] == int(decision.at.timestamp())
    assert receipt["piiPrincipalId"] == receipt["sub"] == user_id
    assert uuid.UUID(receipt["consentReceiptID"]).version == 5
    assert [controller["piiController"] for controller in receipt["piiControllers"]] == ["Super", "shop Ltd"]
    (service,) = receipt["services"]
    assert service["service"] == "Shop"
    assert service["purposes"][1] == {
        "purpose": "shop needs USER_NICKNAME",
        "consentType": "EXPLICIT",
        "piiCategory": ["Nickname"],
        "primaryPurpose": False,
        "termination": "Until you withdraw it",
        "thirdPartyDisclosure": True,
        "thirdPartyName": "shop Ltd",
    }
    assert [purpose["consentType"] for purpose in service["purposes"]] == ["IMPLICIT", "EXPLICIT", "EXPLICIT"]
    assert (receipt["sensitive"], receipt["spiCat"]) == (True, ["Mobile number"])
    record = receipt["consent_record"]
    assert record["schema_version"] == receipt["receipt_metadata"]["schema_version"] == "ISO/IEC TS 27560:2023"
    assert record["record_id"] == receipt["receipt_metadata"]["receipt_id"] == receipt["consentReceiptID"]
    assert record["pii_principal_id"] == user_id
    assert decision.shown
    assert record["pii_processing"]["privacy_notice"]["hash"] == decision.shown.hash
    purpose = record["pii_processing"]["purposes"][1]
    assert (purpose["purpose"], purpose["lawful_basis"]) == ("shop needs USER_NICKNAME", "consent")
    assert purpose["pii_information"] == [
        {"pii_type": "nickName", "pii_optional": True, "sensitive_pii_category": False}
    ]
    assert [party["party_id"] for party in record["party_identification"]] == ["portal", "shop-client"]
    assert record["event"][1] == {
        "purpose_id": "USER_NICKNAME",
        "event_time": decision.at.isoformat(),
        "event_type": "explicit",
        "event_state": "given",
        "validity_duration": "until withdrawn",
        "entity_id": user_id,
    }
    assert receipt["decision"]["told"] == "You allowed: Nickname and Mobile number."
    assert receipt["decision"]["shown"] == {"hash": decision.shown.hash, "version": "1", "language": "en"}


def test_a_limited_time_stands_on_it_for_each_scope(browser: Client, alice: User, shop: MiniProgram) -> None:
    term = Term.of(Duration.MONTH, timezone.now())
    MiniProgramGrant.give(alice, shop, SCOPES, terms={"USER_NICKNAME": term})
    receipt, decision = receipt_of(browser, "given"), decided("given")
    assert term.until
    until = {line["scope"]: line["until"] for line in receipt["decision"]["about"]}
    assert until == {**dict.fromkeys(SCOPES), "USER_NICKNAME": term.until.isoformat()}
    assert receipt["services"][0]["purposes"][1]["termination"] == term.until.isoformat()
    durations = {event["purpose_id"]: event["validity_duration"] for event in receipt["consent_record"]["event"]}
    assert durations["USER_NICKNAME"].startswith("P29DT23H" if term.until - decision.at < timedelta(30) else "P30D")
    assert durations["PLAINTEXT_MOBILE_PHONE"] == "until withdrawn"
    page = words(browser.get(f"/receipts/{decision.pk}/"))
    assert f"What you like to be called. Until {term.until.day} " in page


def test_what_was_added_later_has_a_receipt_of_its_own(
    browser: Client, alices: Container, grant: MiniProgramGrant
) -> None:
    alices.code("shop", ["USER_GENDER"])
    receipt = receipt_of(browser, "widened")
    assert states(receipt) == {"USER_GENDER": "given"}
    assert receipt["decision"]["scopesBefore"] == SCOPES
    assert receipt["decision"]["scopesAfter"] == ["auth_base", "USER_NICKNAME", "USER_GENDER", SCOPES[2]]
    assert len(consented(receipt)) == 4


@pytest.mark.trust(26)
def test_a_withdrawn_scope_is_no_longer_consented_to(browser: Client, grant: MiniProgramGrant) -> None:
    browser.post(f"/permissions/{grant.pk}/withdraw/", {"scope": "PLAINTEXT_MOBILE_PHONE"})
    receipt = receipt_of(browser, "narrowed")
    assert states(receipt) == {"PLAINTEXT_MOBILE_PHONE": "withdrawn"}
    assert "shop needs PLAINTEXT_MOBILE_PHONE" not in consented(receipt)
    assert "shop needs USER_NICKNAME" in consented(receipt)
    assert receipt["decision"]["shown"] is None
    assert receipt["collectionMethod"] == "the user, in the portal"
    assert receipt["sensitive"] is False


@pytest.mark.trust(26)
def test_nothing_is_consented_to_after_everything_was_withdrawn(browser: Client, grant: MiniProgramGrant) -> None:
    browser.post(f"/permissions/{grant.pk}/withdraw/")
    receipt = receipt_of(browser, "withdrawn")
    assert states(receipt) == dict.fromkeys(SCOPES, "withdrawn")
    assert {event["validity_duration"] for event in receipt["consent_record"]["event"]} == {"PT0S"}
    assert consented(receipt) == []
    page = words(browser.get(f"/receipts/{decided('withdrawn').pk}/"))
    assert "You withdrew everything." in page
    assert "Allowed from then on Nothing" in page


@pytest.mark.trust(30)
def test_an_operators_reason_stands_on_it_and_their_name_does_not(
    browser: Client, grant: MiniProgramGrant, olga: User
) -> None:
    grant.revoke(by=olga, reason="a complaint was right")
    file = file_of(browser, decided("revoked"))
    receipt = file["receipt"]
    assert set(states(receipt).values()) == {"revoked"}
    assert (receipt["decision"]["by"], receipt["decision"]["reason"]) == ("operator", "a complaint was right")
    assert {event["entity_id"] for event in receipt["consent_record"]["event"]} == {"portal"}
    page = browser.get(f"/receipts/{decided('revoked').pk}/")
    assert "Who decided An operator of Super Reason a complaint was right" in words(page)
    assert "olga" not in (json.dumps(file) + page.content.decode()).lower()


def test_a_refusal_has_a_receipt_and_is_no_consent(browser: Client, alices: Container, shop: MiniProgram) -> None:
    consent = alices.get_auth_code("shop", ["USER_GENDER"])["consentId"]
    alices.decide(consent, [])
    receipt = receipt_of(browser, "refused")
    assert states(receipt) == {"USER_GENDER": "refused"}
    assert receipt["decision"]["told"] == "You did not allow: Gender."
    assert receipt["consent_record"]["pii_processing"]["purposes"][0]["purpose"] == "shop needs USER_GENDER"
    assert consented(receipt) == []


def test_what_ran_out_was_nobodys_act(browser: Client, grant: MiniProgramGrant) -> None:
    grant.revoke(by=None, reason="its time ran out")
    receipt = receipt_of(browser, "expired")
    assert set(states(receipt).values()) == {"expired"}
    assert (receipt["decision"]["by"], receipt["decision"]["reason"]) == ("time", "")
    page = words(browser.get(f"/receipts/{decided('expired').pk}/"))
    assert "Who decided Nobody: its time ran out" in page


def test_a_pause_and_another_duration_have_receipts(browser: Client, alice: User, grant: MiniProgramGrant) -> None:
    grant.pause(by=alice)
    assert states(receipt_of(browser, "paused")) == dict.fromkeys(SCOPES, "paused")
    page = words(browser.get(f"/receipts/{decided('paused').pk}/"))
    assert "Allowed from then on Nothing, as long as it is paused" in page
    grant.resume(by=alice)
    assert states(receipt_of(browser, "resumed")) == dict.fromkeys(SCOPES, "given")
    grant.retime(Duration.MONTH, by=alice)
    receipt = receipt_of(browser, "retimed")
    assert states(receipt) == dict.fromkeys(SCOPES[1:], "renewed")
    assert all(line["until"] for line in receipt["decision"]["about"])


@pytest.mark.trust(28)
def test_it_keeps_the_words_that_were_agreed_to(browser: Client, grant: MiniProgramGrant) -> None:
    before = file_of(browser, decided("given"))
    MiniProgram.objects.update(name="Bazaar", developer="Somebody", privacy_policy_url="https://bazaar.example/")
    grant.mini_program.scope_approvals.update(purpose="something else", required=True)
    assert file_of(browser, decided("given"))["receipt"]["services"] == before["receipt"]["services"]
    MiniProgramGrant.objects.get().revoke(by=grant.user)
    receipt = receipt_of(browser, "withdrawn")
    assert receipt["decision"]["miniProgram"]["name"] == "Shop"
    assert receipt["policyUrl"] == "https://shop.example/privacy"
    assert "shop needs USER_NICKNAME" in [
        line["purpose"] for line in receipt["consent_record"]["pii_processing"]["purposes"]
    ]


def test_words_that_were_refused_are_not_those_that_were_agreed_to(
    browser: Client, alices: Container, grant: MiniProgramGrant
) -> None:
    alices.decide(alices.get_auth_code("shop", ["USER_GENDER"])["consentId"], [])
    refused = decided("refused")
    assert refused.shown
    (line,) = refused.shown.text["lines"]
    text = {**refused.shown.text, "lines": [{**line, "scope": "USER_NICKNAME", "purpose": "something new"}]}
    ConsentText.objects.filter(pk=refused.shown_id).update(text=text)
    receipt = receipt_of(browser, "refused")
    assert receipt["consent_record"]["pii_processing"]["purposes"][0]["purpose"] == "something new"
    assert "shop needs USER_NICKNAME" in consented(receipt)


def test_the_same_decision_gives_the_same_receipt(browser: Client, grant: MiniProgramGrant) -> None:
    decision = decided("given")
    first = browser.get(f"/receipts/{decision.pk}/receipt.json").content
    browser.post(f"/permissions/{grant.pk}/withdraw/")
    assert browser.get(f"/receipts/{decision.pk}/receipt.json").content == first
    assert str(file_of(browser, decision)["jws"]) in browser.get(f"/receipts/{decision.pk}/").content.decode()


@pytest.mark.trust(29)
def test_it_holds_none_of_the_persons_values(
    browser: Client, alices: Container, alice: User, shop: MiniProgram
) -> None:
    alices.code("shop", EVERY_SCOPE)
    text = json.dumps(file_of(browser, decided("given"))["receipt"], ensure_ascii=False)
    for value in ("Alice", "alice", "Reyes", "Santos", "9171234567", "4567", "1994", "Mabini", "Quezon", "6328555"):
        assert value not in text
    assert str(alice.uuid) not in text
    assert alice.uuid.hex not in text


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


# --- Its page and its file ------------------------------------------------------------------------------------------


def test_the_page_says_who_what_when_and_what_was_read(
    browser: Client, grant: MiniProgramGrant, django_assert_max_num_queries: Any
) -> None:
    decision = decided("given")
    with django_assert_max_num_queries(8):
        page = browser.get(f"/receipts/{decision.pk}/")
    text = words(page)
    assert "Mini-program Shop by shop Ltd When" in text
    assert "Who decided You" in text
    assert "Nickname shop needs USER_NICKNAME Until it is withdrawn Mobile number shop needs" in text
    assert "Allowed from then on User ID, Nickname and Mobile number" in text
    assert decision.shown
    assert f"The consent sheet in English, version 1 SHA-256 {decision.shown.hash}" in text
    assert page["Cache-Control"].startswith("max-age=0, no-cache, no-store")
    assert f'href="/receipts/{decision.pk}/receipt.json"' in page.content.decode()
    assert 'href="/receipts/verify/"' in page.content.decode()


def test_each_line_of_the_history_leads_to_its_receipt(browser: Client, grant: MiniProgramGrant) -> None:
    browser.post(f"/permissions/{grant.pk}/withdraw/", {"scope": "USER_NICKNAME"})
    html = browser.get(f"/permissions/{grant.pk}/").content.decode()
    for decision in ConsentDecision.objects.all():
        assert f'href="/receipts/{decision.pk}/"' in html


def test_the_file_is_downloaded(browser: Client, grant: MiniProgramGrant) -> None:
    decision = decided("given")
    response = browser.get(f"/receipts/{decision.pk}/receipt.json")
    assert response["Content-Disposition"] == f'attachment; filename="receipt-{decision.pk}.json"'
    assert response["Content-Type"] == "application/json"
    assert "no-store" in response["Cache-Control"]
    assert set(response.json()) == {"receipt", "jws"}


@pytest.mark.trust(25)
def test_bob_gets_404_for_alices_receipts(bob: User, grant: MiniProgramGrant) -> None:
    bobs = Client()
    bobs.force_login(bob)
    for number in (decided("given").pk, 999_999, 2**80):
        assert bobs.get(f"/receipts/{number}/").status_code == 404
        assert bobs.get(f"/receipts/{number}/receipt.json").status_code == 404


def test_who_is_not_signed_in_is_asked_to(grant: MiniProgramGrant) -> None:
    path = f"/receipts/{decided('given').pk}/"
    assert Client().get(path)["Location"] == f"/accounts/login/?next={path}"
    assert Client().get(f"{path}receipt.json").status_code == 302
    assert Client().post(path).status_code == 302


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
