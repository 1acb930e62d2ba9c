"""Mini-programs in the operator's console: described, given scopes, suspended and restored."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.admin.log_lines import operator
from portal.admin.pages import ActForm, EditAdmin
from portal.admin.scope_approvals import ScopeApprovalInline, may_approve
from portal.models import MiniProgram, ScopeApproval
from portal.models.mini_programs import all_features

State = ScopeApproval.State


class MiniProgramForm(ActForm):
    """Features are ticked, not typed as JSON."""

    features = forms.MultipleChoiceField(
        label=gettext_lazy("Features"), required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "features" in self.fields:
            names = dict.fromkeys([*all_features(), *(self.instance.features or [])])
            self.fields["features"].initial = all_features()
            self.fields["features"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]


class MiniProgramAdmin(EditAdmin):
    """Mini-programs. The toolkit's fields for redirects and secrets mean nothing here and are left out."""

    form = MiniProgramForm
    list_display = ("client_id", "name", "merchant", "status", "has_features", "waiting")
    list_display_links = ("client_id", "name")
    list_filter = ("status",)
    link_lookups = ("scope_approvals__state__exact",)
    list_select_related = ("merchant",)
    search_fields = ("client_id", "name", "merchant__name", "merchant__client_id")
    ordering = ("client_id",)
    inlines = (ScopeApprovalInline,)
    raw_id_fields = ("merchant",)
    actions = ("approve", "refuse", "suspend", "restore")
    fieldsets = (
        (None, {"fields": ("client_id", "name", "merchant", "status")}),
        (
            gettext_lazy("What people see"),
            {"fields": ("developer", "logo", "page_url", "privacy_policy_url")},
        ),
        (gettext_lazy("What it can do"), {"fields": ("features", "reason")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("scope_approvals")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """appId and merchant stay: codes, grants and userIds hang on them. The status changes by an act."""
        return ("client_id", "merchant", "status") if obj else ("status",)

    @admin.display(description=gettext_lazy("features"))
    def has_features(self, program: MiniProgram) -> str:
        return ", ".join(program.features)

    @admin.display(description=gettext_lazy("scopes waiting"))
    def waiting(self, program: MiniProgram) -> str:
        return ", ".join(row.scope for row in program.scope_approvals.all() if row.state == State.REQUESTED)

    def applies(self, action: str, row: MiniProgram) -> bool:
        match action:
            case "suspend":
                return row.is_active
            case "restore":
                return not row.is_active
        return any(approval.state == State.REQUESTED for approval in row.scope_approvals.all())

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """A new state goes through `decide`, with who and why; an edit by anyone else asks for approval again."""
        for row_form in formset.forms:
            row = row_form.instance
            if not row_form.has_changed():
                continue
            if not may_approve(request):
                row.state = State.REQUESTED
            row_form.keep(by=operator(request))
            if "state" in row_form.changed_data:
                row.decide(row.state, by=request.user)
                words = f"{row.get_state_display()}: {row.scope}. {_('Why')}: {form.cleaned_data['reason']}"
                self.log_change(request, row.mini_program, words)
        formset.save()

    # --- Acts --------------------------------------------------------------------------------------------------

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return may_approve(request)

    def has_suspend_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("portal.suspend_miniprogram"))

    def described(self, action: str, row: MiniProgram) -> list[str]:
        """Scopes and purposes, for whoever decides on them."""
        waiting = [approval for approval in row.scope_approvals.all() if approval.state == State.REQUESTED]
        if action not in ("approve", "refuse"):
            return []
        return [
            f"{approval.scope}: {' · '.join([approval.purpose, *approval.purposes.values()])}" for approval in waiting
        ]

    @admin.action(permissions=["approve"], description=gettext_lazy("Approve waiting scopes"))
    def approve(self, request: HttpRequest, rows: QuerySet[MiniProgram]) -> HttpResponse | None:
        """Every scope that waits."""
        warning = _("From now on it may ask people for the scopes that wait. Read each purpose first.")
        return self._decide(request, rows, "approve", State.APPROVED, warning)

    @admin.action(permissions=["approve"], description=gettext_lazy("Refuse waiting scopes"))
    def refuse(self, request: HttpRequest, rows: QuerySet[MiniProgram]) -> HttpResponse | None:
        """Every scope that waits."""
        warning = _("It may not ask people for the scopes that wait. What was approved before stays.")
        return self._decide(request, rows, "refuse", State.REFUSED, warning)

    def _decide(
        self, request: HttpRequest, rows: QuerySet[MiniProgram], action: str, state: State, warning: str
    ) -> HttpResponse | None:
        def do(program: MiniProgram, answers: dict[str, Any]) -> str:
            asked = [row for row in program.scope_approvals.all() if row.state == State.REQUESTED]
            for row in asked:
                row.decide(state, by=operator(request))
            return f"{state.label}: {', '.join(row.scope for row in asked)}" if asked else ""

        return self.act(request, rows, action, do, warning=warning)

    @admin.action(permissions=["suspend"], description=gettext_lazy("Suspend"))
    def suspend(self, request: HttpRequest, rows: QuerySet[MiniProgram]) -> HttpResponse | None:
        """The next call of its merchant about it is refused (trust 10)."""
        warning = _("People cannot open it, and its merchant is refused every code and token, from the next call on.")
        return self._switch(request, rows, "suspend", MiniProgram.Status.SUSPENDED, warning)

    @admin.action(permissions=["suspend"], description=gettext_lazy("Restore"))
    def restore(self, request: HttpRequest, rows: QuerySet[MiniProgram]) -> HttpResponse | None:
        """Grants and tokens that did not end meanwhile work again."""
        warning = _("People can open it again, and tokens that did not end meanwhile work again.")
        return self._switch(request, rows, "restore", MiniProgram.Status.ACTIVE, warning)

    def _switch(
        self,
        request: HttpRequest,
        rows: QuerySet[MiniProgram],
        action: str,
        status: MiniProgram.Status,
        warning: str,
    ) -> HttpResponse | None:
        def do(program: MiniProgram, answers: dict[str, Any]) -> str:
            changed = MiniProgram.objects.filter(pk=program.pk).exclude(status=status).update(status=status)
            return str(status.label) if changed else ""

        return self.act(request, rows, action, do, warning=warning)
