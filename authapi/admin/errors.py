"""The error audit in the operator's console: found by trace id, or narrowed until it says what went wrong."""

import re
from ipaddress import ip_address
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from authapi import error_causes, hints
from authapi.models import ErrorAudit
from portal.admin.filters import RecentFilter, SpanFilter, TextFilter
from portal.admin.lookups import led_to
from portal.admin.pages import ReadOnlyAdmin
from portal.models import Merchant, MiniProgram

TRACE_ID = re.compile(r"[0-9a-f]{32}", re.IGNORECASE)


class CodeFilter(admin.SimpleListFilter):
    """By result code or JSAPI error."""

    title = gettext_lazy("code")
    parameter_name = "code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(code, code) for code in hints.codes()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(code=self.value()) if self.value() else queryset


class EndpointFilter(admin.SimpleListFilter):
    """By the wire's name, under every gateway's prefix; in an address also by a whole path."""

    title = gettext_lazy("endpoint")
    parameter_name = "endpoint"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(name, name) for name in error_causes.endpoints() if name != error_causes.ELSEWHERE]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """By equality, or a stretch of the index."""
        name = self.value()
        if not name:
            return queryset
        if name in error_causes.OF_CONSENTS:
            start = error_causes.CONSENTS
            consents = queryset.filter(endpoint__gte=start, endpoint__lt=start[:-1] + chr(ord(start[-1]) + 1))
            decided = Q(endpoint__endswith="/decision")
            return consents.filter(decided if name == error_causes.DECISION else ~decided)
        paths = [name] if name.startswith("/") else error_causes.paths(name)
        self.alternatives = [Q(endpoint=path) for path in paths]
        return queryset.filter(endpoint__in=paths)


class AuditAppFilter(TextFilter):
    """By the appId that the call named, known or not."""

    title = gettext_lazy("mini-program (appId)")
    parameter_name = "program"
    lookup = "app_id"


class ClientFilter(TextFilter):
    """By the Client-Id that the call named, known or not."""

    title = gettext_lazy("merchant (Client-Id)")
    parameter_name = "client"
    lookup = "client_id"


class AddressFilter(TextFilter):
    """By the caller's address, in full."""

    title = gettext_lazy("address")
    parameter_name = "address"
    lookup = "address"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Nobody has an address that is none; a database may not even be asked."""
        if not self.value:
            return queryset
        try:
            return queryset.filter(address=str(ip_address(self.value)))
        except ValueError:
            return queryset.none()


@admin.register(ErrorAudit)
class ErrorAuditAdmin(ReadOnlyAdmin):
    """What we refused: found by trace id, or narrowed by code, endpoint, who called, from where and when."""

    list_display = ("at", "code", "endpoint", "app_id", "who", "why", "trace_id")
    list_filter = (RecentFilter, SpanFilter, AuditAppFilter, ClientFilter, EndpointFilter, CodeFilter, AddressFilter)
    link_lookups = ("user__id__exact", "at__gte", "at__lt")
    search_fields = ("trace_id",)
    search_help_text = gettext_lazy("Trace id, appId or Client-Id; in full.")
    fields = (
        *("at", "code", "endpoint", "reason", "hint", "app_id", "client_id", "who", "scopes", "address", "trace_id"),
    )
    readonly_fields = ("who", "hint")
    sortable_by = ("at",)
    is_exported = True
    exported_instead: ClassVar = {"why": "reason"}  # uncut

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the person, who may be gone: the row outlives them."""
        return super().get_queryset(request).select_related("user")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By what the term is found as: of a merchant with millions of errors no others are looked for."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if TRACE_ID.fullmatch(term):
            return queryset.filter(trace_id=term.lower()), False
        app = Q(app_id=term), MiniProgram.objects.filter(client_id=term)
        client = Q(client_id=term), Merchant.objects.filter(client_id=term)
        return led_to(queryset, app, client), False

    @admin.display(description=gettext_lazy("user"))
    def who(self, row: ErrorAudit) -> str:
        if row.user_id is None:
            return ""
        return f"{row.user} (#{row.user_id})" if row.user else _("#%d (gone)") % row.user_id

    @admin.display(description=gettext_lazy("reason"))
    def why(self, row: ErrorAudit) -> str:
        return Truncator(row.reason).chars(80)

    @admin.display(description=gettext_lazy("what to do"))
    def hint(self, row: ErrorAudit) -> str:
        found = hints.hint(row.code, error_causes.cause(row.reason))
        return f"{found.who}: {found.fix}"
