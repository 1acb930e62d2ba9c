"""What an operator can tell whoever asks about an error: whose it is to put right, and how. By code, and by cause.

Every code that `codes` lists has a hint; a frequent cause of a code has one of its own, which says more.
"""

import re
from typing import NamedTuple

from authapi import results

MERCHANT = "The merchant's server"
DEVELOPER = "The mini-program's developer"
USER = "The user"
US = "We"
NOBODY = "Nobody"


class Hint(NamedTuple):
    """Whose it is to put right, and how."""

    who: str
    fix: str


def codes() -> list[str]:
    """Every code an audit row can carry: those of results.py, and what the container's API answers by HTTP status."""
    found = {str(error) for error in results.JSAPI_ERRORS} | {"401", "403", "404", "405", "429"}  # container_api.py
    for refusal in results.MerchantRefusal.__subclasses__():
        found |= {refusal.code, refusal.v1_code}
    return sorted(found - {""})


def hint(code: str, cause: str) -> Hint:
    """The one for this cause, or else the code's."""
    for pattern, found in BY_CAUSE.get(code, ()):
        if pattern.search(cause):
            return found
    return BY_CODE.get(code, Hint(US, "This code is none that we utter today: an earlier version of the portal did."))


_CODE_INVALID = Hint(
    MERCHANT,
    "It must send the code exactly as my.getAuthCode gave it, once, and sign with the Client-Id that owns the "
    "mini-program. One merchant's code is unknown to another.",
)
_CODE_EXPIRED = Hint(
    MERCHANT, "Codes live for minutes: exchange each as soon as it arrives, and call my.getAuthCode for a new one."
)
_CODE_USED = Hint(
    MERCHANT,
    "A code works once, and a second use revokes what came of the first. Look for retries without the answer stored, "
    "two servers handling one message, or a leak: then have the user sign in again.",
)

BY_CODE: dict[str, Hint] = {
    # JSAPI errors
    "2": Hint(DEVELOPER, "The call of my.getAuthCode names something wrong: the reason says which field."),
    "3": Hint(
        US,
        "Something failed while a user was asked. The reason says what; the trace id leads to the log if it is ours.",
    ),
    "10": Hint(
        DEVELOPER, "The container got no answer it could use. Check that the page calls with an appId and scopes."
    ),
    "11": Hint(NOBODY, "The user said no, which is their right. Many of them: look at the purposes the sheet gives."),
    # What the container's API answers by HTTP status
    "401": Hint(USER, "Nobody was signed in, or the session was over. The container should ask the user to sign in."),
    "403": Hint(
        DEVELOPER, "The call had no CSRF token, or came from a page that may not make it. Use my.js as we serve it."
    ),
    "404": Hint(DEVELOPER, "The consent is not this user's, or does not exist: begin again with my.getAuthCode."),
    "405": Hint(DEVELOPER, "The address is right, the HTTP method is not. Use my.js as we serve it."),
    "429": Hint(
        NOBODY, "Too many calls without a user from one address: it is refused for a minute. Look whose it is."
    ),
    # Merchant results
    "PARAM_ILLEGAL": Hint(MERCHANT, "A field or header is missing or malformed: the reason names it."),
    "INVALID_API": Hint(
        MERCHANT, "There is no such address. Compare path and version with the API's reference; use POST."
    ),
    "INVALID_SIGNATURE": Hint(
        MERCHANT,
        "What was signed is not what arrived, or with another key. Have it POST the same request to "
        "/v1/tools/verifySignature, which shows the string we computed.",
    ),
    "KEY_NOT_FOUND": Hint(
        MERCHANT,
        "The keyVersion in its Signature header has no active key with us: it was never registered, or is retired. "
        "Compare with the keys on the merchant's page.",
    ),
    "INVALID_CLIENT": Hint(
        MERCHANT, "It sends a Client-Id that we do not know: a typing error, or that of another environment."
    ),
    "ACCESS_DENIED": Hint(
        US, "The mini-program is suspended or lacks App_User_Authorization: see its page for who did it."
    ),
    "REQUEST_TRAFFIC_EXCEED_LIMIT": Hint(
        MERCHANT,
        "Too many failed calls in a minute: the reason names the limit and the error that repeats. Valid calls are "
        "never limited, so it is that error which has to stop.",
    ),
    "PROCESS_FAIL": Hint(MERCHANT, "The request cannot be done as it is: the reason says why."),
    "UNKNOWN_EXCEPTION": Hint(
        US, "Our fault. Look the trace id up in the log for the traceback; the merchant may send the call again."
    ),
    "INVALID_AUTHCODE": _CODE_INVALID,
    "INVALID_CODE": _CODE_INVALID,
    "EXPIRED_AUTHCODE": _CODE_EXPIRED,
    "EXPIRED_CODE": _CODE_EXPIRED,
    "USED_AUTHCODE": _CODE_USED,
    "USED_CODE": _CODE_USED,
    "INVALID_REFRESH_TOKEN": Hint(
        MERCHANT, "No such refresh token of this client. It must store the newest one, and send it as the same client."
    ),
    "EXPIRED_REFRESH_TOKEN": Hint(
        MERCHANT, "The token was unused for too long, or reached its absolute age: call my.getAuthCode for a new code."
    ),
    "USED_REFRESH_TOKEN": Hint(
        MERCHANT,
        "It was rotated before, and the reuse revoked the whole family. Store the new pair before using it, and let "
        "one process refresh at a time; if nothing explains it, the token may have leaked.",
    ),
    "AUTH_CLIENT_UNSUPPORTED_GRANT_TYPE": Hint(MERCHANT, "grantType must be AUTHORIZATION_CODE or REFRESH_TOKEN."),
    "INVALID_AUTH_CLIENT": Hint(
        MERCHANT, "authClientId in the body must be the Client-Id that signs, or be left out."
    ),
    "INVALID_AUTH_CLIENT_STATUS": Hint(US, "The merchant is disabled with us: its page says by whom and why."),
    "REFERENCE_CLIENT_ID_NOT_MATCH": Hint(
        MERCHANT, "referenceClientId must be the appId of the mini-program for which the code was made."
    ),
    "INVALID_ACCESS_TOKEN": Hint(
        MERCHANT, "No such access token of this client, or it is dead. Refresh it, or call my.getAuthCode anew."
    ),
    "EXPIRED_ACCESS_TOKEN": Hint(MERCHANT, "Access tokens live for an hour: refresh it and call again."),
    "USER_STATUS_ERROR": Hint(
        US, "The user is frozen or gone. Nothing opens until they are active again: see their page."
    ),
}


def _causes(*pairs: tuple[str, Hint]) -> tuple[tuple[re.Pattern[str], Hint], ...]:
    return tuple((re.compile(pattern), found) for pattern, found in pairs)


_ENDED = (
    r"no live grant|grant of auth code .* has ended|is revoked|was revoked",
    Hint(
        NOBODY,
        "Access ended: the user withdrew it, an operator revoked it, or its time ran out: the grant's page says. "
        "The mini-program may ask again with my.getAuthCode.",
    ),
)
_PAUSED = (
    r"paused",
    Hint(USER, "The user paused the mini-program under Permissions, and alone can let it go on. Nothing is broken."),
)
_ADDRESSEE = (
    r"it was issued for",
    Hint(MERCHANT, "It sends the appId of another of its mini-programs than the one the code or token was made for."),
)
_OF_CODES = _causes(_ENDED, _PAUSED, _ADDRESSEE)

BY_CAUSE: dict[str, tuple[tuple[re.Pattern[str], Hint], ...]] = {
    "INVALID_SIGNATURE": _causes(
        (
            r"does not verify the request",
            Hint(
                MERCHANT,
                "The key is found and the header is well-formed, but they do not fit this request. Usually, and in "
                "this order: the body was serialized anew after signing; the path lacks its prefix or its query; "
                "another private key; another Request-Time in the header than in the string.",
            ),
        ),
        (
            r"away from our clock",
            Hint(
                MERCHANT,
                "Its clock is wrong, or it sends a stored request again. Synchronise the server's clock (NTP) and "
                "stamp each call with the time of sending, with its offset.",
            ),
        ),
        (r"algorithm must be RSA256", Hint(MERCHANT, "The Signature header must say algorithm=RSA256.")),
        (
            r"no part signature=",
            Hint(MERCHANT, "The header must read: algorithm=RSA256, keyVersion=1, signature=<URL-encoded base64>."),
        ),
        (
            r"neither base64",
            Hint(MERCHANT, "The signature's bytes must be base64, URL-encoded once: neither hexadecimal nor cut off."),
        ),
        (r"keyVersion is not a number", Hint(MERCHANT, "keyVersion in the Signature header must be a number.")),
        (
            r"cannot be used",
            Hint(
                US, "The key we hold is unreadable or too short: ask for an RSA key of 2048 bits or more and add it."
            ),
        ),
    ),
    "PARAM_ILLEGAL": _causes(
        (
            r"the header is missing",
            Hint(MERCHANT, "It must send Client-Id, Request-Time and Signature. A proxy may strip unusual headers."),
        ),
        (
            r"^Request-Time",
            Hint(MERCHANT, "Request-Time must be ISO-8601 with an offset, like 2026-11-22T07:40:35+00:00."),
        ),
        (
            r"not valid JSON|must be a JSON object|stands twice",
            Hint(MERCHANT, "The body must be one valid JSON object."),
        ),
        (r"not valid UTF-8", Hint(MERCHANT, "The body must be UTF-8, as must be what is signed.")),
        (r"larger than|nested", Hint(MERCHANT, "The body is larger or deeper than any call needs.")),
        (
            r"broke off",
            Hint(NOBODY, "The connection ended before the body did: the network, or a client that gave up."),
        ),
    ),
    "INVALID_AUTHCODE": _OF_CODES,
    "INVALID_CODE": _OF_CODES,
    "INVALID_REFRESH_TOKEN": _OF_CODES,
    "INVALID_ACCESS_TOKEN": _causes(
        (
            r"none of the token's scopes",
            Hint(
                NOBODY,
                "The token lives, but everything it holds was withdrawn by the user or lost its approval. Compare the "
                "grant's scopes with the mini-program's approved ones.",
            ),
        ),
        _ENDED,
        _PAUSED,
        _ADDRESSEE,
    ),
    "2": _causes(
        (
            r"appId is unknown",
            Hint(DEVELOPER, "The appId is not registered here: a typing error, or another environment."),
        ),
        (r"is suspended", Hint(US, "The mini-program or its merchant is suspended: its page says by whom and why.")),
        (
            r"lacks the feature",
            Hint(US, "Give the mini-program the feature App_User_Authorization, if it may have it."),
        ),
        (
            r"not approved for this mini-program",
            Hint(
                US,
                "It asks for scopes that nobody approved. Review them on the mini-program's page, or tell it to stop.",
            ),
        ),
        (
            r"none is usable",
            Hint(DEVELOPER, "It asks for scopes that do not exist: compare with the catalogue's names."),
        ),
        (r"time ran out", Hint(USER, "The sheet stayed open for too long. Begin again with my.getAuthCode.")),
        (
            r"answered before|handed out before",
            Hint(DEVELOPER, "A consent gives one code. Call my.getAuthCode again, without consentId."),
        ),
        (r"no such consent", Hint(DEVELOPER, "consentId belongs to another user or appId. Begin again without it.")),
        (
            r"is required; grant it",
            Hint(DEVELOPER, "A sheet of the container's own must not let required scopes be left out."),
        ),
        (r"was not asked", Hint(DEVELOPER, "grantedScopes may hold only what the sheet asked for.")),
    ),
    "3": _causes(
        (
            r"account is",
            Hint(US, "The user is frozen or leaves. Nothing can be authorized until they are active again."),
        ),
        (
            r"recent sign-in",
            Hint(USER, "A sensitive scope asks for the password anew: the container must show consentUrl."),
        ),
        (
            r"could be decided",
            Hint(USER, "The user's profile lacks what was asked for, so nothing can be shown. They can add it."),
        ),
        (r"see the log", Hint(US, "Our fault. Look the trace id up in the log for the traceback.")),
    ),
    "11": _causes(
        _PAUSED,
        (r"withdrawn at once", Hint(USER, "The user agreed and withdrew it before the code was fetched.")),
    ),
    "403": _causes(
        (r"CSRF", Hint(DEVELOPER, "The call had no CSRF token: use my.js as we serve it, in the container."))
    ),
    "USER_STATUS_ERROR": _causes((r"FROZEN", Hint(US, "An operator froze the user: their page says who and why."))),
}
