"""The consent sheet: who asks, for what, and the user's answer (trust 20 to 24)."""

from csp.decorators import csp_update
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin

from portal import sheet
from portal.models import PendingConsent
from portal.models.consents import AlreadyDecidedError, ConsentExpiredError, NotAskedError

# Only our own container may frame the sheet (trust 24).
framed_by_container = [
    never_cache,
    login_required,
    xframe_options_sameorigin,
    csp_update({"frame-ancestors": ["'self'"]}),  # type: ignore[dict-item]
]


@method_decorator(framed_by_container, name="dispatch")
class ConsentPage(View):
    """Shows the sheet; the answer is tied to our record, not to anything in the form (trust 20)."""

    def get(self, request: HttpRequest, consent_id: str) -> HttpResponse:
        consent = own(request, consent_id)
        if not consent.is_open:
            return redirect("consent_done", consent_id)
        return self._show(request, sheet.of(consent))

    def post(self, request: HttpRequest, consent_id: str) -> HttpResponse:
        """`decision=allow` with the ticked `scopes`, or `decision=refuse`. Required lines go with allow."""
        consent = own(request, consent_id)
        shown = sheet.of(consent)
        granted: list[str] = []
        if request.POST.get("decision") == "allow":
            granted = [*request.POST.getlist("scopes"), *(line.scope for line in shown.lines if line.required)]
            if not granted:
                messages.error(request, _("Choose at least one, or press “Don't allow”."))
                return self._show(request, shown, status=422)
        elif request.POST.get("decision") != "refuse":
            messages.error(request, _("Press “Allow” or “Don't allow”."))
            return self._show(request, shown, status=422)
        try:
            consent.decide(granted, shown=shown.consent_text())
        except NotAskedError:
            messages.error(request, _("That was not what was asked. Nothing has been allowed."))
            return self._show(request, shown, status=422)
        except (AlreadyDecidedError, ConsentExpiredError):
            pass  # the next page says which
        return redirect("consent_done", consent_id)

    def _show(self, request: HttpRequest, shown: sheet.Sheet, status: int = 200) -> HttpResponse:
        return render(request, "portal/consent.html", {"sheet": shown}, status=status)


@method_decorator(framed_by_container, name="dispatch")
class ConsentDone(View):
    """Says what was decided; its script tells the container, which fetches the outcome."""

    def get(self, request: HttpRequest, consent_id: str) -> HttpResponse:
        consent = own(request, consent_id)
        if consent.is_open:
            return redirect("consent", consent_id)
        return render(request, "portal/consent_done.html", {"consent": consent})


def own(request: HttpRequest, consent_id: str) -> PendingConsent:
    """404 for anything of another user (trust 25)."""
    rows = PendingConsent.objects.select_related("user", "mini_program__merchant")
    return get_object_or_404(rows, pk=consent_id, user=request.user)
