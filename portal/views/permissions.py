"""Who sees what about me, and how to stop it (trust 26 and 27)."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from portal import history, previews, scopes
from portal.models import ConsentDecision, MiniProgramGrant
from portal.models.grants import labels

PAGE_SIZE = 20
HISTORY_SIZE = 50


@dataclass(frozen=True)
class Line:
    """One thing a mini-program sees: what, why, since when, and whether it can be withdrawn by itself."""

    scope: scopes.Scope
    since: datetime
    purpose: str
    preview: list[str]
    passed_on: bool

    @property
    def withdrawable(self) -> bool:
        """A silent scope comes back unasked at the next call: it ends with everything else, or not at all."""
        return not self.scope.silent


@never_cache
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """The mini-programs this user let in, most recently used first; with `?show=ended` those that are out again."""
    mine = MiniProgramGrant.objects.filter(user=request.user.pk)
    live = MiniProgramGrant.objects.live().filter(user=request.user.pk)
    ended = mine.exclude(pk__in=live.values("pk"))
    counts = {"live": live.count(), "ended": ended.count()}
    show = "ended" if request.GET.get("show") == "ended" else "live"
    rows = (ended if show == "ended" else live).select_related("mini_program")
    rows = rows.order_by(F("last_used_at").desc(nulls_last=True), "-since", "pk")
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    cards = [{"grant": grant, "labels": labels(grant.scopes)} for grant in page]
    context = {"page": page, "cards": cards, "show": show, "counts": counts}
    return render(request, "portal/permissions.html", context)


@never_cache
@login_required
def detail(request: HttpRequest, grant_id: str) -> HttpResponse:
    """One mini-program: each scope with its value, purpose and since when; its history."""
    grant = own(request, grant_id)
    decisions = ConsentDecision.objects.filter(user=grant.user, mini_program=grant.mini_program)
    rows = decisions.select_related("shown").order_by("-at", "-id")[:HISTORY_SIZE]
    context = {
        "grant": grant,
        "lines": lines_of(grant) if grant.is_live else [],
        "history": [{"pk": row.pk, "at": row.at, "words": history.told(row), "act": row.act} for row in rows],
    }
    return render(request, "portal/permission_detail.html", context)


def lines_of(grant: MiniProgramGrant) -> list[Line]:
    """A line for each label: `auth_base` and USER_ID are one thing to a person."""
    approvals = grant.mini_program.approvals()
    lines: dict[str, Line] = {}
    for scope in scopes.known(grant.scopes):
        approval = approvals.get(scope.name)
        line = Line(
            scope=scope,
            since=grant.since_of(scope.name),
            purpose=approval.purpose if approval else "",
            preview=previews.if_readable(grant.user, scope),
            passed_on=approval is not None,
        )
        lines.setdefault(str(scope.label), line)
    return list(lines.values())


@login_required
@require_POST
def withdraw(request: HttpRequest, grant_id: str) -> HttpResponse:
    """Withdraw the scope named in `scope`, or everything when it is absent."""
    grant = own(request, grant_id)
    scope = scopes.catalogue().get(request.POST.get("scope", ""))
    words = {"name": grant.mini_program.name, "what": scope.label if scope else ""}
    if scope and scope.silent:
        messages.error(request, _("%(what)s ends only together with everything else.") % words)
    elif not grant.revoke(by=grant.user, scopes=named(request)):
        messages.info(request, _("There was nothing left to withdraw."))
    elif grant.ended_at:
        messages.success(request, _("%(name)s no longer sees anything about you.") % words)
        return redirect("permissions")
    else:
        messages.success(request, _("%(name)s no longer has: %(what)s.") % words)
    return redirect("permission_detail", grant_id)


def named(request: HttpRequest) -> list[str] | None:
    """The scope of the form; None, which stands for everything, when the form names none."""
    return [request.POST["scope"]] if "scope" in request.POST else None


def own(request: HttpRequest, grant_id: str) -> MiniProgramGrant:
    """404 for anything of another user (trust 25)."""
    rows = MiniProgramGrant.objects.select_related("user", "mini_program__merchant__sector")
    return get_object_or_404(rows, pk=grant_id, user=request.user)
