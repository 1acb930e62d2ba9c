"""One mini-program: what it sees, and how to pause, shorten, withdraw that, or ask for its deletion (trust 26, 27)."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from portal import cards, durations, history, scopes, seen
from portal.inbox import unread_of
from portal.models import ConsentDecision, MiniProgramGrant
from portal.terms import Duration

HISTORY_SIZE = 20
DURATIONS = (Duration.MONTH, Duration.YEAR, Duration.ALWAYS)


@never_cache
@login_required
def detail(request: HttpRequest, grant_id: str) -> HttpResponse:
    """Each scope with its value, purpose, times and reads; what can be done about it; each decision, in words."""
    grant = own(request, grant_id)
    state = now(request, grant) if grant.is_live else over(grant)
    # The header's count came with the grant: this page has enough statements of its own.
    context = {"grant": grant, "count_unread": vars(grant)["unread"] or 0, **state, **past(request, grant)}
    return render(request, "portal/permission_detail.html", context)


def now(request: HttpRequest, grant: MiniProgramGrant) -> dict[str, Any]:
    """What the page shows of a grant that goes on."""
    lines = seen.lines(grant, request.build_absolute_uri)
    asked = [line for line in lines if line.withdrawable and not line.is_over]
    choices = durations.offered([line.max_days for line in asked])
    return {
        "lines": lines,
        "asked": asked,
        "ends_apart": seen.ends_apart(lines),
        "limited": [line for line in asked if line.max_days],
        "durations": [choice for choice in choices if choice.value in DURATIONS],
        "unused_days": cards.unused_days(grant),
    }


def over(grant: MiniProgramGrant) -> dict[str, Any]:
    """What it shows of one that ended: what the mini-program got, and where it lives on."""
    program = grant.mini_program
    return {
        "got": cards.told(grant.scopes),
        "again": MiniProgramGrant.of(grant.user, program),
        "can_be_asked": bool(program.merchant.notify_url),
        "user_id": program.merchant.sector.user_id(grant.user.uuid.bytes),
        "over_at": grant.ended_at or grant.expires_at,
    }


def past(request: HttpRequest, grant: MiniProgramGrant) -> dict[str, Any]:
    """One page of the decisions about this mini-program, newest first, and the numbers of the pages beside it."""
    wanted = request.GET.get("history", "")
    number = max(1, int(wanted)) if wanted.isascii() and wanted.isdigit() and len(wanted) < 7 else 1
    start = (number - 1) * HISTORY_SIZE
    decisions = ConsentDecision.objects.filter(user=grant.user, mini_program=grant.mini_program)
    rows = decisions.select_related("shown").order_by("-at", "-id")[start : start + HISTORY_SIZE + 1]
    events = [{"row": row, "words": history.told(row), "is_end": history.is_end(row)} for row in rows]
    return {
        "history": events[:HISTORY_SIZE],
        "earlier": number + 1 if len(events) > HISTORY_SIZE else None,
        "later": number - 1 if number > 1 else None,
    }


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
        messages.success(request, offering(grant, _("%(name)s no longer sees anything about you.") % words))
        return redirect("permissions")
    else:
        messages.success(request, _("%(name)s no longer has: %(what)s.") % words)
    return redirect("permission_detail", grant_id)


def named(request: HttpRequest) -> list[str] | None:
    """The scope of the form; None, which stands for everything, when the form names none."""
    return [request.POST["scope"]] if "scope" in request.POST else None


def offering(grant: MiniProgramGrant, says: str) -> str:
    """These words, and the way to have deleted what was received."""
    where = reverse("permission_detail", args=[grant.pk])
    return format_html('{} <a href="{}">{}</a>', says, where, _("Ask it to delete what it has"))


@login_required
@require_POST
def pause(request: HttpRequest, grant_id: str) -> HttpResponse:
    """Let it see nothing until `resume`."""
    grant = own(request, grant_id)
    if grant.pause(by=grant.user):
        words = _("Paused. %(name)s sees nothing about you until you let it go on.")
        messages.success(request, words % {"name": grant.mini_program.name})
    else:
        nothing_to_do(request, grant, _("It was paused already."))
    return redirect("permission_detail", grant_id)


@login_required
@require_POST
def resume(request: HttpRequest, grant_id: str) -> HttpResponse:
    """Let it see again what it saw before."""
    grant = own(request, grant_id)
    if grant.resume(by=grant.user):
        words = _("%(name)s goes on, with the permissions below.")
        messages.success(request, words % {"name": grant.mini_program.name})
    else:
        nothing_to_do(request, grant, _("It was not paused."))
    return redirect("permission_detail", grant_id)


@login_required
@require_POST
def duration(request: HttpRequest, grant_id: str) -> HttpResponse:
    """Allow what is allowed now for `duration` from now."""
    grant, chosen = own(request, grant_id), request.POST.get("duration", "")
    if grant.is_live and chosen not in DURATIONS:
        messages.error(request, _("Choose for how long, then press Change."))
    elif grant.is_live and grant.retime(Duration(chosen), by=grant.user):
        words = {"name": grant.mini_program.name, "when": history.until(grant.expires_at)}
        messages.success(request, _("%(name)s is allowed what stands below %(when)s.") % words)
    else:
        nothing_to_do(request, grant, _("It was allowed for that long already."))
    return redirect("permission_detail", grant_id)


@login_required
@require_POST
def ask_deletion(request: HttpRequest, grant_id: str) -> HttpResponse:
    """Have the merchant told, once, that this user wants deleted what it received."""
    grant = own(request, grant_id)
    if grant.ask_deletion():
        words = _("We passed it on: %(name)s is asked to delete what it received.")
        messages.success(request, words % {"name": grant.mini_program.name})
    elif grant.is_live:
        messages.error(request, _("Withdraw everything first. Then you can ask for deletion."))
    elif grant.deletion_asked_at:
        messages.info(request, _("You asked for that before."))
    else:
        messages.error(request, _("It takes no such requests from here. Send it the letter below."))
    return redirect("permission_detail", grant_id)


def nothing_to_do(request: HttpRequest, grant: MiniProgramGrant, otherwise: str) -> None:
    """Say that it has ended, or else why nothing happened."""
    messages.info(request, otherwise if grant.is_live else _("This has ended. There is nothing left to change."))


def own(request: HttpRequest, grant_id: str) -> MiniProgramGrant:
    """404 for anything of another user (trust 25). What a mass revocation took is written down first."""
    rows = MiniProgramGrant.objects.select_related("user", "mini_program__merchant__sector")
    rows = rows.annotate(unread=unread_of(OuterRef("user")))
    grant = get_object_or_404(rows, pk=grant_id, user=request.user)
    grant.catch_up()
    return grant
