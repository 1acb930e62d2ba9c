"""What people report about mini-programs, for operators to look at."""

from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.encryption import EncryptedTextField

from .inbox import InboxNotice
from .mini_programs import MiniProgram
from .users import User


class AbuseReport(models.Model):
    """One person's report about one mini-program. Their words may name people: they are encrypted."""

    class Kind(models.TextChoices):
        TOO_MUCH = "too_much", _("It asks for more than it needs")
        MISUSE = "misuse", _("It uses my details for something else")
        IMPOSTOR = "impostor", _("It pretends to be somebody else")
        SPAM = "spam", _("It sends me messages I do not want")
        OTHER = "other", _("Something else")

    class State(models.TextChoices):
        OPEN = "OPEN", _("Open")
        CLOSED = "CLOSED", _("Closed")

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="reports")
    mini_program = models.ForeignKey(
        MiniProgram, on_delete=models.PROTECT, related_name="reports", verbose_name=_("mini-program")
    )
    kind = models.CharField(_("what is wrong"), max_length=16, choices=Kind)
    words = EncryptedTextField(_("in their words"), blank=True, default="")
    created = models.DateTimeField(_("reported"), default=timezone.now)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.OPEN)
    closed_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)

    class Meta:
        ordering = ("-created", "-id")
        verbose_name = _("report")
        permissions = (("close_report", "Can close reports"),)
        indexes = (models.Index(fields=["state", "-created"]), models.Index(fields=["mini_program", "-created"]))

    def __str__(self) -> str:
        return f"report #{self.pk}"

    @transaction.atomic
    def close(self, *, by: User) -> bool:
        """Mark it as looked at, and tell whoever wrote it; False when it was closed before."""
        rows = type(self).objects.filter(pk=self.pk, state=self.State.OPEN)
        if not rows.update(state=self.State.CLOSED, closed_by=by, closed_at=timezone.now()):
            return False
        kind = InboxNotice.Kind.REPORT
        InboxNotice.objects.create(kind=kind, user_id=self.user_id, mini_program_id=self.mini_program_id)
        self.refresh_from_db()
        return True
