"""A whole exchange or refresh as one statement, where the database can do that: PostgreSQL.

They do what `tokens` does step by step, for the case that all is well; whatever is not well is left to it.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from authapi import families, statements
from portal.models import Merchant
from portal.models.granted_scopes import LAST_USED_PRECISION


@dataclass(frozen=True, slots=True)
class Swapped:
    """What was written: the access token's end and whom the pair is about; or nothing was, and `user` is None.

    `unused` is how the code or refresh token stood when the statement began: unused and yet not swapped means that
    a rival won meanwhile (or that there is another reason to refuse it).
    """

    unused: bool
    expires: datetime | None
    user: uuid.UUID | None
    family: uuid.UUID | None
    grant_expires: datetime | None


# `held` locks what decides: PostgreSQL waits for a rival there, looks again at what it wrote, and drops the row when
# it no longer fits. Grant, then token: the order everywhere, so that nobody waits in a circle.
_USABLE = """
    AND p.merchant_id = %(merchant)s AND p.status = 'ACTIVE' AND p.features @> '"App_User_Authorization"'
    AND (%(app_id)s = '' OR p.client_id = %(app_id)s) AND (%(reference)s = '' OR p.client_id = %(reference)s)
    AND u.status = 'ACTIVE' AND u.is_active
    AND g.ended_at IS NULL AND g.paused_at IS NULL AND (g.expires_at IS NULL OR g.expires_at > %(now)s)
    AND p.cut_offs = '[]'
"""
_ISSUE = """
access AS (
    INSERT INTO oauth2_provider_accesstoken
        (token, token_checksum, expires, scope, application_id, user_id, created, updated, resource,
         source_refresh_token_id)
    SELECT '', %(access)s, expires, scope, program_id, user_id, %(now)s, %(now)s, '[]', source FROM held
    RETURNING id
), refresh AS (
    INSERT INTO oauth2_provider_refreshtoken
        (token, token_checksum, access_token_id, application_id, user_id, created, updated, token_family, resource)
    SELECT '', %(refresh)s, access.id, program_id, user_id, %(now)s, %(now)s, family, '[]' FROM held, access
), touched AS (
    UPDATE portal_miniprogramgrant g SET last_used_at = %(now)s FROM held
    WHERE g.id = held.grant_id AND (g.last_used_at IS NULL OR g.last_used_at < %(stale)s)
)
"""
_EXCHANGE = f"""
WITH held AS (
    SELECT c.id, c.scope, c.user_id, u.uuid, p.id AS program_id, g.id AS grant_id, %(family)s::uuid AS family,
        LEAST(%(expires)s, g.expires_at) AS expires, g.expires_at AS grant_expires, NULL::bigint AS source
    FROM authapi_authcode c
    JOIN portal_miniprogramgrant g ON g.id = c.grant_id
    JOIN portal_miniprogram p ON p.id = c.application_id
    JOIN portal_user u ON u.id = c.user_id
    WHERE c.code = %(secret)s AND c.used_at IS NULL AND c.expires > %(now)s {_USABLE}
    FOR NO KEY UPDATE OF g, c
), used AS (
    UPDATE authapi_authcode c SET used_at = %(now)s, token_family = held.family FROM held WHERE c.id = held.id
), {_ISSUE}
SELECT EXISTS (SELECT 1 FROM authapi_authcode WHERE code = %(secret)s AND used_at IS NULL),
    held.expires, held.uuid, held.family, held.grant_expires
FROM (VALUES (1)) AS one LEFT JOIN held ON TRUE
"""  # noqa: S608 - made of constants
_REFRESH = f"""
WITH held AS (
    SELECT r.id, r.access_token_id, t.scope, r.user_id, u.uuid, p.id AS program_id, g.id AS grant_id,
        r.token_family AS family, LEAST(%(expires)s, g.expires_at) AS expires, g.expires_at AS grant_expires,
        r.id AS source
    FROM oauth2_provider_refreshtoken r
    JOIN oauth2_provider_accesstoken t ON t.id = r.access_token_id
    JOIN portal_miniprogramgrant g ON g.user_id = r.user_id AND g.mini_program_id = r.application_id
    JOIN portal_miniprogram p ON p.id = r.application_id
    JOIN portal_user u ON u.id = r.user_id
    WHERE r.token_checksum = %(secret)s AND r.revoked IS NULL
        AND r.created > %(idle)s AND r.token_family > %(eldest)s {_USABLE}
    FOR NO KEY UPDATE OF g, r
), rotated AS (
    UPDATE oauth2_provider_refreshtoken r SET revoked = %(now)s, updated = %(now)s FROM held WHERE r.id = held.id
), cut AS (
    UPDATE oauth2_provider_accesstoken t SET expires = %(now)s FROM held
    WHERE t.id = held.access_token_id AND t.expires > %(now)s
), {_ISSUE}
SELECT EXISTS (SELECT 1 FROM oauth2_provider_refreshtoken WHERE token_checksum = %(secret)s AND revoked IS NULL),
    held.expires, held.uuid, held.family, held.grant_expires
FROM (VALUES (1)) AS one LEFT JOIN held ON TRUE
"""  # noqa: S608


def exchange(secret: str, merchant: Merchant, *, access: str, refresh: str, **named: str) -> Swapped | None:
    """Swap the code with this hash for a pair with these hashes; None where it takes several statements.

    `named` are app_id and reference, which must be the mini-program's where they are not empty.
    """
    return _swap(_EXCHANGE, secret, merchant, access=access, refresh=refresh, family=families.new(), **named)


def refresh(secret: str, merchant: Merchant, *, access: str, refresh: str, **named: str) -> Swapped | None:
    """Swap the refresh token with this hash for a pair with these hashes; else as `exchange`."""
    now = timezone.now()
    ages = {
        "idle": now - settings.REFRESH_TOKEN_IDLE_LIFETIME,
        "eldest": families.eldest(now - settings.REFRESH_TOKEN_ABSOLUTE_LIFETIME),
    }
    return _swap(_REFRESH, secret, merchant, access=access, refresh=refresh, **ages, **named)


def _swap(sql: str, secret: str, merchant: Merchant, **values: Any) -> Swapped | None:
    if connection.vendor != "postgresql":
        return None
    now = timezone.now()
    times = {"now": now, "expires": now + settings.ACCESS_TOKEN_LIFETIME, "stale": now - LAST_USED_PRECISION}
    found = statements.row(sql, {"secret": secret, "merchant": merchant.pk, **times, **values})
    return Swapped(*found) if found else None
