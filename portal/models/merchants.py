"""Who owns mini-programs and their server, and signs the calls."""

import base64
import hashlib
import hmac
import secrets
from functools import lru_cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


def new_salt() -> bytes:
    """32 random bytes."""
    return secrets.token_bytes(32)


class Sector(models.Model):
    """A set of mini-programs that see the same userId for a person; two sectors never do (trust 29)."""

    name = models.CharField(_("name"), max_length=128, unique=True)
    salt = models.BinaryField(default=new_salt, editable=False)

    def __str__(self) -> str:
        return self.name

    def user_id(self, user_uuid: bytes) -> str:
        """The pairwise userId of a person here: 32 characters, opaque, the same for ever (wire.md 5.2)."""
        digest = hmac.digest(bytes(self.salt), user_uuid, hashlib.sha256)
        return base64.b32encode(digest[:20]).decode().lower()


class Merchant(models.Model):
    """A business whose server signs calls to us, and whose mini-programs people use."""

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", _("Active")
        DISABLED = "DISABLED", _("Disabled")

    client_id = models.CharField(_("Client-Id"), max_length=128, unique=True)
    name = models.CharField(_("name"), max_length=255)
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.ACTIVE)
    verified = models.BooleanField(
        _("verified"), default=False, help_text=_("Operators have checked who this is; people see a badge.")
    )
    notify_url = models.URLField(_("notify URL"), blank=True, help_text=_("Gets authNotify (wire.md 5.5)."))
    sector = models.ForeignKey(
        Sector,
        on_delete=models.PROTECT,
        related_name="merchants",
        help_text=_("Decides the userIds this merchant sees. Changing it changes every one of them."),
    )
    created = models.DateTimeField(_("since"), auto_now_add=True)

    def __str__(self) -> str:
        return self.name

    @property
    def is_active(self) -> bool:
        return self.status == self.Status.ACTIVE


class MerchantKey(models.Model):
    """One public key of a merchant, chosen by the keyVersion of a signature, so that keys rotate without a gap."""

    merchant = models.ForeignKey(Merchant, on_delete=models.CASCADE, related_name="keys")
    version = models.PositiveIntegerField(_("keyVersion"), default=1)
    public_key = models.TextField(_("public key"), help_text=_("RSA, 2048 bits or more: PEM or bare base64."))
    created = models.DateTimeField(_("since"), auto_now_add=True)
    retired_at = models.DateTimeField(_("retired"), null=True, blank=True)
    # When the merchant last showed that it holds the private half: see portal/admin/key_tests.py.
    tested_at = models.DateTimeField(_("tested"), null=True, blank=True, editable=False)

    class Meta:
        ordering = ("merchant", "version")
        constraints = (models.UniqueConstraint(fields=["merchant", "version"], name="one_key_per_version"),)

    def __str__(self) -> str:
        return f"{self.merchant} key {self.version}"

    @property
    def is_live(self) -> bool:
        """Whether calls signed with it are taken, now."""
        return self.retired_at is None or self.retired_at > timezone.now()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the key, as `openssl pkey -pubin -outform DER | openssl dgst -sha256` prints it."""
        try:
            key = rsa_public_key(self.public_key)
        except ValueError:  # put there by no form of ours
            return ""
        return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()

    def clean(self) -> None:
        """The key must be one we can verify with; the error stands on that field."""
        try:
            rsa_public_key(self.public_key)
        except ValueError as error:
            raise ValidationError({"public_key": str(error)}) from error


@lru_cache(maxsize=4096)
def rsa_public_key(text: str) -> RSAPublicKey:
    """The RSA key in `text` (SubjectPublicKeyInfo, PEM or bare base64). ValueError says what is wrong with it.

    Kept parsed: reading a PEM costs more than verifying with it.
    """
    try:
        if "-----BEGIN" in text:
            key = load_pem_public_key(text.strip().encode())
        else:
            key = load_der_public_key(base64.b64decode("".join(text.split()), validate=True))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("This is no public key: PEM or base64 of X.509 SubjectPublicKeyInfo.") from error
    if not isinstance(key, RSAPublicKey):
        raise ValueError("This is no RSA key.")
    if key.key_size < 2048:
        raise ValueError(f"This RSA key has {key.key_size} bits; 2048 is the least.")
    return key
