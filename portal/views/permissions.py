"""Who sees what about me, and how to stop it (trust 26 and 27)."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portal import previews, scopes
from portal.models import MiniProgramGrant

PAGE_SIZE = 20


@login_required
def index(request: HttpRequest) -> HttpResponse:
    """The mini-programs this user let in, most recently used first."""
    live = MiniProgramGrant.objects.live().filter(user=request.user).select_related("mini_program")
    page = Paginator(live.order_by(F("last_used_at").desc(nulls_last=True), "-since"), PAGE_SIZE).get_page(
        request.GET.get("page")
    )
    return render(request, "portal/permissions.html", {"page": page})


@login_required
def detail(request: HttpRequest, grant_id: str) -> HttpResponse:
    """One mini-program: each scope with its value, purpose and since when; its history."""
    grant = own(request, grant_id)
    approvals = grant.mini_program.approvals()
    lines = [
        {
            "scope": scope,
            "since": grant.since_of(scope.name),
            "purpose": approvals[scope.name].purpose if scope.name in approvals else "",
            "preview": previews.preview(grant.user, scope),
        }
        for scope in scopes.known(grant.scopes)
    ]
    decisions = grant.decisions.select_related("actor").order_by("-at", "-id")[:50]
    context = {"grant": grant, "lines": lines, "decisions": decisions}
    return render(request, "portal/permission_detail.html", context)


@login_required
@require_POST
def withdraw(request: HttpRequest, grant_id: str) -> HttpResponse:
    """Withdraw the scope named in `scope`, or everything when it is absent."""
    grant = own(request, grant_id)
    scope = request.POST.get("scope")
    name = grant.mini_program.name
    if not grant.revoke(by=grant.user, scopes=[scope] if scope else None):
        messages.info(request, _("There was nothing left to withdraw."))
    elif grant.ended_at:
        messages.success(request, _("%(name)s no longer sees anything about you.") % {"name": name})
        return redirect("permissions")
    else:
        label = scopes.catalogue()[scope].label if scope in scopes.catalogue() else scope
        messages.success(request, _("%(name)s no longer sees: %(what)s.") % {"name": name, "what": label})
    return redirect("permission_detail", grant_id)


def own(request: HttpRequest, grant_id: str) -> MiniProgramGrant:
    """404 for anything of another user (trust 25)."""
    rows = MiniProgramGrant.objects.select_related("user", "mini_program__merchant__sector")
    return get_object_or_404(rows, pk=grant_id, user=request.user)
