"""The ledger's page in the operator's console: how far it is sealed, what verifications found, and one to run now."""

from datetime import timedelta
from typing import Any, NamedTuple

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management.base import CommandError
from django.db.models import OuterRef, Q, Subquery, Sum
from django.db.models.functions import Length
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from authapi import sealing, verification
from authapi.ledger_checks import LedgerCheck
from authapi.management.commands.verify_ledger import kept
from portal import console
from portal.admin.log_lines import operator
from portal.admin.pages import ReadOnlyAdmin
from portal.console import Alarm
from portal.dashboard import heaps, queues
from portal.dashboard.heaps import Heap
from portal.models import Seal
from portal.models.seals import ENTRY

LIST = "admin:authapi_ledgercheck_changelist"
NAMES = {
    "portal.ConsentDecision": "Ledger",
    "authapi.ErrorAudit": "Error audit",
    "admin.LogEntry": "Operators' log",
    verification.TEXTS: "Texts that were shown",
}
LATE = timedelta(minutes=10)  # a sealer looks every ten seconds
TIMES = {"admin.LogEntry": "action_time"}


class Chain(NamedTuple):
    """What one chain of seals covers, and what it does not yet."""

    name: str
    table: str
    sealed: int
    head: Seal | None
    unsealed: Heap
    is_late: bool


class Part(NamedTuple):
    """What one verification found in one chain."""

    name: str
    state: str
    facts: dict[str, Any]
    more: int


class HeadsForm(forms.Form):
    """Heads that were kept where nobody who can change the database can change them."""

    heads = forms.CharField(
        label="Heads that you kept",
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 4, "class": "vLargeTextField"}),
        help_text="Lines that this page, seal_ledger or verify_ledger showed, CHAIN:NUMBER:HASH. Optional.",
    )

    def clean_heads(self) -> dict[str, dict[int, str]]:
        try:
            return dict(kept([self.cleaned_data["heads"]], [])) if self.cleaned_data["heads"].strip() else {}
        except CommandError as error:
            raise ValidationError(str(error)) from error


@admin.register(LedgerCheck)
class LedgerCheckAdmin(ReadOnlyAdmin):
    """Verifications, newest first, below the state of each chain."""

    list_display = ("asked_at", "asker", "result", "rows", "wrong", "finished_at")
    list_select_related = ("asked_by", "job")
    ordering = ("-pk",)
    is_long = False  # operators ask for each
    fields = ("asker", "asked_at", "result", "rows", "wrong", "finished_at")
    readonly_fields = ("asker", "result")

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("asked_by", "job")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.verify_view)
        return [path("verify/", view, name="authapi_ledgercheck_verify"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """With the chains and the newest verification above."""
        newest = LedgerCheck.objects.select_related("job", "asked_by").first()
        extra = {"chains": chains(), "newest": newest, "may_verify": self.may_verify(request)}
        return super().changelist_view(request, {**extra, **(extra_context or {})})

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """With what was found, chain by chain."""
        check = self.get_object(request, object_id)
        extra = {"parts": parts(check)} if check else {}
        return super().change_view(request, object_id, form_url, {**extra, **(extra_context or {})})

    @admin.display(description="asked by")
    def asker(self, check: LedgerCheck) -> str:
        return str(check.asked_by or "the portal itself")

    def may_verify(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("authapi.verify_ledger"))

    def verify_view(self, request: HttpRequest) -> HttpResponse:
        """Asks for a verification in the background; with heads to compare with, if there are any."""
        if not self.may_verify(request):
            raise PermissionDenied
        form = HeadsForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            return self._promise(request, form.cleaned_data["heads"])
        context = {**self.admin_site.each_context(request), "title": "Verify the ledger", "opts": self.opts}
        return TemplateResponse(request, "admin/authapi/ledgercheck/verify.html", {**context, "form": form})

    def _promise(self, request: HttpRequest, heads: dict[str, dict[int, str]]) -> HttpResponse:
        try:
            check = verification.ask(operator(request), heads)
        except verification.AlreadyRunningError:
            self.message_user(request, "A verification is running already.", messages.WARNING)
            return HttpResponseRedirect(reverse(LIST))
        self.message_user(request, "The ledger is being verified. Open this page again to see how far it is.")
        return HttpResponseRedirect(self._url("change", str(check.pk)))


def chains() -> list[Chain]:
    """The state of every chain: what is sealed, and what is not yet. Three statements."""
    sums, heads = _sums(), _heads()
    numbered = {f"chain{number}": name for number, name in enumerate(sealing.CHAINS)}
    unsealed = heaps.count({key: _unsealed(name) for key, name in numbered.items()})
    return [_chain(name, sums.get(name, 0), heads.get(name), unsealed[key]) for key, name in numbered.items()]


def _sums() -> dict[str, int]:
    """How many rows the seals of each chain cover; their length says it."""
    sums = Seal.objects.order_by("chain").values_list("chain").annotate(length=Sum(Length("rows")))
    return {chain: length // ENTRY.size for chain, length in sums}


def _heads() -> dict[str, Seal]:
    newest = Seal.objects.filter(chain=OuterRef("chain")).order_by("-number").values("number")[:1]
    return {seal.chain: seal for seal in Seal.objects.filter(number=Subquery(newest)).defer("rows")}


def _unsealed(name: str) -> tuple[Any, str]:
    return queues.unsealed(sealing.CHAINS[name]), TIMES.get(name, "at")


def _chain(name: str, sealed: int, head: Seal | None, unsealed: Heap) -> Chain:
    is_late = bool(unsealed.oldest and timezone.now() - unsealed.oldest > LATE)
    return Chain(NAMES[name], name, sealed, head, unsealed, is_late)


def parts(check: LedgerCheck) -> list[Part]:
    """What it found so far, chain by chain."""
    return [_part(check, name) for name in verification.PARTS]


def _part(check: LedgerCheck, name: str) -> Part:
    facts = check.found.get(name)
    if facts is None:
        return Part(NAMES[name], "Not begun", {}, 0)
    state = "Findings" if facts["wrong"] else "Sound" if facts["over"] else "Sound so far"
    return Part(NAMES[name], state, facts, facts["wrong"] - len(facts["findings"]))


def alarm(request: HttpRequest) -> Alarm | None:
    """On the start page: the newest verification that came to an end, or is at it, found something."""
    if not request.user.has_perm("authapi.view_ledgercheck"):
        return None
    check = LedgerCheck.objects.filter(Q(wrong__gt=0) | ~Q(finished_at=None)).order_by("-pk").first()
    if check is None or not check.wrong:
        return None
    url = reverse("admin:authapi_ledgercheck_change", args=[check.pk])
    return Alarm(
        f"The ledger was tampered with: {check.result.lower()} on {check.asked_at:%Y-%m-%d}. Look at it.", url
    )


console.ALARMS.append(alarm)
