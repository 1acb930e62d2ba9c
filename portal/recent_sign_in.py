"""Whether the person in front of the screen has just shown who they are: some acts ask for it (trust 34, NIST 800-63B 7.2)."""

from time import time

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _

from portal.models.users import User
from portal.sign_in import Stop, Tries, stop

KEY = "confirmed_at"  # in the session: epoch seconds


def remember(request: HttpRequest) -> None:
    """They typed their password just now."""
    request.session[KEY] = int(time())


def is_recent(request: HttpRequest) -> bool:
    """Whether that was less than RECENT_SIGN_IN ago."""
    return time() - request.session.get(KEY, 0) < settings.RECENT_SIGN_IN.total_seconds()


def confirm(request: HttpRequest, user: User, password: str) -> Stop | None:
    """Check a retyped password, with the limits of signing in; None when it was right, and remembered."""
    if not password:
        return Stop(_("Type your password."), 422)
    tries = Tries(request, user.username)
    if stopped := stop(tries):
        return stopped
    if not user.check_password(password):
        return Stop(_("This is not your password. Capital letters count."), 422)
    tries.succeeded()
    remember(request)
    return None
