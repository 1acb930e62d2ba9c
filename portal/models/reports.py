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

    class Outcome(models.TextChoices):
        """What an operator found; nobody but operators reads it."""

        NOTHING = "nothing", "Nothing wrong"
        TOLD = "told", "Told the merchant"
        SUSPENDED = "suspended", "Mini-program suspended"
        REVOKED = "revoked", "Its grants revoked"
        KNOWN = "known", "Known already"

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="reports")
    mini_program = models.ForeignKey(
        MiniProgram, on_delete=models.PROTECT, related_name="reports", verbose_name=_("mini-program")
    )
    kind = models.CharField(_("what is wrong"), max_length=16, choices=Kind)
    words = EncryptedTextField(_("in their words"), blank=True, default="")
    created = models.DateTimeField(_("reported"), default=timezone.now)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.OPEN)
    # Who looks into it, so that two operators do not do the same.
    assigned_to = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="+", verbose_name="taken by"
    )
    assigned_at = models.DateTimeField("taken", null=True, blank=True)
    outcome = models.CharField("outcome", max_length=16, choices=Outcome, blank=True, default="")
    closed_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)

    class Meta:
        ordering = ("-created", "-id")
        verbose_name = _("report")
        permissions = (("close_report", "Can close reports"),)
        indexes = (
            models.Index(fields=["state", "-created"]),
            models.Index(fields=["mini_program", "-created"]),
            models.Index(fields=["created", "mini_program", "user"], name="reports_lately"),
        )

    def __str__(self) -> str:
        return f"report #{self.pk}"

    def take(self, *, by: User) -> bool:
        """Look into it; False when somebody does already, or did."""
        rows = self._open().filter(assigned_to=None)
        return bool(rows.update(assigned_to=by, assigned_at=timezone.now()))

    def release(self) -> bool:
        """Leave it to the others; False when nobody had it."""
        return bool(self._open().exclude(assigned_to=None).update(assigned_to=None, assigned_at=None))

    @transaction.atomic
    def close(self, *, by: User, outcome: str = "") -> bool:
        """Mark it as looked at, and tell whoever wrote it; False when it was closed before or is another's."""
        rows = self._open().filter(models.Q(assigned_to=None) | models.Q(assigned_to=by))
        if not rows.update(state=self.State.CLOSED, outcome=outcome, closed_by=by, closed_at=timezone.now()):
            return False
        kind = InboxNotice.Kind.REPORT
        InboxNotice.objects.create(kind=kind, user_id=self.user_id, mini_program_id=self.mini_program_id)
        self.refresh_from_db()
        return True

    def _open(self) -> "models.QuerySet[AbuseReport]":
        """This row, while it is open."""
        return type(self).objects.filter(pk=self.pk, state=self.State.OPEN)
