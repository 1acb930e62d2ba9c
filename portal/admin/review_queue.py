"""What waits for a review, over all mini-programs: oldest first, with how much there is and since when."""

from typing import Any

from django.contrib import admin
from django.db.models import Min, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from portal.admin.filters import AppIdFilter
from portal.admin.pages import ReadOnlyAdmin
from portal.admin.paging import COUNTED
from portal.models import ScopeApproval


class ReviewFilter(admin.SimpleListFilter):
    """What waits, unless something else is asked for."""

    title = gettext_lazy("review")
    parameter_name = "review"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return (("back", _("Better text asked for")), ("all", _("All")))

    def choices(self, changelist: Any) -> Any:
        """The first choice is what waits, not everything."""
        waiting, *others = super().choices(changelist)
        return [{**waiting, "display": _("Waiting for review")}, *others]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "all":
                return queryset
            case "back":
                return queryset.filter(ScopeApproval.SENT_BACK)
        return queryset.filter(ScopeApproval.WAITING)


@admin.register(ScopeApproval)
class ScopeApprovalAdmin(ReadOnlyAdmin):
    """The reviewers' queue: each line leads to its mini-program's review."""

    list_display = ("to_review", "mini_program", "reviewed", "entered_by", "entered_at", "age")
    list_display_links = None
    list_filter = (ReviewFilter, AppIdFilter)
    list_select_related = ("mini_program", "entered_by")
    ordering = ("entered_at", "id")
    is_long, sortable_by = False, None  # people must write them

    @admin.display(description=gettext_lazy("scope"), ordering="scope")
    def to_review(self, row: ScopeApproval) -> SafeString:
        return format_html('<a href="{}">{}</a>', review_url(row), row.scope)

    @admin.display(description=gettext_lazy("state"))
    def reviewed(self, row: ScopeApproval) -> str:
        return _("Approved, with a change") if row.is_approved and row.draft else row.get_state_display()

    @admin.display(description=gettext_lazy("age"))
    def age(self, row: ScopeApproval) -> str:
        return timesince(row.entered_at, depth=1)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """How many wait, and since when."""
        return super().changelist_view(request, {"title": waiting_told(), **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Its place on the review of its mini-program: there is no other page of it."""
        row = self.get_object(request, object_id)
        if row is None or not self.has_view_permission(request, row):
            answer: HttpResponse = super().change_view(request, object_id, form_url, extra_context)
            return answer
        return HttpResponseRedirect(review_url(row))


def review_url(row: ScopeApproval) -> str:
    """Where this scope is decided on."""
    return f"{reverse('admin:portal_miniprogram_review', args=[row.mini_program_id])}#scope-{row.pk}"


def waiting_told() -> str:
    """ "3 scopes wait for review, the oldest for 2 days"; counts no further than COUNTED."""
    waiting = ScopeApproval.objects.filter(ScopeApproval.WAITING)
    count = waiting.order_by()[:COUNTED].count()
    oldest = waiting.aggregate(oldest=Min("entered_at"))["oldest"]
    if not oldest:
        return _("No scope waits for review")
    one, more = (
        "%(count)d scope waits for review, for %(age)s",
        "%(count)d scopes wait for review, the oldest for %(age)s",
    )
    return ngettext(one, more, count) % {"count": count, "age": timesince(oldest, depth=1)}
