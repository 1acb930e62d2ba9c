"""Whether the person in front of the screen has just shown who they are: some acts ask for it (NIST 800-63B 7.2)."""

from time import time

from django.conf import settings
from django.http import HttpRequest

KEY = "confirmed_at"  # in the session: epoch seconds


def remember(request: HttpRequest) -> None:
    """They typed their password just now."""
    request.session[KEY] = int(time())


def is_recent(request: HttpRequest) -> bool:
    """Whether that was less than RECENT_SIGN_IN ago."""
    confirmed: int = request.session.get(KEY, 0)
    return time() - confirmed < settings.RECENT_SIGN_IN.total_seconds()
