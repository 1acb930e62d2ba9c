"""What a mini-program may ask for and why: proposed by one operator, approved by another, every version kept."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal import fingerprints, scopes

from .mini_programs import MiniProgram
from .users import User

# What a reviewer reads and decides on.
PROPOSED = ("purpose", "purposes", "required", "max_days")
Proposal = dict[str, Any]


class ScopeApproval(models.Model):
    """One scope a mini-program wants to ask for, why, and what an operator said to that.

    `state` says whether people may be asked: only what is APPROVED is. What stands goes on standing while other words
    are talked about: those are the `draft`.
    """

    class State(models.TextChoices):
        REQUESTED = "REQUESTED", _("Waiting")
        APPROVED = "APPROVED", _("Approved")
        REFUSED = "REFUSED", _("Refused")
        REWORD = "REWORD", _("Better text asked for")

    # What reviewers look for: somebody has to decide; better words were asked for, and did not come yet.
    WAITING = models.Q(state=State.REQUESTED) | models.Q(draft_state=State.REQUESTED)
    SENT_BACK = models.Q(state=State.REWORD) | models.Q(draft_state=State.REWORD)

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
    # The last one that stood, once none stands any more.
    approved_version = models.PositiveIntegerField(null=True, editable=False)
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
    # What is to replace that which stands (PROPOSED), REQUESTED or sent back as REWORD; who entered the words last.
    draft = models.JSONField(null=True, editable=False)
    draft_state = models.CharField(max_length=16, blank=True, default="", choices=State, editable=False)
    entered_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+", editable=False)
    entered_at = models.DateTimeField(_("entered"), default=timezone.now, editable=False)
    # Why it was refused or sent back, for whoever edits it next.
    note = models.CharField(_("note"), max_length=400, blank=True, default="", editable=False)

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=["mini_program", "scope"], name="one_approval_per_scope"),)
        indexes = (
            models.Index(
                fields=["entered_at", "id"],
                condition=models.Q(state="REQUESTED") | models.Q(draft_state="REQUESTED"),
                name="scopes_to_review",
            ),
        )

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

        A translation into one more language changes nothing that anybody agreed to. The earlier words are kept, where
        people may have agreed to them.
        """
        kept = {language: purposes.get(language, "") for language in self.purposes}
        changed = purpose != self.purpose or kept != self.purposes
        if changed and self.pk and (self.is_approved or self.approved_version):
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

    # --- Review -------------------------------------------------------------------------------------------------

    @property
    def is_approved(self) -> bool:
        return self.state == self.State.APPROVED

    @property
    def is_waiting(self) -> bool:
        """Whether somebody has to decide."""
        return self.State.REQUESTED in (self.state, self.draft_state)

    @property
    def is_sent_back(self) -> bool:
        """Whether better words are awaited."""
        return self.State.REWORD in (self.state, self.draft_state)

    def stands(self) -> Proposal:
        """The words and terms of this row, beside any draft."""
        return {name: getattr(self, name) for name in PROPOSED}

    def proposed(self) -> Proposal:
        """What a reviewer decides on: the draft, or the words as they are."""
        return self.stands() | (self.draft or {})

    def fingerprint(self) -> str:
        """Of what a reviewer reads, and in which state it is: a decision is about this and nothing newer."""
        return fingerprints.digest({**self.proposed(), "state": self.state, "draft": self.draft_state}).hex()[:32]

    def lock(self) -> None:
        """Read it again and hold it until the commit; for whoever is about to change what stands or waits."""
        self.refresh_from_db(from_queryset=type(self).objects.select_for_update())

    @transaction.atomic
    def propose(self, proposal: Proposal, *, by: User | None) -> bool:
        """Enter other words or terms (PROPOSED), which wait for a reviewer; False when nothing is different.

        Where words stand they go on standing; otherwise these take their place.
        """
        self.lock()
        if proposal == self.proposed():
            return False
        if self.is_approved:
            self.draft = proposal if proposal != self.stands() else None
            self.draft_state = self.State.REQUESTED if self.draft else ""
        else:
            self._take(proposal, by=by)
            self.state = self.State.REQUESTED
        self.entered_by, self.entered_at = by, timezone.now()
        self.save()
        return True

    def may_be_approved_by(self, operator: User) -> bool:
        """Four eyes: nobody approves the words they entered themselves, but a superuser."""
        return operator.is_superuser or self.entered_by_id is None or self.entered_by_id != operator.pk

    @transaction.atomic
    def decide(self, state: "ScopeApproval.State", *, by: User, note: str = "") -> None:
        """Approve, refuse or send back what is proposed, and remember who did and what they said.

        What stands is touched by an approval alone, or by a refusal when nothing else is proposed.
        """
        self.lock()
        if state == self.State.APPROVED:
            self._take(self.proposed(), by=self.entered_by)
            self.state, self.draft, self.draft_state, note = state, None, "", ""
        elif not self.is_approved:
            self.state = state
        elif state == self.State.REWORD:
            self.draft_state = state
        elif self.draft:
            self.draft, self.draft_state = None, ""
        else:
            self.state, self.draft_state, self.approved_version = state, "", self.purpose_version
        self.note, self.decided_by, self.decided_at = note, by, timezone.now()
        self.save()

    def _take(self, proposal: Proposal, *, by: User | None) -> None:
        self.required, self.max_days = proposal["required"], proposal["max_days"]
        self.reword(proposal["purpose"], proposal["purposes"], by=by)


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
