"""What people reported about mini-programs, in the operator's console: read, and closed with a reason (trust 30)."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.admin.filters import AppIdFilter
from portal.admin.pages import ReadOnlyAdmin, concerning
from portal.models import AbuseReport


@admin.register(AbuseReport)
class AbuseReportAdmin(ReadOnlyAdmin):
    """Open ones first. What people wrote stands on the report's own page alone: it may name somebody."""

    list_display = ("__str__", "state", "mini_program", "kind", "user", "created", "closed_by", "closed_at")
    list_filter = ("state", "kind", AppIdFilter)
    list_select_related = ("user", "mini_program", "closed_by")
    link_lookups = ("user__id__exact",)
    search_fields = ("id",)
    search_help_text = gettext_lazy("appId, or the login, phone or e-mail of who reported it; in full.")
    ordering = ("-state", "-created", "-id")
    actions = ("close",)
    harmless_acts = ("close",)
    fields = ("mini_program", "kind", "words", "user", "created", "state", "closed_by", "closed_at")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        return (queryset.filter(concerning(term)) if term else queryset), False

    def has_close_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("portal.close_report"))

    def applies(self, action: str, row: AbuseReport) -> bool:
        return row.state == AbuseReport.State.OPEN

    def described(self, action: str, row: AbuseReport) -> list[str]:
        return [f"{row.mini_program}: {row.get_kind_display()}"]

    @admin.action(permissions=["close"], description=gettext_lazy("Close report"))
    def close(self, request: HttpRequest, rows: QuerySet[AbuseReport]) -> HttpResponse | None:
        """Looked at; whoever reported it is told so, and not the reason."""

        def do(report: AbuseReport, answers: dict[str, Any]) -> str:
            return _("Closed") if report.close(by=request.user) else ""  # type: ignore[arg-type]  # signed in

        warning = _("Whoever reported it is told that you have looked at it. They do not see your reason.")
        return self.act(request, rows, "close", do, warning=warning)
