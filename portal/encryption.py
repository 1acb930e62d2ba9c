"""Personal data at rest: encrypted values, model fields that hold them, and a keyed index to find them by.

AES-256-GCM of `cryptography` under thin fields of our own: the field libraries that are alive take one key from
SECRET_KEY, show the ciphertext when they cannot decrypt, or fill their index by signals that bulk_create skips.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from functools import cache, cached_property
from typing import Any, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import FieldError
from django.db import models
from django.db.models.lookups import Exact, In
from django.db.models.query_utils import DeferredAttribute

Row = TypeVar("Row", bound=models.Model)
ID = 8  # characters of a key's id, before the colon
NONCE = 12  # bytes, random: good for 2^32 values under one key


class UnreadableError(Exception):
    """A stored value cannot be decrypted. Says which and what to do; never shows any of it."""


def key_id(key: bytes) -> str:
    """8 hex digits that name a key without telling anything of it."""
    return hashlib.sha256(b"field key id:" + key).hexdigest()[:ID]


@cache
def _ciphers(keys: tuple[bytes, ...]) -> dict[str, AESGCM]:
    """By key id, the one that encrypts first."""
    return {key_id(key): AESGCM(key) for key in keys}


def current_key_id() -> str:
    """The id of the key that encrypts."""
    return next(iter(_ciphers(settings.FIELD_ENCRYPTION_KEYS)))


def encrypt(text: str) -> str:
    """`<key id>:<base64 of nonce, ciphertext and tag>` under the first of FIELD_ENCRYPTION_KEYS; "" stays ""."""
    if not text:
        return ""
    name, cipher = next(iter(_ciphers(settings.FIELD_ENCRYPTION_KEYS).items()))
    nonce = secrets.token_bytes(NONCE)
    sealed = nonce + cipher.encrypt(nonce, text.encode(), None)
    return f"{name}:{binascii.b2a_base64(sealed, newline=False).decode()}"


def decrypt(stored: str) -> str:
    """The text that `encrypt` was given, under whichever key. Raises UnreadableError."""
    if not stored:
        return ""
    try:
        cipher = _ciphers(settings.FIELD_ENCRYPTION_KEYS)[stored[:ID]]
        sealed = binascii.a2b_base64(stored[ID + 1 :])
        return cipher.decrypt(sealed[:NONCE], sealed[NONCE:], None).decode()
    except (KeyError, ValueError, InvalidTag) as error:
        raise UnreadableError(_why(stored)) from error


def is_encrypted(stored: str) -> bool:
    """Whether this looks like what `encrypt` gives, under whatever key."""
    return stored[ID : ID + 1] == ":" and set(stored[:ID]) <= set("0123456789abcdef")


def _why(stored: str) -> str:
    if not is_encrypted(stored):
        return "it was not encrypted by this portal. Write it anew."
    if stored[:ID] not in _ciphers(settings.FIELD_ENCRYPTION_KEYS):
        return f"FIELD_ENCRYPTION_KEYS lacks the key {stored[:ID]}. Put that key back, at the end of the list."
    return "it was changed or cut off. Restore it from a backup."


def blind_index(text: str) -> str:
    """HMAC-SHA256 of `text` under BLIND_INDEX_KEY, as 44 characters of base64: equal texts, equal indexes."""
    return base64.b64encode(hmac.digest(settings.BLIND_INDEX_KEY, text.encode(), "sha256")).decode()


# --- Fields -----------------------------------------------------------------------------------------------------


class Unreadable:
    """Stands in a row for a value that cannot be decrypted: the row loads, reading the value raises."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __str__(self) -> str:
        raise UnreadableError(self.reason)


class ReadableAttribute(DeferredAttribute):
    """The decrypted value of a row, or UnreadableError."""

    field: "models.Field[Any, Any]"

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        value = super().__get__(instance, cls)
        if isinstance(value, Unreadable):
            raise UnreadableError(value.reason)
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class Encrypted(models.Field):  # type: ignore[type-arg] # no generic at run time
    """A column of ciphertext. It is found by exact match alone, and only beside a BlindIndexField."""

    descriptor_class = ReadableAttribute

    def get_internal_type(self) -> str:
        return "TextField"

    def as_text(self, value: Any) -> str:
        """What is encrypted."""
        return str(value)

    def of_text(self, text: str) -> Any:
        """What `as_text` was given."""
        return text

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        if isinstance(value, Unreadable):
            raise UnreadableError(value.reason)
        value = value if prepared else self.get_prep_value(value)
        return None if value is None else encrypt(self.as_text(value))

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        if hasattr(value, "as_sql"):
            return value
        return self.get_db_prep_value(value, connection)

    def from_db_value(self, stored: str | None, expression: Any, connection: Any) -> Any:
        if stored is None:
            return None
        try:
            return self.of_text(decrypt(stored))
        except UnreadableError as error:
            return Unreadable(f"{self} cannot be read: {error}")

    def get_transform(self, name: str) -> Any:
        """None: there is nothing to see inside of ciphertext."""

    def get_lookup(self, name: str) -> Any:
        """Exact and in by the blind index, isnull on the column itself. FieldError for all else."""
        if name == "isnull":
            return super().get_lookup(name)
        if name in BY_INDEX and self.index:
            return BY_INDEX[name]
        raise FieldError(f"{self} is encrypted: it cannot be looked up by {name!r}.")

    @cached_property
    def index(self) -> "BlindIndexField | None":
        """The field that holds the blind index of this one."""
        fields = self.model._meta.local_concrete_fields
        return next((f for f in fields if isinstance(f, BlindIndexField) and f.source == self.name), None)


class EncryptedCharField(Encrypted, models.CharField):  # type: ignore[type-arg]
    """Text of at most `max_length` characters, before encryption."""


class EncryptedTextField(Encrypted, models.TextField):  # type: ignore[type-arg]
    """Text of any length."""


class EncryptedDateField(Encrypted, models.DateField):  # type: ignore[type-arg]
    """A date, as ISO-8601."""

    def of_text(self, text: str) -> Any:
        return self.to_python(text) if text else None


class EncryptedJSONField(Encrypted, models.JSONField):
    """Anything JSON can say. The empty object is stored as the empty text."""

    def as_text(self, value: Any) -> str:
        return "" if value == {} else json.dumps(value, cls=self.encoder, ensure_ascii=False)

    def of_text(self, text: str) -> Any:
        return json.loads(text, cls=self.decoder) if text else {}


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
        held = [field.index.name if isinstance(field, Encrypted) and field.index else field.name for field in fields]
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
