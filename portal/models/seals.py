"""Seals: what makes an append-only table tamper-evident (trust 31). Made in authapi.sealing."""

import struct
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, ClassVar, Generic, Self, TypeVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal import fingerprints

from . import bulk

BATCH = 1000  # rows a seal covers at most
ENTRY = struct.Struct(">q32s")
# In place of a digest: the row was not what its MAC says when it was sealed. No row ever matches it.
SUSPECT = bytes(32)

Row = TypeVar("Row", bound="VouchedRow")


class VouchedManager(models.Manager[Row], Generic[Row]):
    """Writes rows that can be told from what somebody put there with SQL."""

    def write(self, **fields: Any) -> Row:
        """Insert one row with its MAC. One statement."""
        row = self.model(**fields)
        row.mac = fingerprints.mac(row.vouched())
        row.save(force_insert=True, using=self._db)
        row.written()
        return row

    def write_all(self, rows: Iterable[Row]) -> list[Row]:
        """Insert these rows, some thousand at most, each with its MAC. One statement on PostgreSQL."""
        made = list(rows)
        for row in made:
            row.mac = fingerprints.mac(row.vouched())
        if made:
            bulk.insert(made)
        for row in made:
            row.written()
        return made


class VouchedRow(models.Model):
    """A row of an append-only table whose `mac` vouches for it from its writing to its sealing."""

    at = models.DateTimeField(_("when"), default=timezone.now, editable=False)
    # Covers all but the row's number, which is not known before. Empty in what `write` did not write.
    mac = models.CharField(max_length=fingerprints.MAC_LENGTH, default="", editable=False)

    class Meta:
        abstract = True

    def written(self) -> None:
        """Called once it stands in its table."""

    def vouched(self) -> dict[str, Any]:
        """The values the MAC covers, as the database will give them back."""
        fields = vouched_columns(type(self))
        return {field.attname: field.to_python(getattr(self, field.attname)) for field in fields}


@cache
def vouched_columns(model: type[models.Model]) -> "list[models.Field[Any, Any]]":
    """What a MAC covers: every column but the number and the MAC itself."""
    return [field for field in model._meta.concrete_fields if not field.primary_key and field.name != "mac"]


def vouch_for_all(model: type[models.Model], alias: str) -> None:
    """Give every row of a table its MAC: for the migration that adds the column, and never again."""
    names = [field.attname for field in vouched_columns(model)]
    rows = model._default_manager.using(alias).order_by("pk")
    batch = list(rows[:BATCH])
    while batch:
        for row in batch:
            row.mac = fingerprints.mac({name: getattr(row, name) for name in names})  # type: ignore[attr-defined]
        rows.bulk_update(batch, ["mac"])
        batch = list(rows.filter(pk__gt=batch[-1].pk)[:BATCH])


class Seal(models.Model):
    """One link of a chain: the digests of up to a thousand rows, the hash of the link before, our signature."""

    chain = models.CharField(max_length=64)
    number = models.PositiveBigIntegerField()
    # Covers the rows after the last seal's last_pk up to this one.
    last_pk = models.BigIntegerField()
    # (pk, SHA-256), 40 bytes a row, in the order of their pk.
    rows = models.BinaryField()
    previous = models.CharField(max_length=64, blank=True)
    sealed_at = models.DateTimeField(default=timezone.now)
    hash = models.CharField(max_length=64)
    signature = models.BinaryField()
    key_version = models.CharField(max_length=16)

    class Meta:
        ordering: ClassVar = ("chain", "number")
        constraints = (models.UniqueConstraint(fields=["chain", "number"], name="one_seal_per_number"),)

    def __str__(self) -> str:
        return f"{self.chain}:{self.number}:{self.hash}"

    @classmethod
    def after(cls, chain: str, head: Self | None, digests: Mapping[int, bytes]) -> Self:
        """The next link over these rows, {pk: digest}, hashed; neither signed nor saved."""
        pks = sorted(digests)
        seal = cls(
            chain=chain,
            number=head.number + 1 if head else 1,
            last_pk=pks[-1],
            rows=b"".join(ENTRY.pack(pk, digests[pk]) for pk in pks),
            previous=head.hash if head else "",
        )
        seal.hash = seal.computed_hash()
        return seal

    @property
    def count(self) -> int:
        """How many rows it covers."""
        return len(self.rows) // ENTRY.size

    def computed_hash(self) -> str:
        """SHA-256 over all of it but its signature, hexadecimal."""
        names = ("chain", "number", "last_pk", "rows", "previous", "sealed_at")
        return fingerprints.digest({name: getattr(self, name) for name in names}).hex()

    def signed_message(self) -> bytes:
        """What the platform key signs; it cannot be taken for a request or an answer (wire.md 4)."""
        return f"SEAL {self}".encode()

    def digests(self) -> dict[int, bytes]:
        """{pk: digest} of the rows it covers."""
        rows = bytes(self.rows)
        return dict(_entries(rows[: len(rows) // ENTRY.size * ENTRY.size]))


def _entries(rows: bytes) -> Iterable[tuple[int, bytes]]:
    return ENTRY.iter_unpack(rows)
