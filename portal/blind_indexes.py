"""Finds encrypted values by exact match: a keyed hash beside the ciphertext, and what keeps it right."""

import base64
import hmac
from typing import Any, TypeVar

from django.conf import settings
from django.core.exceptions import FieldError
from django.db import models
from django.db.models.lookups import Exact, In

Row = TypeVar("Row", bound=models.Model)


def blind_index(text: str) -> str:
    """HMAC-SHA256 of `text` under BLIND_INDEX_KEY, as 44 characters of base64: equal texts, equal indexes."""
    return base64.b64encode(hmac.digest(settings.BLIND_INDEX_KEY, text.encode(), "sha256")).decode()


class BlindIndexField(models.CharField):  # type: ignore[type-arg]
    """The blind index of the field `source`, filled whenever the row is written; exact lookups of it come here.

    Whoever names fields to write (update_fields, update_conflicts) names this one beside its source.
    """

    def __init__(self, *args: Any, source: str, **options: Any) -> None:
        self.source = source
        super().__init__(*args, **{"max_length": 64, "blank": True, "editable": False, **options})

    def deconstruct(self) -> Any:
        name, path, args, options = super().deconstruct()
        return name, path, args, {**options, "source": self.source}

    def pre_save(self, instance: models.Model, add: bool) -> str:
        index = blind_index(getattr(instance, self.source))
        setattr(instance, self.attname, index)
        return index


class IndexedQuerySet(models.QuerySet[Row]):
    """Keeps the index beside its source in `update`, too."""

    def update(self, **values: Any) -> int:
        for field in self.model._meta.local_concrete_fields:
            if isinstance(field, BlindIndexField) and field.source in values:
                values.setdefault(field.name, blind_index(_plain(values[field.source])))
        return super().update(**values)


class UniqueByIndex(models.UniqueConstraint):
    """Unique plain text: validated by its fields, held in the database by their blind indexes."""

    def create_sql(self, model: Any, schema_editor: Any) -> Any:
        return self._held(model).create_sql(model, schema_editor)

    def constraint_sql(self, model: Any, schema_editor: Any) -> Any:
        return self._held(model).constraint_sql(model, schema_editor)

    def _held(self, model: type[models.Model]) -> models.UniqueConstraint:
        fields = [model._meta.get_field(name) for name in self.fields]
        held = [getattr(field, "index", field).name for field in fields]
        return models.UniqueConstraint(fields=held, name=self.name)


def _plain(value: Any) -> str:
    """`value`, if it is text: there is no index of an expression that only the database can work out."""
    if not isinstance(value, str):
        raise FieldError("An encrypted value is compared with text only, and set to text only.")
    return value


class _ByIndex:
    """A lookup of an encrypted column, turned to the blind index beside it."""

    def __init__(self, lhs: Any, rhs: Any) -> None:
        index = lhs.output_field.index.get_col(lhs.alias)
        super().__init__(index, self.indexed(rhs))  # type: ignore[call-arg] # Lookup's, by inheritance

    def indexed(self, value: Any) -> Any:
        """None stays None: Django makes isnull of it."""
        return None if value is None else blind_index(_plain(value))


class ExactByIndex(_ByIndex, Exact):
    """`field=text`."""


class InByIndex(_ByIndex, In):
    """`field__in=texts`."""

    def indexed(self, value: Any) -> Any:
        return [blind_index(_plain(text)) for text in value if text is not None]


BY_INDEX = {"exact": ExactByIndex, "in": InByIndex}
