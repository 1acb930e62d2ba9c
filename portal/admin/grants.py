"""Grants in the operator's console: found by an exact name, read, and revoked with a reason (trust 10, 30, 33)."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal import scopes
from portal.admin import one_grant, terms
from portal.admin.filters import AppIdFilter, MerchantFilter, SpanFilter
from portal.admin.lookups import concerning
from portal.admin.pages import ReadOnlyAdmin, ReasonForm, posted
from portal.admin.person import why_link
from portal.models import MiniProgramGrant


class RevokeForm(ReasonForm):
    """Which scopes of one grant to take, and why; all are ticked at first."""

    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("Take away"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Tick what to take away.")},
    )
    field_order = ("scopes", "reason")

    def __init__(self, grant: MiniProgramGrant, data: Any) -> None:
        super().__init__(data, initial={"scopes": list(grant.scopes)})
        known = scopes.catalogue()
        self.fields["scopes"].choices = [  # type: ignore[attr-defined]
            (name, f"{known[name].label} ({name})" if name in known else name) for name in grant.scopes
        ]


class StateFilter(admin.SimpleListFilter):
    """Live, paused, ended by someone, or past its time."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return (("live", _("Live")), ("paused", _("Paused")), ("ended", _("Ended")), ("expired", _("Expired")))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "live":
                return queryset.usable()  # type: ignore[attr-defined, no-any-return]  # grants' own
            case "paused":
                return queryset.live().exclude(paused_at=None)  # type: ignore[attr-defined, no-any-return]
            case "ended":
                return queryset.exclude(ended_at=None)
            case "expired":
                over = {"expires_at__lte": timezone.now(), "next_end_at__lte": timezone.now()}
                return queryset.filter(ended_at=None, **over)  # the second has an index, and is never the later
        return queryset


class ScopeFilter(admin.SimpleListFilter):
    """Grants that hold this scope."""

    title = gettext_lazy("scope")
    parameter_name = "scope"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(name, name) for name in scopes.catalogue()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        name = self.value()
        return queryset.holding(name) if name in scopes.catalogue() else queryset  # type: ignore[attr-defined]


class GivenFilter(SpanFilter):
    """By when it was given."""

    title = gettext_lazy("given from, until")
    field = "since"


@admin.register(MiniProgramGrant)
class MiniProgramGrantAdmin(ReadOnlyAdmin):
    """What mini-programs may do for people, now and before."""

    list_display = ("__str__", "user", "mini_program", "what", "state", "since", "next_end", "last_used_at")
    list_filter = (StateFilter, ScopeFilter, AppIdFilter, MerchantFilter, GivenFilter)
    sortable_by = ("since",)
    list_select_related = ("user", "mini_program")
    link_lookups = ("user__id__exact",)
    search_fields = ("id",)
    search_help_text = gettext_lazy("Grant id, appId, or the user's login, phone or e-mail; in full.")
    is_exported = True
    actions = ("revoke",)
    fields = (
        *(
            "id",
            "user",
            "mini_program",
            "merchant",
            "state",
            "since",
            "next_end",
            "expires_at",
            "last_used_at",
            "reminded",
        ),
        *("paused_at", "ended_at", "alive"),
    )
    readonly_fields = ("id", "merchant", "state", "next_end", "reminded", "alive")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("user", "mini_program__merchant")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        return (queryset.filter(concerning(term, otherwise=Q(pk=term))) if term else queryset), False

    @admin.display(description=gettext_lazy("may see and do"))
    def what(self, grant: MiniProgramGrant) -> str:
        return ", ".join(grant.names)

    @admin.display(description=gettext_lazy("state"))
    def state(self, grant: MiniProgramGrant) -> str:
        return terms.state(grant)

    @admin.display(description=gettext_lazy("next end"))
    def next_end(self, grant: MiniProgramGrant) -> str:
        """When the next of its scopes, or all of it, runs out."""
        return terms.when(None if grant.ended_at else grant.next_end_at)

    @admin.display(description=gettext_lazy("reminded that it is unused"))
    def reminded(self, grant: MiniProgramGrant) -> str:
        return terms.when(grant.reminded_at)

    @admin.display(description=gettext_lazy("tokens alive"))
    def alive(self, grant: MiniProgramGrant) -> str:
        access, refresh = one_grant.alive(grant)
        return _("%(access)d access, %(refresh)d refresh") % {"access": access, "refresh": refresh}

    @admin.display(description=gettext_lazy("merchant"))
    def merchant(self, grant: MiniProgramGrant) -> SafeString:
        merchant = grant.mini_program.merchant
        return format_html(
            '<a href="{}">{}</a>', reverse("admin:portal_merchant_change", args=[merchant.pk]), merchant
        )

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Once a request."""
        found: dict[str, Any] = request.__dict__.setdefault("_grants", {})
        if object_id not in found:
            found[object_id] = super().get_object(request, object_id, from_field)
        return found[object_id]

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """Adds what they may see, the history, what failed between these two, and what the merchant was told."""
        grant = self.get_object(request, unquote(object_id))
        extra = one_grant.page(request, grant) if grant else {}
        return super().change_view(request, object_id, form_url, {**extra, **(extra_context or {})})

    def links(self, request: HttpRequest, row: MiniProgramGrant) -> list[dict[str, str]]:
        if not request.user.has_perm("authapi.view_erroraudit"):
            return []
        url = why_link(user=f"#{row.user_id}", program=row.mini_program.app_id, scope=row.names)
        return [{"label": _("Why?"), "url": url}]

    # --- Revoking ----------------------------------------------------------------------------------------------

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("portal.revoke_grant"))

    def applies(self, action: str, row: MiniProgramGrant) -> bool:
        return row.ended_at is None

    def described(self, action: str, row: MiniProgramGrant) -> list[str]:
        return [f"{row.mini_program} – {row.user}", ", ".join(row.names)]

    @admin.action(permissions=["revoke"], description=gettext_lazy("Revoke"))
    def revoke(self, request: HttpRequest, rows: QuerySet[MiniProgramGrant]) -> HttpResponse | None:
        """One grant, or some scopes of it; several at once only with `bulk_revoke_grants`."""
        few = list(rows[:2])
        if len(few) > 1 and not request.user.has_perm("portal.bulk_revoke_grants"):
            raise PermissionDenied

        def do(grant: MiniProgramGrant, answers: dict[str, Any]) -> str:
            return _revoked(grant, request.user, answers["reason"], answers.get("scopes"))

        single = len(few) == 1 and few[0].ended_at is None
        form = RevokeForm(few[0], posted(request)) if single else None
        warning = _("Codes and tokens die at once, the merchant is told, and the user sees it. It cannot be undone.")
        return self.act(request, rows, "revoke", do, warning=warning, form=form)


def _revoked(grant: MiniProgramGrant, operator: Any, reason: str, names: Sequence[str] | None) -> str:
    """Words for the operators' log; "" when it was over before."""
    part = names if names is not None and set(names) < grant.scopes.keys() else None
    if not grant.revoke(by=operator, scopes=part, reason=reason):
        return ""
    return _("Took away %s") % ", ".join(part) if part else _("Revoked")
