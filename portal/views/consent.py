"""The consent sheet: who asks, for what, and the user's answer (trust 20 to 24)."""

from collections.abc import Callable
from typing import Any

from csp.constants import SELF
from csp.decorators import csp_replace
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin

from portal import scopes, sheet
from portal.models import PendingConsent
from portal.models.consents import AlreadyDecidedError, ConsentExpiredError, NotAskedError
from portal.models.grants import labels

# Only our own container may frame the sheet (trust 24). `csp_update` would add to 'none' instead of replacing it.
framed_by_container: list[Callable[..., Any]] = [
    never_cache,
    login_required,
    xframe_options_sameorigin,
    csp_replace({"frame-ancestors": [SELF]}),
]


@method_decorator(framed_by_container, name="dispatch")
class ConsentPage(View):
    """Shows the sheet; the answer is tied to our record, not to anything in the form (trust 20)."""

    def get(self, request: HttpRequest, consent_id: str) -> HttpResponse:
        consent = own(request, consent_id)
        if not consent.is_open:
            return self._too_late(request, consent)
        return self._show(request, sheet.of(consent))

    def post(self, request: HttpRequest, consent_id: str) -> HttpResponse:
        """`decision=allow` with the ticked `scopes`, or `decision=refuse`. Required lines go with allow."""
        consent = own(request, consent_id)
        if not consent.is_open:
            return self._too_late(request, consent)
        shown = sheet.of(consent)
        granted: list[str] = []
        if request.POST.get("decision") == "allow":
            granted = [*request.POST.getlist("scopes"), *(line.scope for line in shown.lines if line.required)]
            if not granted:
                return self._show(request, shown, _("Switch on what you want to allow, or press “Don't allow”."))
        elif request.POST.get("decision") != "refuse":
            return self._show(request, shown, _("Press “Allow” or “Don't allow”."))
        try:
            consent.decide(granted, shown=shown.consent_text())
        except NotAskedError:
            return self._show(request, shown, _("That was not what was asked. Nothing has been allowed."))
        except (AlreadyDecidedError, ConsentExpiredError):  # between two lines of this function
            return self._too_late(request, consent)
        return redirect("consent_done", consent_id)

    def _show(self, request: HttpRequest, shown: sheet.Sheet, error: str = "") -> HttpResponse:
        """The sheet, with the user's own ticks when it comes back."""
        context = {
            "sheet": shown,
            "error": error,
            "ticked": request.POST.getlist("scopes"),
            "framed": is_framed(request),
            "sees": any(scopes.catalogue()[line.scope].fields for line in shown.lines),
            "without_data": [line.scope for line in shown.lines if not scopes.catalogue()[line.scope].fields],
        }
        return render(request, "portal/consent.html", context, status=422 if error else 200)

    def _too_late(self, request: HttpRequest, consent: PendingConsent) -> HttpResponse:
        """The next page says what became of it; an answer given before stands."""
        if consent.decided_at:
            messages.info(request, _("You answered this before. That answer stands."))
        return redirect("consent_done", consent.pk)


@method_decorator(framed_by_container, name="dispatch")
class ConsentDone(View):
    """Says what was decided; its script tells the container, which fetches the outcome."""

    def get(self, request: HttpRequest, consent_id: str) -> HttpResponse:
        consent = own(request, consent_id)
        if consent.is_open:
            return redirect("consent", consent_id)
        refused = [name for name in consent.asked if name not in consent.granted]
        context = {
            "consent": consent,
            "allowed": labels(consent.granted),
            "refused": labels(refused),
            "framed": is_framed(request),
        }
        return render(request, "portal/consent_done.html", context)


def is_framed(request: HttpRequest) -> bool:
    """Whether this page is drawn inside the container's sheet: then the sheet is all there is, without a stage.

    Browsers say so; one that does not draws the stage too, which does no harm.
    """
    return request.headers.get("Sec-Fetch-Dest") == "iframe"


def own(request: HttpRequest, consent_id: str) -> PendingConsent:
    """404 for anything of another user (trust 25)."""
    rows = PendingConsent.objects.select_related("user", "mini_program__merchant")
    return get_object_or_404(rows, pk=consent_id, user=request.user)
