"""Lists of any length: a page begins where the one before ended, and nobody counts millions of rows to say so.

The address of a page names the last row before it (`p=after:<values>`), the first after it (`p=before:<values>`) or
the end of the list (`p=last`); the values are those the list is ordered by. An offset would read all it skips.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR, ChangeList
from django.core.exceptions import ValidationError
from django.db import OperationalError, connection, transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest

COUNTED = 1000  # rows that are counted one by one, and acted on at once
MOST_PARTS = 50  # that one statement is put together from
PATIENCE = 3000  # milliseconds for one statement of a list
CANCELLED = "57014"  # PostgreSQL's word for a statement that took too long
SETTINGS = """
SELECT set_config('statement_timeout', %s, true), set_config('plan_cache_mode', 'force_custom_plan', true)
"""
LAST, AFTER, BEFORE = "last", "after", "before"


class Count(int):
    """A number of rows and how sure it is: "about 5,000,000" is the planner's estimate."""

    words: str

    def __new__(cls, number: int, words: str = "") -> "Count":
        count = super().__new__(cls, number)
        count.words = words
        return count

    def __str__(self) -> str:
        number = f"{int(self):,}"
        return f"{self.words} {number}" if self.words else number

    @property
    def is_exact(self) -> bool:
        """Whether the rows were counted."""
        return not self.words


class KeysetList(ChangeList):
    """Django's list, paged by the values of its rows. Every column it is ordered by holds no NULL."""

    has_next = has_previous = too_slow = False
    result_count: "Count"

    def get_results(self, request: HttpRequest) -> None:
        """The rows of this page, and how many there are; nothing but an advice where that takes too long."""
        self.page = request.GET.get(PAGE_VAR, "")
        self.result_list: list[Any] = []
        self.result_count = self.full_result_count = Count(0)
        try:
            with patiently():
                self.result_list = self._rows()
                self.result_count = Count(len(self.result_list), "at least")  # what is said if counting takes too long
                self.result_count = self._count()
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", "") != CANCELLED:
                raise
            self.too_slow = not self.result_list
        self.show_full_result_count, self.show_admin_actions = False, True
        self.can_show_all = self.multi_page = False
        self.paginator = self.model_admin.get_paginator(request, self.queryset.none(), self.list_per_page)

    # --- One page ----------------------------------------------------------------------------------------------

    def _rows(self) -> list[Any]:
        """Their keys are found first, by an index in its order; then these few rows are read with what they show."""
        where, _colon, values = self.page.partition(":")
        back = where in (LAST, BEFORE)
        ordering = [(name, descending != back) for name, descending in self.ordering]
        rows = self.queryset.order_by(*written(ordering))
        if where in (AFTER, BEFORE):
            rows = rows.filter(beyond(ordering, self._values(values)))
        found = list(self._read(rows, ordering))
        more = len(found) > self.list_per_page
        found = found[: self.list_per_page]
        self.has_previous = where == AFTER or (back and more)
        self.has_next = where == BEFORE or (not back and more)
        return found[::-1] if back else found

    def _read(self, rows: QuerySet[Any], ordering: list[tuple[str, bool]]) -> QuerySet[Any]:
        shown, end = self.apply_select_related(self.root_queryset), self.list_per_page + 1
        parts = [rows.filter(part).values("pk")[:end] for part in self._alternatives()] or [rows.values("pk")[:end]]
        keys = parts[0].union(*parts[1:], all=True) if len(parts) > 1 else parts[0]
        return shown.filter(pk__in=keys).order_by(*written(ordering))[:end]

    def _alternatives(self) -> list[Q]:
        """What the list is put together from, where a filter knows: an index gives each in order, not all of them."""
        found = [alternatives for spec in self.filter_specs if (alternatives := getattr(spec, "alternatives", []))]
        fit = connection.features.supports_slicing_ordering_in_compound
        return found[0] if fit and len(found) == 1 and len(found[0]) <= MOST_PARTS else []

    @property
    def ordering(self) -> list[tuple[str, bool]]:
        """(column, whether it goes down) of the list, from its first page on."""
        return [(name.removeprefix("-"), name.startswith("-")) for name in map(str, self.queryset.query.order_by)]

    def _values(self, text: str) -> list[Any]:
        """What the address says the page begins or ends with."""
        parts = text.split(",")
        if len(parts) != len(self.ordering):
            raise IncorrectLookupParameters("these are not the values of a row")
        try:
            return [self._column(name).to_python(part) for (name, _), part in zip(self.ordering, parts, strict=True)]
        except (ValidationError, ValueError) as error:
            raise IncorrectLookupParameters(error) from error

    def _column(self, name: str) -> Any:
        return self.opts.pk if name == "pk" else self.opts.get_field(name)

    def address(self, where: str, row: Any = None) -> str:
        """The query that leads there from here, with the filters."""
        if row is not None:
            values = [self._column(name).value_from_object(row) for name, _descending in self.ordering]
            where = f"{where}:{','.join(map(plain, values))}"
        return self.get_query_string({PAGE_VAR: where or None})

    @property
    def pages(self) -> list[tuple[str, str]]:
        """(what it is, its address) of the pages that can be gone to from here."""
        rows, found = self.result_list, []
        if rows and self.has_previous:
            found += [("First", self.address("")), ("Previous", self.address(BEFORE, rows[0]))]
        if rows and self.has_next:
            found += [("Next", self.address(AFTER, rows[-1])), ("Last", self.address(LAST))]
        return found

    # --- Order and number --------------------------------------------------------------------------------------

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """By what an index keeps in order only: a column that is not offered for sorting is not sorted by."""
        asked = self.params.get(ORDER_VAR, "")
        offered = [str(number) for number, name in enumerate(self.list_display) if name in (self.sortable_by or ())]
        if not all(part.removeprefix("-") in offered for part in asked.split(".")):
            self.params.pop(ORDER_VAR, None)
            self.filter_params.pop(ORDER_VAR, None)
        return super().get_ordering(request, queryset)

    def _count(self) -> Count:
        """Exact up to COUNTED. What was searched for is likely to be less, a list as a whole is not."""
        if not self.has_next and not self.has_previous:
            return Count(len(self.result_list))
        guess = 0 if self.query else rounded(estimated(self.queryset))
        if guess > 2 * COUNTED:
            return Count(guess, "about")
        number = self.queryset.values("pk")[: COUNTED + 1].count()
        if number <= COUNTED:
            return Count(number)
        guess = guess or rounded(estimated(self.queryset))
        return Count(guess, "about") if guess > COUNTED else Count(COUNTED, "more than")

    @property
    def across(self) -> bool:
        """Whether an act can be meant for all rows of the list: only where their number is known, and small."""
        return self.result_count.is_exact


def plain(value: Any) -> str:
    """A value in an address: a time to the microsecond, anything else as it is."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def written(ordering: list[tuple[str, bool]]) -> list[str]:
    """As order_by has it."""
    return [f"-{name}" if descending else name for name, descending in ordering]


def beyond(ordering: list[tuple[str, bool]], values: list[Any]) -> Q:
    """The rows that come after the one with these values; an index on the first column is enough to find them."""
    (name, descending), *rest = ordering
    after = Q(**{f"{name}__{'lt' if descending else 'gt'}": values[0]})
    if not rest:
        return after
    start = Q(**{f"{name}__{'lte' if descending else 'gte'}": values[0]})
    return start & (after | (Q(**{name: values[0]}) & beyond(rest, values[1:])))


@contextmanager
def patiently() -> Iterator[None]:
    """No statement within takes longer than PATIENCE, and each is planned for the values it has.

    A plan that fits any value reads a whole table for the rare one. Only PostgreSQL; elsewhere nothing is that big.
    """
    if connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(SETTINGS, [str(PATIENCE)])
        yield


def estimated(rows: QuerySet[Any]) -> int:
    """How many the planner expects; 0 where it cannot be asked."""
    if connection.vendor != "postgresql":
        return 0
    plan = json.loads(rows.order_by().values("pk").explain(format="json"))
    return int(plan[0]["Plan"]["Plan Rows"])


def rounded(number: int) -> int:
    """To two digits: an estimate knows no more."""
    return round(number, 2 - len(str(number)))
