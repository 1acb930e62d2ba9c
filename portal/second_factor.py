"""The second factor of operators: whether a session has shown it, and whether a code is right (trust 34).

django-allauth keeps the authenticators and knows how codes and passkeys are made. That a code works once is ours: its
memory of used codes is a cache, and our processes may have one each.
"""

import logging
from time import time

from allauth.mfa import app_settings
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from allauth.mfa.utils import decrypt, encrypt
from django.db import transaction
from django.http import HttpRequest

from portal import recent_sign_in
from portal.encryption import UnreadableError
from portal.models import User
from portal.sign_in import Tries

logger = logging.getLogger(__name__)
KEY = "second_factor"  # in the session: the number of the authenticator that was shown in it
USED = "last_counter"  # in an authenticator's data: the time step of the newest code that was used (RFC 6238 5.2)
Type = Authenticator.Type


class CodeTries(Tries):
    """The counters of the codes that one operator tried: apart from those of passwords, which a right one resets.

    Whoever gets here knew the password, so that few tries are left to them from all addresses together.
    """

    kind = "second factor"
    tries_of_name = 20


def is_enrolled(user: User) -> bool:
    """Whether they have a second factor. Recovery codes alone are none."""
    return bool(Authenticator.objects.filter(user=user).exclude(type=Type.RECOVERY_CODES).exists())


def remember(request: HttpRequest, authenticator: Authenticator) -> None:
    """It was shown just now. The session gets another key, as at a sign-in."""
    request.session.cycle_key()
    request.session[KEY] = authenticator.pk
    request.second_factor_shown = True  # type: ignore[attr-defined]
    recent_sign_in.remember(request)


def is_shown(request: HttpRequest) -> bool:
    """Whether this session has shown an authenticator that its operator still has; looked up once a request."""
    if not hasattr(request, "second_factor_shown"):
        number = request.session.get(KEY)
        request.second_factor_shown = (  # type: ignore[attr-defined]
            number is not None and Authenticator.objects.filter(pk=number, user_id=request.user.pk).exists()
        )
    return bool(request.second_factor_shown)  # type: ignore[attr-defined]


def set_up(user: User, secret: str) -> None:
    """Give them an authenticator app that holds this secret (base32), in the place of the one they have."""
    row = Authenticator.objects.filter(user=user, type=Type.TOTP).first()
    if row is None:
        totp.TOTP.activate(user, secret)
    elif decrypt(row.data["secret"]) != secret:
        row.data = {"secret": encrypt(secret)}
        row.save(update_fields=["data"])


def current_code(user: User) -> tuple[str, int]:
    """What their authenticator app shows, or shows next when that was used, and in how many seconds it will work.

    "" when they have none.
    """
    row = Authenticator.objects.filter(user=user, type=Type.TOTP).first()
    if row is None:
        return "", 0
    now, period = int(time()), int(app_settings.TOTP_PERIOD)
    counter = max(now // period, row.data.get(USED, 0) + 1)
    wait = (counter - int(app_settings.TOTP_TOLERANCE)) * period - now
    return code_of(decrypt(row.data["secret"]), counter), max(0, wait)


def reset(user: User) -> bool:
    """Take away every authenticator, so that no session has shown one; False when there was none."""
    return bool(Authenticator.objects.filter(user=user).delete()[0])


@transaction.atomic
def accepted(user: User, code: str) -> Authenticator | None:
    """The authenticator that gave this code, which is used up by that; None for a wrong or a used one."""
    for row in Authenticator.objects.select_for_update().filter(user=user).exclude(type=Type.WEBAUTHN):
        try:
            right = _recovery(row, code) if row.type == Type.RECOVERY_CODES else _step(row, code)
        except UnreadableError as error:
            logger.error("second factor %s of user %s: %s", row.pk, user.pk, error)
            continue
        if right:
            row.record_usage()
            return row
    return None


def _recovery(row: Authenticator, code: str) -> bool:
    codes = RecoveryCodes(row)
    right = bool(codes.validate_code(code))
    row.data = codes.instance.data  # it looked the row up anew
    return right


def _step(row: Authenticator, code: str) -> bool:
    """Whether an authenticator app shows this code about now, and neither it nor a later one was used."""
    counter = counter_of(decrypt(row.data["secret"]), code)
    if counter is None or counter <= row.data.get(USED, 0):
        return False
    row.data[USED] = counter
    row.save(update_fields=["data"])
    return True


def counter_of(secret: str, code: str) -> int | None:
    """The time step about now whose code this is."""
    steps = totp.yield_hotp_counters_from_time()
    return next((step for step in steps if totp.compare_user_code(actual=code, expected=code_of(secret, step))), None)


def code_of(secret: str, counter: int) -> str:
    """The code of this time step."""
    return str(totp.format_hotp_value(totp.hotp_value(secret, counter)))
