"""A third-party program inside the super-app: OAuth's client, and the scopes it may ask for."""

import re
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from oauth2_provider.models import AbstractApplication, ClientSecretField

from portal import scopes

from .merchants import Merchant
from .users import User

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
        approved = self.scope_approvals.filter(state=ScopeApproval.State.APPROVED)
        return {approval.scope: approval for approval in approved}


class ScopeApproval(models.Model):
    """One scope a mini-program wants to ask for, why, and what an operator said to that."""

    class State(models.TextChoices):
        REQUESTED = "REQUESTED", _("Waiting")
        APPROVED = "APPROVED", _("Approved")
        REFUSED = "REFUSED", _("Refused")

    mini_program = models.ForeignKey(
        MiniProgram, on_delete=models.CASCADE, related_name="scope_approvals", verbose_name=_("mini-program")
    )
    scope = models.CharField(_("scope"), max_length=64)
    purpose = models.CharField(
        _("purpose"), max_length=200, blank=True, help_text=_("What the user reads: why it is asked.")
    )
    required = models.BooleanField(
        _("required"), default=False, help_text=_("The mini-program cannot work without it.")
    )
    # {language: the same in this language}
    purposes = models.JSONField(_("purpose in other languages"), default=dict, blank=True)
    # Goes up with each change that people must agree to; the one whose users were told of it.
    purpose_version = models.PositiveIntegerField(default=1, editable=False)
    announced_version = models.PositiveIntegerField(default=1, editable=False)
    max_days = models.PositiveIntegerField(
        _("longest time, in days"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("Nobody can allow it for longer. Empty: as long as they like."),
    )
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.REQUESTED)
    decided_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", editable=False
    )
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True, editable=False)

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=["mini_program", "scope"], name="one_approval_per_scope"),)

    def __str__(self) -> str:
        return f"{self.scope} for {self.mini_program}"

    def clean(self) -> None:
        """Only scopes of the catalogue; the error names the ones there are."""
        if self.scope not in scopes.catalogue():
            names = ", ".join(scopes.catalogue())
            raise ValidationError({"scope": _("No such scope. There are: %s") % names})

    def purpose_in(self, language: str) -> str:
        """The purpose in this language ("zh-hans"), or in the one it was first written in."""
        return self.purposes.get(language) or self.purpose

    def reword(self, purpose: str, purposes: dict[str, str], *, by: User | None) -> bool:
        """Give it another purpose, which people must agree to anew; False when no word of it that was there changed.

        A translation into one more language changes nothing that anybody agreed to. The earlier words are kept.
        """
        kept = {language: purposes.get(language, "") for language in self.purposes}
        changed = purpose != self.purpose or kept != self.purposes
        if changed and self.pk:
            PurposeVersion.objects.create(
                approval=self,
                version=self.purpose_version,
                purpose=self.purpose,
                purposes=self.purposes,
                replaced_by=by,
            )
            self.purpose_version += 1
        self.purpose, self.purposes = purpose, {language: text for language, text in purposes.items() if text}
        self.save(update_fields=["purpose", "purposes", "purpose_version"] if self.pk else None)
        return changed

    def decide(self, state: "ScopeApproval.State", *, by: User) -> None:
        """Approve or refuse, and remember who did."""
        self.state, self.decided_by, self.decided_at = state, by, timezone.now()
        self.save(update_fields=["state", "decided_by", "decided_at"])


class PurposeVersion(models.Model):
    """What a scope's purpose said before it was changed: what people agreed to then."""

    approval = models.ForeignKey(ScopeApproval, on_delete=models.CASCADE, related_name="earlier_purposes")
    version = models.PositiveIntegerField()
    purpose = models.CharField(max_length=200, blank=True)
    purposes = models.JSONField(default=dict)
    replaced_at = models.DateTimeField(default=timezone.now)
    replaced_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ("approval", "version")
        constraints = (models.UniqueConstraint(fields=["approval", "version"], name="one_text_per_version"),)

    def __str__(self) -> str:
        return f"{self.approval} v{self.version}"

    def purpose_in(self, language: str) -> str:
        """As ScopeApproval.purpose_in."""
        return self.purposes.get(language) or self.purpose
