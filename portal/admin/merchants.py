"""Merchants, their keys, their sectors, and the notices they are owed, in the operator's console."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Max, QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.admin.pages import EditAdmin, ReadOnlyAdmin
from portal.models import Merchant, MerchantKey, MerchantNotice, Sector


class MerchantKeyForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """A key never changes: a new version is added, an old one retired, and retired is retired."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            retired = self.instance.retired_at and self.instance.retired_at <= timezone.now()
            for name in self.fields:
                self.fields[name].disabled = bool(retired) or name != "retired_at"


class MerchantKeyFormSet(BaseInlineFormSet):  # type: ignore[type-arg]  # not subscriptable at run time
    """Proposes the next version for a new key."""

    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        kwargs = super().get_form_kwargs(index)
        if index is None or index >= self.initial_form_count():
            newest = self.instance.keys.aggregate(Max("version"))["version__max"] if self.instance.pk else 0
            kwargs["initial"] = {"version": (newest or 0) + 1}
        return kwargs


class MerchantKeyInline(admin.StackedInline):  # type: ignore[type-arg]  # not subscriptable at run time
    """The public keys we verify this merchant's calls with."""

    model = MerchantKey
    form = MerchantKeyForm
    formset = MerchantKeyFormSet
    extra = 0
    can_delete = False
    verbose_name_plural = gettext_lazy("keys")
    fields = ("version", "public_key", "created", "retired_at")
    readonly_fields = ("created",)


@admin.register(Merchant)
class MerchantAdmin(EditAdmin):
    """Who signs calls to us."""

    list_display = ("client_id", "name", "verified", "status", "sector", "notify_url", "created")
    list_display_links = ("client_id", "name")
    list_filter = ("status", "verified")
    list_select_related = ("sector",)
    search_fields = ("client_id", "name")
    ordering = ("client_id",)
    inlines = (MerchantKeyInline,)
    raw_id_fields = ("sector",)
    fields = ("client_id", "name", "verified", "status", "notify_url", "sector", "reason")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A new Client-Id would break the merchant's calls, a new sector every userId it knows."""
        return ("client_id", "sector") if obj else ()


@admin.register(Sector)
class SectorAdmin(EditAdmin):
    """Which merchants see the same userIds."""

    list_display = ("name",)
    search_fields = ("name",)
    ordering = ("name",)
    fields = ("name", "reason")


@admin.register(MerchantNotice)
class MerchantNoticeAdmin(ReadOnlyAdmin):
    """What we told merchants, or could not."""

    list_display = ("created", "merchant", "state", "attempts", "due_at", "last_error", "notify_id")
    list_filter = ("state",)
    list_select_related = ("merchant",)
    search_fields = ("merchant__client_id__exact",)
    search_help_text = gettext_lazy("Client-Id, in full.")
    ordering = ("-pk",)
    actions = ("send_again",)
    harmless_acts = ("send_again",)
    fields = ("notify_id", "merchant", "state", "attempts", "created", "due_at", "last_error", "body")
    readonly_fields = ("notify_id",)

    def has_send_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("portal.change_merchantnotice"))

    def applies(self, action: str, row: MerchantNotice) -> bool:
        return row.state == MerchantNotice.State.PARKED

    @admin.action(permissions=["send"], description=gettext_lazy("Send again"))
    def send_again(self, request: HttpRequest, rows: QuerySet[MerchantNotice]) -> HttpResponse | None:
        """Parked ones wait for the next round of delivery."""

        def do(notice: MerchantNotice, answers: dict[str, Any]) -> str:
            parked = MerchantNotice.objects.filter(pk=notice.pk, state=MerchantNotice.State.PARKED)
            return _("Sent again") if parked.update(state="WAITING", due_at=timezone.now()) else ""

        return self.act(request, rows, "send_again", do, warning=_("Parked notices are due at once; others stay."))
