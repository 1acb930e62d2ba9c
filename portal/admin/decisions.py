"""The ledger in the operator's console: to read, never to write (trust 31)."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from portal.admin import terms
from portal.admin.filters import AppIdFilter, MerchantFilter, RecentFilter, SpanFilter
from portal.admin.lookups import concerning
from portal.admin.pages import ReadOnlyAdmin
from portal.models import ConsentDecision


@admin.register(ConsentDecision)
class ConsentDecisionAdmin(ReadOnlyAdmin):
    """Who gave, refused or took what, when, and on which words."""

    list_display = ("at", "act", "user", "mini_program", "actor", "after", "reason", "on_terms")
    list_filter = ("act", RecentFilter, AppIdFilter, MerchantFilter, SpanFilter)
    sortable_by = ("at",)
    list_select_related = ("user", "mini_program", "actor")
    link_lookups = ("user__id__exact", "grant__id__exact", "act__in", "at__gte", "at__lt")
    is_exported = True
    search_fields = ("trace_id",)
    search_help_text = _("Trace id, grant id, appId, or the user's login, phone or e-mail; in full.")
    fields = (
        "at",
        "act",
        "user",
        "mini_program",
        "grant",
        "actor",
        "scopes_before",
        "scopes_after",
        "on_terms",
        "reason",
        "trace_id",
        "shown",
        "text_shown",
    )
    readonly_fields = ("on_terms", "text_shown")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        return queryset.filter(concerning(term, otherwise=Q(trace_id=term) | Q(grant_id=term))), False

    @admin.display(description=_("scopes after"))
    def after(self, row: ConsentDecision) -> str:
        return ", ".join(row.scopes_after)

    @admin.display(description=_("on what terms"))
    def on_terms(self, row: ConsentDecision) -> str:
        return terms.told(row.terms)

    @admin.display(description=_("what the sheet said"))
    def text_shown(self, row: ConsentDecision) -> Any:
        return row.shown.text if row.shown else ""
