"""Codes, tokens and the error audit in the operator's console: to read, without a secret (trust 7 and 32)."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from oauth2_provider.models import get_id_token_model

from authapi import results, why_admin
from authapi.models import AuthCode, ErrorAudit
from portal.admin.filters import AppIdFilter, RecentFilter, TextFilter
from portal.admin.pages import ReadOnlyAdmin, concerning


class CreatedFilter(RecentFilter):
    """By the time of issue."""

    field = "created"


class ApplicationFilter(AppIdFilter):
    """By mini-program, under the toolkit's name for it."""

    lookup = "application__client_id"


class SecretAdmin(ReadOnlyAdmin):
    """Rows that stand for a secret: known by their number, shown without the secret and without its hash."""

    list_filter: ClassVar[Any] = (CreatedFilter, ApplicationFilter)
    list_select_related = ("user", "application")
    search_fields = ("pk",)
    search_help_text = gettext_lazy("appId, or the user's login, phone or e-mail; in full. Or = and a row's number.")
    ordering = ("-pk",)
    fields: ClassVar[Any] = ("number", "user", "application", "scope", "state", "created", "expires")
    readonly_fields: ClassVar[Any] = ("number", "state")
    list_display: Any = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("user", "application")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if term.startswith("=") and term[1:].isascii() and term[1:].isdigit() and len(term) < 19:
            return queryset.filter(pk=int(term[1:])), False
        return (queryset.filter(concerning(term, "application")) if term else queryset), False

    @admin.display(description=gettext_lazy("number"), ordering="pk")
    def number(self, row: Any) -> str:
        return f"#{row.pk}"

    @admin.display(description=gettext_lazy("state"))
    def state(self, row: Any) -> str:
        return _("Alive") if row.expires > timezone.now() else _("Over")


class AuthCodeAdmin(SecretAdmin):
    """Auth codes."""

    fields = ("number", "user", "application", "scope", "state", "created", "expires", "used_at")
    list_display = fields

    def state(self, row: AuthCode) -> str:
        return _("Used") if row.used_at else super().state(row)


class AccessTokenAdmin(SecretAdmin):
    """Access tokens."""


class RefreshTokenAdmin(SecretAdmin):
    """Refresh tokens."""

    fields = ("number", "user", "application", "state", "created", "revoked")
    list_display = fields

    @admin.display(description=gettext_lazy("state"))
    def state(self, row: Any) -> str:
        return _("Over") if row.revoked else _("Alive")


class IDTokenAdmin(SecretAdmin):
    """ID tokens, of which we issue none."""


def codes() -> list[str]:
    """Every code an audit row can carry: those of results.py, and what the container's API answers by HTTP status."""
    found = {str(error) for error in results.JSAPI_ERRORS} | {"401", "403", "404", "405", "429"}  # container_api.py
    for refusal in results.MerchantRefusal.__subclasses__():
        found |= {refusal.code, refusal.v1_code}
    return sorted(found - {""})


class CodeFilter(admin.SimpleListFilter):
    """By result code or JSAPI error."""

    title = gettext_lazy("code")
    parameter_name = "code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(code, code) for code in codes()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(code=self.value()) if self.value() else queryset


class EndpointFilter(TextFilter):
    """By a part of the path: vendors put prefixes before it."""

    title = gettext_lazy("endpoint (part of it)")
    parameter_name = "endpoint"
    lookup = "endpoint__icontains"


class AuditAppFilter(TextFilter):
    """By the appId that the call named, known or not."""

    title = gettext_lazy("mini-program (appId)")
    parameter_name = "program"
    lookup = "app_id"


@admin.register(ErrorAudit)
class ErrorAuditAdmin(ReadOnlyAdmin):
    """What we refused: found by trace id, or narrowed by code, endpoint, mini-program and time."""

    list_display = ("at", "code", "endpoint", "app_id", "who", "why", "trace_id")
    list_filter = (RecentFilter, AuditAppFilter, EndpointFilter, CodeFilter)
    link_lookups = ("user__id__exact",)
    search_fields = ("trace_id__exact", "app_id__exact", "client_id__exact")
    search_help_text = gettext_lazy("Trace id, appId or Client-Id; in full.")
    fields = ("at", "code", "endpoint", "reason", "app_id", "client_id", "who", "scopes", "address", "trace_id")
    readonly_fields = ("who",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """With the person, who may be gone: the row outlives them."""
        return super().get_queryset(request).select_related("user")

    @admin.display(description=gettext_lazy("user"))
    def who(self, row: ErrorAudit) -> str:
        if row.user_id is None:
            return ""
        return f"{row.user} (#{row.user_id})" if row.user else _("#%d (gone)") % row.user_id

    @admin.display(description=gettext_lazy("reason"))
    def why(self, row: ErrorAudit) -> str:
        return Truncator(row.reason).chars(80)


# Pages that are no lists register themselves.
__all__ = ["why_admin"]

# The toolkit registers codes and tokens with the classes above; ID tokens we never issue.
import oauth2_provider.admin  # noqa: E402, F401  it asks for the classes above by name

admin.site.unregister(get_id_token_model())
