"""The consent sheet: who asks, for what, and the user's answer (trust 20 to 24, 28)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from csp.constants import SELF
from csp.decorators import csp_replace
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.debug import sensitive_post_parameters

from portal import durations, recent_sign_in, sheet
from portal.drafts import Draft
from portal.models import MiniProgramGrant, PendingConsent
from portal.models.consents import AlreadyDecidedError, ConsentExpiredError, NotAskedError
from portal.models.grants import labels
from portal.sheet import Line, Sheet
from portal.sign_in import PasswordAgainForm, refused
from portal.terms import Duration, Term

# Only our own container may frame the sheet (trust 24). `csp_update` would add to 'none' instead of replacing it.
framed_by_container: list[Callable[..., Any]] = [
    never_cache,
    login_required,
    xframe_options_sameorigin,
    csp_replace({"frame-ancestors": [SELF]}),
]


@dataclass(frozen=True)
class Confirmation:
    """The password that is asked for once more, and the sensitive lines that it is asked for."""

    form: PasswordAgainForm
    lines: list[Line]

    @property
    def labels(self) -> list[str]:
        return [line.label for line in self.lines]


@method_decorator([*framed_by_container, sensitive_post_parameters("password")], name="dispatch")
class ConsentPage(View):
    """Shows the sheet; the answer is tied to our record, not to anything in the form (trust 20)."""

    def get(self, request: HttpRequest, consent_id: str) -> HttpResponse:
        consent = own(request, consent_id)
        if not consent.is_open:
            return too_late(request, consent)
        return show(request, sheet.of(consent), Draft.kept(request.session, consent_id))

    def post(self, request: HttpRequest, consent_id: str) -> HttpResponse:
        """`decision=refuse`; or `decision=allow` with the ticked `scopes` and a `duration`, for the words whose
        hash is `shown`; or `add=SCOPE`, to fill in what the profile lacks. Required lines go with allow."""
        consent = own(request, consent_id)
        if not consent.is_open:
            return too_late(request, consent)
        shown, draft = sheet.of(consent), Draft.sent(request.POST)
        if "add" in request.POST:
            return leave_to_add(request, shown, draft)
        if request.POST.get("decision") == "refuse":
            return decide(request, shown, draft, [])
        if request.POST.get("decision") != "allow":
            return show(request, shown, draft, error=_("Press “Allow” or “Don't allow”."))
        if not draft.has_read(shown):  # what was switched on was switched on for other words
            return show(request, shown, Draft(), error=_("This changed while you were reading. Please look again."))
        if error := draft.problem(shown):
            return show(request, shown, draft, error=error)
        granted = draft.granted(shown)
        return unconfirmed(request, shown, draft, granted) or decide(request, shown, draft, granted)


def leave_to_add(request: HttpRequest, shown: Sheet, draft: Draft) -> HttpResponse:
    """To the form for what this line lacks; what was chosen so far waits in the session."""
    scope = request.POST["add"]
    if not shown.can_add(scope):
        raise Http404
    draft.keep(request.session, shown.consent.pk)
    return redirect("consent_add", shown.consent.pk, scope)


def unconfirmed(request: HttpRequest, shown: Sheet, draft: Draft, granted: list[str]) -> HttpResponse | None:
    """The sheet with a field for the password, when a sensitive line is to be allowed and the sign-in is old."""
    lines = shown.sensitive(granted)
    if not lines or recent_sign_in.is_recent(request):
        return None
    form = PasswordAgainForm(request, request.POST if "password" in request.POST else None)
    form.fields["password"].widget.attrs["autofocus"] = True
    if form.is_valid():
        recent_sign_in.remember(request)
        return None
    return show(request, shown, draft, confirm=Confirmation(form, lines))


def decide(request: HttpRequest, shown: Sheet, draft: Draft, granted: list[str]) -> HttpResponse:
    """Write the answer. Refusing always counts; the ledger then points to words only if they were read."""
    text = shown.consent_text() if draft.has_read(shown) else None
    duration = Duration(draft.duration) if granted else Duration.ALWAYS
    try:
        shown.consent.decide(granted, shown=text, duration=duration)
    except NotAskedError:
        return show(request, shown, draft, error=_("That was not what was asked. Nothing has been allowed."))
    except (AlreadyDecidedError, ConsentExpiredError):  # between two lines of the view
        return too_late(request, shown.consent)
    return redirect("consent_done", shown.consent.pk)


def show(
    request: HttpRequest,
    shown: Sheet,
    draft: Draft,
    *,
    error: str = "",
    confirm: Confirmation | None = None,
) -> HttpResponse:
    """The sheet, with the user's own choices when it comes back, and the reason why it does."""
    offered = [choice.value for choice in shown.durations]
    context = {
        "sheet": shown,
        "error": error,
        "confirm": confirm,
        "ticked": draft.scopes,
        "duration": draft.duration if draft.duration in offered else durations.preset(shown.durations),
        "framed": is_framed(request),
        "sign_in_again": f"{reverse('login')}?next={after_sign_in(request, shown.consent)}",
    }
    response = render(request, "portal/consent.html", context, status=422 if error or confirm else 200)
    return refused(response, confirm.form) if confirm else response


def after_sign_in(request: HttpRequest, consent: PendingConsent) -> str:
    """Where a person goes on who signs in anew: that page fills the window, so the container starts again."""
    if is_framed(request) and consent.mini_program.page_url:
        return reverse("container", args=[consent.mini_program.app_id])
    return reverse("consent", args=[consent.pk])


@method_decorator(framed_by_container, name="dispatch")
class ConsentDone(View):
    """Says what was decided; its script tells the container, which fetches the outcome."""

    def get(self, request: HttpRequest, consent_id: str) -> HttpResponse:
        consent = own(request, consent_id)
        if consent.is_open:
            return redirect("consent", consent_id)
        context = {
            "consent": consent,
            "allowed": allowed(consent),
            "refused": labels(name for name in consent.asked if name not in consent.granted),
            "framed": is_framed(request),
        }
        return render(request, "portal/consent_done.html", context)


def allowed(consent: PendingConsent) -> list[tuple[Term, list[str]]]:
    """What was allowed on this sheet, by how long it holds; what has been taken back since, without an end."""
    grant = MiniProgramGrant.of(consent.user, consent.mini_program) if consent.granted else None
    names: dict[Term, list[str]] = {}
    for name in consent.granted:
        term = replace(grant.term_of(name), purpose=1) if grant else Term()
        names.setdefault(term, []).append(name)
    return [(term, labels(found)) for term, found in names.items()]


def is_framed(request: HttpRequest) -> bool:
    """Whether this page is drawn inside the container's sheet: then the sheet is all there is, without a stage.

    Browsers say so; one that does not draws the stage too, which does no harm.
    """
    return request.headers.get("Sec-Fetch-Dest") == "iframe"


def own(request: HttpRequest, consent_id: str) -> PendingConsent:
    """404 for anything of another user (trust 25)."""
    rows = PendingConsent.objects.select_related("user", "mini_program__merchant")
    return get_object_or_404(rows, pk=consent_id, user=request.user)


def too_late(request: HttpRequest, consent: PendingConsent) -> HttpResponse:
    """The next page says what became of it; an answer given before stands."""
    if consent.decided_at:
        messages.info(request, _("You answered this before. That answer stands."))
    return redirect("consent_done", consent.pk)
