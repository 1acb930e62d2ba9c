"""What every page of the operator's console keeps to (trust 30, 32, 33, 35)."""

import json
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet, URLField
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.admin import confirming, exports
from portal.admin.paging import COUNTED, KeysetList

SHOWN = 20


class ReasonForm(forms.Form):
    """Why an operator does it; the answer goes into the ledger and the operators' log."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=400,
        widget=forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
        error_messages={"required": gettext_lazy("Say why: the reason goes into the record.")},
    )


class ConsoleAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable at run time
    """What all pages have in common: nothing is deleted, no filter reads what is not shown, acts ask for a reason."""

    # Whether the list may have millions of rows: then it is paged by key, and sorted by what `sortable_by` names.
    is_long: ClassVar[bool] = False
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 50
    view_on_site = False
    # Lookups that links of ours use, beside those of `list_filter`.
    link_lookups: ClassVar[tuple[str, ...]] = ()
    # Whether the list can be taken along as a file, and which fields stand in it for columns made for the screen.
    is_exported: ClassVar[bool] = False
    exported_instead: ClassVar[dict[str, str]] = {}
    # Acts that need no recent sign-in (confirming.py); every other one does.
    harmless_acts: ClassVar[tuple[str, ...]] = ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Declared filters only: Django's own rule lets `?password__startswith=` guess a hidden value (trust 32)."""
        declared = {getattr(item, "parameter_name", item) for item in self.list_filter}
        more = {name for item in self.list_filter for name in getattr(item, "more_names", ())}
        return lookup in {*self.link_lookups, *more} or lookup.removesuffix("__exact") in declared

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return KeysetList if self.is_long else super().get_changelist(request, **kwargs)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """403, rather than a shrug, for an action above the operator's role (trust 33)."""
        wanted = {name for name in request.POST.getlist("action") if name}
        if wanted - self.get_actions(request).keys():
            raise PermissionDenied
        title = {"title": str(self.opts.verbose_name_plural).capitalize()}
        export = {"may_export": exports.is_allowed(self, request)}
        return super().changelist_view(request, {**title, **export, **(extra_context or {})})

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *args: Any) -> HttpResponse | None:
        """All rows of the list only where the list says how many that are."""
        across = request.POST.get("select_across", "0") == "1"
        if across and len(queryset.values("pk")[: COUNTED + 1]) > COUNTED:
            words = _("Nothing was done: that is for at most %s rows at once. Narrow the list first.") % f"{COUNTED:,}"
            self.message_user(request, words, messages.ERROR)
            return None
        return super().response_action(request, queryset, *args)

    # --- Acts: an admin action with a page in between that asks why --------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_act"
        view = self.admin_site.admin_view(self.act_view)
        act = path("<path:object_id>/act/<slug:action>/", view, name=name)
        return [*exports.urls(self), act, *super().get_urls()]

    def act_view(self, request: HttpRequest, object_id: str, action: str) -> HttpResponse:
        """One act on one row, from the button on its page."""
        function, _name, _label = self._permitted(request, action)
        row = self.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        answer: HttpResponse | None = function(self, request, self.get_queryset(request).filter(pk=row.pk))
        return answer or HttpResponseRedirect(self._url("change", object_id))

    def _permitted(self, request: HttpRequest, action: str) -> tuple[Callable[..., Any], str, str]:
        """The action, or 403: an unknown one looks the same."""
        if found := self.get_actions(request).get(action):
            return found
        raise PermissionDenied

    def applies(self, action: str, row: Any) -> bool:
        """Whether this act makes sense for this row as it is now."""
        return True

    def described(self, action: str, row: Any) -> list[str]:
        """What else an operator must know about this row before the act."""
        return []

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """Adds the acts' buttons."""
        row = self.get_object(request, unquote(object_id))
        acts = [
            {"label": action[2], "url": self._url("act", object_id, name)}
            for name, action in self.get_actions(request).items()
            if action and row is not None and self.applies(name, row)
        ]
        acts += self.links(request, row) if row is not None else []
        return super().change_view(request, object_id, form_url, {"acts": acts, **(extra_context or {})})

    def links(self, request: HttpRequest, row: Any) -> list[dict[str, str]]:
        """Pages about this row beside its own: {"label", "url"}, after the acts' buttons."""
        return []

    def act(
        self,
        request: HttpRequest,
        rows: QuerySet[Any],
        action: str,
        do: Callable[[Any, dict[str, Any]], str],
        *,
        warning: str,
        form: ReasonForm | None = None,
    ) -> HttpResponse | None:
        """Ask why, then `do(row, answers)` to each row; its words go into the operators' log, "" when it did nothing.

        None once done. Deed and log stand or fall together (trust 30 and 35).
        """
        form = form or ReasonForm(posted(request))
        if not form.is_valid():
            return self._ask(request, rows, action, form, warning)
        if action not in self.harmless_acts and (page := confirming.ask(request)):
            return page
        chosen, done = list(rows.order_by("pk")), 0
        with transaction.atomic():
            for row in chosen:
                if words := do(row, form.cleaned_data):
                    self.log_change(request, row, f"{words}. {_('Why')}: {form.cleaned_data['reason']}")
                    done += 1
        words = _("Done: %(done)d of %(all)d.") % {"done": done, "all": len(chosen)}
        self.message_user(request, words, messages.SUCCESS if done else messages.WARNING)
        return None

    def _ask(
        self, request: HttpRequest, rows: QuerySet[Any], action: str, form: ReasonForm, warning: str
    ) -> HttpResponse:
        chosen = request.POST.getlist(helpers.ACTION_CHECKBOX_NAME)
        context = {
            **self.admin_site.each_context(request),
            "title": self._permitted(request, action)[2],
            "opts": self.opts,
            "media": self.media,
            "rows": [(row, self.described(action, row)) for row in rows[:SHOWN]],
            "count": rows.count(),
            "rest": max(rows.count() - SHOWN, 0),
            "form": form,
            "warning": warning,
            "hidden": [
                ("action", action),
                ("select_across", request.POST.get("select_across", "0")),
                *((helpers.ACTION_CHECKBOX_NAME, pk) for pk in chosen),
            ],
        }
        return TemplateResponse(request, "admin/act.html", context)

    def _url(self, name: str, *args: str) -> str:
        return reverse(f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_{name}", args=args)


class ReadOnlyAdmin(ConsoleAdmin):
    """For looking, never for editing: history, codes, tokens, errors."""

    is_long = True
    sortable_by: ClassVar[Any] = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ActForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """A form of the console: whoever saves it says why (trust 30)."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=400,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text=gettext_lazy("Why you do this. It goes into the record."),
        error_messages={"required": gettext_lazy("Say why: the reason goes into the record.")},
    )


class EditAdmin(ConsoleAdmin):
    """For the few things operators edit; every save says why, and is a recently signed-in operator's."""

    form = ActForm
    changeform_view = confirming.before_saving(ConsoleAdmin.changeform_view)
    formfield_overrides = {URLField: {"assume_scheme": "https"}}

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Who only looks is not asked why."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        return [
            (title, {**options, "fields": [name for name in options["fields"] if name != "reason"]})
            for title, options in fieldsets
        ]

    def construct_change_message(  # type: ignore[override]  # a log line may be text as well
        self, request: HttpRequest, form: Any, formsets: Iterable[Any], add: bool = False
    ) -> str:
        """What changed, in Django's words, and why."""
        form.changed_data[:] = [name for name in form.changed_data if name != "reason"]
        what = super().construct_change_message(request, form, formsets, add)
        words = LogEntry(change_message=json.dumps(what)).get_change_message()
        return f"{words} {_('Why')}: {form.cleaned_data['reason']}"


def posted(request: HttpRequest) -> Any:
    """The answers to the page in between, None when it was not shown yet."""
    return request.POST if "reason" in request.POST else None
