"""A list of the console as a file: its filters, its columns, masked as on the screen, written while it is read.

Asked for with a reason and a recent sign-in, and in the operators' log before the first byte; a second line there says
how many rows it became (trust 30, 32, 34, 35).
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, nullcontext
from datetime import date, datetime
from html import unescape
from operator import attrgetter, methodcaller
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG, ORDER_VAR, PAGE_VAR, SEARCH_VAR
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import FieldDoesNotExist, PermissionDenied, SuspiciousOperation
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import strip_tags
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal import masking
from portal.admin import log_lines
from portal.admin.confirming import recently_signed_in
from portal.admin.export_kinds import KINDS, Record
from portal.admin.lookups import find_user

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from portal.admin.pages import ConsoleAdmin

PERMISSION = "portal.export_rows"
PAGE = 2000  # rows held at a time
LONGEST = 200  # of a filter's value, in the log
OF_THE_LIST = {PAGE_VAR, ORDER_VAR, ERROR_FLAG, "_changelist_filters"}  # in its address, and no filters


def is_allowed(page: "ConsoleAdmin", request: HttpRequest) -> bool:
    """Whether this operator may take this list along."""
    return page.is_exported and page.has_view_permission(request) and bool(request.user.has_perm(PERMISSION))


def urls(page: "ConsoleAdmin") -> list[URLPattern]:
    """The address of the export, beside that of the list; the filters come after it, as there."""
    if not page.is_exported:
        return []

    def view(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        if not is_allowed(page, request):
            raise PermissionDenied
        exported: HttpResponse = export(request, page)
        return exported

    name = f"{page.opts.app_label}_{page.opts.model_name}_export"
    return [path("export/", page.admin_site.admin_view(view), name=name)]


class ExportForm(forms.Form):
    """Why, and as what."""

    kind = forms.ChoiceField(
        label=gettext_lazy("File format"),
        choices=[(name, kind.label) for name, kind in KINDS.items()],
        initial="csv",
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=400,
        widget=forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
        error_messages={"required": gettext_lazy("Say why: the reason goes into the record.")},
    )


@recently_signed_in
def export(request: HttpRequest, page: "ConsoleAdmin") -> HttpResponse | StreamingHttpResponse:
    """Ask why and for which form; then the file."""
    rows, told = _rows(request, page), _told(request)
    form = ExportForm(request.POST if "reason" in request.POST else None)
    if not form.is_valid():
        return _ask(request, page, form, told)
    kind, reason = KINDS[form.cleaned_data["kind"]], form.cleaned_data["reason"]
    _log(request, page, f"Export as {kind.label} began. {told}. {_('Why')}: {reason}")
    records = _counted(request, page, _records(rows, page), f"{told}. {_('Why')}: {reason}")
    response = StreamingHttpResponse(kind.pieces(_columns(page), records), content_type=kind.content_type)
    name = f"{page.opts.model_name}-{timezone.now():%Y%m%dT%H%M%SZ}.{kind.ending}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _rows(request: HttpRequest, page: "ConsoleAdmin") -> "QuerySet[Any]":
    """The list's rows, as the address narrows it and in its order."""
    query = request.GET.copy()
    query.pop(PAGE_VAR, None)
    request.GET = query  # type: ignore[assignment]
    try:
        rows: QuerySet[Any] = page.get_changelist_instance(request).queryset
    except IncorrectLookupParameters as error:
        raise SuspiciousOperation("no such filter") from error
    return rows


def _ask(request: HttpRequest, page: "ConsoleAdmin", form: forms.Form, told: str) -> HttpResponse:
    title = _("Export: %(list)s") % {"list": page.opts.verbose_name_plural}
    context = {
        **admin.site.each_context(request),
        "title": title,
        "opts": page.opts,
        "media": page.media,
        "form": form,
        "told": told,
        "columns": _columns(page),
    }
    return TemplateResponse(request, "admin/export.html", context)


# --- What is in it ----------------------------------------------------------------------------------------------


def _columns(page: "ConsoleAdmin") -> list[str]:
    """The list's columns, by their names in the code."""
    return ["name" if shown == "__str__" else shown for shown in _shown(page)]


def _shown(page: "ConsoleAdmin") -> list[str]:
    return [page.exported_instead.get(str(name), str(name)) for name in page.list_display]


def _records(rows: "QuerySet[Any]", page: "ConsoleAdmin") -> Generator[Record]:
    """One after the other from a cursor on the server, in a transaction: outside of one it would first read them all.

    SQLite reads row by row anyway, and a transaction there would keep every writer out.
    """
    read = {column: _reader(page, shown) for column, shown in zip(_columns(page), _shown(page), strict=True)}
    with transaction.atomic() if connection.vendor == "postgresql" else nullcontext():
        for row in rows.iterator(chunk_size=PAGE):
            yield {column: _plain(value(row)) for column, value in read.items()}


def _reader(page: "ConsoleAdmin", shown: str) -> Callable[[Any], Any]:
    """How a row's value is read for this column: as the list does it, but found out once and not for each row."""
    try:
        field = page.opts.get_field(shown)
    except FieldDoesNotExist:
        on_page = None if shown == "__str__" else getattr(page, shown, None)
        return on_page or methodcaller(shown)
    return methodcaller(f"get_{shown}_display") if getattr(field, "choices", None) else attrgetter(shown)


def _plain(value: Any) -> Any:
    """As on the screen, but for its form: a time in ISO 8601, a number as one."""
    if isinstance(value, datetime):
        return timezone.localtime(value).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if value is None or isinstance(value, (bool, int, float, list, dict)):
        return value
    return unescape(strip_tags(value)) if isinstance(value, SafeString) else str(value)


# --- What the operators' log says of it -------------------------------------------------------------------------


def _told(request: HttpRequest) -> str:
    """The filters in words. Whom somebody searched by phone or e-mail is named by number: the log is for ever."""
    told = [
        f"{name}={_searched(value) if name == SEARCH_VAR else value[:LONGEST]}"
        for name, values in request.GET.lists()
        for value in values
        if name not in OF_THE_LIST and value
    ]
    return f"Filters: {', '.join(told)}" if told else "No filters"


def _searched(term: str) -> str:
    user = find_user(term.strip())
    return f"#{user.pk}" if user else masking.login(term.strip())[:LONGEST]


def _counted(request: HttpRequest, page: "ConsoleAdmin", records: Generator[Record], words: str) -> Iterator[Record]:
    """These records, and then the line that says how many they were, also when nobody took the last one."""
    number, ended = 0, "broke off"
    try:
        with closing(records):  # and with it its transaction: what is written in that would be lost
            for record in records:
                number += 1
                yield record
        ended = "ended"
    finally:
        _log(request, page, f"Export {ended}: {number} rows. {words}")


def _log(request: HttpRequest, page: "ConsoleAdmin", words: str) -> None:
    """Raises whatever keeps it from being written: then nothing is exported (trust 35)."""
    LogEntry.objects.create(
        user=log_lines.operator(request),
        content_type=ContentType.objects.get_for_model(page.model),
        object_repr=str(page.opts.verbose_name_plural)[:200],
        action_flag=CHANGE,
        change_message=words,
    )
