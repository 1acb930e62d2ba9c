"""The auth code, and the list of refusals that operators read."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from oauth2_provider.models import AbstractGrant

from authapi.endpoint_hours import EndpointHour as EndpointHour  # they have files of their own
from authapi.error_counts import ErrorGroup as ErrorGroup
from authapi.error_counts import ErrorHour as ErrorHour
from authapi.ledger_checks import LedgerCheck as LedgerCheck
from portal.models.seals import VouchedManager, VouchedRow


class AuthCode(AbstractGrant):
    """A one-time string that a merchant swaps for tokens; `code` holds its SHA-256.

    The row survives use, so that USED differs from INVALID and a replay finds the tokens to revoke (trust 2).
    """

    grant = models.ForeignKey("portal.MiniProgramGrant", on_delete=models.CASCADE, related_name="auth_codes")
    used_at = models.DateTimeField(_("used"), null=True, blank=True)
    # Which refresh tokens came of it.
    token_family = models.UUIDField(null=True, blank=True, editable=False)

    class Meta(AbstractGrant.Meta):
        swappable = "OAUTH2_PROVIDER_GRANT_MODEL"
        verbose_name = _("auth code")

    def __str__(self) -> str:
        return f"auth code #{self.pk}"


class ErrorAudit(VouchedRow):
    """One refusal of one endpoint, or one JSAPI error a container reported. Append-only; never holds a secret."""

    endpoint = models.CharField(_("endpoint"), max_length=200)
    code = models.CharField(_("code"), max_length=64)
    reason = models.CharField(_("reason"), max_length=500)
    app_id = models.CharField(_("mini-program"), max_length=128, blank=True)
    client_id = models.CharField(_("Client-Id"), max_length=128, blank=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        null=True,
        db_constraint=False,  # the row outlives the person
        related_name="+",
    )
    scopes = models.JSONField(_("scopes"), default=list)
    address = models.GenericIPAddressField(_("address"), null=True)
    trace_id = models.CharField(_("trace id"), max_length=32, db_index=True)

    objects = VouchedManager()

    class Meta:
        ordering: ClassVar = ("-at", "-id")
        verbose_name = _("error")
        verbose_name_plural = _("error audit")
        indexes = (
            models.Index(fields=["-at"]),
            models.Index(fields=["code", "-at"]),
            models.Index(fields=["app_id", "-at"]),
            models.Index(fields=["client_id", "-at"], name="errors_by_client"),
            models.Index(fields=["address", "-at"], name="errors_by_address"),
            models.Index(fields=["endpoint", "-at"], name="errors_by_endpoint"),
        )

    def __str__(self) -> str:
        return f"{self.code} at {self.endpoint}"
