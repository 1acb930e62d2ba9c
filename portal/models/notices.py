"""What we owe a merchant: signed notices that wait for delivery (wire.md 5.5)."""

import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal import metrics

from .merchants import Merchant

if TYPE_CHECKING:
    from .grants import MiniProgramGrant

PATIENCE = timedelta(hours=24)
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
# Longer than one sending can take; a worker that died leaves its notice to the others after it.
LEASE = timedelta(minutes=5)


class NoticeQuerySet(models.QuerySet["MerchantNotice"]):
    """Chains for what waits, and how a worker takes it."""

    def tell(self, grant: "MiniProgramGrant", **body: Any) -> "MerchantNotice | None":
        """Queue a notice about this grant, in the caller's transaction; None for a merchant who wants none.

        `body` is what it says beside whom it is about (wire.md 5.5).
        """
        return next(iter(self.tell_all([(grant, body)])), None)

    def tell_all(self, notices: "Iterable[tuple[MiniProgramGrant, dict[str, Any]]]") -> "list[MerchantNotice]":
        """Queue these (grant, body), but for those of merchants who want none. One statement for a thousand."""
        made = [
            MerchantNotice(merchant=grant.mini_program.merchant, grant_id=grant.pk, body=_about(grant, body))
            for grant, body in notices
            if grant.mini_program.merchant.notify_url
        ]
        return self.bulk_create(made, batch_size=1000)

    def due(self) -> "NoticeQuerySet":
        """Waiting, and its time has come; the longest due first."""
        waiting = self.filter(state=MerchantNotice.State.WAITING, due_at__lte=timezone.now())
        return waiting.order_by("due_at", "pk")

    def claim_next(self, *, skip: Iterable[int] = ()) -> "MerchantNotice | None":
        """The next due notice, for this worker alone; None when there is none. `skip` are merchants' primary keys."""
        while notice := self.due().exclude(merchant__in=skip).select_related("merchant").first():
            if notice.claim():
                return notice
        return None


def _about(grant: "MiniProgramGrant", body: dict[str, Any]) -> dict[str, Any]:
    """With whom it is about."""
    program, merchant = grant.mini_program, grant.mini_program.merchant
    return {
        **body,
        "authClientId": merchant.client_id,
        "appId": program.app_id,
        "customerId": merchant.sector.user_id(grant.user.uuid.bytes),
    }


class MerchantNotice(models.Model):
    """One authNotify, written in the transaction of what it tells; `deliver_notices` sends it."""

    class State(models.TextChoices):
        WAITING = "WAITING", _("Waiting")
        SENT = "SENT", _("Sent")
        PARKED = "PARKED", _("Parked")

    notify_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    merchant = models.ForeignKey(Merchant, on_delete=models.CASCADE, related_name="notices")
    # What it is about; empty in rows from before this was kept.
    grant = models.ForeignKey(
        "portal.MiniProgramGrant", on_delete=models.CASCADE, null=True, editable=False, related_name="notices"
    )
    body = models.JSONField()
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    created = models.DateTimeField(auto_now_add=True)
    due_at = models.DateTimeField(default=timezone.now)
    last_error = models.CharField(max_length=300, blank=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        indexes = (
            models.Index(fields=["due_at"], condition=models.Q(state="WAITING"), name="notices_due"),
            models.Index(fields=["due_at"], condition=models.Q(state="PARKED"), name="notices_parked"),
            models.Index(fields=["state", "-id"], name="notices_by_state"),
        )

    def __str__(self) -> str:
        return f"notice {self.notify_id}"

    def claim(self) -> bool:
        """Take it for LEASE by moving `due_at`, and count the attempt; False when another worker was first."""
        until, attempts = timezone.now() + LEASE, self.attempts + 1
        if not self._still_ours().update(due_at=until, attempts=attempts):
            return False
        self.due_at, self.attempts = until, attempts
        return True

    def sent(self) -> None:
        """The merchant has it."""
        self._still_ours().update(state=self.State.SENT, last_error="")
        metrics.NOTICES.labels("sent").inc()

    def failed(self, error: str) -> None:
        """Try again after a pause that doubles up to LONGEST_PAUSE; park it for the operator after PATIENCE."""
        now = timezone.now()
        over = now - self.created >= PATIENCE
        self._still_ours().update(
            state=self.State.PARKED if over else self.State.WAITING, due_at=now + self.pause, last_error=error[:300]
        )
        metrics.NOTICES.labels("parked" if over else "failed").inc()

    @property
    def pause(self) -> timedelta:
        """How long to wait after the attempts so far: 1, 2, 4 ... 60 minutes."""
        return min(FIRST_PAUSE * (1 << min(self.attempts - 1, 10)), LONGEST_PAUSE)

    def _still_ours(self) -> "NoticeQuerySet":
        """This row, unless somebody moved it since we read it."""
        return MerchantNotice.objects.filter(pk=self.pk, state=self.State.WAITING, due_at=self.due_at)
