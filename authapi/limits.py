"""Failed calls are limited: per client, per address, and per code or token (trust 19)."""

import logging
from collections.abc import Iterator

from django.conf import settings

from authapi import results
from authapi.results import MerchantRefusal
from portal import limits
from portal.cache import CacheDownError

logger = logging.getLogger(__name__)

MINUTE = 60
PREFIX = 8  # characters of a code or token

# Whoever these refuse has not proved to be the client that is named.
UNPROVED = (results.InvalidSignature, results.KeyNotFound, results.InvalidClient)
GUESSED = (results.InvalidAuthCode, results.InvalidRefreshToken, results.InvalidAccessToken)
KNOWN = (
    results.UsedAuthCode,
    results.ExpiredAuthCode,
    results.UsedRefreshToken,
    results.ExpiredRefreshToken,
    results.ExpiredAccessToken,
)


def instead(refusal: MerchantRefusal, *, client_id: str, address: str | None, secret: str) -> MerchantRefusal:
    """Count this refusal; gives it back, or REQUEST_TRAFFIC_EXCEED_LIMIT when there were too many (wire.md 3).

    `client_id` as claimed, `secret` the code or token the refusal is about. Only refusals count, so a valid call is
    never refused and costs nothing: nobody can lock a merchant out by sending rubbish under its name. What counts:

    - A call that did not prove who sent it: per address, and per client and address together, so that a stranger
      changes nothing for the client. Whoever hides behind many addresses meets a limit at each.
    - A proved call with a code or token that does not exist: per client, per address, and per prefix, which many
      clients share when they try together.
    - A code or token that exists and is over: per prefix alone; to repeat it is no guessing.
    - Anything else, like PARAM_ILLEGAL: not at all.

    The limits are windows of a minute. The first refusal over one is audited and logged and names the limit, later
    ones of that window are only counted (`audited`): a flood must not fill the audit. While the cache is down the
    refusal stands as it is: calls go on, without limits.
    """
    try:
        for key, limit, whose in _counters(refusal, client_id, limits.network(address or ""), secret[:PREFIX]):
            if over := limits.hit(key, limit, MINUTE):
                return _exceeded(refusal, over, f"more than {limit} failed calls a minute {whose}")
    except CacheDownError:
        pass  # it said so in the log
    return refusal


def _counters(refusal: MerchantRefusal, client_id: str, network: str, prefix: str) -> Iterator[tuple[str, int, str]]:
    """(key, limit, in words) of each counter. The address comes first: over its limit it fills no further keys."""
    if isinstance(refusal, UNPROVED + GUESSED) and network:
        yield f"failed from {network}", settings.LIMIT_ADDRESS, "from this address"
    if isinstance(refusal, UNPROVED):
        key = f"failed as {client_id!r} from {network}"
        yield key, settings.LIMIT_CLIENT, "under this Client-Id from this address"
    if isinstance(refusal, GUESSED):
        yield f"failed by {client_id!r}", settings.LIMIT_CLIENT, "of this client"
    if isinstance(refusal, GUESSED + KNOWN) and prefix:
        yield f"failed with {prefix!r}", settings.LIMIT_PREFIX, "with this code or token"


def _exceeded(refusal: MerchantRefusal, over: limits.Over, which: str) -> results.TrafficExceeded:
    reason = f"{which}; this one would have been {refusal.code}"
    exceeded = results.TrafficExceeded(reason=reason, retry_after=over.retry_after)
    exceeded.user_id, exceeded.app_id, exceeded.scopes = refusal.user_id, refusal.app_id, refusal.scopes
    exceeded.audited = over.first
    if over.first:
        logger.warning("limit reached: %s", reason)
    return exceeded


UNAUTHENTICATED = "Too many calls without a valid user from this address. Wait as long as Retry-After says."


def unauthenticated(address: str | None) -> limits.Over | None:
    """Count a container call without a valid user, per address; None also while the cache is down (wire.md 2)."""
    try:
        return limits.hit(f"no user from {limits.network(address or '')}", settings.LIMIT_ADDRESS, MINUTE)
    except CacheDownError:
        return None
