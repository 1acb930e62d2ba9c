"""The review of what a mini-program wants to ask for: scope by scope, by somebody who did not write it (trust 30)."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from portal import scopes
from portal.admin import confirming, scope_texts
from portal.admin.log_lines import operator
from portal.admin.pages import ReasonForm
from portal.admin.scope_approvals import change, longest, may_approve, said, weight
from portal.admin.word_changes import replaced
from portal.models import MiniProgram, ScopeApproval, User
from portal.scopes import Scope

if TYPE_CHECKING:
    from portal.admin.mini_programs import MiniProgramAdmin

State = ScopeApproval.State


class ReviewForm(ReasonForm):
    """One decision on one scope: `read` is the fingerprint of what the operator had before them."""

    approval = forms.IntegerField()
    read = forms.CharField(max_length=64)
    decision = forms.ChoiceField(choices=[(state, state) for state in (State.APPROVED, State.REFUSED, State.REWORD)])


@dataclass
class Card:
    """One scope before the reviewer."""

    row: ScopeApproval
    scope: Scope | None
    texts: list[scope_texts.Text]
    terms: list[tuple[str, str]]
    earlier: list[tuple[int, str, str, str]]  # version, words, until when, changed by whom
    form: ReviewForm | None = None
    obstacle: str = ""
    decisions: list[tuple[str, str]] = field(default_factory=list)  # value, label

    @property
    def is_open(self) -> bool:
        """Whether somebody has something to do here; the others are folded."""
        return self.row.is_waiting or self.row.is_sent_back or bool(self.form and self.form.errors)


def obstacle(row: ScopeApproval, state: State, by: User) -> str:
    """Why this operator may not decide so; "" when they may."""
    if state != State.APPROVED:
        return ""
    if row.scope not in scopes.catalogue():
        return _("There is no such scope any more.")
    if not row.may_be_approved_by(by):
        return _("You entered these words yourself. Another manager has to read and approve them.")
    if not row.proposed()["purpose"] and not scopes.catalogue()[row.scope].silent:
        return _("It has no purpose yet. Write one, or send it back.")
    return ""


def decided(row: ScopeApproval, state: State, by: User, reason: str) -> str:
    """Decide, and what was decided in words for the record: what was proposed, what stood, what stands."""
    proposed, stood, was = row.proposed(), row.stands(), row.get_state_display()
    row.decide(state, by=by, note=reason)
    stands = change(stood, row.stands())
    states = was if was == row.get_state_display() else f"{was} → {row.get_state_display()}"
    asked = f"{_('proposed')}: {said(proposed)}; " if proposed not in (stood, row.stands()) else ""
    return f"{state.label}: {row.scope} ({states}; {asked}{stands})"


def page(console: "MiniProgramAdmin", request: HttpRequest, program: MiniProgram) -> HttpResponse:
    """The cards; a POST decides on one of them."""
    form = ReviewForm(request.POST) if request.method == "POST" else None
    if form and not may_approve(request):
        raise PermissionDenied
    if form and form.is_valid() and (question := confirming.ask(request)):
        return question
    if form and form.is_valid() and _decide(console, request, program, form):
        return HttpResponseRedirect(f"{request.path}#scope-{form.cleaned_data['approval']}")
    cards = _cards(program, request, form)
    context = {
        **console.admin_site.each_context(request),
        "title": _("Review of %s") % program,
        "opts": console.opts,
        "media": console.media,
        "program": program,
        "cards": cards,
        "form": form,
        "waiting": sum(card.row.is_waiting for card in cards),
        "may_approve": may_approve(request),
        "step": 3,
    }
    return TemplateResponse(request, "admin/portal/miniprogram/review.html", context)


@transaction.atomic
def _decide(console: "MiniProgramAdmin", request: HttpRequest, program: MiniProgram, form: ReviewForm) -> bool:
    """Whether it was decided; otherwise the form says why not."""
    answers, by = form.cleaned_data, operator(request)
    row = program.scope_approvals.select_for_update().filter(pk=answers["approval"]).first()
    if row is None or row.fingerprint() != answers["read"]:
        form.add_error(None, _("This changed while you were reading. Read it again, then decide."))
        return False
    state = State(answers["decision"])
    if problem := obstacle(row, state, by):
        form.add_error(None, problem)
        return False
    words = decided(row, state, by, answers["reason"])
    console.log_change(request, program, f"{words}. {_('Why')}: {answers['reason']}")
    console.message_user(request, f"{row.scope}: {state.label}.", messages.SUCCESS)
    return True


def _cards(program: MiniProgram, request: HttpRequest, form: ReviewForm | None) -> list[Card]:
    """What waits first, then the others, as they were asked for."""
    rows = program.scope_approvals.select_related("decided_by", "entered_by")
    found = list(rows.prefetch_related("earlier_purposes__replaced_by"))
    found.sort(key=lambda row: not row.is_waiting)
    texts = scope_texts.of(found)
    return [_card(row, texts[row.pk], request, form) for row in found]


def _card(row: ScopeApproval, texts: list[scope_texts.Text], request: HttpRequest, form: ReviewForm | None) -> Card:
    basis, proposed = scope_texts.basis(row) or row.proposed(), row.proposed()
    card = Card(
        row,
        scopes.catalogue().get(row.scope),
        texts,
        [
            (_("Weight"), replaced(weight(basis), weight(proposed))),
            (_("Time"), replaced(longest(basis), longest(proposed))),
        ],
        scope_texts.earlier(row),
    )
    if may_approve(request):
        is_answered = form is not None and form.data.get("approval") == str(row.pk)
        card.form = form if form is not None and is_answered else ReviewForm()
        card.form.auto_id = f"id_{row.pk}_%s"
        card.obstacle = obstacle(row, State.APPROVED, operator(request)) if row.is_waiting else ""
        card.decisions = _decisions(row, can_approve=not card.obstacle)
    return card


def _decisions(row: ScopeApproval, *, can_approve: bool) -> list[tuple[str, str]]:
    """The buttons that lead somewhere from the state this scope is in."""
    stays = row.is_approved
    refuse = _("Refuse the change") if row.draft else _("Take the approval away") if stays else _("Refuse")
    offered = [
        (State.APPROVED, _("Approve"), can_approve and (row.is_waiting or not stays)),
        (State.REWORD, _("Ask for a better text"), not row.is_sent_back),
        (State.REFUSED, refuse, row.state != State.REFUSED),
    ]
    return [(state.value, label) for state, label, is_offered in offered if is_offered]
