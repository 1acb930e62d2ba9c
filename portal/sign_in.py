"""Signing in, for users and operators: limited before a password is even looked at (trust 19)."""

import logging
from contextlib import suppress
from math import ceil
from typing import Any, TypeVar

from allauth.core import context
from django import forms
from django.conf import settings
from django.contrib.admin.forms import AdminAuthenticationForm, AdminPasswordChangeForm
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from portal import auth, limits, masking
from portal.cache import CacheDownError
from portal.models.users import User

Response = TypeVar("Response", bound=HttpResponseBase)
logger = logging.getLogger(__name__)

QUARTER, HOUR, MONTH = 15 * 60, 60 * 60, 30 * 24 * 60 * 60
TRIES_OF_NAME = 100  # an hour, from all addresses


class Tries:
    """The counters of one name tried from one address.

    Each try counts before the password is checked, so that parallel ones cannot outrun the limit; a right password
    takes its try back. From an address where this name signed in within a month, the limit of the name from all
    addresses does not hold: strangers who use it up do not lock out its owner. Names are counted as they are typed
    (spelling aside) and not by account, so that a limit tells nobody which names belong together.
    """

    kind = "sign-in"
    tries_of_name = TRIES_OF_NAME

    def __init__(self, request: HttpRequest, name: str) -> None:
        shown = masking.login(name)
        self.shown = masking.text(name) if shown == name else shown  # somebody may have typed a password here
        self.address = limits.network(str(request.META.get("REMOTE_ADDR", "")))
        self.name = auth.canonical(name)
        self.pair = f"{self.name!r} from {self.address}"
        self.home = f"at home ({self.kind}) {self.pair}"

    def start(self) -> limits.Over | None:
        """Count one try. Raises CacheDownError: then nobody signs in, as guessing would have no limit."""
        if over := limits.hit(f"{self.kind} as {self.pair}", settings.SIGN_IN_TRIES, QUARTER):
            return self._told(over, "this name from this address")
        if over := limits.hit(f"{self.kind} from {self.address}", settings.SIGN_IN_TRIES_OF_ADDRESS, QUARTER):
            return self._told(over, "this address")
        if over := limits.hit(f"{self.kind} as {self.name!r}", self.tries_of_name, HOUR):
            return None if limits.is_remembered(self.home) else self._told(over, "this name")
        return None

    def _told(self, over: limits.Over, which: str) -> limits.Over:
        if over.first:
            logger.warning("limit reached: %ss with %s (%r, %s)", self.kind, which, self.shown, self.address)
        return over

    def succeeded(self) -> None:
        """The password was right: this try was none."""
        with suppress(CacheDownError):
            limits.forget(f"{self.kind} as {self.pair}")
            limits.take_back(f"{self.kind} from {self.address}")
            limits.take_back(f"{self.kind} as {self.name!r}")
            limits.remember(self.home, MONTH)


class TryingForm(forms.Form):
    """A form with a password that stops asking the database when there were too many tries."""

    status = 200
    retry_after = 0

    def start(self, tries: Tries) -> None:
        """Count one try. Raises ValidationError, in words, when none is left, or none can be counted."""
        try:
            over = tries.start()
        except CacheDownError as error:
            self.status, self.retry_after = 503, 60
            words = _("Nobody can sign in at this moment: something on our side is down. Try again in a minute.")
            raise ValidationError(words, code="unavailable") from error
        if over:
            self.status, self.retry_after = 429, over.retry_after
            raise ValidationError(wait_words(over.retry_after), code="limited")


class LimitedForm(TryingForm, AuthenticationForm):
    """A sign-in form within the limits; see `answered`."""

    def clean(self) -> Any:
        """As ever, within the limits. A try with a field missing is none."""
        name = self.cleaned_data.get("username")
        if not name or not self.cleaned_data.get("password"):
            return super().clean()
        assert self.request
        tries = Tries(self.request, name)
        self.start(tries)
        cleaned = super().clean()
        tries.succeeded()
        return cleaned


class PasswordAgainForm(TryingForm):
    """Asks somebody who is signed in for their password once more: whoever found the phone unlocked stops here.

    A wrong one counts like a try to sign in with the person's login from this address.
    """

    status = 422

    password = forms.CharField(
        label=_("Your password"),
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        error_messages={"required": _("Type your password.")},
    )

    def __init__(self, request: HttpRequest, data: Any = None) -> None:
        super().__init__(data)
        self.request = request

    def clean_password(self) -> str:
        """Within the limits."""
        user, password = self.request.user, str(self.cleaned_data["password"])
        assert isinstance(user, User)
        tries = Tries(self.request, user.username)
        self.start(tries)
        if not user.check_password(password):
            raise ValidationError(_("This is not your password. Capital letters count."), code="wrong")
        tries.succeeded()
        return password


def wait_words(seconds: int) -> str:
    """What a person reads who tried too often."""
    minutes = ceil(seconds / 60)
    return ngettext(
        "There were too many tries. Wait %(minutes)d minute, then try again.",
        "There were too many tries. Wait %(minutes)d minutes, then try again.",
        minutes,
    ) % {"minutes": minutes}


class SignInForm(LimitedForm):
    """One field for every name a person signs in with."""

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": _(
            "We do not know this name and password together. Check both: capital letters count in the password."
        ),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = _("Phone number, e-mail or login")
        self.fields["username"].widget.attrs.update(autocomplete="username", spellcheck="false", inputmode="email")
        self.fields["username"].error_messages["required"] = _("Type your phone number, e-mail or login.")
        self.fields["password"].error_messages["required"] = _("Type your password.")


class ConsoleSignInForm(LimitedForm, AdminAuthenticationForm):
    """Django's own form of the admin."""


class NewPasswordForm(TryingForm, AdminPasswordChangeForm):
    """The admin's own form for a new password; a wrong old one counts like a try to sign in (`answered`)."""

    def clean_old_password(self) -> str:
        """Within the limits."""
        user, request = self.user, context.request
        assert isinstance(user, User)
        assert request
        tries = Tries(request, user.username)
        self.start(tries)
        password: str = super().clean_old_password()
        tries.succeeded()
        return password


def refused(response: Response, form: TryingForm) -> Response:
    """The page with the form again: 422 for a wrong password, 429 or 503 when none was looked at."""
    response.status_code = form.status
    if form.retry_after:
        response["Retry-After"] = str(form.retry_after)
    return response


def answered(response: Response) -> Response:
    """The page of a form with a password, with 429 or 503 and Retry-After when the form refused to try."""
    form = (getattr(response, "context_data", None) or {}).get("form")
    return refused(response, form) if isinstance(form, TryingForm) and form.retry_after else response
