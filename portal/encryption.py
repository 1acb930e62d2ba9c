"""Personal data at rest: encrypted values, and the model fields that hold them (found by blind_indexes.py).

AES-256-GCM of `cryptography` under thin fields of our own: the field libraries that are alive take one key from
SECRET_KEY, show the ciphertext when they cannot decrypt, or fill their index by signals that bulk_create skips.
"""

import binascii
import hashlib
import json
import secrets
from functools import cache, cached_property
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import FieldError
from django.db import models
from django.db.models.query_utils import DeferredAttribute

from portal.blind_indexes import BY_INDEX, BlindIndexField, IndexedQuerySet, UniqueByIndex, blind_index

__all__ = [
    "BlindIndexField",
    "EncryptedCharField",
    "EncryptedDateField",
    "EncryptedJSONField",
    "EncryptedTextField",
    "IndexedQuerySet",
    "UniqueByIndex",
    "UnreadableError",
    "blind_index",
    "decrypt",
    "encrypt",
]
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
    def index(self) -> BlindIndexField | None:
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
