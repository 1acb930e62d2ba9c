"""Mini-programs in the operator's console: registered, described, reviewed, suspended and restored."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.admin import onboarding, reviews, wordings
from portal.admin.log_lines import operator
from portal.admin.mass_revocations import kill_switch
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
    list_display = ("client_id", "name", "merchant", "status", "has_features", "scopes_waiting")
    list_display_links = ("client_id", "name")
    list_filter = ("status",)
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
    def scopes_waiting(self, program: MiniProgram) -> str:
        return ", ".join(row.scope for row in waiting(program))

    def applies(self, action: str, row: MiniProgram) -> bool:
        match action:
            case "suspend":
                return row.is_active
            case "restore":
                return not row.is_active
        return bool(waiting(row))

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Whatever is entered waits for a review, and leaves who entered what, in place of what, and why."""
        for row_form in formset.forms:
            if row_form.has_changed() and (words := row_form.keep(by=operator(request))):
                program = row_form.instance.mini_program
                self.log_change(request, program, f"{words}. {_('Why')}: {form.cleaned_data['reason']}")
        formset.save()

    # --- Pages of its own ---------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """Before Django's own: those take every path for the key of a row."""
        pages = (
            ("register/", self.register_view, "register"),
            ("<path:object_id>/words/", self.words_view, "words"),
            ("<path:object_id>/review/", self.review_view, "review"),
        )
        mine = [
            path(pattern, self.admin_site.admin_view(view), name=f"portal_miniprogram_{name}")
            for pattern, view, name in pages
        ]
        return [*mine, *super().get_urls()]

    def register_view(self, request: HttpRequest) -> HttpResponse:
        """The first step of three: who it is, and what it wants."""
        return onboarding.page(self, request)

    def words_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The second step: why it wants each scope, in every language."""
        return wordings.page(self, request, self._found(request, object_id))

    def review_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The third step, for another operator: scope by scope, yes, no, or better words."""
        return reviews.page(self, request, self._found(request, object_id))

    def links(self, request: HttpRequest, row: MiniProgram) -> list[dict[str, str]]:
        return [
            {"label": _("Words of its scopes"), "url": self._url("words", str(row.pk))},
            {"label": _("Review its scopes"), "url": self._url("review", str(row.pk))},
            *kill_switch(request, app_id=row.app_id),
        ]

    def _found(self, request: HttpRequest, object_id: str) -> MiniProgram:
        """The mini-program, for whoever may look at it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row: MiniProgram | None = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        return row

    # --- Acts --------------------------------------------------------------------------------------------------

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return may_approve(request)

    def has_suspend_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("portal.suspend_miniprogram"))

    def described(self, action: str, row: MiniProgram) -> list[str]:
        """Scopes and purposes, for whoever decides on them."""
        if action not in ("approve", "refuse"):
            return []
        proposals = [(approval.scope, approval.proposed()) for approval in waiting(row)]
        return [
            f"{scope}: {' · '.join([asked['purpose'], *asked['purposes'].values()])}" for scope, asked in proposals
        ]

    @admin.action(permissions=["approve"], description=gettext_lazy("Approve waiting scopes"))
    def approve(self, request: HttpRequest, rows: QuerySet[MiniProgram]) -> HttpResponse | None:
        """Every scope that waits."""
        warning = _(
            "From now on it may ask people for the scopes that wait. Read each purpose first. "
            "Those whose words you entered yourself stay for another operator."
        )
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
            by = operator(request)
            asked = [row for row in waiting(program) if not reviews.obstacle(row, state, by)]
            return "; ".join(reviews.decided(row, state, by, answers["reason"]) for row in asked)

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


def waiting(program: MiniProgram) -> list[ScopeApproval]:
    """Its scopes that somebody has to decide on; of rows fetched before."""
    return [row for row in program.scope_approvals.all() if row.is_waiting]
