"""A signed statement of one decision, made from its row of the ledger when somebody asks for it, never stored."""

from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import override

from authapi import bodies, jws, receipt_facts, receipt_standards
from authapi.jws import NotGenuineError
from authapi.receipt_facts import Facts, Line
from portal.models import ConsentDecision

MAX_FILE = 3 * jws.MAX_LENGTH  # bytes: the JWS, and what it says in clear


def of(decision: ConsentDecision) -> dict[str, Any]:
    """The payload: registered claims (RFC 7519), Kantara's fields, the record of ISO/IEC TS 27560, and our own words.

    The same decision gives the same payload, in the words the person read. What the ledger does not hold, the
    names of merchant and brand, is as it is now; so are the catalogue's words for what no sheet showed. `decision`
    brings along mini_program__merchant__sector, user and shown.
    """
    facts = receipt_facts.of(decision)
    with override(facts.language):
        return {
            "iss": settings.BRAND_NAME,
            "iat": int(facts.at.timestamp()),
            "jti": facts.id,
            "sub": facts.user_id,
            **receipt_standards.kantara(facts),
            "consent_record": receipt_standards.record(facts),
            "receipt_metadata": receipt_standards.receipt_metadata(facts),
            "decision": _decision(facts),
        }


def _decision(facts: Facts) -> dict[str, Any]:
    """What the portal calls it: the act, in words, on which scopes, before and after, by whom and why."""
    row, sheet = facts.decision, facts.decision.shown
    return {
        "act": row.act,
        "told": facts.told,
        "at": facts.at.isoformat(),
        "by": facts.by,
        "reason": facts.reason,
        "miniProgram": {"appId": row.mini_program.app_id, "name": facts.mini_program, "developer": facts.developer},
        "about": [_line(line) for line in facts.about],
        "scopesBefore": row.scopes_before,
        "scopesAfter": row.scopes_after,
        "shown": {"hash": sheet.hash, "version": sheet.version, "language": sheet.language} if sheet else None,
        "traceId": row.trace_id,
    }


def _line(line: Line) -> dict[str, Any]:
    until = line.term.until.isoformat() if line.term.until else None
    return {"scope": line.name, "label": line.label, "until": until, "once": line.term.once}


def sign(payload: dict[str, Any]) -> str:
    """The receipt as compact JWS."""
    return jws.sign(payload)


def verify(text: str) -> tuple[dict[str, Any], str]:
    """The payload of a receipt, and the keyVersion that signed it, from a JWS or the file that holds one.

    Raises NotGenuineError; also for a file whose readable part is not what was signed.
    """
    text = text.strip()
    if not text:
        raise NotGenuineError(_("There is nothing to check yet. Paste a receipt, or choose its file."))
    if not text.startswith("{"):
        return jws.verify(text)
    file = _parsed(text)
    payload, key_version = jws.verify(file["jws"])
    if file.get("receipt", payload) != payload:
        raise NotGenuineError(_("The readable part of the file was changed: it is not what was signed."))
    return payload, key_version


def _parsed(text: str) -> dict[str, Any]:
    try:
        file = bodies.parse(text.encode("utf-8", "replace"), max_bytes=MAX_FILE)
    except bodies.MalformedError as error:
        raise NotGenuineError(_("This file cannot be read. Was all of it pasted?")) from error
    if not isinstance(file.get("jws"), str):
        raise NotGenuineError(_("There is no signature in this file."))
    return file
