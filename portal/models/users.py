"""A person with an account, and what their profile holds (wire.md 5.2)."""

import logging
import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models
from django.utils.translation import gettext_lazy as _
from django_countries.fields import CountryField

from portal import masking, phones
from portal.encryption import (
    BlindIndexField,
    EncryptedCharField,
    EncryptedDateField,
    EncryptedJSONField,
    IndexedQuerySet,
    UniqueByIndex,
    UnreadableError,
)

logger = logging.getLogger(__name__)


class UserManager(BaseUserManager["User"]):
    """Creates accounts; `username` is the sign-in name of an account without phone or e-mail."""

    def get_queryset(self) -> IndexedQuerySet["User"]:
        return IndexedQuerySet(self.model, using=self._db)

    def create_user(self, username: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(username=username, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, username: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(username, password, **fields, is_staff=True, is_superuser=True)


class User(AbstractUser):
    """A person with an account in the super-app."""

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", _("Active")
        FROZEN = "FROZEN", _("Frozen")
        INACTIVE = "INACTIVE", _("Inactive")

    class Gender(models.TextChoices):
        MALE = "M", _("Male")
        FEMALE = "F", _("Female")

    # E-mails are login ids and contacts, of which a person may have several: see LoginId and Contact.
    email = None  # type: ignore[assignment]
    EMAIL_FIELD = ""
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    username = EncryptedCharField(_("username"), max_length=150, validators=[UnicodeUsernameValidator()])
    username_index = BlindIndexField(source="username")
    # What pairwise ids are derived from (Sector.user_id): random, never shown, never reassigned.
    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    external_id = models.CharField(_("external id"), max_length=128, null=True, blank=True, unique=True)
    status = models.CharField(_("status"), max_length=32, choices=Status, default=Status.ACTIVE)
    nickname = EncryptedCharField(_("nickname"), max_length=256, blank=True)
    full_name = EncryptedCharField(_("full name"), max_length=128, blank=True)
    first_name = EncryptedCharField(_("first name"), max_length=32, blank=True)
    middle_name = EncryptedCharField(_("middle name"), max_length=32, blank=True)
    last_name = EncryptedCharField(_("last name"), max_length=32, blank=True)
    avatar = models.ImageField(_("picture"), upload_to="avatars/", max_length=128, blank=True)
    gender = models.CharField(_("gender"), max_length=1, choices=Gender, blank=True)
    birth_date = EncryptedDateField(_("birthday"), null=True, blank=True)
    nationality = CountryField(_("nationality"), blank=True)
    # When the account is to be erased, on its owner's wish; until then they can change their mind.
    deletion_due_at = models.DateTimeField(_("to be deleted"), null=True, blank=True, editable=False)
    extra = EncryptedJSONField(
        _("fields of host-defined scopes"),
        default=dict,
        blank=True,
        help_text=_("Values of the fields that scopes of SCOPES_FILE open, by field name."),
    )

    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]

    class Meta(AbstractUser.Meta):
        indexes = (
            models.Index(fields=["status", "-id"], name="people_by_status"),
            models.Index(fields=["-id"], condition=models.Q(is_staff=True), name="people_on_staff"),
        )
        constraints = (
            UniqueByIndex(
                fields=["username"],
                name="one_person_per_login",
                violation_error_message=_("Somebody else signs in with this already."),
            ),
        )
        permissions = (
            ("change_roles", "Can make operators and give them roles"),
            ("reset_second_factor", "Can reset the second factor of operators"),
            ("reveal_personal_data", "Can see personal data in full, for a reason"),
        )

    def __str__(self) -> str:
        return masking.login(self.username)

    @property
    def display_name(self) -> str:
        """What the portal calls this person; "" when that cannot be decrypted, so that pages open all the same."""
        try:
            return str(self.nickname or self.first_name or self.username)
        except UnreadableError as error:
            logger.error("user %s: %s", self.pk, error)
            return ""

    @property
    def name_in_full(self) -> str:
        """The stored full name, or its parts in Western order."""
        return self.full_name or " ".join(filter(None, [self.first_name, self.middle_name, self.last_name]))


def normalised(kind: str, value: str) -> str:
    """A phone as E.164, an e-mail lower-cased, anything else stripped. ValidationError when it is none."""
    value = value.strip()
    if kind in ("MOBILE_PHONE", "TELEPHONE"):
        return phones.parse(value)
    if kind == "EMAIL":
        validate_email(value)
        return value.lower()
    if not value:
        raise ValidationError(_("This may not be empty."))
    return value


class LoginId(models.Model):
    """One name a person signs in with: a mobile number, an e-mail, or another name."""

    class Type(models.TextChoices):
        MOBILE_PHONE = "MOBILE_PHONE", _("Mobile number")
        EMAIL = "EMAIL", _("E-mail")
        OTHER = "OTHER", _("Other")

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="login_ids")
    type = models.CharField(_("kind"), max_length=16, choices=Type)
    value = EncryptedCharField(_("value"), max_length=64)
    value_index = BlindIndexField(source="value")

    objects = IndexedQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        constraints = (
            UniqueByIndex(
                fields=["value", "type"],  # in this order it serves sign-in, too, which knows no type
                name="one_person_per_login_id",
                violation_error_message=_("Somebody else signs in with this already."),
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_type_display()} of {self.user_id}"

    def clean(self) -> None:
        """Normalise `value`; the error stands on that field."""
        _clean_value(self)


class Contact(models.Model):
    """One way to reach a person: mobile phone, telephone or e-mail."""

    class Type(models.TextChoices):
        MOBILE_PHONE = "MOBILE_PHONE", _("Mobile phone")
        TELEPHONE = "TELEPHONE", _("Telephone")
        EMAIL = "EMAIL", _("E-mail")

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="contacts")
    type = models.CharField(_("kind"), max_length=16, choices=Type)
    value = EncryptedCharField(_("value"), max_length=64)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.get_type_display()} of {self.user_id}"

    def clean(self) -> None:
        """Normalise `value`; the error stands on that field."""
        _clean_value(self)


class Address(models.Model):
    """One place a person gets things sent to."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="addresses")
    label = EncryptedCharField(_("label"), max_length=64, blank=True)
    region = CountryField(_("country or region"))
    state = EncryptedCharField(_("state or province"), max_length=128, blank=True)
    city = EncryptedCharField(_("city"), max_length=128, blank=True)
    address1 = EncryptedCharField(_("street and number"), max_length=256)
    address2 = EncryptedCharField(_("building, floor, unit"), max_length=256, blank=True)
    zip_code = EncryptedCharField(_("postal code"), max_length=32, blank=True)

    class Meta:
        ordering = ("id",)
        verbose_name_plural = _("addresses")

    def __str__(self) -> str:
        return f"Address of {self.user_id}"


def _clean_value(row: LoginId | Contact) -> None:
    try:
        row.value = normalised(row.type, row.value)
    except ValidationError as error:
        raise ValidationError({"value": error.messages}) from error
