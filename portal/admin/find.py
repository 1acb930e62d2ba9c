"""The console's search: whatever an operator holds in their hand, a trace id or a phone number, and where it leads.

By POST alone: an address with somebody's phone number in it would stand in logs and histories.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_http_methods

from portal.admin.lookups import find_user
from portal.console import PAGES
from portal.dashboard.periods import listed
from portal.models import Merchant, MiniProgram, MiniProgramGrant

LONGEST = 254  # an e-mail address
SHOWN = 6  # of a kind
TRACE_ID, CODE = re.compile(r"[0-9a-f]{32}", re.IGNORECASE), re.compile(r"[A-Za-z0-9_]{1,64}")


@dataclass(frozen=True)
class Hit:
    """Something that was found; `exact` when it is what was typed, and not only begins so."""

    kind: str
    label: str
    url: str
    exact: bool = True
    note: str = ""


def people(request: HttpRequest, term: str) -> Iterator[Hit]:
    """By login, phone, e-mail, external id or #number; in full."""
    if user := find_user(term):
        yield Hit("People", f"{user} (#{user.pk})", _change("portal_user", user.pk), note=user.get_status_display())


def grants(request: HttpRequest, term: str) -> Iterator[Hit]:
    """By id, in full."""
    for grant in MiniProgramGrant.objects.filter(pk=term).select_related("mini_program"):
        yield Hit("Grants", str(grant), _change("portal_miniprogramgrant", grant.pk), note=str(grant.mini_program))


def programs(request: HttpRequest, term: str) -> Iterator[Hit]:
    """By how appId or name begins."""
    for row in MiniProgram.objects.filter(_begins(term)).order_by("client_id")[:SHOWN]:
        url = _change("portal_miniprogram", row.pk)
        yield Hit("Mini-programs", row.name, url, _same(row.client_id, term), f"appId {row.client_id}")


def merchants(request: HttpRequest, term: str) -> Iterator[Hit]:
    """By how Client-Id or name begins."""
    for row in Merchant.objects.filter(_begins(term)).order_by("client_id")[:SHOWN]:
        url = _change("portal_merchant", row.pk)
        yield Hit("Merchants", row.name, url, _same(row.client_id, term), f"Client-Id {row.client_id}")


def _begins(term: str) -> Q:
    return Q(client_id__istartswith=term) | Q(name__istartswith=term)


def errors(request: HttpRequest, term: str) -> Iterator[Hit]:
    """By trace id, or by code: then its list."""
    rows: Any = apps.get_model("authapi", "ErrorAudit")._default_manager
    if TRACE_ID.fullmatch(term):
        for row in rows.filter(trace_id=term.lower())[:SHOWN]:
            yield Hit("Errors", str(row), _change("authapi_erroraudit", row.pk), note=f"trace id {row.trace_id}")
    elif CODE.fullmatch(term) and rows.filter(code=term.upper()).exists():
        yield Hit("Error codes", term.upper(), listed("authapi_erroraudit", code=term.upper()))


# What else a list is called by those who look for it.
ALSO = {
    "User": "people persons phone e-mail freeze unfreeze",
    "MiniProgramGrant": "permissions consents revoke",
    "ConsentDecision": "history consents",
    "MassRevocation": "kill switch bulk revoke",
    "AbuseReport": "abuse complaints",
    "ErrorGroup": "errors spiking known causes",
    "ErrorAudit": "errors refusals trace",
    "MerchantNotice": "authnotify notify delivery",
    "MiniProgram": "apps suspend restore onboarding",
    "ScopeApproval": "scopes review approve refuse purposes",
    "Merchant": "client-id keys",
    "LogEntry": "operators acts audit",
    "LedgerCheck": "ledger seals verify tampering",
    "Job": "tasks queue worker stuck",
    "Group": "roles",
}
# What everybody may open. Other pages beside the lists are the console's.
OWN = (
    ("Dashboard", "admin:index", "home start overview charts"),
    ("Second factor", "admin:second_factor", "mfa totp passkey recovery codes"),
    ("Change password", "admin:password_change", ""),
)


def pages(request: HttpRequest, term: str) -> Iterator[Hit]:
    """By a word of the page's name, or of what is done there."""
    for name, url, words in _pages(request):
        text = f"{name} {words}".lower()
        if any(word.startswith(term.lower()) for word in (text, *text.split())):
            yield Hit("Pages", name, url, _same(name, term) or term.lower() in text.split())


def _pages(request: HttpRequest) -> Iterator[tuple[str, str, str]]:
    for app in admin.site.get_app_list(request):
        for model in app["models"]:
            if model["admin_url"]:
                yield str(model["name"]).capitalize(), model["admin_url"], ALSO.get(model["object_name"], "")
    for page in PAGES:
        if request.user.has_perm(page.permission):
            yield page.name, reverse(f"admin:{page.url}"), ""
    for name, url, words in OWN:
        yield name, reverse(url), words


FINDERS: tuple[tuple[str, Callable[[HttpRequest, str], Iterable[Hit]]], ...] = (
    ("portal.view_user", people),
    ("portal.view_miniprogramgrant", grants),
    ("portal.view_miniprogram", programs),
    ("portal.view_merchant", merchants),
    ("authapi.view_erroraudit", errors),
    ("", pages),
)


def found(request: HttpRequest, term: str) -> list[Hit]:
    """All that this operator may view; what was typed in full comes first."""
    finders = [find for permission, find in FINDERS if not permission or request.user.has_perm(permission)]
    hits = [hit for find in finders for hit in find(request, term)] if term else []
    return sorted(hits, key=lambda hit: not hit.exact)


@require_http_methods(["GET", "POST"])
def find_page(request: HttpRequest) -> HttpResponse:
    """Straight to the one thing that is meant; otherwise a list, which does not repeat what was typed."""
    term = request.POST.get("q", "").strip()[:LONGEST]
    hits = found(request, term)
    exact = [hit for hit in hits if hit.exact]
    if len(exact) == 1 or len(hits) == 1:
        return HttpResponseRedirect(hits[0].url)
    groups = [(kind, list(some)) for kind, some in groupby(sorted(hits, key=_kind), key=_kind)]
    context = {**admin.site.each_context(request), "title": "Find", "groups": groups, "asked": bool(term)}
    return TemplateResponse(request, "admin/found.html", context)


def urls() -> list[URLPattern]:
    """The search's one page."""
    return [path("find/", admin.site.admin_view(find_page), name="find")]


def _kind(hit: Hit) -> str:
    return hit.kind


def _same(text: str, term: str) -> bool:
    return text.lower() == term.lower()


def _change(model: str, key: Any) -> str:
    return reverse(f"admin:{model}_change", args=[key])
