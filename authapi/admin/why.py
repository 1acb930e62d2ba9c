"""“Why?” in the console: what getAuthCode would answer this person now, without doing it (trust 30)."""

import json
import re
from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from authapi import why
from portal import scopes
from portal.admin.log_lines import log_about
from portal.admin.lookups import find_user
from portal.console import ADDRESSES, PAGES, Page
from portal.models import User

PERMISSION = "authapi.view_erroraudit"


class WhyForm(forms.Form):
    """Who, where and for what."""

    user = forms.CharField(
        label="User",
        max_length=200,
        widget=forms.TextInput(attrs={"class": "vTextField", "autocomplete": "off"}),
        help_text="Login, external id, phone number or e-mail, in full; or # and a number.",
        error_messages={"required": "Say whom it is about."},
    )
    app_id = forms.CharField(
        label="Mini-program (appId)",
        max_length=200,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        error_messages={"required": "Say in which mini-program."},
    )
    scopes = forms.MultipleChoiceField(
        label="Scopes",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="None: as if the call named none, which means auth_base.",
    )
    others = forms.CharField(
        label="Others",
        max_length=2000,
        required=False,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text="As the mini-program spells them, with blanks or commas between.",
    )

    def __init__(self, data: Any = None, initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        choices = [(name, f"{name} · {scope.label}") for name, scope in scopes.catalogue().items()]
        self.fields["scopes"].choices = choices  # type: ignore[attr-defined]

    def clean_user(self) -> User:
        """The person, by an exact name."""
        if user := find_user(self.cleaned_data["user"]):
            return user
        raise forms.ValidationError("Nobody has exactly this login, phone number, e-mail, external id or number.")

    def asked(self) -> list[str] | None:
        """The scopes as a call would name them; None when it would name none."""
        others = re.split(r"[\s,]+", self.cleaned_data["others"].strip())
        return [*self.cleaned_data["scopes"], *filter(None, others)] or None


@never_cache
@permission_required(PERMISSION, raise_exception=True)
@require_http_methods(["GET", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """The form, filled in by links; and after a POST the explanation. Who looked at whom is written down first."""
    form = WhyForm(request.POST) if request.method == "POST" else WhyForm(initial=_linked(request))
    context = {**admin.site.each_context(request), "title": "Why?", "form": form}
    if form.is_bound and form.is_valid():
        user, app_id = form.cleaned_data["user"], form.cleaned_data["app_id"]
        _log(request, user, app_id, form.asked())
        found = why.explain(user, app_id, form.asked())
        answer = json.dumps(found.answer, indent=2, ensure_ascii=False)
        context |= {"person": user, "found": found, "answer": answer}
    return TemplateResponse(request, "admin/why.html", context)


def _linked(request: HttpRequest) -> dict[str, Any]:
    """What a link of the console says; nothing is looked up for it."""
    asked = [name for name in request.GET.getlist("scope") if name in scopes.catalogue()]
    return {"user": request.GET.get("user", ""), "app_id": request.GET.get("program", ""), "scopes": asked}


def _log(request: HttpRequest, user: User, app_id: str, names: Sequence[str] | None) -> None:
    """Without what is no appId or scope: somebody may have pasted anything."""
    known = [name for name in names or [scopes.DEFAULT] if name in scopes.catalogue()]
    where = app_id if re.fullmatch(r"[A-Za-z0-9_.-]{1,32}", app_id) else "a mini-program that cannot exist"
    asked = ", ".join(known) or "scopes that do not exist"
    log_about(request, user, f"Looked at what getAuthCode would answer in {where} for {asked}")


ADDRESSES.append(path("why/", admin.site.admin_view(page), name="why"))
PAGES.append(Page("people", "Why?", "why", PERMISSION))
