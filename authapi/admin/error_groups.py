"""Errors of one kind as one line: new and spiking first, with what to do, and what is known of them (trust 30)."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from authapi import error_causes, error_groups, hints
from authapi.admin.errors import AuditAppFilter, ClientFilter, CodeFilter
from authapi.error_causes import ELSEWHERE, UNKNOWN
from authapi.error_counts import ErrorGroup, ErrorHour
from authapi.models import ErrorAudit
from portal import charts
from portal.admin.filters import RecentFilter
from portal.admin.log_lines import operator
from portal.admin.pages import ReadOnlyAdmin, ReasonForm, posted
from portal.charts import Chart, Series

HOURS = 48


class NoteForm(ReasonForm):
    """What is known of an error, and what is being done: everybody reads it on the group's page."""

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        self.fields["reason"].label = _("What is known, and who does what")
        self.fields["reason"].error_messages["required"] = _("Say what is known: whoever sees it next will ask.")


class StateFilter(admin.SimpleListFilter):
    """New, spiking or known."""

    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(state.name.lower(), state.label) for state in reversed(ErrorGroup.State)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        states = {state.name.lower(): state for state in ErrorGroup.State}
        state = states.get(self.value() or "")
        return queryset if state is None else queryset.filter(state=state)


class NameFilter(admin.SimpleListFilter):
    """By the endpoint's name."""

    title = gettext_lazy("endpoint")
    parameter_name = "endpoint"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(name, name) for name in error_causes.endpoints()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(endpoint=self.value()) if self.value() else queryset


class SeenFilter(RecentFilter):
    """By when it happened last."""

    title = gettext_lazy("happened within")
    field = "last_at"


@admin.register(ErrorGroup)
class ErrorGroupAdmin(ReadOnlyAdmin):
    """What goes wrong, once each: spiking first, then new, then the rest by time, and what is known last."""

    list_display = ("badge", "code", "endpoint", "app_id", "client_id", "times", "hour", "since", "until", "why")
    list_display_links = ("code",)
    list_filter = (StateFilter, SeenFilter, AuditAppFilter, ClientFilter, NameFilter, CodeFilter)
    search_fields = ("fingerprint",)
    search_help_text = gettext_lazy("appId, Client-Id or code; in full.")
    sortable_by = ()
    actions = ("mark", "unmark")
    harmless_acts = actions
    readonly_fields = ("badge", "times", "hour")
    is_exported = True
    exported_instead = {
        "badge": "state",
        "times": "count",
        "hour": "last_hour",
        "since": "first_at",
        "until": "last_at",
        "why": "cause",
    }

    def get_fields(self, request: HttpRequest, obj: ErrorGroup | None = None) -> Any:
        """Side by side, so that what to do stands on the first screen."""
        known = ["known_note", ("known_by", "known_at")] if obj and obj.known_at else []
        rows = [("badge", "times", "hour"), ("code", "endpoint"), ("app_id", "client_id"), ("first_at", "last_at")]
        return [*rows, "sample_reason", *known]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        found = queryset.filter(app_id=term) | queryset.filter(client_id=term) | queryset.filter(code=term.upper())
        return found, False

    @admin.display(description=gettext_lazy("state"))
    def badge(self, group: ErrorGroup) -> str:
        state = ErrorGroup.State(group.state)
        return format_html('<span class="error-state is-{}">{}</span>', state.name.lower(), state.label)

    @admin.display(description=gettext_lazy("since"))
    def since(self, group: ErrorGroup) -> str:
        return when(group.first_at)

    @admin.display(description=gettext_lazy("latest"))
    def until(self, group: ErrorGroup) -> str:
        return when(group.last_at)

    @admin.display(description=gettext_lazy("cause"))
    def why(self, group: ErrorGroup) -> str:
        return Truncator(group.cause).chars(120)

    @admin.display(description=gettext_lazy("times"))
    def times(self, group: ErrorGroup) -> str:
        return f"{group.count:,}"

    @admin.display(description=gettext_lazy("last hour"))
    def hour(self, group: ErrorGroup) -> str:
        """Beside what is usual."""
        if not (group.last_hour or group.day_before):
            return ""
        usual = group.day_before / 24
        return _("%(now)s, usually %(usual)s") % {"now": f"{group.last_hour:,}", "usual": f"{usual:,.0f}"}

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """Adds what to do, the trend, and the latest rows."""
        extra: dict[str, Any] = {}
        if group := self.get_object(request, unquote(object_id)):
            extra = {
                "title": str(group),
                "subtitle": None,
                "period": {"by_hour": True},  # for the chart's table
                "hint": hints.hint(group.code, group.cause),
                "chart": trend(group),
                "latest": latest(group),
                "rows_url": listed(group),
            }
        return super().change_view(request, object_id, form_url, {**extra, **(extra_context or {})})

    # --- What is known ------------------------------------------------------------------------------------------

    def has_mark_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("authapi.mark_error"))

    def applies(self, action: str, row: ErrorGroup) -> bool:
        return (row.known_at is None) == (action == "mark")

    def described(self, action: str, row: ErrorGroup) -> list[str]:
        return [row.cause, row.known_note] if row.known_note else [row.cause]

    @admin.action(permissions=["mark"], description=gettext_lazy("Mark as known"))
    def mark(self, request: HttpRequest, rows: QuerySet[ErrorGroup]) -> HttpResponse | None:
        """Somebody looks after it: it stands last from now on."""

        def do(group: ErrorGroup, answers: dict[str, Any]) -> str:
            group.mark(by=operator(request), note=answers["reason"])
            return _("Marked as known")

        warning = _("It moves to the end of the list, and does not come back to the top, however often it happens.")
        return self.act(request, rows, "mark", do, warning=warning, form=NoteForm(posted(request)))

    @admin.action(permissions=["mark"], description=gettext_lazy("No longer known"))
    def unmark(self, request: HttpRequest, rows: QuerySet[ErrorGroup]) -> HttpResponse | None:
        """Its note goes; the operators' log keeps it."""

        def do(group: ErrorGroup, answers: dict[str, Any]) -> str:
            if group.known_at is None:
                return ""
            group.unmark()
            return _("No longer known")

        warning = _("Its note is taken away, and it comes to the top again when it is new or spiking.")
        return self.act(request, rows, "unmark", do, warning=warning)


def when(moment: datetime) -> str:
    """`09:12` today, `24 Nov 09:12` before, and last year with the year."""
    local, today = timezone.localtime(moment), timezone.localdate()
    day = "" if local.date() == today else f"{local.day} {local:%b} "
    return f"{day}{local:%Y }{local:%H:%M}" if local.year != today.year else f"{day}{local:%H:%M}"


def trend(group: ErrorGroup) -> Chart:
    """Its errors in each of the last 48 hours. One statement."""
    this = error_groups.hour_of(timezone.now())
    slots = [this - timedelta(hours=back) for back in reversed(range(HOURS))]
    counts = dict(ErrorHour.objects.filter(group=group, hour__gte=slots[0]).values_list("hour", "count"))
    urls = [listed(group, slot, slot + error_groups.HOUR) for slot in slots]
    series = Series(group.code, [counts.get(slot, 0) for slot in slots], urls)
    labels = [f"{slot.day} {slot:%b %H:%M}" for slot in map(timezone.localtime, slots)]
    return charts.stacks("errors", _("Errors per hour"), labels, [series])


def latest(group: ErrorGroup) -> QuerySet[ErrorAudit]:
    """Its newest rows, by their numbers."""
    return ErrorAudit.objects.filter(pk__in=group.latest).select_related("user").order_by("-at", "-pk")


def listed(group: ErrorGroup, *stretch: datetime) -> str:
    """The list of errors, narrowed to this group as far as filters can tell; in this stretch of time, or all of it."""
    since, until = stretch or (group.first_at, group.last_at + timedelta(seconds=1))
    filters = {"code": group.code, "endpoint": group.endpoint, "program": group.app_id, "client": group.client_id}
    told = {name: value for name, value in filters.items() if value not in ("", UNKNOWN, ELSEWHERE)}
    span = {"at__gte": since.isoformat(), "at__lt": until.isoformat()}
    return f"{reverse('admin:authapi_erroraudit_changelist')}?{urlencode(told | span)}"
