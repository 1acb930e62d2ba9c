"""Token pairs: exchanged for a code, refreshed, revoked (wire.md 5.1 and 5.3).

They live in django-oauth-toolkit's models, as SHA-256 only. They come and die in pairs, so an access token is
revoked exactly when its refresh token is; its `expires` is then cut short as well, for anyone who asks the toolkit.
"""

import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from oauth2_provider.models import AccessToken, RefreshToken

from authapi import codes, families, results
from authapi.access_tokens import Found, check_usable
from portal.models import Merchant, MiniProgram, MiniProgramGrant, User


@dataclass(frozen=True)
class TokenPair:
    """What a merchant gets: the secrets, shown this once, and until when they live."""

    access_token: str
    access_token_expires: datetime
    refresh_token: str
    refresh_token_expires: datetime
    user: User
    mini_program: MiniProgram


def exchange(code: str, merchant: Merchant, *, app_id: str = "", reference: str = "") -> TokenPair:
    """Swap an auth code for a token pair (wire.md 5.1): claim, then issue, in one transaction.

    `app_id` and `reference` (v1's referenceClientId) must be the code's mini-program where given. Raises
    InvalidAuthCode, ExpiredAuthCode, UsedAuthCode (after revoking what came of the code), AccessDenied,
    UserStatusError, ReferenceClientIdNotMatch.
    """
    family = families.new()
    try:
        with transaction.atomic():
            row = codes.claim(code, merchant, family)
            with results.about(user=row.user, app_id=row.application.app_id, scopes=row.scope.split()):
                _check_addressee(row.application, app_id, reference, results.InvalidAuthCode)
                check_usable(row.application, row.user)
            return _issue(row.grant, row.application, row.user, row.scope, family)
    except results.UsedAuthCode:
        used = codes.find(code)
        _revoke_family(used.token_family, used.user_id, used.application_id)
        raise


def refresh(token: str, merchant: Merchant, *, app_id: str = "", reference: str = "") -> TokenPair:
    """Swap a refresh token for a new pair with the same scopes; the old pair dies (wire.md 5.1).

    `app_id` and `reference` must be the token's mini-program where given. Raises InvalidRefreshToken,
    ExpiredRefreshToken, UsedRefreshToken (after revoking the family), AccessDenied, UserStatusError,
    ReferenceClientIdNotMatch.
    """
    row = _find_refresh(token, merchant)
    with results.about(user=row.user, app_id=row.application.app_id):
        _check_addressee(row.application, app_id, reference, results.InvalidRefreshToken)
        try:
            return _rotate(row)
        except results.UsedRefreshToken:
            _revoke_family(row.token_family, row.user_id, row.application_id)
            raise


def revoke(found: Found) -> bool:
    """Kill an access token and its refresh token; the grant stays (wire.md 5.3). False when they were dead."""
    if found.is_revoked:
        return False
    return bool(_kill(RefreshToken.objects.filter(access_token=found.row)))


@transaction.atomic
def _revoke_family(family: uuid.UUID | None, user_id: int, mini_program_id: int) -> int:
    """Kill every token that came of one code (trust 2 and 3).

    Waits for the grant's lock: a rotation under way in this family would otherwise leave its new pair alive.
    """
    _lock_grant(user_id, mini_program_id)
    return _kill(RefreshToken.objects.filter(token_family=family))


def _check_addressee(
    mini_program: MiniProgram, app_id: str, reference: str, invalid: type[results.MerchantRefusal]
) -> None:
    if app_id and app_id != mini_program.app_id:
        raise invalid(
            f"appId: it was not issued for {app_id[:32]}.", reason=f"it was issued for {mini_program.app_id}"
        )
    if reference and reference != mini_program.app_id:
        raise results.ReferenceClientIdNotMatch(reason=f"{reference[:128]} is not {mini_program.app_id}")


def refresh_expires(row: RefreshToken) -> datetime:
    """The end of its idle time or of its family's absolute age, whichever comes first (trust 8)."""
    idle = row.created + settings.REFRESH_TOKEN_IDLE_LIFETIME
    birth = families.born(row.token_family) if row.token_family else row.created
    return min(idle, birth + settings.REFRESH_TOKEN_ABSOLUTE_LIFETIME)


def _find_refresh(token: str, merchant: Merchant) -> RefreshToken:
    row = (
        RefreshToken.objects.select_related("application", "user", "access_token")
        .filter(token_checksum=codes.digest(token), application__merchant=merchant)
        .first()
    )
    if row is None:
        raise results.InvalidRefreshToken(reason="no such token, or it belongs to another client")
    return row


@transaction.atomic
def _rotate(row: RefreshToken) -> TokenPair:
    """Claim the refresh token, then issue. Rivals, and a withdrawal, wait at the grant's lock."""
    if row.revoked:
        raise _dead(row)
    grant = _lock_grant(row.user_id, row.application_id)
    if timezone.now() >= refresh_expires(row):
        raise results.ExpiredRefreshToken(reason=f"refresh token #{row.pk} expired")
    check_usable(row.application, row.user)
    if grant is None or row.access_token is None:
        raise results.InvalidRefreshToken(reason=f"there is no live grant behind refresh token #{row.pk}")
    if not _kill(RefreshToken.objects.filter(pk=row.pk)):  # a rival was first, or a withdrawal
        raise _dead(row)
    return _issue(grant, row.application, row.user, row.access_token.scope, row.token_family, source=row)


def _dead(row: RefreshToken) -> results.MerchantRefusal:
    """Used, when a pair came of it; otherwise it was cancelled or withdrawn."""
    if AccessToken.objects.filter(source_refresh_token=row).exists():
        return results.UsedRefreshToken(reason=f"refresh token #{row.pk} was rotated before")
    return results.InvalidRefreshToken(reason=f"refresh token #{row.pk} was revoked")


def _lock_grant(user_id: int, mini_program_id: int) -> MiniProgramGrant | None:
    """The live grant of this pair under a row lock. Whoever writes tokens or ends access takes it first."""
    return (
        MiniProgramGrant.objects.live()
        .select_for_update(no_key=True)
        .filter(user_id=user_id, mini_program_id=mini_program_id)
        .first()
    )


def _issue(
    grant: MiniProgramGrant,
    mini_program: MiniProgram,
    user: User,
    scope: str,
    family: uuid.UUID | None,
    source: RefreshToken | None = None,
) -> TokenPair:
    """Write a new pair. The secrets are 43 URL-safe characters, 256 bits; only their hashes are kept."""
    grant.touch()
    access, refresh = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    now = timezone.now()
    expires = now + settings.ACCESS_TOKEN_LIFETIME
    if grant.expires_at:
        expires = min(expires, grant.expires_at)
    access_row = AccessToken.objects.create(
        user=user,
        application=mini_program,
        token="",
        token_checksum=codes.digest(access),
        expires=expires,
        scope=scope,
        source_refresh_token=source,
    )
    refresh_row = RefreshToken.objects.create(
        user=user,
        application=mini_program,
        token="",
        token_checksum=codes.digest(refresh),
        access_token=access_row,
        token_family=family,
    )
    return TokenPair(access, expires, refresh, refresh_expires(refresh_row), user, mini_program)


@transaction.atomic
def _kill(refresh_tokens: QuerySet[RefreshToken]) -> int:
    """Revoke these refresh tokens, then cut their access tokens short: two statements, whatever the number."""
    now = timezone.now()
    killed = refresh_tokens.filter(revoked=None).update(revoked=now)
    dead = refresh_tokens.filter(revoked=now).values("access_token")
    AccessToken.objects.filter(pk__in=dead, expires__gt=now).update(expires=now)
    return killed
