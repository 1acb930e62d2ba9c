"""A new mini-program, step by step: who it is and what it wants, the words for it, then another operator's review."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal import scopes
from portal.admin.log_lines import operator
from portal.admin.pages import ActForm
from portal.models import Merchant, MiniProgram, ScopeApproval

if TYPE_CHECKING:
    from portal.admin.mini_programs import MiniProgramAdmin


class OnboardingForm(ActForm):
    """The first step. The merchant is named, not picked: there are too many for a list."""

    owner = forms.CharField(
        label=gettext_lazy("Merchant's Client-Id"),
        max_length=128,
        help_text=gettext_lazy("In full, as the merchant sends it. Add the merchant and its key first."),
    )
    page_url = forms.URLField(label=gettext_lazy("Page URL"), max_length=512, assume_scheme="https")
    privacy_policy_url = forms.URLField(
        label=gettext_lazy("Privacy policy"), max_length=512, assume_scheme="https", required=False
    )
    wanted = forms.MultipleChoiceField(
        label=gettext_lazy("Scopes it wants"), widget=forms.CheckboxSelectMultiple, initial=[scopes.DEFAULT]
    )

    class Meta:
        model = MiniProgram
        fields = ("client_id", "name", "developer", "page_url", "privacy_policy_url")

    field_order = ("owner", "client_id", "name", "developer", "page_url", "privacy_policy_url", "wanted", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(scope.name, _described(scope)) for scope in scopes.catalogue().values()]
        self.fields["wanted"].choices = choices  # type: ignore[attr-defined]
        self.fields["name"].required = True

    def clean_owner(self) -> Merchant:
        """The merchant itself; one that is disabled can do nothing with a mini-program."""
        merchant = Merchant.objects.filter(client_id=self.cleaned_data["owner"].strip()).first()
        if merchant is None or not merchant.is_active:
            raise forms.ValidationError(_("There is no active merchant with this Client-Id."))
        return merchant


def _described(scope: scopes.Scope) -> str:
    """ "USER_NAME – Name: userName"."""
    opens = ", ".join(scope.fields) or _("an act, no data")
    return f"{scope.name} – {scope.label}: {opens}"


def page(console: "MiniProgramAdmin", request: HttpRequest) -> HttpResponse:
    """The form; once it is right, on to the words."""
    if not (console.has_add_permission(request) and request.user.has_perm("portal.add_scopeapproval")):
        raise PermissionDenied
    form = OnboardingForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        program = _made(console, request, form)
        return HttpResponseRedirect(reverse("admin:portal_miniprogram_words", args=[program.pk]))
    context = {
        **console.admin_site.each_context(request),
        "title": _("Register a mini-program"),
        "opts": console.opts,
        "media": console.media,
        "form": form,
        "step": 1,
    }
    return TemplateResponse(request, "admin/portal/miniprogram/register.html", context)


@transaction.atomic
def _made(console: "MiniProgramAdmin", request: HttpRequest, form: OnboardingForm) -> MiniProgram:
    """The mini-program, which may ask for nothing yet, and what it wants."""
    answers = form.cleaned_data
    program: MiniProgram = form.save(commit=False)
    program.merchant = answers["owner"]
    program.save()
    ScopeApproval.objects.bulk_create(
        ScopeApproval(mini_program=program, scope=name, entered_by=operator(request)) for name in answers["wanted"]
    )
    words = _("Registered for %(merchant)s; wants %(scopes)s") % {
        "merchant": program.merchant.client_id,
        "scopes": ", ".join(answers["wanted"]),
    }
    console.log_addition(request, program, f"{words}. {_('Why')}: {answers['reason']}")
    return program
