"""Access tokens a merchant shows us: found, dead or alive, and what stands behind them (wire.md 5.2 to 5.4)."""

from dataclasses import dataclass

from oauth2_provider.models import AccessToken

from authapi import codes, results
from portal.models import Merchant, MiniProgram, MiniProgramGrant, User


@dataclass(frozen=True)
class Found:
    """An access token of the calling merchant, dead or alive, with whom it is about."""

    row: AccessToken
    user: User
    mini_program: MiniProgram

    @property
    def scopes(self) -> list[str]:
        return self.row.scope.split()

    @property
    def is_revoked(self) -> bool:
        """Whether it was cancelled, rotated or withdrawn, rather than merely too old."""
        pair = getattr(self.row, "refresh_token", None)
        return pair is None or pair.revoked is not None


def find(token: str, merchant: Merchant, *, app_id: str = "") -> Found:
    """The access token of this merchant, dead ones too; `app_id` must be its mini-program where given. One statement.

    Raises InvalidAccessToken when there is none: another client's token looks the same (trust 14).
    """
    row = (
        AccessToken.objects.select_related("user", "application", "refresh_token")
        .filter(token_checksum=codes.digest(token), application__merchant=merchant)
        .first()
    )
    if row is None or row.user is None or row.application is None:
        raise results.InvalidAccessToken(reason="no such token, or it belongs to another client")
    if app_id and app_id != row.application.app_id:
        raise results.InvalidAccessToken(f"appId: the token was not issued for {app_id}.")
    return Found(row, row.user, row.application)


def use(token: str, merchant: Merchant, *, app_id: str = "") -> tuple[Found, MiniProgramGrant]:
    """The live access token and the live grant behind it, for showing what they open.

    Raises InvalidAccessToken, ExpiredAccessToken, AccessDenied, UserStatusError.
    """
    found = find(token, merchant, app_id=app_id)
    with results.about(user=found.user, app_id=found.mini_program.app_id, scopes=found.scopes):
        _check_alive(found)
        check_usable(found.mini_program, found.user)
        grant = _live_grant(found)
        if grant is None:
            raise results.InvalidAccessToken(reason=f"there is no live grant behind access token #{found.row.pk}")
    grant.touch()
    return found, grant


def status(found: Found) -> str:
    """ACTIVE, EXPIRED or REVOKED (wire.md 5.4). Raises AccessDenied, UserStatusError: `use` would refuse it."""
    if found.is_revoked:
        return "REVOKED"
    if found.row.is_expired():
        return "EXPIRED"
    with results.about(user=found.user, app_id=found.mini_program.app_id, scopes=found.scopes):
        check_usable(found.mini_program, found.user)
    return "ACTIVE" if _live_grant(found) else "EXPIRED"  # an ended grant would have revoked it


def _live_grant(found: Found) -> MiniProgramGrant | None:
    grants = MiniProgramGrant.objects.live()
    grant = grants.filter(user=found.user, mini_program=found.mini_program).first()
    if grant:
        grant.mini_program = found.mini_program  # the same row: saves reading it again
    return grant


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
    if not mini_program.has_feature("App_User_Authorization"):
        raise results.AccessDenied(f"appId: {mini_program.app_id} lacks the feature App_User_Authorization.")
    if user.status != User.Status.ACTIVE or not user.is_active:
        raise results.UserStatusError(reason=f"user #{user.pk} is {user.status}")
