"""What a mini-program says about each scope it wants, on one page: entered here, read and approved by another."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from portal import scopes
from portal.admin.log_lines import operator
from portal.admin.pages import ReasonForm
from portal.admin.scope_approvals import LONGEST, ScopeApprovalForm
from portal.models import MiniProgram, ScopeApproval

if TYPE_CHECKING:
    from portal.admin.mini_programs import MiniProgramAdmin


class WordingForm(ScopeApprovalForm):
    """The words of one scope, with every language in sight."""

    class Meta:
        model = ScopeApproval
        fields = ("purpose", "purposes", "required", "max_days")
        widgets = {"purpose": forms.Textarea({"rows": 2, "cols": 40, "maxlength": LONGEST})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["scope"]
        self.fields["purposes"].widget.unfolded = True


WordingFormSet = forms.modelformset_factory(ScopeApproval, form=WordingForm, extra=0)


def may_write(request: HttpRequest) -> bool:
    """Whether this operator enters what mini-programs say."""
    return bool(request.user.has_perms(("portal.change_miniprogram", "portal.change_scopeapproval")))


def page(console: "MiniProgramAdmin", request: HttpRequest, program: MiniProgram) -> HttpResponse:
    """One form for all scopes of this mini-program."""
    if not may_write(request):
        raise PermissionDenied
    rows = program.scope_approvals.select_related("mini_program", "decided_by")
    data = request.POST if request.method == "POST" else None
    forms_of, why = WordingFormSet(data, queryset=rows, prefix="words"), ReasonForm(data)
    if data is not None and forms_of.is_valid() and why.is_valid():
        _keep(console, request, program, forms_of, why.cleaned_data["reason"])
        return HttpResponseRedirect(reverse("admin:portal_miniprogram_review", args=[program.pk]))
    context = {
        **console.admin_site.each_context(request),
        "title": _("Words of %s") % program,
        "opts": console.opts,
        "media": console.media,
        "program": program,
        "forms": forms_of,
        "cards": [(form, scopes.catalogue().get(form.instance.scope)) for form in forms_of],
        "why": why,
        "step": 2,
    }
    return TemplateResponse(request, "admin/portal/miniprogram/words.html", context)


@transaction.atomic
def _keep(console: "MiniProgramAdmin", request: HttpRequest, program: MiniProgram, forms_of: Any, reason: str) -> None:
    """One line of the record for each scope that says something else now."""
    changed = [form for form in forms_of if form.has_changed()]
    told = [words for form in changed if (words := form.keep(by=operator(request)))]
    for words in told:
        console.log_change(request, program, f"{words}. {_('Why')}: {reason}")
    words = _("%d scopes wait for a review by another operator.") % len(told) if told else _("Nothing changed.")
    console.message_user(request, words, messages.SUCCESS if told else messages.WARNING)
