"""The fields of a receipt that two standards name. What they ask for and the portal cannot know is left out, or empty.

Kantara's look at what is granted after the decision, so that nobody takes the receipt of a withdrawal for a consent.
Those of ISO/IEC TS 27560 look at what was decided: the scopes it was about, and an event for each.
"""

from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.duration import duration_iso_string
from django.utils.translation import gettext as _

from authapi.receipt_facts import Facts, Line
from portal.models import ConsentDecision

Act = ConsentDecision.Act
SCHEMA = "ISO/IEC TS 27560:2023"
NOT_STATED = "not stated"

# --- Kantara Consent Receipt Specification 1.1.0, section 4 ---------------------------------------------------------


def kantara(facts: Facts) -> dict[str, Any]:
    """Its receipt. The key is named in the signature's header instead of `publicKey`, which it lets one leave out."""
    sensitive = [line.label for line in facts.holds if line.scope.sensitive]
    return {
        "version": "KI-CR-v1.1.0",
        "jurisdiction": settings.JURISDICTION or NOT_STATED,
        "consentTimestamp": int(facts.at.timestamp()),
        "collectionMethod": _collection_method(facts),
        "consentReceiptID": facts.id,
        "language": facts.language,
        "piiPrincipalId": facts.user_id,
        "piiControllers": _controllers(facts),
        "policyUrl": facts.policy_url,
        "services": [{"service": facts.mini_program, "purposes": [_kantara_purpose(facts, x) for x in facts.holds]}],
        "sensitive": bool(sensitive),
        "spiCat": sensitive,
    }


def _collection_method(facts: Facts) -> str:
    if facts.decision.shown:
        return "consent sheet"
    if facts.decision.act in (Act.GIVEN, Act.WIDENED):
        return "opening the mini-program"  # silent scopes
    return {"user": "the user, in the portal", "operator": "an operator"}.get(facts.by, "its time ran out")


def _controllers(facts: Facts) -> list[dict[str, Any]]:
    """Who keeps the profile and who gets a part of it. The portal knows nobody's postal address."""
    merchant = facts.decision.mini_program.merchant
    portal = {"piiController": settings.BRAND_NAME, "onBehalf": False, "contact": settings.BRAND_NAME, "address": {}}
    contact = facts.policy_url or facts.developer or merchant.name
    theirs = {"piiController": merchant.name, "onBehalf": False, "contact": contact, "address": {}}
    return [portal, {**theirs, "piiControllerUrl": facts.policy_url} if facts.policy_url else theirs]


def _kantara_purpose(facts: Facts, line: Line) -> dict[str, Any]:
    return {
        "purpose": line.purpose,
        "consentType": "IMPLICIT" if line.scope.silent else "EXPLICIT",
        "piiCategory": [line.label],
        "primaryPurpose": line.required,
        "termination": line.term.until.isoformat() if line.term.until else _("Until you withdraw it"),
        "thirdPartyDisclosure": True,
        "thirdPartyName": facts.decision.mini_program.merchant.name,
    }


# --- ISO/IEC TS 27560:2023, clause 6.3 ------------------------------------------------------------------------------

# event_state, in the words that the W3C's Data Privacy Vocabulary has for the states of its Annex B; "paused" is ours:
# consent stands, and nothing is passed on.
_STATES = {
    Act.REFUSED: "refused",
    Act.EXPIRED: "expired",
    Act.WITHDRAWN: "withdrawn",
    Act.REVOKED: "revoked",
    Act.PAUSED: "paused",
    Act.RENEWED: "renewed",
    Act.RETIMED: "renewed",
}
STANDING = ("given", "renewed", "paused")
_TAKEN_BY = {"user": "withdrawn", "operator": "revoked", "time": "expired"}


def record(facts: Facts) -> dict[str, Any]:
    """Its consent record: header, processing, parties, events."""
    return {
        "schema_version": SCHEMA,
        "record_id": facts.id,
        "pii_principal_id": facts.user_id,
        "pii_processing": {
            "privacy_notice": _notice(facts),
            "language": facts.language,
            "purposes": [_purpose(facts, line) for line in facts.about],
        },
        "party_identification": _parties(facts),
        "event": [_event(facts, line) for line in facts.about],
    }


def receipt_metadata(facts: Facts) -> dict[str, Any]:
    """Clause 6.4: what makes a copy of the record a receipt."""
    return {"schema_version": SCHEMA, "receipt_id": facts.id}


def _notice(facts: Facts) -> dict[str, str]:
    """The merchant's policy, and the sheet that was read, by the hash under which the ledger keeps its words."""
    shown = facts.decision.shown
    policy = {"url": facts.policy_url}
    return {**policy, "hash": shown.hash, "version": shown.version} if shown else policy


def _purpose(facts: Facts, line: Line) -> dict[str, Any]:
    """Where and for how long a merchant stores what it got is for its own notice to say."""
    merchant = facts.decision.mini_program.merchant
    return {
        "purpose_id": line.name,
        "purpose": line.purpose,
        "lawful_basis": "consent",
        "pii_information": [_pii(line, field) for field in line.scope.fields],
        "pii_controllers": ["portal", merchant.client_id],
        "collection_method": _collection_method(facts),
        "storage_locations": [],
        "retention_period": NOT_STATED,
        "jurisdiction": settings.JURISDICTION or NOT_STATED,
        "recipient_third_parties": [merchant.client_id],
        "withdrawal_method": reverse("permissions"),
    }


def _pii(line: Line, field: str) -> dict[str, Any]:
    """A field of userInfo (wire.md 5.2), never its value."""
    return {"pii_type": field, "pii_optional": not line.required, "sensitive_pii_category": line.scope.sensitive}


def _parties(facts: Facts) -> list[dict[str, Any]]:
    merchant, program = facts.decision.mini_program.merchant, facts.decision.mini_program
    return [
        {
            "party_id": "portal",
            "party_name": settings.BRAND_NAME,
            "party_role": "PII controller",
            "party_type": "issuer",
        },
        {
            "party_id": merchant.client_id,
            "party_name": merchant.name,
            "party_url": facts.policy_url,
            "party_role": "PII controller",
            "party_type": "recipient",
            "mini_program": {"id": program.app_id, "name": facts.mini_program, "developer": facts.developer},
        },
    ]


def _event(facts: Facts, line: Line) -> dict[str, Any]:
    act = Act(facts.decision.act)
    state = _TAKEN_BY[facts.by] if act == Act.NARROWED else _STATES.get(act, "given")
    return {
        "purpose_id": line.name,
        "event_time": facts.at.isoformat(),
        "event_type": "implied" if line.scope.silent else "explicit",
        "event_state": state,
        "validity_duration": _validity(facts, line, state),
        "entity_id": facts.user_id if facts.by == "user" else "portal",
    }


def _validity(facts: Facts, line: Line, state: str) -> str:
    """As ISO-8601, of consent that holds; of consent that does not, no time at all."""
    if state not in STANDING:
        return "PT0S"
    return duration_iso_string(line.term.until - facts.at) if line.term.until else "until withdrawn"
