"""/receipts/<decision>/ and its receipt.json: what a decision leaves in its person's hands."""

import json
import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from portal.models import ConsentDecision, ConsentText, MiniProgram, MiniProgramGrant, User
from portal.terms import Duration, Term
from tests.conftest import EVERY_SCOPE, Container
from tests.pages import words
from tests.receipts import SCOPES, decided, file_of, receipt_of


def states(receipt: dict[str, Any]) -> dict[str, str]:
    return {event["purpose_id"]: event["event_state"] for event in receipt["consent_record"]["event"]}


def consented(receipt: dict[str, Any]) -> list[str]:
    """What somebody who knows Kantara's fields alone takes for granted."""
    return [purpose["purpose"] for purpose in receipt["services"][0]["purposes"]]


@pytest.fixture
def grant(alices: Container, alice: User, shop: MiniProgram) -> MiniProgramGrant:
    """What Alice gave to Shop: her nickname and her number."""
    alices.code("shop", SCOPES)
    return MiniProgramGrant.objects.get()


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


def test_it_stays_in_the_language_that_was_read(alice: User, shop: MiniProgram) -> None:
    alices = Container(alice)
    alices.http.cookies["django_language"] = "id"
    alices.code("shop", SCOPES)
    path = f"/receipts/{decided('given').pk}/"
    file = alices.http.get(f"{path}receipt.json").content
    alices.http.cookies["django_language"] = "ar"
    assert alices.http.get(f"{path}receipt.json").content == file
    receipt = json.loads(file)["receipt"]
    assert receipt["language"] == receipt["decision"]["shown"]["language"] == "id"
    html = alices.http.get(path).content.decode()
    assert '<html lang="ar"' in html
    assert re.search(rf'lang="id"[^>]*>\s*<bdi>{re.escape(receipt["decision"]["told"])}', html)
