"""What we owe a merchant: signed notices that wait for delivery (wire.md 5.5)."""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .merchants import Merchant


class MerchantNotice(models.Model):
    """One authNotify, written in the transaction of what it tells; `deliver_notices` sends it."""

    class State(models.TextChoices):
        WAITING = "WAITING", _("Waiting")
        SENT = "SENT", _("Sent")
        PARKED = "PARKED", _("Parked")

    notify_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    merchant = models.ForeignKey(Merchant, on_delete=models.CASCADE, related_name="notices")
    body = models.JSONField()
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    created = models.DateTimeField(auto_now_add=True)
    due_at = models.DateTimeField(default=timezone.now)
    last_error = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes = (models.Index(fields=["due_at"], condition=models.Q(state="WAITING"), name="notices_due"),)

    def __str__(self) -> str:
        return f"notice {self.notify_id}"
