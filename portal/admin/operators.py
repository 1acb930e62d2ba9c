"""What operators did in the console: who, what, when, why (trust 30)."""

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.utils.translation import gettext_lazy as _

from portal.admin.filters import RecentFilter
from portal.admin.pages import ReadOnlyAdmin


class ActedRecentlyFilter(RecentFilter):
    """By the time of the act."""

    field = "action_time"


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin):
    """Operators' acts, newest first."""

    list_display = ("action_time", "user", "content_type", "object_repr", "what_and_why")
    list_filter = (ActedRecentlyFilter,)
    list_select_related = ("user", "content_type")
    is_exported = True
    search_fields = ("user__username__exact", "object_id__exact")
    search_help_text = _("The operator's login, or the id of what was acted on; in full.")
    fields = ("action_time", "user", "content_type", "object_id", "object_repr", "what_and_why")
    readonly_fields = ("what_and_why",)

    @admin.display(description=_("what and why"))
    def what_and_why(self, entry: LogEntry) -> str:
        return entry.get_change_message()
