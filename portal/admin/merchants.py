"""Merchants, their keys, their sectors, and the notices they are owed, in the operator's console."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.admin import key_retirements, key_tests
from portal.admin.inlines import SaysItsColumns
from portal.admin.mass_revocations import kill_switch
from portal.admin.pages import EditAdmin, ReadOnlyAdmin
from portal.models import Merchant, MerchantKey, MerchantNotice, Sector

KeyPage = Callable[["MerchantAdmin", HttpRequest, MerchantKey], HttpResponse]


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
            newest = max((key.version for key in self.get_queryset()), default=0)  # which are read already
            kwargs["initial"] = {"version": newest + 1}
        return kwargs

    def clean(self) -> None:
        """The last key that stays is not retired in passing: that has a page of its own, which asks."""
        super().clean()
        if any(self.errors) or not self.initial_form_count():
            return
        ends = [form.cleaned_data.get("retired_at") for form in self.forms if form.cleaned_data]
        changed = any("retired_at" in form.changed_data for form in self.initial_forms)
        if changed and ends and all(ends):
            raise forms.ValidationError(_("No key would stay. Add the next one, or use “Retire” beside the last."))


class MerchantKeyInline(SaysItsColumns, admin.StackedInline):  # type: ignore[type-arg]  # not subscriptable at run time
    """The public keys we verify this merchant's calls with."""

    model = MerchantKey
    form = MerchantKeyForm
    formset = MerchantKeyFormSet
    extra = 0
    can_delete = False
    verbose_name_plural = gettext_lazy("keys")
    fields = ("version", "public_key", "created", "tested_at", "retired_at")
    readonly_fields = ("created", "tested_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("merchant")  # each is called by its merchant's name


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

    # --- Its keys -----------------------------------------------------------------------------------------------

    def links(self, request: HttpRequest, row: Merchant) -> list[dict[str, str]]:
        return kill_switch(request, client_id=row.client_id)

    def get_urls(self) -> list[URLPattern]:
        """Before Django's own: those take every path for the key of a row."""
        pages = (("test", key_tests.page), ("retire", key_retirements.page))
        mine = [
            path(
                f"<int:merchant>/keys/<int:version>/{name}/",
                self.admin_site.admin_view(partial(self.key_view, page)),
                name=f"portal_merchantkey_{name}",
            )
            for name, page in pages
        ]
        return [*mine, *super().get_urls()]

    def key_view(self, page: KeyPage, request: HttpRequest, merchant: int, version: int) -> HttpResponse:
        """A page about one key, for whoever may look at it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        keys = MerchantKey.objects.select_related("merchant")
        try:
            return page(self, request, get_object_or_404(keys, merchant=merchant, version=version))
        except OverflowError as error:  # a number that no column holds
            raise Http404 from error

    def page_of(self, merchant: Merchant) -> str:
        """Where its keys stand."""
        return self._url("change", str(merchant.pk))


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
