"""Auth codes: issued once for a grant, claimed once by the merchant (wire.md 2 and 5.1)."""

import hashlib
import secrets
import uuid
from collections.abc import Iterable

from django.conf import settings
from django.utils import timezone

from authapi import results, statements
from authapi.models import AuthCode
from portal.models import Merchant, MiniProgramGrant


def digest(secret: str) -> str:
    """SHA-256 as hex: all we keep of a code or a token (trust 6). They are random, so no salt is needed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


_ISSUE = """
INSERT INTO authapi_authcode (code, user_id, application_id, grant_id, scope, expires, created, updated,
    redirect_uri, code_challenge, code_challenge_method, nonce, claims, resource)
VALUES (%(code)s, %(user)s, %(program)s, %(grant)s, %(scope)s, %(expires)s, %(now)s, %(now)s, '', '', '', '', '', '[]')
"""


def issue(grant: MiniProgramGrant, scopes: Iterable[str]) -> str:
    """A new code for these scopes of a live grant: 32 URL-safe characters, 192 bits. One statement."""
    code, now = secrets.token_urlsafe(24), timezone.now()
    whose = {"user": grant.user_id, "program": grant.mini_program_id, "grant": grant.pk}
    times = {"expires": statements.moment(now + settings.AUTH_CODE_LIFETIME), "now": statements.moment(now)}
    statements.execute(_ISSUE, {"code": digest(code), "scope": " ".join(scopes), **whose, **times})
    return code


def is_unused(code: str) -> bool:
    """Whether nobody has used this code so far."""
    return AuthCode.objects.filter(code=digest(code), used_at=None).exists()


def claim(code: str, merchant: Merchant, family: uuid.UUID) -> AuthCode:
    """Mark the code used, inside the caller's transaction, and return its row, locked with its grant.

    The lock makes rival callers wait here, and a withdrawal too; each then sees what the winner wrote. Raises
    InvalidAuthCode, ExpiredAuthCode, UsedAuthCode. Another client's code is INVALID and not burnt (trust 4).
    """
    row = (
        AuthCode.objects.select_for_update(no_key=True, of=("grant", "self"))
        .select_related("grant", "application", "user")
        .filter(code=digest(code), application__merchant=merchant)
        .first()
    )
    if row is None:
        raise results.InvalidAuthCode(reason="no such code, or it belongs to another client")
    with results.about(user_id=row.user_id, app_id=row.application.app_id, scopes=row.scope.split()):
        _check(row)
    row.used_at, row.token_family = timezone.now(), family
    row.save(update_fields=["used_at", "token_family"])
    return row


def _check(row: AuthCode) -> None:
    if row.used_at:
        raise results.UsedAuthCode(reason=f"auth code #{row.pk} was used at {row.used_at.isoformat()}")
    if row.expires <= timezone.now():
        raise results.ExpiredAuthCode(reason=f"auth code #{row.pk} expired at {row.expires.isoformat()}")
    row.grant.mini_program = row.application
    if not row.grant.is_live:
        raise results.InvalidAuthCode(reason=f"the grant of auth code #{row.pk} has ended")
    if row.grant.paused_at:
        raise results.InvalidAuthCode(reason=f"the user paused the grant of auth code #{row.pk}")


def find(code: str) -> AuthCode:
    """The row of a code that is known to exist."""
    return AuthCode.objects.get(code=digest(code))
