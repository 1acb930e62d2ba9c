"""What the portal tells a person about their permissions: kept as facts, put into words when it is read."""

from collections.abc import Sequence

from django.db import connections, models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .bulk import among
from .ledger import ConsentDecision
from .mini_programs import MiniProgram
from .users import User

Act = ConsentDecision.Act
_TELL = """
INSERT INTO portal_inboxnotice (kind, user_id, mini_program_id, decision_id, facts, created, read_at)
SELECT 'decision', user_id, mini_program_id, id, '{}', at, CASE WHEN actor_id = user_id THEN at END
FROM portal_consentdecision WHERE
"""


class InboxQuerySet(models.QuerySet["InboxNotice"]):
    """Chains for a person's notices."""

    def unread(self) -> "InboxQuerySet":
        """Not opened yet."""
        return self.filter(read_at=None)

    def tell(self, decision: ConsentDecision) -> "InboxNotice | None":
        """The receipt of this decision for whom it is about; what they decided themselves counts as read.

        A silent scope was no decision: it leaves no notice.
        """
        if decision.act in (Act.GIVEN, Act.WIDENED) and decision.shown_id is None:
            return None
        return self.create(
            kind=InboxNotice.Kind.DECISION,
            user_id=decision.user_id,
            mini_program_id=decision.mini_program_id,
            decision=decision,
            read_at=timezone.now() if decision.actor_id == decision.user_id else None,
        )

    def tell_all(self, decisions: Sequence[ConsentDecision]) -> None:
        """The receipts of these written decisions, at most some thousand. One statement, without a round of models."""
        if not decisions:
            return
        with connections[self.db].cursor() as cursor:
            these, parameters = among("id", [decision.pk for decision in decisions])
            cursor.execute(f"{_TELL} {these}", parameters)


class InboxNotice(models.Model):
    """One thing the portal told a person. `facts` are what its words need beside mini-program and decision."""

    class Kind(models.TextChoices):
        DECISION = "decision", _("Receipt")  # of `decision`
        PURPOSE = "purpose", _("Changed purpose")  # facts: scope
        UNUSED = "unused", _("Reminder")  # facts: days
        DELETION = "deletion", _("Account deletion")  # facts: due, an ISO date
        REPORT = "report", _("Report")  # facts: none; operators have looked at what this person reported

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="inbox")
    kind = models.CharField(max_length=16, choices=Kind)
    mini_program = models.ForeignKey(MiniProgram, on_delete=models.CASCADE, null=True, related_name="+")
    decision = models.ForeignKey(
        ConsentDecision,
        on_delete=models.DO_NOTHING,
        null=True,
        db_constraint=False,  # nobody deletes from the ledger; whoever does all the same meets verify_ledger, not us
        related_name="+",
    )
    facts = models.JSONField(default=dict)
    created = models.DateTimeField(default=timezone.now)
    read_at = models.DateTimeField(null=True)

    objects = InboxQuerySet.as_manager()

    class Meta:
        ordering = ("-created", "-id")
        indexes = (
            models.Index(fields=["user", "-created"]),
            models.Index(fields=["user"], condition=models.Q(read_at=None), name="inbox_unread"),
        )

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"
