"""The operator's own second factor: shown at the door, set up, looked after, removed (trust 34).

These pages stand before the console's guard and have their own: an operator without a second factor can only make
one, one who did not show it yet can only show it, and for everybody else they are not there.
"""

from base64 import b64encode
from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.mfa.webauthn.internal.auth import WebAuthn
from django.contrib import admin, messages
from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache

from portal import second_factor
from portal.admin import passkeys
from portal.admin.confirming import recently_signed_in
from portal.admin.log_lines import log_own
from portal.admin.proofs import AppForm, PasskeyForm, ProofForm
from portal.console import Console
from portal.encryption import decrypt, encrypt
from portal.models import User
from portal.second_factor import Type
from portal.sign_in import refused

SECRET = "second_factor_secret"  # noqa: S105  in the session, encrypted: of the app that is being set up
View = Callable[..., HttpResponse]


def urls() -> list[URLPattern]:
    """For Console.get_urls."""
    return [
        path("second-factor/", _guarded(index), name="second_factor"),
        path("second-factor/show/", _guarded(show, before=True), name="second_factor_show"),
        path("second-factor/app/", _guarded(recently_signed_in(add_app)), name="second_factor_app"),
        path("second-factor/passkey/", _guarded(recently_signed_in(add_passkey)), name="second_factor_passkey"),
        path("second-factor/codes/", _guarded(recently_signed_in(codes)), name="second_factor_codes"),
        path("second-factor/<int:pk>/remove/", _guarded(recently_signed_in(remove)), name="second_factor_remove"),
    ]


def _guarded(view: View, *, before: bool = False) -> View:
    """For operators; `before`: for those who have a second factor and did not show it yet."""

    @never_cache
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        site = cast("Console", admin.site)
        if request.user.is_anonymous:
            return redirect_to_login(request.get_full_path(), reverse("admin:login"))
        if not site.is_operator(request):
            raise Http404
        waits = second_factor.is_enrolled(_operator(request)) and not second_factor.is_shown(request)
        if waits and not before:
            return cast("HttpResponse", site.step_due(request))
        if before and not waits:
            return HttpResponseRedirect(reverse("admin:second_factor"))
        return view(request, *args, **kwargs)

    return guarded


# --- At the door ------------------------------------------------------------------------------------------------


def show(request: HttpRequest) -> HttpResponse:
    """Asks for a code or a passkey, then goes on to where the operator wanted to go."""
    form = ProofForm(request, request.POST if request.method == "POST" else None)
    if form.is_valid() and form.authenticator:
        second_factor.remember(request, form.authenticator)
        return HttpResponseRedirect(_wanted(request))
    context = {"form": form, "options": passkeys.to_show(request), "next": request.GET.get("next", "")}
    page = _page(request, "show", "Second step", **context)
    return refused(page, form) if form.is_bound else page


def _wanted(request: HttpRequest) -> str:
    wanted = request.GET.get("next", "")
    safe = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, request.is_secure())
    return wanted if safe else reverse("admin:index")


# --- Making one -------------------------------------------------------------------------------------------------


def index(request: HttpRequest) -> HttpResponse:
    """What they have; without a second factor, what they can set up."""
    rows = list(Authenticator.objects.filter(user=_operator(request)).order_by("pk"))
    recovery = next((row for row in rows if row.type == Type.RECOVERY_CODES), None)
    factors = [row for row in rows if row.type != Type.RECOVERY_CODES]
    context = {
        "factors": factors,
        "has_app": any(row.type == Type.TOTP for row in factors),
        "codes_left": len(recovery.wrap().get_unused_codes()) if recovery else 0,
    }
    return _page(request, "index", "Second factor" if factors else "Set up a second factor", **context)


def add_app(request: HttpRequest) -> HttpResponse:
    """Shows a secret once, as a picture and as text, and asks for the code that the app makes of it."""
    user = _operator(request)
    if Authenticator.objects.filter(user=user, type=Type.TOTP).exists():
        return HttpResponseRedirect(reverse("admin:second_factor"))
    sent = request.method == "POST" and "code" in request.POST
    secret = decrypt(request.session.get(SECRET, "")) if sent else generate_totp_secret()
    form = AppForm(secret, request.POST if sent else None)
    if form.is_valid():
        return _added(request, lambda: _new_app(user, form), "an authenticator app")
    request.session[SECRET] = encrypt(secret)
    page = _page(request, "app", "Authenticator app", form=form, secret=secret, picture=_picture(user, secret))
    page.status_code = 422 if sent else 200
    return page


def _new_app(user: User, form: AppForm) -> Authenticator:
    row = TOTP.activate(user, form.secret).instance
    row.data[second_factor.USED] = form.counter
    row.save(update_fields=["data"])
    return row


def _picture(user: User, secret: str) -> str:
    """The QR code, as the address of a picture."""
    adapter = get_adapter()
    svg = adapter.build_totp_svg(adapter.build_totp_url(user, secret))
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"


def add_passkey(request: HttpRequest) -> HttpResponse:
    """The browser makes a key pair; we keep the public half."""
    sent = request.method == "POST" and "credential" in request.POST
    form = PasskeyForm(request.POST if sent else None)
    if form.is_valid():
        return _added(request, lambda: _new_passkey(request, form), f"the passkey {form.cleaned_data['name']!r}")
    page = _page(request, "passkey", "Passkey", form=form, options=passkeys.to_make(request))
    page.status_code = 422 if sent else 200
    return page


def _new_passkey(request: HttpRequest, form: PasskeyForm) -> Authenticator:
    return WebAuthn.add(request.user, form.cleaned_data["name"], form.cleaned_data["credential"]).instance


def _added(request: HttpRequest, make: Callable[[], Authenticator], name: str) -> HttpResponse:
    """With its line in the log, or not at all (trust 35). Whoever made it has shown it."""
    user = _operator(request)
    with transaction.atomic():
        list(User.objects.select_for_update(no_key=True).filter(pk=user.pk).values_list("pk"))  # one at a time
        if _came_late(request):
            return HttpResponseRedirect(reverse("admin:second_factor"))
        row = make()
        recovery = RecoveryCodes.activate(user)
        log_own(request, f"Second factor: added {name}")
    request.session.pop(SECRET, None)
    second_factor.remember(request, row)
    messages.success(request, f"Added: {name}.")
    return HttpResponseRedirect(reverse("admin:second_factor" if recovery.did_view else "admin:second_factor_codes"))


def _came_late(request: HttpRequest) -> bool:
    """Whether another session made the first one meanwhile, or another app: what makes it must not be two at once."""
    rows = Authenticator.objects.filter(user=_operator(request))
    barred = rows.exclude(type=Type.RECOVERY_CODES) if not second_factor.is_shown(request) else rows.none()
    double = rows.filter(type=Type.TOTP) if request.path == reverse("admin:second_factor_app") else rows.none()
    return bool(barred.exists() or double.exists())


# --- Looking after it -------------------------------------------------------------------------------------------


def codes(request: HttpRequest) -> HttpResponse:
    """Recovery codes: shown once, when they are new. POST makes new ones, and the old ones are over."""
    user = _operator(request)
    if not second_factor.is_enrolled(user):
        return HttpResponseRedirect(reverse("admin:second_factor"))
    if request.method == "POST":
        with transaction.atomic():
            row = _new_codes(user)
            log_own(request, "Second factor: made new recovery codes")
        second_factor.remember(request, row)
        return HttpResponseRedirect(reverse("admin:second_factor_codes"))
    recovery = RecoveryCodes.activate(user)
    unused = recovery.get_unused_codes()
    context = {"codes": [] if recovery.did_view else unused, "left": len(unused)}
    recovery.mark_as_viewed()
    return _page(request, "codes", "Recovery codes", **context)


def _new_codes(user: User) -> Authenticator:
    Authenticator.objects.filter(user=user, type=Type.RECOVERY_CODES).delete()
    return RecoveryCodes.activate(user).instance


def remove(request: HttpRequest, pk: int) -> HttpResponse:
    """An app or a passkey; with the last one the recovery codes go too, and another must be set up."""
    rows = Authenticator.objects.filter(user=_operator(request))
    row = get_object_or_404(rows.exclude(type=Type.RECOVERY_CODES), pk=pk)
    last = not rows.exclude(type=Type.RECOVERY_CODES).exclude(pk=pk).exists()
    if request.method != "POST":
        return _page(request, "remove", "Remove", factor=row, last=last)
    with transaction.atomic():
        (rows if last else rows.filter(pk=pk)).delete()
        log_own(request, f"Second factor: removed {described(row)}")
    messages.success(request, f"Removed: {described(row)}.")
    return HttpResponseRedirect(reverse("admin:second_factor"))


def described(row: Authenticator) -> str:
    """For the log and for people."""
    return f"the passkey {row.wrap().name!r}" if row.type == Type.WEBAUTHN else "the authenticator app"


def _operator(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _page(request: HttpRequest, name: str, title: str, **context: Any) -> TemplateResponse:
    shared = {**admin.site.each_context(request), "title": title}
    return TemplateResponse(request, f"admin/second_factor/{name}.html", {**shared, **context})
