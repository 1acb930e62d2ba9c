"""Access and refresh tokens: exchanged for a code, refreshed, found, revoked (wire.md 5.1, 5.3, 5.4).

They live in django-oauth-toolkit's models, as SHA-256 only. They come and die in pairs, so an access token is
revoked exactly when its refresh token is; its `expires` is then cut short as well, for anyone who asks the toolkit.
"""

import secrets
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from oauth2_provider.models import (
    AbstractAccessToken,
    AbstractRefreshToken,
    get_access_token_model,
    get_refresh_token_model,
)

from authapi import codes, results
from portal.models import Merchant, MiniProgram, MiniProgramGrant, User

AccessToken = get_access_token_model()
RefreshToken = get_refresh_token_model()


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
    try:
        with transaction.atomic():
            row = codes.claim(code, merchant, new_family())
            with results.about(user=row.user, app_id=row.application.app_id, scopes=row.scope.split()):
                _check_addressee(row.application, app_id, reference)
                check_usable(row.application, row.user)
            return _issue(row.grant, row.application, row.user, row.scope, row.token_family)
    except results.UsedAuthCode:
        used = codes.find(code)
        revoke_family(used.token_family, used.user_id, used.application_id)
        raise


def refresh(token: str, merchant: Merchant) -> TokenPair:
    """Swap a refresh token for a new pair with the same scopes; the old pair dies (wire.md 5.1).

    Raises InvalidRefreshToken, ExpiredRefreshToken, UsedRefreshToken (after revoking the family), AccessDenied,
    UserStatusError.
    """
    row = _find_refresh(token, merchant)
    try:
        with results.about(**_about(row)), transaction.atomic():
            return _rotate(row)
    except results.UsedRefreshToken:
        revoke_family(row.token_family, row.user_id, row.application_id)
        raise


def find(token: str, merchant: Merchant) -> AbstractAccessToken:
    """The access token of this merchant, with its user, mini-program and refresh token; dead ones too.

    Raises InvalidAccessToken when there is none: another client's token looks the same (trust 14).
    """
    row = (
        AccessToken.objects.select_related("user", "application", "refresh_token")
        .filter(token_checksum=codes.digest(token), application__merchant=merchant)
        .first()
    )
    if row is None:
        raise results.InvalidAccessToken(reason="no such token, or it belongs to another client")
    return row


def use(token: str, merchant: Merchant) -> tuple[AbstractAccessToken, MiniProgramGrant]:
    """The live access token and the live grant behind it, for showing what they open.

    Raises InvalidAccessToken, ExpiredAccessToken, AccessDenied, UserStatusError.
    """
    row = find(token, merchant)
    with results.about(**_about(row), scopes=row.scope.split()):
        _check_alive(row)
        check_usable(row.application, row.user)
        grant = MiniProgramGrant.objects.live().filter(user=row.user, mini_program=row.application).first()
        if grant is None:
            raise results.InvalidAccessToken(reason=f"there is no live grant behind access token #{row.pk}")
    grant.touch()
    return row, grant


def _about(row: AbstractAccessToken | AbstractRefreshToken) -> dict[str, Any]:
    return {"user": row.user, "app_id": row.application.app_id}


def _check_alive(row: AbstractAccessToken) -> None:
    if is_revoked(row):
        raise results.InvalidAccessToken(reason=f"access token #{row.pk} is revoked")
    if row.is_expired():
        raise results.ExpiredAccessToken(reason=f"access token #{row.pk} expired at {row.expires.isoformat()}")


def is_revoked(row: AbstractAccessToken) -> bool:
    """Whether it was cancelled, rotated or withdrawn, rather than merely too old."""
    pair = getattr(row, "refresh_token", None)
    return pair is None or pair.revoked is not None


def revoke(row: AbstractAccessToken) -> bool:
    """Kill an access token and its refresh token; the grant stays (wire.md 5.3). False when they were dead."""
    if is_revoked(row):
        return False
    return bool(_kill(RefreshToken.objects.filter(access_token=row)))


@transaction.atomic
def revoke_family(family: uuid.UUID, user_id: int, mini_program_id: int) -> int:
    """Kill every token that came of one code (trust 2 and 3).

    Waits for the grant's lock: a rotation under way in this family would otherwise leave its new pair alive.
    """
    _lock_grant(user_id, mini_program_id)
    return _kill(RefreshToken.objects.filter(token_family=family))


def _check_addressee(mini_program: MiniProgram, app_id: str, reference: str) -> None:
    if app_id and app_id != mini_program.app_id:
        raise results.InvalidAuthCode(
            f"appId: the code was not made for {app_id[:32]}.", reason=f"it was made for {mini_program.app_id}"
        )
    if reference and reference != mini_program.app_id:
        raise results.ReferenceClientIdNotMatch(reason=f"{reference[:128]} is not {mini_program.app_id}")


def check_usable(mini_program: MiniProgram, user: User) -> None:
    """Raises AccessDenied for a suspended mini-program or a missing feature, UserStatusError for a user not ACTIVE."""
    if not mini_program.is_active:
        raise results.AccessDenied(f"appId: {mini_program.app_id} is suspended.")
    if not mini_program.has_feature("App_User_Authorization"):
        raise results.AccessDenied(f"appId: {mini_program.app_id} lacks the feature App_User_Authorization.")
    if user.status != User.Status.ACTIVE or not user.is_active:
        raise results.UserStatusError(reason=f"user #{user.pk} is {user.status}")


def new_family() -> uuid.UUID:
    """A UUIDv7 (RFC 9562 section 5.7): carries when the sign-in happened, which bounds every later refresh."""
    value = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    return uuid.UUID(int=value & ~(0x3 << 62) | 0x2 << 62)


def born(family: uuid.UUID) -> datetime:
    """When the first token of this family was issued."""
    return datetime.fromtimestamp((family.int >> 80) / 1000, tz=UTC)


def refresh_expires(row: AbstractRefreshToken) -> datetime:
    """The end of its idle time or of its family's absolute age, whichever comes first (trust 8)."""
    idle = row.created + settings.REFRESH_TOKEN_IDLE_LIFETIME
    return min(idle, born(row.token_family) + settings.REFRESH_TOKEN_ABSOLUTE_LIFETIME)


def _find_refresh(token: str, merchant: Merchant) -> AbstractRefreshToken:
    row = (
        RefreshToken.objects.select_related("application", "user", "access_token")
        .filter(token_checksum=codes.digest(token), application__merchant=merchant)
        .first()
    )
    if row is None:
        raise results.InvalidRefreshToken(reason="no such token, or it belongs to another client")
    return row


def _rotate(row: AbstractRefreshToken) -> TokenPair:
    """Claim the refresh token, then issue. Rivals, and a withdrawal, wait at the grant's lock."""
    grant = _lock_grant(row.user_id, row.application_id)
    if not RefreshToken.objects.filter(pk=row.pk, revoked=None).exists():
        if AccessToken.objects.filter(source_refresh_token=row).exists():
            raise results.UsedRefreshToken(reason=f"refresh token #{row.pk} was rotated before")
        raise results.InvalidRefreshToken(reason=f"refresh token #{row.pk} was revoked")
    if timezone.now() >= refresh_expires(row):
        raise results.ExpiredRefreshToken(reason=f"refresh token #{row.pk} expired")
    check_usable(row.application, row.user)
    if grant is None:
        raise results.InvalidRefreshToken(reason=f"there is no live grant behind refresh token #{row.pk}")
    _kill(RefreshToken.objects.filter(pk=row.pk))
    return _issue(grant, row.application, row.user, row.access_token.scope, row.token_family, source=row)


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
    family: uuid.UUID,
    source: AbstractRefreshToken | None = None,
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
def _kill(refresh_tokens: QuerySet[AbstractRefreshToken]) -> int:
    """Revoke these refresh tokens, then cut their access tokens short: two statements, whatever the number."""
    now = timezone.now()
    killed = refresh_tokens.filter(revoked=None).update(revoked=now)
    dead = refresh_tokens.filter(revoked=now).values("access_token")
    AccessToken.objects.filter(pk__in=dead, expires__gt=now).update(expires=now)
    return killed
