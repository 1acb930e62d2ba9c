"""Everything about one grant for its page in the console, in few statements (trust 27, 30)."""

from datetime import datetime
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.models import IntegerField, QuerySet, Value
from django.http import HttpRequest
from django.utils import timezone
from oauth2_provider.models import AccessToken, RefreshToken

from portal import scopes
from portal.admin import terms
from portal.models import ConsentDecision, MiniProgramGrant

LINES = 20
SHEETS = 50  # so far back it is looked for what a sheet said


def page(request: HttpRequest, grant: MiniProgramGrant) -> dict[str, Any]:
    """What the template shows beside the fields of the grant. Five statements."""
    start = (_number(request.GET.get("history", "")) - 1) * LINES
    decisions = list(_decisions(grant)[start : start + LINES + 1])
    return {
        "lines": lines(grant),
        "decisions": decisions[:LINES],
        "newer": start // LINES,
        "older": start // LINES + 2 if len(decisions) > LINES else 0,
        "failures": errors(grant),
        "notices": grant.notices.order_by("-pk")[:LINES],
    }


def _number(text: str) -> int:
    """A page's number; the first where it is none."""
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 6 and int(text) else 1


def _decisions(grant: MiniProgramGrant) -> QuerySet[ConsentDecision]:
    return grant.decisions.select_related("actor").order_by("-at", "-id")


def lines(grant: MiniProgramGrant) -> list[dict[str, Any]]:
    """Each scope: what it means, on which words and terms it was given, and how often it was read."""
    known, said, read = scopes.catalogue(), purposes(grant), _reads(grant)
    closed = set(grant.scopes) - (grant.open_scopes() if grant.is_live and not grant.paused_at else set())
    return [
        {
            "name": name,
            "label": known[name].label if name in known else "",
            "is_open": name not in closed,
            "since": grant.since_of(name),
            "terms": terms.words(grant.term_of(name)),
            "purpose": said.get(name, ""),
            "reads": read.get(name, (0, None))[0],
            "last_read": read.get(name, (0, None))[1],
        }
        for name in grant.names
    ]


def purposes(grant: MiniProgramGrant) -> dict[str, str]:
    """The purpose of each scope in the words, and the language, of the sheet on which it was agreed to last."""
    shown = grant.decisions.exclude(shown=None).order_by("-at", "-id").values_list("scopes_after", "shown__text")
    found: dict[str, str] = {}
    for after, text in shown[:SHEETS]:
        for line in text.get("lines", []):
            if line.get("scope") in after:
                found.setdefault(line["scope"], line.get("purpose", ""))
    return found


def _reads(grant: MiniProgramGrant) -> dict[str, tuple[int, datetime]]:
    rows = grant.access_counts.values_list("scope", "count", "last_at")
    return {scope: (count, last) for scope, count, last in rows}


def alive(grant: MiniProgramGrant) -> tuple[int, int]:
    """How many access and refresh tokens of this pair are alive. One statement."""
    now, pair = timezone.now(), {"user": grant.user_id, "application": grant.mini_program_id}
    youngest = now - settings.REFRESH_TOKEN_IDLE_LIFETIME
    access = AccessToken.objects.filter(**pair, expires__gt=now).order_by().values_list("pk")
    refresh = RefreshToken.objects.filter(**pair, revoked=None, created__gt=youngest).order_by().values_list("pk")
    kinds = [kind for _pk, kind in _kinds(access, 0).union(_kinds(refresh, 1), all=True)]
    return kinds.count(0), kinds.count(1)


def _kinds(rows: Any, kind: int) -> Any:
    return rows.annotate(kind=Value(kind, output_field=IntegerField()))


def errors(grant: MiniProgramGrant) -> QuerySet[Any]:
    """By string, like its URLs: the portal does not import the API."""
    rows = apps.get_model("authapi", "ErrorAudit").objects
    return rows.filter(user=grant.user_id, app_id=grant.mini_program.app_id).order_by("-at", "-id")[:LINES]
