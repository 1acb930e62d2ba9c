"""Brings every encrypted value under the first of FIELD_ENCRYPTION_KEYS, and every blind index under BLIND_INDEX_KEY.

Batch by batch, each a short transaction; a row is written only if it still holds what was read, so that traffic goes
on. Started again, it takes up what is left.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import Count, ExpressionWrapper, F, Q
from django.db.models.functions import Substr

from portal import authenticators
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
Rows = list[tuple[Any, ...]]


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
    """What is not under the first key, counted by the database; second factors, which are few, one by one."""
    groups = [group for model, fields in models_with(Encrypted) for field in fields for group in _groups(model, field)]
    return [
        *groups,
        *(Group("mfa.Authenticator.data", key, count) for key, count in authenticators.old_keys().items()),
    ]


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
            yield _reencrypt(model, [field.column for field in fields], rows)
    done, unreadable = authenticators.reencrypt()
    yield Outcome(done=done, unreadable=unreadable)


def _reencrypt(model: Model, columns: list[str], rows: Rows) -> Outcome:
    """What cannot be decrypted stays as it is, and holds up neither its row nor the others."""
    current, total = f"{current_key_id()}:", Outcome()
    changes: dict[tuple[str, ...], Rows] = {}
    for pk, *stored in rows:
        old = {name: text for name, text in zip(columns, stored, strict=True) if text and not text.startswith(current)}
        new = {}
        for name, text in old.items():
            with suppress(UnreadableError):
                new[name] = encrypt(decrypt(text))
        total += Outcome(unreadable=len(old) - len(new))
        if new:
            changes.setdefault(tuple(new), []).append((*new.values(), pk, *(old[name] for name in new)))
    return sum((_write(model, names, names, changed) for names, changed in changes.items()), total)


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
            for rows in _batches(_stored(model, [source]), [_alias(source), field.name], batch):
                wrong, total = _wrong(rows)
                if write:
                    yield total + _write(model, [field.column], [source.column], wrong)
                else:
                    yield total + Outcome(done=len(wrong))


def _wrong(rows: Rows) -> tuple[Rows, Outcome]:
    """(index as it must be, pk, ciphertext) where another index stands; and how many could not be decrypted."""
    wrong, unreadable = [], 0
    for pk, stored, before in rows:
        try:
            index = blind_index(decrypt(stored))
        except UnreadableError:
            unreadable += 1
        else:
            wrong += [(index, pk, stored)] if index != before else []
    return wrong, Outcome(unreadable=unreadable)


# --- Both -------------------------------------------------------------------------------------------------------


def _batches(rows: "models.QuerySet[Any]", names: list[str], size: int) -> Iterator[Rows]:
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


def _write(model: Model, set_columns: Sequence[str], held_columns: Sequence[str], rows: Rows) -> Outcome:
    """Each row is (values to set, pk, values that must still stand); one round of statements, not one query a row."""
    if not rows:
        return Outcome()
    quote, pk = connection.ops.quote_name, model._meta.pk
    assert pk.column
    assignments = ", ".join(f"{quote(name)} = %s" for name in set_columns)
    conditions = " AND ".join(f"{quote(name)} = %s" for name in (pk.column, *held_columns))
    at = len(set_columns)
    values = [(*row[:at], pk.get_db_prep_value(row[at], connection), *row[at + 1 :]) for row in rows]
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE {quote(model._meta.db_table)} SET {assignments} WHERE {conditions}", values)  # noqa: S608
        done = cursor.rowcount
    return Outcome(done=done, changed=len(rows) - done)
