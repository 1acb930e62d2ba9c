"""Every outcome of every endpoint, as the OpenAPI description shows it (wire.md 1, 2 and 5).

Keyed by the name of the view; a merchant's view that is missing here gets what all of them have.
"""

from dataclasses import dataclass
from typing import Any

from authapi import answers, results
from authapi.answers import Answer
from authapi.limits import UNAUTHENTICATED
from authapi.merchant_api import SUCCESS
from authapi.results import MerchantRefusal

ACCESS_TOKEN = "Lw3XhYtq0N7c-example-access-token"  # noqa: S105
REFRESH_TOKEN = "b1Vd9RkP2s5Z-example-refresh-token"  # noqa: S105
AUTH_CODE = "q3Hn6TfKs9-example-auth-code"
CONSENT_ID = "Yb7Kc2Wm-example-consent-id"
TIME = "2026-11-22T08:40:35+00:00"
USER_ID = "k5q2vxw7mfzn3hjc4yttb6rdplsoe2ga"


COMMON: tuple[type[MerchantRefusal], ...] = (
    results.ParamIllegal,
    results.InvalidApi,
    results.InvalidSignature,
    results.KeyNotFound,
    results.InvalidClient,
    results.InvalidAuthClient,
    results.InvalidAuthClientStatus,
    results.TrafficExceeded,
    results.ProcessFail,
    results.UnknownException,
)


@dataclass(frozen=True)
class MerchantOutcomes:
    """What one merchant endpoint takes and answers: the success shape, examples, and its own refusals."""

    shape: type[Answer] = answers.Success
    requests: tuple[tuple[str, dict[str, Any]], ...] = ()
    success: dict[str, Any] | None = None
    refusals: tuple[type[MerchantRefusal], ...] = ()
    v1_shape: type[Answer] | None = None
    v1_refusals: tuple[type[MerchantRefusal], ...] = ()
    common: tuple[type[MerchantRefusal], ...] = COMMON

    def refusals_on(self, version: int) -> tuple[type[MerchantRefusal], ...]:
        """Every refusal of this endpoint, its own first."""
        return (*self.refusals, *(self.v1_refusals if version == 1 else ()), *self.common)


_TOKEN_REQUEST = {"accessToken": ACCESS_TOKEN, "appId": "coffee", "authClientId": "MERCHANT_COFFEE"}

MERCHANT: dict[str, MerchantOutcomes] = {
    "ApplyToken": MerchantOutcomes(
        shape=answers.TokenPair,
        requests=(
            (
                "AUTHORIZATION_CODE",
                {
                    "appId": "coffee",
                    "authClientId": "MERCHANT_COFFEE",
                    "grantType": "AUTHORIZATION_CODE",
                    "authCode": AUTH_CODE,
                },
            ),
            ("REFRESH_TOKEN", {"grantType": "REFRESH_TOKEN", "refreshToken": REFRESH_TOKEN}),
        ),
        success={
            "accessToken": ACCESS_TOKEN,
            "accessTokenExpiryTime": TIME,
            "refreshToken": REFRESH_TOKEN,
            "refreshTokenExpiryTime": "2026-12-22T07:40:35+00:00",
            "customerId": USER_ID,
        },
        refusals=(
            results.InvalidAuthCode,
            results.ExpiredAuthCode,
            results.UsedAuthCode,
            results.InvalidRefreshToken,
            results.ExpiredRefreshToken,
            results.UsedRefreshToken,
            results.UnsupportedGrantType,
            results.AccessDenied,
            results.UserStatusError,
        ),
        v1_refusals=(results.ReferenceClientIdNotMatch,),
    ),
    "InquiryUserInfo": MerchantOutcomes(
        shape=answers.UserInfo,
        v1_shape=answers.UserInfoV1,
        requests=(("token", _TOKEN_REQUEST),),
        success={
            "userInfo": {
                "userId": USER_ID,
                "nickName": "Alice",
                "loginIdInfos": [{"loginIdType": "MOBILE_PHONE", "maskLoginId": "63-9****4567"}],
                "contactInfos": [{"contactType": "MOBILE_PHONE", "contactNo": "63-9****4567"}],
            }
        },
        refusals=(
            results.InvalidAccessToken,
            results.ExpiredAccessToken,
            results.AccessDenied,
            results.UserStatusError,
        ),
    ),
    "CancelToken": MerchantOutcomes(
        requests=(("token", _TOKEN_REQUEST),), success={}, refusals=(results.InvalidAccessToken,)
    ),
    "Query": MerchantOutcomes(
        shape=answers.TokenStatus,
        requests=(("token", _TOKEN_REQUEST),),
        success={"accessToken": ACCESS_TOKEN, "accessTokenExpiryTime": TIME, "tokenStatusType": "ACTIVE"},
        refusals=(results.InvalidAccessToken,),
    ),
    "VerifySignature": MerchantOutcomes(
        shape=answers.SignatureVerdict,
        success={
            "signatureValid": "false",
            "stringToSign": "POST /v1/tools/verifySignature\nMERCHANT_COFFEE.2026-11-22T07:40:35+00:00.{}",
            "resultCodeOtherwise": "INVALID_SIGNATURE",
            "reason": results.InvalidSignature.default,
        },
        common=(results.ParamIllegal, results.InvalidApi, results.TrafficExceeded, results.UnknownException),
    ),
}


def success_example(outcomes: MerchantOutcomes) -> dict[str, Any]:
    """An answer with result S."""
    return {"result": SUCCESS, **(outcomes.success or {})}


def refusal_example(refusal: type[MerchantRefusal], version: int) -> dict[str, Any]:
    """An answer with result F or U."""
    result = refusal()
    return {
        "result": {
            "resultStatus": result.status_on(version),
            "resultCode": result.code_on(version),
            "resultMessage": result.message,
        }
    }


# --- The container's API --------------------------------------------------------------------------------------


def _failure(error: type[results.JsapiError], message: str = "", **scopes: str) -> dict[str, Any]:
    return {
        "error": error.error,
        "errorMessage": error(message).message,
        "authErrorScopes": scopes,
        "authSuccessScopes": [],
    }


_CODE = {"authCode": AUTH_CODE, "authSuccessScopes": ["auth_base", "USER_NICKNAME"], "authErrorScopes": {}}
_QUESTION = {
    "error": results.AGREEMENT_PENDING,
    "errorMessage": "The user must be asked: show consentUrl.",
    "consentId": CONSENT_ID,
    "consentUrl": f"https://portal.example.org/consent/{CONSENT_ID}/",
    "consentExpiryTime": TIME,
    "authErrorScopes": {},
}
_DECISION: dict[str, dict[str, Any]] = {
    "code": _CODE,
    "partial grant": {
        "authCode": AUTH_CODE,
        "authSuccessScopes": ["auth_base"],
        "authErrorScopes": {"USER_NICKNAME": "11", "CARD_LIST": "40006", "SHOE_SIZE": "10001"},
    },
    "error 2": _failure(results.InvalidParameters, "appId is unknown."),
    "error 2, no scope usable": _failure(
        results.InvalidParameters,
        "scopes: none is usable (CARD_LIST: not approved for this mini-program; SHOE_SIZE: unknown).",
        CARD_LIST="40006",
        SHOE_SIZE="10001",
    ),
    "error 3": _failure(results.UnknownError, "the user's account is frozen, so nothing can be authorized."),
    "error 3, scope undecided": _failure(
        results.UnknownError, "None of the scopes could be decided.", USER_CONTACTINFO="3"
    ),
    "error 11": _failure(results.Cancelled, USER_NICKNAME="11"),
}
_CONSENT = {
    "consentId": CONSENT_ID,
    "consentExpiryTime": TIME,
    "miniProgram": {
        "appId": "coffee",
        "name": "Coffee Corner",
        "logo": "https://portal.example.org/media/logos/coffee.png",
        "developer": "Bean Brothers Ltd",
        "verified": True,
        "privacyPolicyUrl": "https://coffee.example/privacy",
    },
    "scopes": [
        {
            "scope": "USER_NICKNAME",
            "label": "Nickname",
            "description": "What you like to be called.",
            "purpose": "So the barista can call you",
            "required": False,
            "preview": ["Al•••"],
            "hasValue": True,
            "sensitive": False,
            "changed": False,
            "previousPurpose": None,
            "maxDays": None,
        }
    ],
    "durations": [{"value": "30d", "label": "30 days"}, {"value": "always", "label": "until I withdraw it"}],
    "alreadyGranted": ["User ID"],
}

# view: the shapes of HTTP 200, example requests, example answers.
CONTAINER: dict[str, tuple[tuple[type[Answer], ...], dict[str, dict[str, Any]], dict[str, dict[str, Any]]]] = {
    "GetAuthCode": (
        (answers.Code, answers.Question, answers.Failure),
        {
            "ask": {"appId": "coffee", "scopes": ["auth_base", "USER_NICKNAME"]},
            "fetch the outcome": {"appId": "coffee", "consentId": CONSENT_ID},
        },
        {"code": _CODE, "the user must be asked": _QUESTION, **_DECISION},
    ),
    "Consent": ((answers.Consent, answers.Failure), {}, {"sheet": _CONSENT, "error 3": _DECISION["error 3"]}),
    "Decision": (
        (answers.Code, answers.Failure),
        {"granted": {"grantedScopes": ["USER_NICKNAME"], "duration": "30d"}, "refused": {"grantedScopes": []}},
        _DECISION,
    ),
    "ReportError": (
        (answers.Reported, answers.Failure),
        {"network failure": {"appId": "coffee", "error": 10, "errorMessage": "Empty data", "scopes": ["auth_base"]}},
        {"reported": {"reported": True}, "error 2": _failure(results.InvalidParameters, "appId: it is missing.")},
    ),
}
HTTP_REFUSALS: dict[int, tuple[str, dict[str, Any]]] = {
    401: ("No user is signed in.", _failure(results.UnknownError, "Authentication credentials were not provided.")),
    403: ("The CSRF token is missing.", _failure(results.UnknownError, "CSRF Failed: CSRF token missing.")),
    429: ("Too many calls without a valid user: see Retry-After.", _failure(results.UnknownError, UNAUTHENTICATED)),
    404: ("No such consent of this user.", _failure(results.UnknownError, "There is no such thing of yours.")),
}
