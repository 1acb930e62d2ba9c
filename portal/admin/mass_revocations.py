"""The kill switch in the operator's console: counted first, asked for, approved by a second manager (trust 30, 33)."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal import mass_revocations, scopes
from portal.admin.confirming import recently_signed_in
from portal.admin.log_lines import operator
from portal.admin.pages import ReadOnlyAdmin, ReasonForm, posted
from portal.models import MassRevocation, Merchant, MiniProgram
from portal.models.mass_revocations import NotWaitingError, OwnRequestError

State = MassRevocation.State


class AskForm(ReasonForm):
    """Whose grants, which scopes, given when, and why."""

    app_id = forms.CharField(label=gettext_lazy("Mini-program (appId)"), max_length=32, required=False)
    client_id = forms.CharField(
        label=gettext_lazy("or all of a merchant's (Client-Id)"), max_length=128, required=False
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("Scopes"),
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=gettext_lazy("None ticked: everything. Then codes and tokens die too."),
    )
    since = forms.DateTimeField(
        label=gettext_lazy("Given from"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        required=False,
        help_text=gettext_lazy("Optional."),
    )
    until = forms.DateTimeField(
        label=gettext_lazy("Given before"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        required=False,
        help_text=gettext_lazy("Optional."),
    )
    field_order = ("app_id", "client_id", "scopes", "since", "until", "reason")

    def __init__(self, data: Any = None, initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        choices = [(name, f"{scope.label} ({name})") for name, scope in scopes.catalogue().items()]
        self.fields["scopes"].choices = choices  # type: ignore[attr-defined]

    def clean_app_id(self) -> Any:
        """The mini-program, by its appId in full; None when none is named."""
        return _named(MiniProgram, self.cleaned_data["app_id"], _("There is no mini-program with this appId."))

    def clean_client_id(self) -> Any:
        """The merchant, by its Client-Id in full; None when none is named."""
        return _named(Merchant, self.cleaned_data["client_id"], _("There is no merchant with this Client-Id."))

    def clean(self) -> dict[str, Any]:
        """One mini-program, or one merchant; and a stretch of time that is one."""
        data: dict[str, Any] = super().clean() or {}
        if not {"app_id", "client_id"} & self.errors.keys() and bool(data["app_id"]) == bool(data["client_id"]):
            self.add_error("app_id", _("Name either one mini-program or one merchant."))
        if data.get("since") and data.get("until") and data["since"] >= data["until"]:
            self.add_error("until", _("This is not after “Given from”."))
        return data

    def batch(self, **fields: Any) -> MassRevocation:
        """As the form says; not saved."""
        names = {"app_id": "mini_program", "client_id": "merchant"}
        return MassRevocation(**{names.get(name, name): value for name, value in self.cleaned_data.items()}, **fields)


def kill_switch(request: HttpRequest, **whose: str) -> list[dict[str, str]]:
    """The link from a mini-program's page (app_id=) or a merchant's (client_id=), for whoever may ask."""
    if not request.user.has_perm("portal.add_massrevocation"):
        return []
    return [
        {"label": _("Revoke many grants"), "url": f"{reverse('admin:portal_massrevocation_add')}?{urlencode(whose)}"}
    ]


def _named(model: Any, client_id: str, otherwise: str) -> Any:
    row = model.objects.filter(client_id=client_id).first() if client_id else None
    if client_id and row is None:
        raise ValidationError(otherwise)
    return row


class ApproveForm(ReasonForm):
    """The second manager types what is about to be cut off: nobody does this by a slip of the hand."""

    name = forms.CharField(max_length=128)
    field_order = ("name", "reason")

    def __init__(self, batch: MassRevocation, data: Any) -> None:
        super().__init__(data)
        self.expected = _whose(batch)
        self.fields["name"].label = _("Type %(name)s to approve") % {"name": self.expected}

    def clean_name(self) -> str:
        """Letter by letter."""
        if self.cleaned_data["name"].strip() != self.expected:
            raise ValidationError(_("This is not what is about to be cut off. Type: %s") % self.expected)
        return self.expected


def _whose(batch: MassRevocation) -> str:
    whom = batch.mini_program or batch.merchant
    return whom.client_id if whom else ""


@admin.register(MassRevocation)
class MassRevocationAdmin(ReadOnlyAdmin):
    """Each batch: what it takes, who asked and approved, how far its rows are. None is undone."""

    list_display = ("__str__", "asked_at", "whose", "what", "state", "progress", "asked_by", "decided_by", "reason")
    list_filter = ("state",)
    list_select_related = ("mini_program", "merchant", "asked_by", "decided_by")
    ordering = ("-pk",)
    actions = ("approve", "refuse")
    fields = (
        *("state", "whose", "what", "since", "until", "reason", "dry_run", "asked_by", "asked_at"),
        *("decided_by", "effective_at", "progress", "finished_at"),
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related(*self.list_select_related)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("portal.add_massrevocation"))

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("portal.approve_massrevocation"))

    def get_actions(self, request: HttpRequest) -> Any:
        """Each from its own page: nobody approves several at once."""
        on_list = request.resolver_match and str(request.resolver_match.url_name).endswith("_changelist")
        return {} if on_list else super().get_actions(request)

    @admin.display(description=gettext_lazy("whose grants"))
    def whose(self, batch: MassRevocation) -> str:
        return _("all of merchant %s") % _whose(batch) if batch.merchant_id else _whose(batch)

    @admin.display(description=gettext_lazy("what"))
    def what(self, batch: MassRevocation) -> str:
        return ", ".join(batch.scopes) or _("everything")

    @admin.display(description=gettext_lazy("when it was asked for it was about"))
    def dry_run(self, batch: MassRevocation) -> str:
        return told(batch.counted) if batch.counted else "–"

    @admin.display(description=gettext_lazy("rows"))
    def progress(self, batch: MassRevocation) -> str:
        if not batch.effective_at:
            return "–"
        expected = max(batch.counted.get("grants", 0), batch.grants_ended)
        return _("%(done)s of about %(all)s grants, %(tokens)s tokens") % {
            "done": f"{batch.grants_ended:,}",
            "all": f"{expected:,}",
            "tokens": f"{batch.tokens_ended:,}",
        }

    # --- Asking ------------------------------------------------------------------------------------------------

    @recently_signed_in
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """First the dry run, then the request to a second manager."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = AskForm(request.POST) if request.method == "POST" else AskForm(initial=request.GET.dict())
        counted = _counted(form) if form.is_bound and form.is_valid() else None
        if counted and "ask" in request.POST:
            return self._asked(request, form, counted)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Revoke many grants"),
            "opts": self.opts,
            "form": form,
            "counted": told(counted) if counted else "",
        }
        return TemplateResponse(request, "admin/mass_revocation.html", context)

    @transaction.atomic
    def _asked(self, request: HttpRequest, form: AskForm, counted: dict[str, int]) -> HttpResponse:
        batch = form.batch(asked_by=operator(request), counted=counted)
        batch.save()
        words = _("Asked for %(what)s of %(whose)s: %(counted)s. Why: %(why)s") % {
            "what": self.what(batch),
            "whose": self.whose(batch),
            "counted": told(counted),
            "why": batch.reason,
        }
        self.log_addition(request, batch, words)
        messages.success(request, _("Nothing is revoked so far: a second manager has to approve it."))
        return HttpResponseRedirect(self._url("change", str(batch.pk)))

    # --- Deciding ----------------------------------------------------------------------------------------------

    def applies(self, action: str, row: MassRevocation) -> bool:
        return row.state == State.ASKED

    def described(self, action: str, row: MassRevocation) -> list[str]:
        """What it is about now, not when it was asked for."""
        grants = mass_revocations.about(row.programs, row.scopes, row.since, row.until)
        now = told(mass_revocations.count(grants, row.programs, row.scopes))
        return [f"{self.whose(row)}: {self.what(row)}", now, row.reason]

    @recently_signed_in
    @admin.action(permissions=["approve"], description=gettext_lazy("Approve"))
    def approve(self, request: HttpRequest, rows: QuerySet[MassRevocation]) -> HttpResponse | None:
        """Access ends in this moment; the rows follow."""
        batch = rows.get()
        if batch.asked_by_id == request.user.pk:
            messages.error(request, _("You asked for this one: somebody else has to approve it."))
            return None

        def do(row: MassRevocation, answers: dict[str, Any]) -> str:
            try:
                row.approve(by=operator(request))
                mass_revocations.follow.enqueue(key=row.pk)
            except (NotWaitingError, OwnRequestError):
                return ""
            return _("Approved: %(what)s of %(whose)s") % {"what": self.what(row), "whose": self.whose(row)}

        warning = _(
            "Access ends at once, for everybody named here, and the merchant and each user are told. This cannot be "
            "undone: people would have to allow it again themselves."
        )
        return self.act(request, rows, "approve", do, warning=warning, form=ApproveForm(batch, posted(request)))

    @admin.action(permissions=["approve"], description=gettext_lazy("Refuse"))
    def refuse(self, request: HttpRequest, rows: QuerySet[MassRevocation]) -> HttpResponse | None:
        """Nothing comes of it; also for whoever asked and thought better of it."""

        def do(row: MassRevocation, answers: dict[str, Any]) -> str:
            try:
                row.refuse(by=operator(request))
            except NotWaitingError:
                return ""
            return _("Refused")

        return self.act(request, rows, "refuse", do, warning=_("Nothing will be revoked by this request."))


def _counted(form: AskForm) -> dict[str, int]:
    batch = form.batch()
    grants = mass_revocations.about(batch.programs, batch.scopes, batch.since, batch.until)
    return mass_revocations.count(grants, batch.programs, batch.scopes)


def told(counted: dict[str, int]) -> str:
    """The dry run in words."""
    return _("%(grants)s grants of %(users)s users, %(tokens)s refresh tokens") % {
        name: f"{number:,}" for name, number in counted.items()
    }
