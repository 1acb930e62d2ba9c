"""Every result code and JSAPI error we can utter, as one table (wire.md 1, 3, 5); a refusal is raised as one."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import ClassVar

# --- authErrorScopes (wire.md 1) ------------------------------------------------------------------------------

SCOPE_UNKNOWN = "10001"
SCOPE_NOT_APPROVED = "40006"
SCOPE_REFUSED = "11"
SCOPE_UNDECIDED = "3"


class Refusal(Exception):
    """A no. `message` is for the caller (at most 256 characters, never a secret), `reason` for operators only."""

    default: ClassVar[str] = ""

    def __init__(self, message: str = "", *, reason: str = "") -> None:
        self.message = (message or self.default)[:256]
        self.reason = reason or self.message
        # What the audit row says beside the reason, as far as it was known: see `about`.
        self.user_id: int | None = None
        self.app_id = ""
        self.scopes: list[str] = []
        super().__init__(self.reason)


@contextmanager
def about(*, user_id: int | None = None, app_id: str = "", scopes: Iterable[str] = ()) -> Iterator[None]:
    """A refusal raised in here concerns this user, mini-program and scopes: its audit row will say so."""
    try:
        yield
    except Refusal as refusal:
        refusal.user_id = refusal.user_id or user_id
        refusal.app_id = refusal.app_id or app_id
        refusal.scopes = refusal.scopes or list(scopes)
        raise


# --- JSAPI errors (wire.md 1) ---------------------------------------------------------------------------------


class JsapiError(Refusal):
    """A failed getAuthCode: `error` is an int, `error_scopes` says which scopes failed and why."""

    error: ClassVar[int]

    def __init__(self, message: str = "", *, reason: str = "", error_scopes: dict[str, str] | None = None) -> None:
        self.error_scopes = error_scopes or {}
        super().__init__(f"{self.default}: {message}" if message else "", reason=reason)


class InvalidParameters(JsapiError):
    error, default = 2, "Invalid parameters"


class UnknownError(JsapiError):
    error, default = 3, "Unknown error"


class EmptyData(JsapiError):
    error, default = 10, "Empty data"


class Cancelled(JsapiError):
    error, default = 11, "User's authorization is cancelled"


AGREEMENT_PENDING = 2001  # not a refusal: the user must be asked (wire.md 2)
JSAPI_ERRORS: dict[int, type[JsapiError]] = {
    refusal.error: refusal for refusal in (InvalidParameters, UnknownError, EmptyData, Cancelled)
}


# --- Merchant results (wire.md 3 and 5) -----------------------------------------------------------------------


class MerchantRefusal(Refusal):
    """A failed merchant call: resultStatus and resultCode; a few differ on v1."""

    code: ClassVar[str]
    v1_code: ClassVar[str] = ""
    status: ClassVar[str] = "F"
    v1_status: ClassVar[str] = ""
    field: ClassVar[str] = ""  # the wire's name of the code or token it is about
    retry_after: int | None = None
    audited = True  # whether it leaves an audit row

    def code_on(self, version: int) -> str:
        return (self.v1_code if version == 1 else "") or self.code

    def status_on(self, version: int) -> str:
        return (self.v1_status if version == 1 else "") or self.status


class ParamIllegal(MerchantRefusal):
    code, default = "PARAM_ILLEGAL", "A parameter is missing or malformed."


class InvalidApi(MerchantRefusal):
    code, default = "INVALID_API", "There is no such path or version. Check the URL, and use POST."


class InvalidSignature(MerchantRefusal):
    code = "INVALID_SIGNATURE"
    default = "The signature does not verify. POST the same request to /v1/tools/verifySignature to see why."


class KeyNotFound(MerchantRefusal):
    code, default = "KEY_NOT_FOUND", "There is no active key for this Client-Id and keyVersion."


class InvalidClient(MerchantRefusal):
    code, default = "INVALID_CLIENT", "The Client-Id is unknown."


class AccessDenied(MerchantRefusal):
    code, default = "ACCESS_DENIED", "The mini-program is suspended or lacks the feature App_User_Authorization."


class TrafficExceeded(MerchantRefusal):
    code, status, v1_status = "REQUEST_TRAFFIC_EXCEED_LIMIT", "F", "U"
    default = "Too many requests. Wait as long as Retry-After says."

    def __init__(self, message: str = "", *, reason: str = "", retry_after: int = 60) -> None:
        super().__init__(message, reason=reason)
        self.retry_after = retry_after


class ProcessFail(MerchantRefusal):
    code, default = "PROCESS_FAIL", "The request cannot be done."


class UnknownException(MerchantRefusal):
    code, status = "UNKNOWN_EXCEPTION", "U"
    default = "Something failed on our side. Send the same request again later."


class InvalidAuthCode(MerchantRefusal):
    field = "authCode"
    code, v1_code, default = "INVALID_AUTHCODE", "INVALID_CODE", "authCode: there is no such code for this client."


class ExpiredAuthCode(MerchantRefusal):
    field = "authCode"
    code, v1_code = "EXPIRED_AUTHCODE", "EXPIRED_CODE"
    default = "authCode: it is too old. Call my.getAuthCode for a new one."


class UsedAuthCode(MerchantRefusal):
    field = "authCode"
    code, v1_code = "USED_AUTHCODE", "USED_CODE"
    default = "authCode: it was used before, so its tokens are revoked. Call my.getAuthCode for a new one."


class InvalidRefreshToken(MerchantRefusal):
    field = "refreshToken"
    code, default = "INVALID_REFRESH_TOKEN", "refreshToken: there is no such token for this client."


class ExpiredRefreshToken(MerchantRefusal):
    field = "refreshToken"
    code, default = "EXPIRED_REFRESH_TOKEN", "refreshToken: it is too old. Call my.getAuthCode for a new code."


class UsedRefreshToken(MerchantRefusal):
    field = "refreshToken"
    code = "USED_REFRESH_TOKEN"
    default = "refreshToken: it was used before, so all that came of it is revoked. Call my.getAuthCode again."


class UnsupportedGrantType(MerchantRefusal):
    code = "AUTH_CLIENT_UNSUPPORTED_GRANT_TYPE"
    default = "grantType: use AUTHORIZATION_CODE or REFRESH_TOKEN."


class InvalidAuthClient(MerchantRefusal):
    code, default = "INVALID_AUTH_CLIENT", "authClientId: it is unknown, or not the one that signed."


class InvalidAuthClientStatus(MerchantRefusal):
    code, default = "INVALID_AUTH_CLIENT_STATUS", "The merchant is disabled."


class ReferenceClientIdNotMatch(MerchantRefusal):
    code = "REFERENCE_CLIENT_ID_NOT_MATCH"
    default = "referenceClientId: it is not the mini-program the code was made for."


class InvalidAccessToken(MerchantRefusal):
    field = "accessToken"
    code, default = "INVALID_ACCESS_TOKEN", "accessToken: there is no such token for this client, or it is revoked."


class ExpiredAccessToken(MerchantRefusal):
    field = "accessToken"
    code, default = "EXPIRED_ACCESS_TOKEN", "accessToken: it is too old. Refresh it."


class UserStatusError(MerchantRefusal):
    code, default = "USER_STATUS_ERROR", "The user is frozen or gone."
