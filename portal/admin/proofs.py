"""Forms by which operators prove who they are: a code or a passkey, or the password again (trust 19 and 34)."""

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth as webauthn
from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest

from portal import second_factor
from portal.admin.log_lines import log_own
from portal.models import User
from portal.sign_in import Tries, TryingForm

LONGEST = 20_000  # characters of what a browser says about a passkey
CODE_ATTRS = {"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false", "autofocus": True}
WRONG_CODE = "This code is wrong, or it was used before. Wait for the next one."
WRONG_PASSKEY = "This passkey did not work. Try again."


class CredentialField(forms.JSONField):
    """What the browser says about a passkey; passkeys.js fills it in."""

    widget = forms.HiddenInput

    def to_python(self, value: Any) -> Any:
        text = value if isinstance(value, str) else ""
        try:
            found = super().to_python(value) if len(text) < LONGEST and "\\u0000" not in text else []
        except RecursionError:
            found = []
        if found is not None and not isinstance(found, dict):
            raise ValidationError(WRONG_PASSKEY, code="wrong")
        return found


class ProofForm(TryingForm):
    """The second factor, in one of its forms; `authenticator` is which one."""

    status = 422
    authenticator: Authenticator | None = None

    code = forms.CharField(
        label="Code",
        required=False,
        max_length=32,
        widget=forms.TextInput(attrs=CODE_ATTRS),
        help_text="Six digits of your authenticator app, or one of your recovery codes.",
    )
    credential = CredentialField(required=False)

    def __init__(self, request: HttpRequest, data: Any = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.request = request
        assert isinstance(request.user, User)
        self.user = request.user

    def clean(self) -> None:
        """Within the limits."""
        if not self.errors:
            self.check()

    def check(self) -> None:
        """Raises ValidationError."""
        code, credential = self.cleaned_data.get("code"), self.cleaned_data.get("credential")
        if not code and not credential:
            raise ValidationError("Type a code, or use a passkey.", code="required")
        tries = second_factor.CodeTries(self.request, self.user.username)
        self.start(tries)
        self.authenticator = passkey_of(self.user, credential) if credential else self._accepted(str(code))
        if self.authenticator is None:
            raise ValidationError(WRONG_PASSKEY if credential else WRONG_CODE, code="wrong")
        tries.succeeded()

    @transaction.atomic
    def _accepted(self, code: str) -> Authenticator | None:
        """A recovery code is used up together with its line in the log, or not at all (trust 35)."""
        used = second_factor.accepted(self.user, code)
        if used and used.type == second_factor.Type.RECOVERY_CODES:
            log_own(self.request, f"Used a recovery code; {len(used.wrap().get_unused_codes())} left")
        return used


class ConfirmForm(ProofForm):
    """The password or the second factor, again."""

    prefix = "confirm"
    password = forms.CharField(
        label="Your password",
        required=False,
        strip=False,
        max_length=4096,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )
    field_order = ("password", "code", "credential")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["code"].widget.attrs["autofocus"]

    def check(self) -> None:
        password = self.cleaned_data.get("password")
        if not password:
            super().check()
            return
        tries = Tries(self.request, self.user.username)
        self.start(tries)
        if not self.user.check_password(password):
            raise ValidationError("This is not your password. Capital letters count.", code="wrong")
        tries.succeeded()


class AppForm(forms.Form):
    """The first code of a new authenticator app, which proves that it was set up."""

    code = forms.CharField(
        label="Code",
        max_length=32,
        widget=forms.TextInput(attrs=CODE_ATTRS),
        error_messages={"required": "Type the six digits that the app shows."},
    )

    def __init__(self, secret: str, data: Any = None) -> None:
        super().__init__(data)
        self.secret = secret
        self.counter = 0

    def clean_code(self) -> str:
        counter = second_factor.counter_of(self.secret, self.cleaned_data["code"]) if self.secret else None
        if counter is None:
            raise ValidationError("This is not the code that the app shows now. Is the clock of your phone right?")
        self.counter = counter
        return str(self.cleaned_data["code"])


class PasskeyForm(forms.Form):
    """A new passkey."""

    name = forms.CharField(label="Name", max_length=50, initial="Passkey", help_text="So that you know which it is.")
    credential = CredentialField()

    def clean_credential(self) -> Any:
        """As the browser gave it, once it was checked against what we asked for."""
        credential = self.cleaned_data["credential"]
        if not _answered(webauthn.parse_registration_response, credential):
            raise ValidationError(WRONG_PASSKEY, code="wrong")
        if not _answered(webauthn.complete_registration, credential):
            raise ValidationError(WRONG_PASSKEY, code="wrong")
        return credential


def passkey_of(user: User, credential: Any) -> Authenticator | None:
    """The passkey of this operator that signed what we asked it to sign."""
    if not _answered(webauthn.parse_authentication_response, credential):
        return None
    found: Authenticator | None = _answered(webauthn.complete_authentication, user, credential)
    if found:
        found.record_usage()
    return found


def _answered(function: Any, *arguments: Any) -> Any:
    """What it gives; None when it refuses, or stumbles over something that no browser sends."""
    try:
        return function(*arguments)
    except Exception:  # noqa: BLE001  the library raises whatever its parsers of CBOR, COSE and keys raise
        return None
