"""What a consent sheet finds missing, filled in beside it; then the sheet goes on as it was left."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.views import View

from portal import additions, sheet
from portal.scopes import catalogue
from portal.views.consent import framed_by_container, is_framed, own, too_late


@method_decorator(framed_by_container, name="dispatch")
class AddPage(View):
    """The form for the one thing that this line of the sheet lacks."""

    def get(self, request: HttpRequest, consent_id: str, scope: str) -> HttpResponse:
        return self._answer(request, consent_id, scope)

    def post(self, request: HttpRequest, consent_id: str, scope: str) -> HttpResponse:
        return self._answer(request, consent_id, scope, data=request.POST, files=request.FILES)

    def _answer(self, request: HttpRequest, consent_id: str, name: str, **sent: Any) -> HttpResponse:
        consent = own(request, consent_id)
        if not consent.is_open:
            return too_late(request, consent)
        if not sheet.of(consent).can_add(name):
            raise Http404
        scope = catalogue()[name]
        form = additions.form_for(scope, consent.user, **sent)
        if form.is_bound and form.is_valid() and additions.save(form):
            return redirect("consent", consent_id)
        fields = form.visible_fields()
        at_fault = next((field for field in fields if field.errors), fields[0])
        at_fault.field.widget.attrs["autofocus"] = True  # where there is something to type, or to put right
        context = {"consent": consent, "scope": scope, "form": form, "framed": is_framed(request)}
        return render(request, "portal/consent_add.html", context, status=422 if form.is_bound else 200)
