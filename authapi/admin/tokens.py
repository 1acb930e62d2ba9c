"""Codes and tokens in the operator's console: to read, without a secret (trust 7 and 32)."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from authapi.models import AuthCode
from portal.admin.filters import AppIdFilter, RecentFilter
from portal.admin.lookups import concerning
from portal.admin.pages import ReadOnlyAdmin


class CreatedFilter(RecentFilter):
    """By the time of issue."""

    field = "created"


class ApplicationFilter(AppIdFilter):
    """By mini-program, under the toolkit's name for it."""

    lookup = "application"


class SecretAdmin(ReadOnlyAdmin):
    """Rows that stand for a secret: known by their number, shown without the secret and without its hash."""

    list_filter: ClassVar[Any] = (CreatedFilter, ApplicationFilter)
    list_select_related = ("user", "application")
    search_fields = ("pk",)
    search_help_text = gettext_lazy("appId, or the user's login, phone or e-mail; in full. Or = and a row's number.")
    ordering = ("-pk",)
    sortable_by = ("number",)
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
