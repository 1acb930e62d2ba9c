"""Access tokens a merchant shows us: found, dead or alive, and what stands behind them (wire.md 5.2 to 5.4)."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings
from django.utils import timezone
from oauth2_provider.models import AccessToken, RefreshToken

from authapi import codes, results, statements
from portal.models import Merchant, MiniProgram, MiniProgramGrant, User
from portal.models.mini_programs import USER_AUTHORIZATION

PROFILE = (
    *("nickname", "full_name", "first_name", "middle_name", "last_name"),
    *("avatar", "gender", "birth_date", "nationality", "extra"),
)

# The lists of a profile: their tables and columns.
LISTS = {
    "login_ids": ("portal_loginid", "type, value"),
    "contacts": ("portal_contact", "type, value"),
    "addresses": ("portal_address", "region, label, state, city, address1, address2, zip_code"),
}

# The token with whom it is about, the live grant behind it, and the scopes that are approved now.
_FIND = """
SELECT t.id, t.expires, t.scope, t.created, t.source_refresh_token_id, r.id IS NULL OR r.revoked IS NOT NULL,
       u.id, u.uuid, u.status, u.is_active, p.id, p.client_id, p.status, p.features, p.cut_offs,
       g.id, g.scopes, g.terms, g.since, g.paused_at, g.last_used_at,
       (SELECT {joined} FROM portal_scopeapproval a WHERE a.mini_program_id = p.id AND a.state = 'APPROVED'),
       {profile}
FROM oauth2_provider_accesstoken t
JOIN portal_user u ON u.id = t.user_id
JOIN portal_miniprogram p ON p.id = t.application_id
LEFT JOIN oauth2_provider_refreshtoken r ON r.access_token_id = t.id
LEFT JOIN portal_miniprogramgrant g ON g.user_id = t.user_id AND g.mini_program_id = t.application_id
    AND g.ended_at IS NULL AND (g.expires_at IS NULL OR g.expires_at > %(now)s)
WHERE t.token_checksum = %(checksum)s AND p.merchant_id = %(merchant)s
"""


@dataclass(frozen=True, slots=True)
class Found:
    """An access token of the calling merchant, dead or alive, and what stands behind it now.

    `approved` are the names of the mini-program's approved scopes; `profile` the user's
    columns as stored, and their lists as JSON.
    """

    row: AccessToken
    is_revoked: bool  # cancelled, rotated or withdrawn, rather than merely too old
    user: User
    mini_program: MiniProgram
    grant: MiniProgramGrant | None
    approved: frozenset[str]
    profile: dict[str, Any]

    @property
    def scopes(self) -> list[str]:
        return self.row.scope.split()


def find(token: str, merchant: Merchant, *, app_id: str = "") -> Found:
    """The access token of this merchant, dead ones too; `app_id` must be its mini-program where given. One statement.

    Raises InvalidAccessToken when there is none: another client's token looks the same (trust 14). A token that was
    shown has reached its owner: from now on the refresh token it came of is used up (see tokens.refresh).
    """
    values = {"checksum": codes.digest(token), "merchant": merchant.pk, "now": statements.moment(timezone.now())}
    columns = statements.row(_find(), values)
    if columns is None:
        raise results.InvalidAccessToken(reason="no such token, or it belongs to another client")
    found = _found(*columns)
    if app_id and app_id != found.mini_program.app_id:
        raise results.InvalidAccessToken(f"appId: the token was not issued for {app_id}.")
    _settle(found.row)
    return found


@cache
def _find() -> str:
    columns = [f"u.{name}" for name in PROFILE]
    columns += [statements.listed(table, names, "user_id = u.id") for table, names in LISTS.values()]
    return _FIND.format(joined=statements.joined("a.scope"), profile=", ".join(columns))


def _found(*columns: Any) -> Found:
    key, expires, scope, created, source, revoked, *columns_left = columns
    user_id, uuid, user_status, user_active, program_id, app_id, program_status, *columns_left = columns_left
    features, cut_offs, grant_id, granted, terms, since, paused, used, approved, *profile = columns_left
    row = statements.model(
        AccessToken,
        id=key,
        expires=statements.as_moment(expires),
        scope=scope,
        created=statements.as_moment(created),
        source_refresh_token_id=source,
    )
    user = statements.model(User, id=user_id, uuid=statements.as_uuid(uuid), status=user_status, is_active=user_active)
    program = statements.model(
        MiniProgram, id=program_id, client_id=app_id, status=program_status, features=json.loads(features)
    )
    program.cut_offs = json.loads(cut_offs)
    grant = grant_id and statements.model(
        MiniProgramGrant,
        id=grant_id,
        scopes=json.loads(granted),
        terms=json.loads(terms),
        since=statements.as_moment(since),
        ended_at=None,
        expires_at=None,
        paused_at=statements.as_moment(paused),
        last_used_at=statements.as_moment(used),
    )
    if grant:
        grant.mini_program = program
        grant = grant if grant.is_live else None
    names = frozenset((approved or "").split())
    stored = dict(zip((*PROFILE, *LISTS), profile, strict=True))
    return Found(row, bool(revoked), user, program, grant, names, stored)


def _settle(row: AccessToken) -> None:
    """Note the first sight of a token that came of a refresh, while that refresh could still be repeated.

    The note is the missing link between the old pair: both halves are dead, and nothing else looks at it.
    """
    if row.source_refresh_token_id and timezone.now() - row.created <= settings.REFRESH_GRACE:
        rows = RefreshToken.objects.filter(pk=row.source_refresh_token_id).exclude(access_token=None)
        rows.update(access_token=None)


def use(token: str, merchant: Merchant, *, app_id: str = "") -> tuple[Found, MiniProgramGrant]:
    """The live access token and the live grant behind it, for showing what they open.

    Raises InvalidAccessToken, ExpiredAccessToken, AccessDenied, UserStatusError.
    """
    found = find(token, merchant, app_id=app_id)
    with results.about(user_id=found.user.pk, app_id=found.mini_program.app_id, scopes=found.scopes):
        _check_alive(found)
        check_usable(found.mini_program, found.user)
        if found.grant is None:
            raise results.InvalidAccessToken(reason=f"there is no live grant behind access token #{found.row.pk}")
        if found.grant.paused_at:
            raise results.InvalidAccessToken(reason=f"the user paused the grant behind access token #{found.row.pk}")
    found.grant.touch()
    return found, found.grant


def status(found: Found) -> str:
    """ACTIVE, EXPIRED or REVOKED (wire.md 5.4). Raises AccessDenied, UserStatusError: `use` would refuse it."""
    if found.is_revoked:
        return "REVOKED"
    if found.row.is_expired():
        return "EXPIRED"
    with results.about(user_id=found.user.pk, app_id=found.mini_program.app_id, scopes=found.scopes):
        check_usable(found.mini_program, found.user)
    if found.grant and found.grant.paused_at:
        return "REVOKED"  # as long as the pause lasts
    return "ACTIVE" if found.grant else "EXPIRED"  # an ended grant would have revoked it


def _check_alive(found: Found) -> None:
    row = found.row
    if found.is_revoked:
        raise results.InvalidAccessToken(reason=f"access token #{row.pk} is revoked")
    if row.is_expired():
        raise results.ExpiredAccessToken(reason=f"access token #{row.pk} expired at {row.expires.isoformat()}")


def check_usable(mini_program: MiniProgram, user: User) -> None:
    """Raises AccessDenied for a suspended mini-program or a missing feature, UserStatusError for a user not ACTIVE."""
    if not mini_program.is_active:
        raise results.AccessDenied(f"appId: {mini_program.app_id} is suspended.")
    if not mini_program.has_feature(USER_AUTHORIZATION):
        raise results.AccessDenied(f"appId: {mini_program.app_id} lacks the feature {USER_AUTHORIZATION}.")
    if user.status != User.Status.ACTIVE or not user.is_active:
        raise results.UserStatusError(reason=f"user #{user.pk} is {user.status}")
