"""Who sees what about me: all of them, and the way out of all of them at once (trust 26 and 27)."""

from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views import View
from django.views.decorators.cache import never_cache

from portal import cards
from portal.cards import State
from portal.models import MiniProgramGrant, User

PAGE_SIZE = 20
LONGEST_QUERY = 100
NAMED = 50  # mini-programs that the page before withdrawing from all names


@never_cache
@login_required
def index(request: HttpRequest) -> HttpResponse:
    """The mini-programs this user let in, most recently used first: `?show=` a state, `?q=` a part of the name."""
    query = request.GET.get("q", "").strip()[:LONGEST_QUERY]
    found = cards.found(request.user.pk, query)
    show, counts = state_of(request), cards.counts(found)
    paginator = Paginator(cards.of_state(found, show), PAGE_SIZE)
    paginator.count = counts[show]  # known already
    page = paginator.get_page(request.GET.get("page"))
    context = {
        "page": page,
        "cards": [cards.card(grant) for grant in page],
        "show": show,
        "query": query,
        "filters": [
            {"state": state, "count": counts[state], "url": address(query, show=state, page=1)} for state in State
        ],
        "any": any(counts.values()),
        "can_withdraw_all": bool(query or counts[State.ACTIVE] or counts[State.PAUSED]),
        "earlier": address(query, show=show, page=page.number - 1),
        "more": address(query, show=show, page=page.number + 1),
    }
    return render(request, "portal/permissions.html", context)


def state_of(request: HttpRequest) -> State:
    """The filter; for anything that is none, the active ones."""
    show = request.GET.get("show", "")
    return State(show) if show in State.values else State.ACTIVE


def address(query: str, *, show: State, page: int) -> str:
    """The query string of a page of the list."""
    parts = {"q": query, "show": "" if show == State.ACTIVE else show.value, "page": page if page > 1 else ""}
    return "?" + urlencode({name: value for name, value in parts.items() if value})


@method_decorator([never_cache, login_required], name="dispatch")
class WithdrawAll(View):
    """Asks once more, saying what ends and what that means; then ends every live grant of this user."""

    def get(self, request: HttpRequest) -> HttpResponse:
        live = self._live(request)
        count = live.count()
        context = {
            "count": count,
            "grants": [{"grant": grant, "labels": cards.told(grant.open_scopes())} for grant in live[:NAMED]],
            "others": max(0, count - NAMED),
        }
        return render(request, "portal/withdraw_all.html", context)

    def post(self, request: HttpRequest) -> HttpResponse:
        """One transaction for each: what ended has ended, whatever becomes of the next."""
        user = get_object_or_404(User, pk=request.user.pk)
        ended = sum(grant.revoke(by=user) for grant in self._live(request))
        if not ended:
            messages.info(request, _("There was nothing left to withdraw."))
            return redirect("permissions")
        says = ngettext(
            "%(n)d mini-program no longer sees anything about you.",
            "%(n)d mini-programs no longer see anything about you.",
            ended,
        )
        messages.success(request, says % {"n": ended})
        messages.info(request, _("Open one to ask it to delete what it received."))
        return redirect(f"{reverse('permissions')}?show={State.WITHDRAWN.value}")

    def _live(self, request: HttpRequest) -> QuerySet[MiniProgramGrant]:
        rows = MiniProgramGrant.objects.live().filter(user=request.user.pk)
        return rows.select_related("mini_program__merchant").order_by("mini_program__name", "pk")
