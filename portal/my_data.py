"""Everything the portal keeps about a person, as one JSON object for that person alone."""

import base64
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.utils import timezone

from portal.models import ConsentDecision, ConsentText, MiniProgram, MiniProgramGrant, User
from portal.user_lines import ADDRESS, NAMES

FORMAT = {"name": "portal.my-data", "version": 1}
CHUNK = 500  # rows that are models at the same time


def export(user: User) -> dict[str, Any]:
    """The same stored data gives the same object, `exportedAt` aside. Statements do not grow with what there is.

    The profile is in the words of userInfo (wire.md 5.2), in full. No secret is in it, and nobody else: of an
    operator it says that it was one.
    """
    decisions = list(_decisions(user))
    return {
        "format": FORMAT,
        "exportedAt": _moment(timezone.now()),
        "account": _account(user),
        "profile": _profile(user),
        "grants": list(_grants(user)),
        "decisions": decisions,
        "textsShown": _texts({row["textShown"] for row in decisions if row["textShown"]}),
        "inbox": list(_inbox(user)),
        "reports": list(_reports(user)),
    }


def _account(user: User) -> dict[str, Any]:
    return {
        "login": user.username,
        "externalId": user.external_id,
        "status": user.status,
        "since": _moment(user.date_joined),
        "lastSignIn": _moment(user.last_login),
        "deletionDue": _moment(user.deletion_due_at),
    }


def _profile(user: User) -> dict[str, Any]:
    addresses = user.addresses.all()
    return {
        "nickName": user.nickname,
        "userName": {name: getattr(user, field) for name, (field, _length) in NAMES.items()},
        "gender": user.gender,
        "birthDate": user.birth_date and user.birth_date.isoformat(),
        "nationality": user.nationality.code or "",
        "avatar": _picture(user),
        "loginIdInfos": [{"loginIdType": row.type, "loginId": row.value} for row in user.login_ids.all()],
        "contactInfos": [{"contactType": row.type, "contactNo": row.value} for row in user.contacts.all()],
        "userAddresses": [
            {name: str(getattr(row, field)) for name, (field, _length) in ADDRESS.items()} for row in addresses
        ],
        "otherFields": user.extra,
    }


def _picture(user: User) -> str | None:
    """As a data URL, which a browser shows when it is pasted; None when there is none, or its file is gone."""
    try:
        with user.avatar.open() as file:
            return f"data:image/jpeg;base64,{base64.b64encode(file.read()).decode()}"
    except (ValueError, FileNotFoundError):
        return None


def _grants(user: User) -> Iterator[dict[str, Any]]:
    """What each mini-program may see, or could, under which number it knows this person, and how often it looked."""
    rows = MiniProgramGrant.objects.filter(user=user).order_by("since", "pk")
    rows = rows.select_related("mini_program__merchant__sector").prefetch_related("access_counts")
    for row in rows.iterator(CHUNK):
        merchant = row.mini_program.merchant
        yield {
            "id": row.pk,
            "miniProgram": _program(row.mini_program),
            "merchant": merchant.name,
            "userId": merchant.sector.user_id(user.uuid.bytes),
            "scopes": {name: {"since": row.scopes[name], **row.terms.get(name, {})} for name in row.names},
            "since": _moment(row.since),
            "until": _moment(row.expires_at),
            "paused": _moment(row.paused_at),
            "ended": _moment(row.ended_at),
            "deletionAsked": _moment(row.deletion_asked_at),
            "lastUsed": _moment(row.last_used_at),
            "accesses": [
                {"scope": count.scope, "times": count.count, "last": _moment(count.last_at)}
                for count in sorted(row.access_counts.all(), key=lambda count: count.scope)
            ],
        }


def _decisions(user: User) -> Iterator[dict[str, Any]]:
    """The ledger's rows about this person, oldest first; `textShown` is a key of `textsShown`."""
    rows = ConsentDecision.objects.filter(user=user).select_related("mini_program").order_by("at", "pk")
    for row in rows.iterator(CHUNK):
        yield {
            "id": row.pk,
            "at": _moment(row.at),
            "act": row.act,
            "by": _by(row),
            "miniProgram": _program(row.mini_program),
            "grant": row.grant_id,
            "scopesBefore": row.scopes_before,
            "scopesAfter": row.scopes_after,
            "terms": row.terms or {},
            "reason": row.reason,
            "textShown": row.shown_id,
        }


def _by(row: ConsentDecision) -> str:
    """Whose act it was; nobody's when time ran out."""
    if row.actor_id is None:
        return "nobody"
    return "you" if row.actor_id == row.user_id else "operator"


def _texts(hashes: set[str]) -> dict[str, Any]:
    """The sheets this person saw, once each: thousands of decisions share a few."""
    rows = ConsentText.objects.in_bulk(sorted(hashes))
    return {
        key: {"version": row.version, "language": row.language, "text": row.text} for key, row in sorted(rows.items())
    }


def _inbox(user: User) -> Iterator[dict[str, Any]]:
    rows = user.inbox.select_related("mini_program").order_by("created", "pk")
    for row in rows.iterator(CHUNK):
        yield {
            "at": _moment(row.created),
            "kind": row.kind,
            "miniProgram": _program(row.mini_program),
            "decision": row.decision_id,
            "facts": row.facts,
            "read": _moment(row.read_at),
        }


def _reports(user: User) -> Iterator[dict[str, Any]]:
    for row in user.reports.select_related("mini_program").order_by("created", "pk").iterator(CHUNK):
        yield {
            "at": _moment(row.created),
            "miniProgram": _program(row.mini_program),
            "kind": row.kind,
            "words": row.words,
            "state": row.state,
            "closed": _moment(row.closed_at),
        }


def _program(program: MiniProgram | None) -> dict[str, str] | None:
    return {"appId": program.app_id, "name": program.name} if program else None


def _moment(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
