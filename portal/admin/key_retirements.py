"""The end of a merchant's key: at a moment, for a reason, and not unawares when it is the last one."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.admin import confirming, terms
from portal.admin.pages import ReasonForm
from portal.models import MerchantKey

if TYPE_CHECKING:
    from portal.admin.merchants import MerchantAdmin


class RetirementForm(ReasonForm):
    """From when on, and why; whoever retires the last key says that they know."""

    until = forms.DateTimeField(
        label=gettext_lazy("Works until"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        help_text=gettext_lazy("Empty: not a moment longer."),
    )
    is_known = forms.BooleanField(
        label=gettext_lazy("I know that every call of this merchant will be refused then."), required=False
    )
    field_order = ("until", "reason", "is_known")

    def __init__(self, data: Any, *, key: MerchantKey) -> None:
        super().__init__(data)
        self.key, self.is_last = key, is_last(key)
        if not self.is_last:
            del self.fields["is_known"]

    def clean_until(self) -> datetime:
        """Now, where nothing is said. What is past cannot be changed."""
        now = timezone.now()
        until: datetime = self.cleaned_data["until"] or now
        if until < now:
            raise forms.ValidationError(_("That is past. Leave it empty to end it now."))
        return until

    def clean_is_known(self) -> bool:
        if not self.cleaned_data["is_known"]:
            raise forms.ValidationError(_("Add the next key first, or say that you know."))
        return True


def is_last(key: MerchantKey) -> bool:
    """Whether no other key of this merchant is there to stay."""
    return not key.merchant.keys.exclude(pk=key.pk).filter(retired_at=None).exists()


def page(console: "MerchantAdmin", request: HttpRequest, key: MerchantKey) -> HttpResponse:
    """The question, and the deed."""
    if not request.user.has_perm("portal.change_merchantkey"):
        raise PermissionDenied
    form = RetirementForm(request.POST if request.method == "POST" else None, key=key)
    if not key.is_live:
        console.message_user(request, _("It was retired before; add the next version."), messages.WARNING)
        return HttpResponseRedirect(console.page_of(key.merchant))
    if form.is_valid():
        return confirming.ask(request) or _retired(console, request, key, form)
    context = {
        **console.admin_site.each_context(request),
        "title": _("Retire %s") % key,
        "opts": console.opts,
        "media": console.media,
        "key": key,
        "form": form,
    }
    return TemplateResponse(request, "admin/portal/merchant/key_retire.html", context)


@transaction.atomic
def _retired(console: "MerchantAdmin", request: HttpRequest, key: MerchantKey, form: RetirementForm) -> HttpResponse:
    until, reason = form.cleaned_data["until"], form.cleaned_data["reason"]
    MerchantKey.objects.filter(pk=key.pk).update(retired_at=until)
    words = _("keyVersion %(version)d works until %(until)s") % {"version": key.version, "until": terms.when(until)}
    last = f" {_('It was the last live key.')}" if form.is_last else ""
    console.log_change(request, key.merchant, f"{words}.{last} {_('Why')}: {reason}")
    console.message_user(request, f"{words}.", messages.SUCCESS)
    return HttpResponseRedirect(console.page_of(key.merchant))
