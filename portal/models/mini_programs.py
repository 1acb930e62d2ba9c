"""A third-party program inside the super-app: OAuth's client."""

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from oauth2_provider.models import AbstractApplication, ClientSecretField

from .merchants import Merchant

if TYPE_CHECKING:
    from .scope_approvals import ScopeApproval

# No password verifies against it: mini-programs authenticate by their merchant's signature, never by a secret.
UNUSABLE_SECRET = "pbkdf2_sha256$1$none$unusable"  # noqa: S105
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")


# The feature without which a mini-program gets neither codes nor tokens (wire.md 3).
USER_AUTHORIZATION = "App_User_Authorization"


def all_features() -> list[str]:
    """Every feature a mini-program can have; the default."""
    return [USER_AUTHORIZATION, "Send_Message"]


def origin_of(url: str) -> str:
    """Scheme, host and port as a browser writes an origin: lower case, without a default port; "" when it has none."""
    try:
        parts, port_number = urlsplit(url), urlsplit(url).port
        name = (parts.hostname or "").encode("idna").decode()
    except ValueError:  # no such port, half an IPv6 address, or no name of a host
        return ""
    if not _HOST.fullmatch(name):  # it goes into a Content-Security-Policy
        return ""
    host = f"[{name}]" if ":" in name else name
    default = {"http": 80, "https": 443}.get(parts.scheme)
    port = "" if port_number in (None, default) else f":{port_number}"
    return f"{parts.scheme}://{host}{port}"


class MiniProgram(AbstractApplication):
    """A program of a merchant that people open inside the super-app. Its `client_id` is the wire's appId."""

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", _("Active")
        SUSPENDED = "SUSPENDED", _("Suspended")

    client_id = models.CharField(
        _("appId"),
        max_length=32,
        unique=True,
        validators=[RegexValidator(r"^[A-Za-z0-9_.-]+\Z", _("Letters, digits, dot, dash and underscore."))],
    )
    client_type = models.CharField(max_length=32, default=AbstractApplication.CLIENT_CONFIDENTIAL, editable=False)
    authorization_grant_type = models.CharField(
        max_length=44, default=AbstractApplication.GRANT_AUTHORIZATION_CODE, editable=False
    )
    client_secret = ClientSecretField(max_length=255, default=UNUSABLE_SECRET, editable=False)
    merchant = models.ForeignKey(Merchant, on_delete=models.PROTECT, related_name="mini_programs")
    logo = models.ImageField(_("logo"), upload_to="logos/", max_length=128, blank=True)
    developer = models.CharField(_("developer"), max_length=255, blank=True)
    privacy_policy_url = models.URLField(_("privacy policy"), max_length=512, blank=True)
    page_url = models.URLField(_("page URL"), max_length=512, blank=True)
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.ACTIVE)
    features = models.JSONField(_("features"), default=all_features, blank=True)
    # Mass revocations that took effect while their rows follow: see CutOff. Empty nearly always.
    cut_offs = models.JSONField(default=list, editable=False)

    class Meta(AbstractApplication.Meta):
        swappable = "OAUTH2_PROVIDER_APPLICATION_MODEL"
        verbose_name = _("mini-program")
        permissions = (
            ("approve_scopes", "Can approve and refuse scopes"),
            ("suspend_miniprogram", "Can suspend and restore mini-programs"),
        )

    def clean(self) -> None:
        """The page must come from an origin of its own: on ours it could read the user's session."""
        if self.page_url and not self.origin:
            raise ValidationError({"page_url": _("This address has no usable host or port. Correct it.")})
        hosts = [f"{scheme}://{host}" for scheme in ("https", "http") for host in settings.ALLOWED_HOSTS]
        if self.page_url and self.origin in map(origin_of, [*settings.CSRF_TRUSTED_ORIGINS, *hosts]):
            raise ValidationError({"page_url": _("This is the portal's own origin; a page needs its own.")})

    @property
    def app_id(self) -> str:
        """The wire's name for `client_id`."""
        return self.client_id

    @property
    def is_active(self) -> bool:
        return self.status == self.Status.ACTIVE

    @property
    def origin(self) -> str:
        """Scheme, host and port of the page: whose messages the container answers (trust 18)."""
        return origin_of(self.page_url)

    @property
    def logo_url(self) -> str:
        return self.logo.url if self.logo else ""

    def has_feature(self, feature: str) -> bool:
        return feature in self.features

    def approvals(self) -> "dict[str, ScopeApproval]":
        """The scopes this mini-program may ask for, by name. One statement."""
        approved = self.scope_approvals.filter(state="APPROVED")
        return {approval.scope: approval for approval in approved}
