"""People in the operator's console: found by an exact name, shown masked, frozen with a reason (trust 32)."""

from typing import Any

from allauth.account.admin import EmailAddress
from allauth.mfa.admin import Authenticator
from django import forms
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal import masking, second_factor
from portal.admin import person, reveals
from portal.admin.log_lines import log_about
from portal.admin.lookups import find_user
from portal.admin.pages import EditAdmin
from portal.models import User

ROLE_FIELDS = ("is_active", "is_staff", "is_superuser", "groups")


@admin.register(User)
class UserAdmin(EditAdmin):
    """People. Roles are an administrator's to give, to others; everything else only changes by an act."""

    list_display = ("__str__", "masked_nickname", "status", "external_id", "is_staff", "date_joined")
    list_filter = ("status", "is_staff")
    search_fields = ("username",)
    search_help_text = gettext_lazy("Login, external id, phone number or e-mail, in full; or # and a number.")
    ordering = ("-pk",)
    is_long, sortable_by = True, ()
    actions = ("freeze", "unfreeze", "reset_second_factor")
    about = ("__str__", "status", "external_id", "masked_nickname", "masked_name", "has_birthday", "nationality")
    times = ("last_login", "date_joined", "deletion_due_at")
    fields = (*about, *times, *ROLE_FIELDS, "reason")
    readonly_fields = (*about, *times)

    def get_urls(self) -> list[URLPattern]:
        return [*reveals.urls(), *super().get_urls()]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Once a request."""
        found: dict[str, Any] = request.__dict__.setdefault("_people", {})
        if object_id not in found:
            found[object_id] = super().get_object(request, object_id, from_field)
        return found[object_id]

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """Adds all there is about this person."""
        user = self.get_object(request, unquote(object_id))
        extra = person.page(user) if user else {}
        return super().change_view(request, object_id, form_url, {**extra, **(extra_context or {})})

    def links(self, request: HttpRequest, row: User) -> list[dict[str, str]]:
        found = []
        if request.user.has_perm(reveals.PERMISSION):
            found.append({"label": _("Reveal personal data"), "url": self._url("reveal", str(row.pk))})
        if request.user.has_perm("authapi.view_erroraudit"):
            found.append({"label": _("Why?"), "url": person.why_link(user=f"#{row.pk}")})
        return found

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Who is an operator, and in which role, is an administrator's to say: of others, never of superusers."""
        return bool(request.user.has_perm("portal.change_roles")) and (obj is None or may_manage(request, obj))

    def get_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Roles are shown of operators, and to whoever can make one."""
        if obj is None or obj.is_staff or self.has_change_permission(request, obj):
            return self.fields
        return [name for name in self.fields if name not in ROLE_FIELDS or name == "is_active"]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Superusers are made on the command line, or by one of them."""
        return self.readonly_fields if request.user.is_superuser else (*self.readonly_fields, "is_superuser")

    def has_reset_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("portal.reset_second_factor"))

    def has_freeze_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("portal.change_user"))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Exact names only: typing half a phone number must not list people."""
        if not search_term.strip():
            return queryset, False
        user = find_user(search_term.strip())
        return queryset.filter(pk=user.pk) if user else queryset.none(), False

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Four roles are four boxes to tick."""
        return super().formfield_for_manytomany(db_field, request, widget=forms.CheckboxSelectMultiple, **kwargs)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> LogEntry:
        """Names the person by number: the log is for ever, and not encrypted."""
        return log_about(request, obj, message)

    def applies(self, action: str, row: User) -> bool:
        if action == "reset_second_factor":
            return row.is_staff and Authenticator.objects.filter(user=row).exists()
        return row.status == (User.Status.FROZEN if action == "unfreeze" else User.Status.ACTIVE)

    @admin.action(permissions=["freeze"], description=gettext_lazy("Freeze"))
    def freeze(self, request: HttpRequest, rows: QuerySet[User]) -> HttpResponse | None:
        """Nothing of theirs works until unfrozen: no codes, no tokens (trust 10)."""
        self._refuse_others_operators(request, rows)  # a frozen operator has no console: see Console.is_operator
        return self.act(
            request,
            rows,
            "freeze",
            lambda user, answers: _("Frozen") if _set_status(user, "ACTIVE", "FROZEN") else "",
            warning=_("Mini-programs are refused any code, token and information about them, from the next call on."),
        )

    @admin.action(permissions=["freeze"], description=gettext_lazy("Unfreeze"))
    def unfreeze(self, request: HttpRequest, rows: QuerySet[User]) -> HttpResponse | None:
        """Their grants and tokens, unless ended since, work again."""
        return self.act(
            request,
            rows,
            "unfreeze",
            lambda user, answers: _("Unfrozen") if _set_status(user, "FROZEN", "ACTIVE") else "",
            warning=_("What they let mini-programs see before works again."),
        )

    @admin.action(permissions=["reset"], description=gettext_lazy("Reset second factor"))
    def reset_second_factor(self, request: HttpRequest, rows: QuerySet[User]) -> HttpResponse | None:
        """The phone is lost: their sessions in the console are over, and with their password they set up another."""
        self._refuse_others_operators(request, rows)
        return self.act(
            request,
            rows,
            "reset_second_factor",
            lambda user, answers: _("Second factor reset") if second_factor.reset(user) else "",
            warning=_(
                "Make sure that it is really them who ask. Until they set up another, their password alone lets "
                "whoever knows it do that."
            ),
        )

    def _refuse_others_operators(self, request: HttpRequest, rows: QuerySet[User]) -> None:
        """Operators are for those who give roles; themselves and superusers are for nobody but a superuser."""
        for colleague in rows.filter(is_staff=True):
            if not self.has_change_permission(request, colleague):
                raise PermissionDenied

    @admin.display(description=gettext_lazy("nickname"))
    def masked_nickname(self, user: User) -> str:
        return person.masked(lambda: user.nickname)

    @admin.display(description=gettext_lazy("name"))
    def masked_name(self, user: User) -> str:
        return person.masked(lambda: user.name_in_full)

    @admin.display(description=gettext_lazy("birthday"))
    def has_birthday(self, user: User) -> str:
        return person.masked(lambda: masking.DOTS * bool(user.birth_date))


def may_manage(request: HttpRequest, user: User) -> bool:
    """Nobody raises themselves, and only a superuser touches a superuser."""
    return request.user.is_superuser or (user.pk != request.user.pk and not user.is_superuser)


def _set_status(user: User, before: str, after: str) -> bool:
    """One conditional update: two operators at once do it once."""
    return bool(User.objects.filter(pk=user.pk, status=before).update(status=after))


# allauth brings pages of its own: e-mail addresses are login ids here, and second factors show their owners' secrets.
admin.site.unregister([EmailAddress, Authenticator])
