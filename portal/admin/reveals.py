"""Personal data in full: for a reason, written down first, and shown once (trust 30, 32, 35)."""

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from portal.admin.confirming import recently_signed_in
from portal.admin.log_lines import log_about
from portal.admin.pages import ReasonForm
from portal.admin.person import KINDS, UNREADABLE
from portal.encryption import UnreadableError
from portal.models import User

PERMISSION = "portal.reveal_personal_data"
Told = list[tuple[str, str]]  # what it is, the value


def _contacts(person: User) -> Told:
    found = [("Login", person.username)]
    found += [(f"Signs in with ({KINDS[row.type]})", row.value) for row in person.login_ids.all()]
    return found + [(f"Is reached by ({KINDS[row.type]})", row.value) for row in person.contacts.all()]


def _names(person: User) -> Told:
    fields = ("nickname", "full_name", "first_name", "middle_name", "last_name")
    return [(name.replace("_", " ").capitalize(), getattr(person, name)) for name in fields]


def _addresses(person: User) -> Told:
    fields = ("label", "address1", "address2", "city", "state", "zip_code")
    rows = [[*(getattr(row, name) for name in fields), row.region.name] for row in person.addresses.all()]
    return [("Address", ", ".join(filter(None, row))) for row in rows]


def _birth_date(person: User) -> Told:
    return [("Birthday", person.birth_date.isoformat() if person.birth_date else "")]


def _extra(person: User) -> Told:
    return [(str(name), str(value)) for name, value in person.extra.items()]


GROUPS: dict[str, tuple[Any, Callable[[User], Told]]] = {
    "contacts": (gettext_lazy("Login ids and contacts"), _contacts),
    "names": (gettext_lazy("Names"), _names),
    "addresses": (gettext_lazy("Addresses"), _addresses),
    "birth_date": (gettext_lazy("Birthday"), _birth_date),
    "extra": (gettext_lazy("Fields of this deployment's own"), _extra),
}


class RevealForm(ReasonForm):
    """What to show, and why."""

    groups = forms.MultipleChoiceField(
        label=gettext_lazy("Show"),
        choices=[(name, label) for name, (label, _read) in GROUPS.items()],
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("No more than you need: each is named in the log."),
        error_messages={"required": gettext_lazy("Tick what you need to see.")},
    )
    field_order = ("groups", "reason")


@never_cache
@recently_signed_in
def view(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks what and why; after the POST the values stand on this one page, and nowhere else."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    person = User.objects.filter(pk=pk).first()
    if person is None:
        raise Http404
    form = RevealForm(request.POST if "reason" in request.POST else None)
    context = {**admin.site.each_context(request), "title": "Reveal personal data", "form": form, "person": person}
    if form.is_valid():
        context["revealed"] = revealed(request, person, form.cleaned_data["groups"], form.cleaned_data["reason"])
    return TemplateResponse(request, "admin/portal/user/reveal.html", context)


def revealed(request: HttpRequest, person: User, groups: Iterable[str], reason: str) -> list[tuple[str, Told]]:
    """The values by group. The line in the log is written before any is read; when it cannot be, none is."""
    chosen = [(str(label), read) for name, (label, read) in GROUPS.items() if name in groups]
    with transaction.atomic():
        log_about(request, person, f"Saw in full: {', '.join(label for label, _read in chosen)}. Why: {reason}")
    return [(label, _readable(read, person)) for label, read in chosen]


def _readable(read: Callable[[User], Told], person: User) -> Told:
    try:
        return [(label, value or "–") for label, value in read(person)]
    except UnreadableError:
        return [("", UNREADABLE)]


def urls() -> list[URLPattern]:
    """For the admin of people."""
    return [path("<int:pk>/reveal/", admin.site.admin_view(view), name="portal_user_reveal")]
