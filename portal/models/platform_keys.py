"""Our own signing keys, beside the first one, which the environment holds."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal import keys
from portal.encryption import EncryptedTextField


class PlatformKeyQuerySet(models.QuerySet["PlatformKey"]):
    """What is asked of our keys."""

    def due(self) -> "PlatformKeyQuerySet":
        """Those that may sign now; the newest of them does."""
        return self.filter(private_key__isnull=False, active_from__lte=timezone.now()).order_by("-version")

    def public_pem(self) -> str:
        """The public half of the key that signs."""
        row = self.due().first()
        return row.public_key if row else keys.public_key_of(settings.PLATFORM_SIGNING_KEY)

    def problem(self) -> str:
        """Why the newest of them cannot sign, "" when it can, or when the environment's key signs."""
        row = self.due().first()
        return keys.problem_of(row.private_key or "") if row else ""

    def erase_retired(self) -> int:
        """Forget the private keys that JWKS shows no more; the public ones verify old seals for ever."""
        return self.filter(retired_at__lte=timezone.now(), private_key__isnull=False).update(private_key=None)


class PlatformKey(models.Model):
    """One version of the key that we sign with; the environment's has a row once it is followed by another.

    What a row says counts only with `endorsement`: the signature of an earlier key, in the end the environment's,
    over version and public key. So nobody can make us a key with SQL. Checked in authapi.platform.
    """

    version = models.PositiveIntegerField(_("keyVersion"), unique=True)
    # PKCS8 PEM. NULL: it is the environment's, or it was erased.
    private_key = EncryptedTextField(null=True, editable=False)
    public_key = models.TextField(_("public key"))
    endorsed_by = models.CharField(max_length=16, blank=True, editable=False)
    endorsement = models.BinaryField(default=b"", editable=False)
    created = models.DateTimeField(_("since"), auto_now_add=True)
    active_from = models.DateTimeField(_("signs from"))
    retired_at = models.DateTimeField(_("published until"), null=True, blank=True)

    objects = PlatformKeyQuerySet.as_manager()

    class Meta:
        ordering = ("version",)

    def __str__(self) -> str:
        return f"Platform key {self.version}"

    def endorsed_message(self) -> bytes:
        """What an earlier key signs; it cannot be taken for a request or an answer (wire.md 4)."""
        return f"PLATFORM KEY {self.version}\n{self.public_key}".encode()

    def is_due(self, now: datetime) -> bool:
        """Whether it may sign at this time."""
        return self.private_key is not None and self.active_from <= now
