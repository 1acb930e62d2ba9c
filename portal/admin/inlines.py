"""What the tables of rows inside another row's page keep to."""

from typing import Any

from django.http import HttpRequest


class SaysItsColumns:
    """An inline's fields by name: Django's table of them leaves the words to the column's head, which is no label."""

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]
        if field:
            widget = getattr(field.widget, "widget", field.widget)  # what a related field's is wrapped in
            widget.attrs.setdefault("aria-label", str(field.label).capitalize())
        return field
