"""What the console's lists are narrowed by: an exact text, a stretch of time, a state."""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext_lazy as _

from portal.models import MiniProgram

STRETCHES = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}


class TextFilter(admin.ListFilter):
    """A box to type into, where a list of every value would be endless. Subclasses name the lookup."""

    template = "admin/text_filter.html"
    parameter_name: ClassVar[str]
    lookup: ClassVar[str]

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.value = params.pop(self.parameter_name, [""])[-1].strip()

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return [self.parameter_name]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """What the template needs: the value, and the other filters to keep."""
        others = [
            (name, value) for name, value in changelist.get_filters_params().items() if name != self.parameter_name
        ]
        yield {
            "name": self.parameter_name,
            "value": self.value,
            "search": changelist.query,
            "others": [(name, values[-1] if isinstance(values, list) else values) for name, values in others],
            "clear": changelist.get_query_string(remove=[self.parameter_name]),
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.lookup: self.value}) if self.value else queryset


class RecentFilter(admin.SimpleListFilter):
    """The last hour, day or week of `field`."""

    title = _("time")
    parameter_name = "within"
    field = "at"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return (("hour", _("Last hour")), ("day", _("Last day")), ("week", _("Last week")))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        stretch = STRETCHES.get(self.value() or "")
        return queryset.filter(**{f"{self.field}__gte": timezone.now() - stretch}) if stretch else queryset


class AppIdFilter(TextFilter):
    """By mini-program, where the row points to one; looked up first, so that the rows are read by its number."""

    title = _("mini-program (appId)")
    parameter_name = "program"
    lookup = "mini_program"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value:
            return queryset
        program = MiniProgram.objects.filter(client_id=self.value).values_list("pk", flat=True).first()
        return queryset.none() if program is None else queryset.filter(**{self.lookup: program})


class MerchantFilter(TextFilter):
    """By whom the mini-program belongs to."""

    title = _("merchant (Client-Id)")
    parameter_name = "merchant"
    lookup = "mini_program"
    # What a page of the list is put together from: an index gives the rows of one mini-program in order, not of all.
    alternatives: tuple[Q, ...] = ()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value:
            return queryset
        programs = MiniProgram.objects.filter(merchant__client_id=self.value).order_by("pk")
        keys = list(programs.values_list("pk", flat=True))
        self.alternatives = tuple(Q(**{self.lookup: key}) for key in keys)
        return queryset.filter(**{f"{self.lookup}__in": keys})


class SpanFilter(admin.ListFilter):
    """From one moment on, and before another; both as a browser's own field gives them."""

    title = _("from, until")
    template = "admin/span_filter.html"
    names: ClassVar = {"from": "gte", "until": "lt"}
    parameter_name, more_names = "from", ("until",)
    field = "at"

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.values = {name: params.pop(name, [""])[-1].strip() for name in self.names}

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return [*self.names]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """What the template needs: the values, and the other filters to keep."""
        others = {name: value for name, value in changelist.get_filters_params().items() if name not in self.names}
        yield {
            "fields": list(self.values.items()),
            "value": " – ".join(self.values.values()).strip() if any(self.values.values()) else "",
            "search": changelist.query,
            "others": [(name, values[-1] if isinstance(values, list) else values) for name, values in others.items()],
            "clear": changelist.get_query_string(remove=[*self.names]),
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """What is no moment narrows nothing down: it finds nothing."""
        for name, lookup in self.names.items():
            if text := self.values[name]:
                moment = _moment(text)
                queryset = queryset.filter(**{f"{self.field}__{lookup}": moment}) if moment else queryset.none()
        return queryset


def _moment(text: str) -> datetime | None:
    """A day or a time, in the portal's time zone if it has no offset; None when it is neither."""
    try:
        if day := parse_date(text):
            return timezone.make_aware(datetime.combine(day, time.min))
        moment = parse_datetime(text)
        return timezone.make_aware(moment) if moment and timezone.is_naive(moment) else moment
    except (ValueError, OverflowError):
        return None
