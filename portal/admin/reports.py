"""What people reported about mini-programs, as a queue: oldest first, taken by one operator, closed with a reason."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Min, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from portal.admin.filters import AppIdFilter
from portal.admin.log_lines import operator
from portal.admin.lookups import concerning
from portal.admin.pages import ReadOnlyAdmin, ReasonForm, posted
from portal.admin.paging import COUNTED
from portal.models import AbuseReport, MiniProgram

LATELY = timedelta(days=30)
MOST = 5  # mini-programs named above the list


@dataclass(frozen=True)
class Queue:
    """What stands above the list."""

    count: int
    age: str
    mine: int
    programs: list[dict[str, Any]]  # name, appId, how many people and how many reports in LATELY


class CloseForm(ReasonForm):
    """What came of it."""

    outcome = forms.ChoiceField(
        label=gettext_lazy("Outcome"), choices=[("", "–"), *AbuseReport.Outcome.choices], required=True
    )
    field_order = ("outcome", "reason")


class TakeForm(ReasonForm):
    """Taking needs no thought: the reason is there already."""

    def __init__(self, data: Any) -> None:
        super().__init__(data, initial={"reason": _("I look into it")})


class AssignedFilter(admin.SimpleListFilter):
    """Whose it is."""

    title = gettext_lazy("taken by")
    parameter_name = "taken"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return (("me", _("Me")), ("nobody", _("Nobody")))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "me":
                return queryset.filter(assigned_to=operator(request))
            case "nobody":
                return queryset.filter(assigned_to=None, state=AbuseReport.State.OPEN)
        return queryset


@admin.register(AbuseReport)
class AbuseReportAdmin(ReadOnlyAdmin):
    """The oldest open one first. What people wrote stands on the report's own page alone: it may name somebody."""

    list_display = ("__str__", "state", "mini_program", "kind", "user", "created", "age", "assigned_to", "outcome")
    list_filter = ("state", AssignedFilter, "kind", "outcome", AppIdFilter)
    list_select_related = ("user", "mini_program", "assigned_to")
    link_lookups = ("user__id__exact",)
    search_fields = ("id",)
    search_help_text = gettext_lazy("appId, or the login, phone or e-mail of who reported it; in full.")
    ordering = ("-state", "created", "id")
    is_long, sortable_by = False, None  # people must write them
    actions = ("take", "release", "close")
    harmless_acts = ("take", "release", "close")
    fields = (
        *("mini_program", "kind", "words", "user", "created", "reported_by", "see"),
        *("state", "assigned_to", "assigned_at", "outcome", "closed_by", "closed_at"),
    )
    readonly_fields = ("reported_by", "see")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        return (queryset.filter(concerning(term)) if term else queryset), False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """How much is open and since when, and who is reported most."""
        return super().changelist_view(request, {"queue": queue(request), **(extra_context or {})})

    @admin.display(description=gettext_lazy("age"), ordering="created")
    def age(self, report: AbuseReport) -> str:
        """Of an open one."""
        return timesince(report.created, depth=1) if report.state == AbuseReport.State.OPEN else ""

    @admin.display(description=gettext_lazy("reported in 30 days by"))
    def reported_by(self, report: AbuseReport) -> str:
        """How many people reported this mini-program lately."""
        lately = AbuseReport.objects.filter(mini_program=report.mini_program_id, created__gte=timezone.now() - LATELY)
        found = lately.aggregate(people=Count("user", distinct=True), reports=Count("pk"))
        people = ngettext("%(people)d person", "%(people)d people", found["people"])
        reports = ngettext("%(reports)d report", "%(reports)d reports", found["reports"])
        return f"{people}, {reports}" % found

    @admin.display(description=gettext_lazy("go on to"))
    def see(self, report: AbuseReport) -> SafeString:
        """From here to what can be done about it."""
        links = [(url, label) for url, label in _links(report)]
        return format_html_join(" · ", '<a href="{}">{}</a>', links)

    # --- Acts ---------------------------------------------------------------------------------------------------

    def has_close_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("portal.close_report"))

    def links(self, request: HttpRequest, row: AbuseReport) -> list[dict[str, str]]:
        """Straight to the suspension, for whoever may."""
        if not (request.user.has_perm("portal.suspend_miniprogram") and row.mini_program.is_active):
            return []
        url = reverse("admin:portal_miniprogram_act", args=[row.mini_program_id, "suspend"])
        return [{"label": _("Suspend %s") % row.mini_program.name, "url": url}]

    def applies(self, action: str, row: AbuseReport) -> bool:
        if row.state != AbuseReport.State.OPEN:
            return False
        return {"take": row.assigned_to_id is None, "release": row.assigned_to_id is not None}.get(action, True)

    def described(self, action: str, row: AbuseReport) -> list[str]:
        taken = _("taken by %s") % row.assigned_to if row.assigned_to else ""
        return [f"{row.mini_program}: {row.get_kind_display()}", *([taken] if taken else [])]

    @admin.action(permissions=["close"], description=gettext_lazy("Take"))
    def take(self, request: HttpRequest, rows: QuerySet[AbuseReport]) -> HttpResponse | None:
        """Mine, unless it is somebody else's."""

        def do(report: AbuseReport, answers: dict[str, Any]) -> str:
            return _("Taken") if report.take(by=operator(request)) else ""

        warning = _("Others see that you look into it. What somebody else has taken stays theirs.")
        return self.act(request, rows, "take", do, warning=warning, form=TakeForm(posted(request)))

    @admin.action(permissions=["close"], description=gettext_lazy("Release"))
    def release(self, request: HttpRequest, rows: QuerySet[AbuseReport]) -> HttpResponse | None:
        """Back to the queue, whoever had it: people fall ill."""

        def do(report: AbuseReport, answers: dict[str, Any]) -> str:
            return _("Released; it was with %s") % report.assigned_to if report.release() else ""

        return self.act(request, rows, "release", do, warning=_("Anybody can take it then."))

    @admin.action(permissions=["close"], description=gettext_lazy("Close report"))
    def close(self, request: HttpRequest, rows: QuerySet[AbuseReport]) -> HttpResponse | None:
        """Looked at; whoever reported it is told so, and neither outcome nor reason."""

        def do(report: AbuseReport, answers: dict[str, Any]) -> str:
            outcome = AbuseReport.Outcome(answers["outcome"])
            closed = report.close(by=operator(request), outcome=outcome)
            return f"{_('Closed')}: {outcome.label}" if closed else ""

        warning = _(
            "Whoever reported it is told that you have looked at it. They see neither the outcome nor your reason. "
            "What somebody else has taken stays open: release it first."
        )
        return self.act(request, rows, "close", do, warning=warning, form=CloseForm(posted(request)))


def _links(report: AbuseReport) -> list[tuple[str, str]]:
    """The mini-program, its grants, and what else was reported about it."""
    of = urlencode({"program": report.mini_program.client_id})
    return [
        (reverse("admin:portal_miniprogram_change", args=[report.mini_program_id]), _("the mini-program")),
        (f"{reverse('admin:portal_miniprogramgrant_changelist')}?{of}", _("its grants")),
        (f"{reverse('admin:portal_abusereport_changelist')}?{of}", _("all reports about it")),
    ]


def queue(request: HttpRequest) -> Queue:
    """Three statements; the open ones are counted no further than COUNTED."""
    waiting = AbuseReport.objects.filter(state=AbuseReport.State.OPEN)
    oldest = waiting.aggregate(oldest=Min("created"))["oldest"]
    owners = list(waiting.order_by().values_list("assigned_to", flat=True)[:COUNTED])
    lately = AbuseReport.objects.filter(created__gte=timezone.now() - LATELY).order_by()
    by_program = lately.values("mini_program").annotate(people=Count("user", distinct=True), reports=Count("pk"))
    most = list(by_program.order_by("-people", "-reports", "mini_program")[:MOST])
    names = MiniProgram.objects.in_bulk([row["mini_program"] for row in most])
    return Queue(
        count=len(owners),
        age=timesince(oldest, depth=1) if oldest else "",
        mine=owners.count(operator(request).pk),
        programs=[{**row, "program": names[row["mini_program"]]} for row in most],
    )
