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

from authapi import codes, families, one_statement, results
from authapi.access_tokens import Found, check_usable
from portal.models import Merchant, MiniProgram, MiniProgramGrant, User


@dataclass(frozen=True, slots=True)
class TokenPair:
    """What a merchant gets: the secrets, shown this once, and until when they live; `user` is the person's UUID."""

    access_token: str
    access_token_expires: datetime
    refresh_token: str
    refresh_token_expires: datetime
    user: uuid.UUID


@dataclass(frozen=True, slots=True)
class Secrets:
    """A pair's secrets before it is written: 43 URL-safe characters each, 256 bits. Only their hashes are kept."""

    access: str
    refresh: str

    @classmethod
    def new(cls) -> "Secrets":
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(32))

    def hashes(self) -> dict[str, str]:
        """What one_statement writes."""
        return {"access": codes.digest(self.access), "refresh": codes.digest(self.refresh)}

    def pair(
        self, expires: datetime, family: uuid.UUID | None, user: uuid.UUID, grant_expires: datetime | None
    ) -> TokenPair:
        """The pair as just written, for this person."""
        refresh = refresh_expires(timezone.now(), family)
        return TokenPair(self.access, expires, self.refresh, min(refresh, grant_expires or refresh), user)


def exchange(code: str, merchant: Merchant, *, app_id: str = "", reference: str = "") -> TokenPair:
    """Swap an auth code for a token pair (wire.md 5.1): claim, then issue, in one transaction.

    `app_id` and `reference` (v1's referenceClientId) must be the code's mini-program where given. Raises
    InvalidAuthCode, ExpiredAuthCode, AccessDenied, UserStatusError, ReferenceClientIdNotMatch, and UsedAuthCode:
    after revoking what came of the code, unless both calls were under way at once (trust 1 and 2).
    """
    pair, named = Secrets.new(), {"app_id": app_id, "reference": reference}
    swapped = one_statement.exchange(codes.digest(code), merchant, **pair.hashes(), **named)
    if swapped and swapped.user and swapped.expires:
        return pair.pair(swapped.expires, swapped.family, swapped.user, swapped.grant_expires)
    unused = swapped.unused if swapped else codes.is_unused(code)
    try:
        return _exchange(code, merchant, pair, **named)
    except results.UsedAuthCode:
        if not unused:
            used = codes.find(code)
            _revoke_family(used.token_family, used.user_id, used.application_id)
        raise


@transaction.atomic
def _exchange(code: str, merchant: Merchant, pair: Secrets, *, app_id: str, reference: str) -> TokenPair:
    """Step by step: where one statement cannot do it, and to find out what is wrong."""
    family = families.new()
    row = codes.claim(code, merchant, family)
    with results.about(user_id=row.user_id, app_id=row.application.app_id, scopes=row.scope.split()):
        _check_addressee(row.application, app_id, reference, results.InvalidAuthCode)
        check_usable(row.application, row.user)
    return _issue(pair, row.grant, row.user, row.scope, family)


def refresh(token: str, merchant: Merchant, *, app_id: str = "", reference: str = "") -> TokenPair:
    """Swap a refresh token for a new pair with the same scopes; the old pair dies (wire.md 5.1).

    `app_id` and `reference` must be the token's mini-program where given. Raises InvalidRefreshToken,
    ExpiredRefreshToken, AccessDenied, UserStatusError, ReferenceClientIdNotMatch, and UsedRefreshToken: after
    revoking the family, unless both calls were under way at once (trust 3). Within REFRESH_GRACE of the rotation,
    and while nobody has shown the new access token, the answer was lost on its way: a fresh pair takes its place.
    """
    pair, named = Secrets.new(), {"app_id": app_id, "reference": reference}
    swapped = one_statement.refresh(codes.digest(token), merchant, **pair.hashes(), **named)
    if swapped and swapped.user and swapped.expires:
        return pair.pair(swapped.expires, swapped.family, swapped.user, swapped.grant_expires)
    row = _find_refresh(token, merchant)
    unused = swapped.unused if swapped else row.revoked is None
    with results.about(user_id=row.user_id, app_id=row.application.app_id):
        _check_addressee(row.application, app_id, reference, results.InvalidRefreshToken)
        try:
            return _rotate(row, pair) if unused else _replace(row, pair)
        except results.UsedRefreshToken:
            if not unused:
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


def refresh_expires(created: datetime, family: uuid.UUID | None) -> datetime:
    """The end of its idle time or of its family's absolute age, whichever comes first (trust 8)."""
    idle = created + settings.REFRESH_TOKEN_IDLE_LIFETIME
    birth = families.born(family) if family else created
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
def _rotate(row: RefreshToken, pair: Secrets) -> TokenPair:
    """Claim the refresh token, then issue. Rivals, and a withdrawal, wait at the grant's lock."""
    grant = _grant_for_refresh(row)
    if not _kill(RefreshToken.objects.filter(pk=row.pk)) or row.access_token is None:
        raise _dead(row)  # a rival was first, or a withdrawal
    return _issue(pair, grant, row.user, row.access_token.scope, row.token_family, source=row)


@transaction.atomic
def _replace(row: RefreshToken, pair: Secrets) -> TokenPair:
    """A fresh pair in place of the one that came of this rotated token, if its answer was lost; else the refusal."""
    _lock_grant(row.user_id, row.application_id)
    row = RefreshToken.objects.select_for_update(no_key=True).get(pk=row.pk)
    in_time = row.revoked and timezone.now() - row.revoked <= settings.REFRESH_GRACE
    shown = row.access_token_id is None  # see access_tokens._settle
    unseen = AccessToken.objects.filter(source_refresh_token=row, refresh_token__revoked=None).first()
    if not in_time or shown or unseen is None:
        raise _dead(row)
    grant = _grant_for_refresh(row)
    _kill(RefreshToken.objects.filter(access_token=unseen))
    AccessToken.objects.filter(pk=unseen.pk).update(source_refresh_token=None)
    return _issue(pair, grant, row.user, unseen.scope, row.token_family, source=row)


def _grant_for_refresh(row: RefreshToken) -> MiniProgramGrant:
    """The live grant behind this token, locked, if nothing else forbids a refresh."""
    grant = _lock_grant(row.user_id, row.application_id)
    if timezone.now() >= refresh_expires(row.created, row.token_family):
        raise results.ExpiredRefreshToken(reason=f"refresh token #{row.pk} expired")
    check_usable(row.application, row.user)
    if grant is None:
        raise results.InvalidRefreshToken(reason=f"there is no live grant behind refresh token #{row.pk}")
    if grant.paused_at:
        raise results.InvalidRefreshToken(reason=f"the user paused the grant behind refresh token #{row.pk}")
    return grant


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
    pair: Secrets,
    grant: MiniProgramGrant,
    user: User,
    scope: str,
    family: uuid.UUID | None,
    source: RefreshToken | None = None,
) -> TokenPair:
    """Write a new pair for a locked grant."""
    grant.touch()
    hashes = pair.hashes()
    expires = timezone.now() + settings.ACCESS_TOKEN_LIFETIME
    if grant.expires_at:
        expires = min(expires, grant.expires_at)
    whose = {"user": user, "application_id": grant.mini_program_id, "token": ""}
    access_row = AccessToken.objects.create(
        **whose, token_checksum=hashes["access"], expires=expires, scope=scope, source_refresh_token=source
    )
    RefreshToken.objects.create(
        **whose, token_checksum=hashes["refresh"], access_token=access_row, token_family=family
    )
    return pair.pair(expires, family, user.uuid, grant.expires_at)


@transaction.atomic
def _kill(refresh_tokens: QuerySet[RefreshToken]) -> int:
    """Revoke these refresh tokens, then cut their access tokens short: two statements, whatever the number."""
    now = timezone.now()
    killed = refresh_tokens.filter(revoked=None).update(revoked=now)
    dead = refresh_tokens.filter(revoked=now).values("access_token")
    AccessToken.objects.filter(pk__in=dead, expires__gt=now).update(expires=now)
    return killed
