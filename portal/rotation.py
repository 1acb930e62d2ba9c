"""Brings every encrypted value under the first of FIELD_ENCRYPTION_KEYS, and every blind index under BLIND_INDEX_KEY.

Batch by batch, each a short transaction; a row is written only if it still holds what was read, so that traffic goes
on. Started again, it takes up what is left.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import models, transaction
from django.db.models import Count, ExpressionWrapper, F, Q, Value
from django.db.models.functions import Substr

from portal.encryption import (
    ID,
    BlindIndexField,
    Encrypted,
    UnreadableError,
    blind_index,
    current_key_id,
    decrypt,
    encrypt,
    is_encrypted,
    key_id,
)

TEXT = models.TextField()
Model = type[models.Model]


@dataclass(frozen=True)
class Outcome:
    """Rows written anew, rows found changed since they were read, and values that cannot be decrypted."""

    done: int = 0
    changed: int = 0
    unreadable: int = 0

    def __add__(self, other: "Outcome") -> "Outcome":
        sums = (self.done + other.done, self.changed + other.changed, self.unreadable + other.unreadable)
        return Outcome(*sums)


@dataclass(frozen=True)
class Group:
    """Values of one column that are not under the first key: how many, and under which key ("" is none)."""

    column: str
    key: str
    count: int

    def __str__(self) -> str:
        if not self.key:
            return f"{self.column}: {self.count} not encrypted"
        known = self.key in map(key_id, settings.FIELD_ENCRYPTION_KEYS)
        return f"{self.column}: {self.count} under key {self.key}" + ("" if known else ", which is not in the list")


def models_with(kind: type[Any]) -> Iterator[tuple[Model, list[Any]]]:
    """Every model of ours, or of anybody, with its columns of this kind of field."""
    for model in apps.get_models(include_auto_created=True):
        fields = [field for field in model._meta.local_concrete_fields if isinstance(field, kind)]
        if fields and not model._meta.proxy:
            yield model, fields


# --- Encryption keys --------------------------------------------------------------------------------------------


def left() -> list[Group]:
    """What is not under the first key, counted by the database."""
    return [group for model, fields in models_with(Encrypted) for field in fields for group in _groups(model, field)]


def _groups(model: Model, field: Encrypted) -> Iterator[Group]:
    """Never shows the start of a value that is not encrypted."""
    rows = _stored(model, [field]).filter(_old([field])).annotate(start=Substr(field.name, 1, ID + 1))
    counts: dict[str, int] = {}
    for start, count in rows.values_list("start").annotate(count=Count("pk")).order_by("start"):
        key = start[:ID] if is_encrypted(start) else ""
        counts[key] = counts.get(key, 0) + count
    return (Group(str(field), key, count) for key, count in counts.items())


def rotate(batch: int) -> Iterator[Outcome]:
    """Re-encrypt what is not under the first key; the outcome of each batch."""
    for model, fields in models_with(Encrypted):
        names = [_alias(field) for field in fields]
        for rows in _batches(_stored(model, fields).filter(_old(fields)), names, batch):
            yield _all(_reencrypted(model, fields, pk, stored) for pk, *stored in rows)


def _reencrypted(model: Model, fields: list[Encrypted], pk: Any, stored: list[str | None]) -> Outcome:
    current = f"{current_key_id()}:"
    old = {field: text for field, text in zip(fields, stored, strict=True) if text and not text.startswith(current)}
    new = {}
    for field, text in old.items():
        with suppress(UnreadableError):
            new[field] = Value(encrypt(decrypt(text)), output_field=TEXT)
    lost = Outcome(unreadable=len(old) - len(new))
    if not new:
        return lost
    unchanged = _stored(model, fields).filter(pk=pk, **{_alias(field): old[field] for field in new})
    return lost + _outcome(unchanged.update(**{field.name: value for field, value in new.items()}))


def _old(fields: list[Encrypted]) -> Q:
    """Rows with a value under another key in one of these columns."""
    found = Q()
    for name in map(_alias, fields):
        value = Q(**{f"{name}__isnull": False}) & ~Q(**{name: ""})
        found |= value & ~Q(**{f"{name}__startswith": f"{current_key_id()}:"})
    return found


def _stored(model: Model, fields: list[Encrypted]) -> "models.QuerySet[Any]":
    """The rows, with what stands in these columns as it stands there."""
    columns = {_alias(field): ExpressionWrapper(F(field.name), output_field=TEXT) for field in fields}
    rows: models.QuerySet[Any] = model._base_manager.annotate(**columns)
    return rows


def _alias(field: Encrypted) -> str:
    return f"stored_{field.name}"


# --- Blind indexes ----------------------------------------------------------------------------------------------


def reindex(batch: int, *, write: bool = True) -> Iterator[Outcome]:
    """Work out the blind indexes anew; the outcome of each batch. Without `write`, `done` counts the wrong ones."""
    for model, fields in models_with(BlindIndexField):
        for field in fields:
            source: Any = model._meta.get_field(field.source)
            rows = _stored(model, [source])
            for part in _batches(rows, [_alias(source), field.name], batch):
                yield _all(_reindexed(rows, field, source, row, write) for row in part)


def _reindexed(rows: Any, field: BlindIndexField, source: Encrypted, row: tuple[Any, ...], write: bool) -> Outcome:
    pk, stored, before = row
    try:
        index = blind_index(decrypt(stored))
    except UnreadableError:
        return Outcome(unreadable=1)
    if index == before:
        return Outcome()
    if not write:
        return Outcome(done=1)
    return _outcome(rows.filter(pk=pk, **{_alias(source): stored}).update(**{field.name: index}))


# --- Both -------------------------------------------------------------------------------------------------------


def _batches(rows: "models.QuerySet[Any]", names: list[str], size: int) -> Iterator[list[tuple[Any, ...]]]:
    """(pk, *names) of these rows, in the order of pk; each batch in a transaction that ends with its use."""
    last = None
    while True:
        with transaction.atomic():
            after = rows if last is None else rows.filter(pk__gt=last)
            batch = list(after.order_by("pk").values_list("pk", *names)[:size])
            if not batch:
                return
            yield batch
        last = batch[-1][0]


def _all(outcomes: Iterator[Outcome]) -> Outcome:
    return sum(outcomes, Outcome())


def _outcome(written: int) -> Outcome:
    return Outcome(done=written, changed=1 - written)
