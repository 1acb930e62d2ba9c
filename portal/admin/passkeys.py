"""What a browser is asked to do with a passkey: passkeys.js reads it from the page."""

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.internal import auth as webauthn
from django.http import HttpRequest

from portal.models import User
from portal.second_factor import Type


def to_make(request: HttpRequest) -> dict[str, Any]:
    """For `navigator.credentials.create`; the challenge is kept in the session."""
    return dict(webauthn.begin_registration(request.user, False))


def to_show(request: HttpRequest) -> dict[str, Any] | None:
    """For `navigator.credentials.get`; None when they have no passkey."""
    assert isinstance(request.user, User)
    if not Authenticator.objects.filter(user=request.user, type=Type.WEBAUTHN).exists():
        return None
    return dict(webauthn.begin_authentication(request.user))
