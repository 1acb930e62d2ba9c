"""What operators may do, by role, and what they did in the console: who, what, when, why (trust 30 and 33)."""

import django.contrib.auth.admin  # noqa: F401  registers its page for roles, which ours replaces
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
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
    ordering = ("-pk",)
    is_exported = True
    search_fields = ("user__username__exact", "object_id__exact")
    search_help_text = _("The operator's login, or the id of what was acted on; in full.")
    fields = ("action_time", "user", "content_type", "object_id", "object_repr", "what_and_why")
    readonly_fields = ("what_and_why",)

    @admin.display(description=_("what and why"))
    def what_and_why(self, entry: LogEntry) -> str:
        return entry.get_change_message()


class RoleAdmin(ReadOnlyAdmin):
    """Roles, to read: what each may do is written in migrations, and who has it, on the page of each person."""

    list_display = ("name",)
    ordering = ("pk",)
    fields = ("name", "may")
    readonly_fields = ("may",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        return super().get_queryset(request).prefetch_related("permissions__content_type")

    @admin.display(description=_("may"))
    def may(self, group: Group) -> SafeString:
        lines = format_html_join(
            "", "<li>{}: {}</li>", ((p.content_type.name, p.name) for p in group.permissions.all())
        )
        return SafeString(f"<ul>{lines}</ul>")


admin.site.unregister(Group)  # GroupAdmin, which is for editing
admin.site.register(Group, RoleAdmin)
