"""Errors of one kind as one thing: how many, since when, per hour, and what operators know of it.

Counted out of the error audit by authapi.error_groups, so that no page has to read that.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.models import User, bulk

LATEST = 20


class ErrorGroup(models.Model):
    """Errors of one code, at one endpoint, of one caller, for one cause."""

    class State(models.IntegerChoices):
        """The higher, the sooner an operator should look."""

        KNOWN = 0, _("Known")
        USUAL = 1, _("Usual")
        NEW = 2, _("New")
        SPIKING = 3, _("Spiking")

    fingerprint = models.CharField(max_length=32, unique=True, editable=False)
    code = models.CharField(_("code"), max_length=64)
    endpoint = models.CharField(_("endpoint"), max_length=100)
    app_id = models.CharField(_("mini-program"), max_length=128, blank=True)
    client_id = models.CharField(_("Client-Id"), max_length=128, blank=True)
    cause = models.CharField(_("cause"), max_length=500)  # the reason, without what differs from row to row
    sample_reason = models.CharField(_("reason of the latest"), max_length=500)
    first_at = models.DateTimeField(_("since"))
    last_at = models.DateTimeField(_("latest"))
    count = models.PositiveBigIntegerField(_("times"), default=0)
    latest = models.JSONField(default=list, editable=False)  # primary keys in the audit, the newest first
    # As of the last look: about how many in the last hour, and in the 24 hours before that.
    last_hour = models.PositiveBigIntegerField(_("last hour"), default=0)
    day_before = models.PositiveBigIntegerField(_("in the 24 hours before"), default=0)
    state = models.PositiveSmallIntegerField(_("state"), choices=State, default=State.NEW)
    known_at = models.DateTimeField(_("known since"), null=True)
    known_by = models.ForeignKey(
        User, on_delete=models.SET_NULL, null=True, related_name="+", verbose_name=_("marked by")
    )
    known_note = models.CharField(_("what is known"), max_length=400, blank=True)

    class Meta:
        app_label = "authapi"
        ordering: ClassVar = ("-state", "-last_at", "-id")
        verbose_name = _("error group")
        permissions = (("mark_error", "Can mark errors as known"),)
        indexes = (
            models.Index(fields=["-state", "-last_at", "-id"], name="error_groups_in_order"),
            models.Index(fields=["last_at"], name="error_groups_by_time"),
        )

    def __str__(self) -> str:
        return ", ".join(part for part in (self.code, self.endpoint, self.app_id or self.client_id) if part)

    def mark(self, *, by: User, note: str) -> None:
        """Known from now on, whatever it does: it stands last."""
        self.known_at, self.known_by, self.known_note, self.state = timezone.now(), by, note, self.State.KNOWN
        self.save(update_fields=["known_at", "known_by", "known_note", "state"])

    def unmark(self) -> None:
        """No longer known. Whether it is new or spiking, the next look says."""
        self.known_at, self.known_by, self.known_note, self.state = None, None, "", self.State.USUAL
        self.save(update_fields=["known_at", "known_by", "known_note", "state"])


class ErrorHour(models.Model):
    """How many errors of a group fell into one hour."""

    group = models.ForeignKey(ErrorGroup, on_delete=models.CASCADE, related_name="hours")
    hour = models.DateTimeField()
    count = models.PositiveBigIntegerField()

    class Meta:
        app_label = "authapi"
        constraints = (models.UniqueConstraint(fields=["group", "hour"], name="one_error_count_per_hour"),)
        indexes = (models.Index(fields=["hour"], name="error_hours_by_time"),)

    def __str__(self) -> str:
        return f"{self.count} at {self.hour:%Y-%m-%d %H}h"

    @staticmethod
    def add(counted: Mapping[tuple[int, datetime], int]) -> None:
        """Add {(group, beginning of an hour): errors}, in one transaction of the caller's."""
        bulk.add(ErrorHour, ("group", "hour"), ((*at, count) for at, count in counted.items()))
