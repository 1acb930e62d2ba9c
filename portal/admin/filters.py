"""What the console's lists are narrowed by: an exact text, a stretch of time, a state."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.admin.lookups import values_with
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


class AlternativesFilter(TextFilter):
    """By some of the values of a column. `alternatives` are what each page of the list is put together from.

    An index on that column and on what the list is ordered by gives the rows of one value in order, not of several.
    """

    def values(self) -> list[Any]:
        """The values of the column that the text stands for."""
        raise NotImplementedError

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value:
            return queryset
        values = self.values()
        self.alternatives = [Q(**{self.lookup: value}) for value in values]
        return queryset.filter(**{f"{self.lookup}__in": values})


class MerchantFilter(AlternativesFilter):
    """By whom the mini-program belongs to."""

    title = _("merchant (Client-Id)")
    parameter_name = "merchant"
    lookup = "mini_program"

    def values(self) -> list[Any]:
        programs = MiniProgram.objects.filter(merchant__client_id=self.value)
        return list(programs.order_by("pk").values_list("pk", flat=True))


class PartFilter(AlternativesFilter):
    """By a part of a text that few different ones of are stored, with an index on them."""

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.model = model

    def values(self) -> list[Any]:
        return values_with(self.model, self.lookup, self.value)


class DaysFilter(admin.ListFilter):
    """From one day to another, both included, in the portal's time zone."""

    template = "admin/days_filter.html"
    field: ClassVar[str] = "at"
    title = _("days")
    parameter_name = "from"
    more_names = ("to",)

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.days = {name: _day(params.pop(name, [""])[-1]) for name in (self.parameter_name, *self.more_names)}

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return list(self.days)

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """What the template needs: both days, and the other filters to keep."""
        others = [(name, value) for name, value in changelist.get_filters_params().items() if name not in self.days]
        yield {
            "days": [(name, day.isoformat() if day else "") for name, day in self.days.items()],
            "is_set": any(self.days.values()),
            "search": changelist.query,
            "others": [(name, values[-1] if isinstance(values, list) else values) for name, values in others],
            "clear": changelist.get_query_string(dict.fromkeys(self.days)),
        }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        first, last = self.days.values()
        if first:
            queryset = queryset.filter(**{f"{self.field}__gte": _midnight(first)})
        return queryset.filter(**{f"{self.field}__lt": _midnight(last + timedelta(days=1))}) if last else queryset


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise IncorrectLookupParameters(error) from error


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime(day.year, day.month, day.day))
