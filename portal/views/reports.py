"""A person reports a mini-program to the operators."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View
from django.views.decorators.cache import never_cache

from portal.models import AbuseReport, MiniProgramGrant
from portal.views.permission import own

MOST_OPEN = 5
LONGEST = 2000


class ReportForm(forms.ModelForm):  # type: ignore[type-arg] # no generic at run time
    """What is wrong, and anything more that operators should know."""

    words = forms.CharField(
        label=gettext_lazy("What happened"),
        required=False,
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=gettext_lazy("If you like. Only operators read it, never the mini-program."),
    )

    class Meta:
        model = AbuseReport
        fields = ("kind", "words")
        widgets = {"kind": forms.RadioSelect}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = AbuseReport.Kind.choices  # type: ignore[attr-defined] # without the blank one
        self.fields["kind"].error_messages.update(
            required=_("Choose what is wrong."), invalid_choice=_("Choose what is wrong.")
        )


@method_decorator([never_cache, login_required], name="dispatch")
class ReportPage(View):
    """Takes at most MOST_OPEN reports of one user about one mini-program at a time."""

    def get(self, request: HttpRequest, grant_id: str) -> HttpResponse:
        return self._show(request, own(request, grant_id), ReportForm())

    def post(self, request: HttpRequest, grant_id: str) -> HttpResponse:
        """With 422 the page keeps what was typed. The same report once more is the one that is there."""
        grant = own(request, grant_id)
        form = ReportForm(request.POST, instance=AbuseReport(user=grant.user, mini_program=grant.mini_program))
        if not form.is_valid():
            return self._show(request, grant, form, status=422)
        found = waiting(grant)
        if len(found) >= MOST_OPEN:
            messages.info(request, _("Operators are looking at what you reported before. Give them a little time."))
            return redirect("permission_detail", grant_id)
        said = (form.cleaned_data["kind"], form.cleaned_data["words"])
        if said not in [(report.kind, report.words) for report in found]:
            form.save()
        messages.success(request, _("Thank you. Operators will look at it, and your inbox tells you when they have."))
        return redirect("permission_detail", grant_id)

    def _show(
        self, request: HttpRequest, grant: MiniProgramGrant, form: ReportForm, status: int = 200
    ) -> HttpResponse:
        return render(request, "portal/report.html", {"grant": grant, "form": form}, status=status)


def waiting(grant: MiniProgramGrant) -> list[AbuseReport]:
    """This user's reports about this mini-program that nobody has closed so far."""
    rows = AbuseReport.objects.filter(user=grant.user, mini_program=grant.mini_program, state=AbuseReport.State.OPEN)
    return list(rows[:MOST_OPEN])
