"""Every request of the API checked and every answer written: with answers.py, the only place that knows camelCase."""

from collections.abc import Callable
from functools import cache
from typing import Any

from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.serializers import CharField, ListField, Serializer

from authapi.authorizations import Outcome
from authapi.results import AGREEMENT_PENDING, JsapiError
from authapi.tokens import TokenPair
from portal.sheet import Sheet
from portal.terms import Duration


def first_error(errors: Any, name: str = "") -> str:
    """The first problem a serializer found, as `field: what is wrong`."""
    if isinstance(errors, dict):
        key, value = next(iter(errors.items()))
        return first_error(value, f"{name}[{key}]" if name else str(key))
    if isinstance(errors, list):
        return first_error(next(item for item in errors if item), name)
    return f"{name}: {errors}"


class UnfitError(ValueError):
    """A body that does not fit; the text names the field and says what is wrong with it."""


@cache
def _checker(cls: type[Serializer[Any]]) -> Serializer[Any]:
    """One instance for every request: making a serializer copies each field, checking changes nothing in it."""
    return cls()


def check(cls: type[Serializer[Any]], body: dict[str, Any]) -> dict[str, Any]:
    """The checked fields of a parsed body, by our names. Raises UnfitError."""
    try:
        return dict(_checker(cls).run_validation(body))
    except serializers.ValidationError as error:
        raise UnfitError(first_error(error.detail)) from error


class StrictCharField(CharField):
    """Text only: a number or a boolean is the wrong type, not text (wire.md 3: scalars are JSON strings)."""

    def run_validation(self, data: Any = empty) -> Any:
        """Plain text that fits is fit: nearly every value is, and DRF asks a dozen questions more about it."""
        plain = type(data) is str and data.isascii() and data.isprintable() and len(data) <= (self.max_length or 0)
        if plain and (text := data.strip()):
            return text
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("It must be a string.")
        return super().to_internal_value(data)


def text(length: int, *, required: bool = False, **options: Any) -> StrictCharField:
    """A string of the wire: null counts as absent when it is optional."""
    return StrictCharField(
        max_length=length, required=required, allow_null=not required, allow_blank=not required, **options
    )


class ExtendInfoField(serializers.JSONField):
    """An object, or a JSON string, of at most 4096 characters; we keep neither."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, (str, dict)):
            raise serializers.ValidationError("It must be an object or a string.")
        if len(data if isinstance(data, str) else super().to_representation(data).__str__()) > 4096:
            raise serializers.ValidationError("It has more than 4096 characters.")
        return data


# --- The merchant API: requests -------------------------------------------------------------------------------


class MerchantParams(serializers.Serializer[Any]):
    """What every merchant call may carry."""

    appId = text(32, source="app_id")
    authClientId = text(128, source="auth_client_id")
    extendInfo = ExtendInfoField(required=False, allow_null=True, source="extend_info")


class ApplyTokenParams(MerchantParams):
    referenceClientId = text(128, source="reference_client_id")
    grantType = text(64, required=True, source="grant_type")
    authCode = text(128, source="auth_code")
    refreshToken = text(128, source="refresh_token")
    customerBelongsTo = text(32, source="customer_belongs_to")
    merchantRegion = text(32, source="merchant_region")


class AccessTokenParams(MerchantParams):
    accessToken = text(128, required=True, source="access_token")


# --- The merchant API: answers (their shapes: answers.py) ------------------------------------------------------


def moment(value: Any) -> str:
    """ISO-8601 with offset, whole seconds."""
    return str(value.isoformat(timespec="seconds"))


def token_pair(pair: TokenPair, customer_id: str) -> dict[str, Any]:
    """answers.ApplyToken without its result."""
    return {
        "accessToken": pair.access_token,
        "accessTokenExpiryTime": moment(pair.access_token_expires),
        "refreshToken": pair.refresh_token,
        "refreshTokenExpiryTime": moment(pair.refresh_token_expires),
        "customerId": customer_id,
    }


# --- The container's API --------------------------------------------------------------------------------------


class ScopesField(ListField):
    """An array of strings; null means auth_base, a bare string counts as one scope (wire.md 1)."""

    child = StrictCharField(max_length=64)

    def to_internal_value(self, data: Any) -> list[str]:
        found: list[str] = super().to_internal_value([data] if isinstance(data, str) else data)
        return found


class GetAuthCodeParams(serializers.Serializer[Any]):
    appId = text(128, required=True, source="app_id")
    scopes = ScopesField(required=False, allow_null=True, allow_empty=False, max_length=50)
    consentId = text(64, source="consent_id")


DURATIONS = f"It must be one of {', '.join(Duration.values)}."


class DecisionParams(serializers.Serializer[Any]):
    grantedScopes = ListField(child=StrictCharField(max_length=64), max_length=50, source="granted_scopes")
    duration = serializers.ChoiceField(
        choices=Duration.values, default=Duration.ALWAYS.value, error_messages={"invalid_choice": DURATIONS}
    )


class ReportErrorParams(serializers.Serializer[Any]):
    appId = text(128, required=True, source="app_id")
    error = serializers.IntegerField(min_value=0, max_value=99999)
    errorMessage = text(256, source="error_message")
    scopes = ScopesField(required=False, allow_null=True, max_length=50)


AGREEMENT = "The user must be asked: show consentUrl."


def auth_code(outcome: Outcome, consent_url: str = "") -> dict[str, Any]:
    """An Outcome as getAuthCode answers it."""
    if outcome.consent:
        return {
            "error": AGREEMENT_PENDING,
            "errorMessage": AGREEMENT,
            "consentId": outcome.consent.pk,
            "consentUrl": consent_url,
            "consentExpiryTime": moment(outcome.consent.expires_at),
            "authErrorScopes": outcome.error_scopes,
        }
    return {
        "authCode": outcome.code,
        "authSuccessScopes": outcome.success_scopes,
        "authErrorScopes": outcome.error_scopes,
    }


def jsapi_error(refusal: JsapiError) -> dict[str, Any]:
    """A failed getAuthCode."""
    return {
        "error": refusal.error,
        "errorMessage": refusal.message,
        "authErrorScopes": refusal.error_scopes,
        "authSuccessScopes": [],
    }


def consent(shown: Sheet, full_url: Callable[[str], str]) -> dict[str, Any]:
    """A Sheet as answers.Consent."""
    program = shown.mini_program
    return {
        "consentId": shown.consent.pk,
        "consentExpiryTime": moment(shown.consent.expires_at),
        "miniProgram": {
            "appId": program.app_id,
            "name": program.name,
            "logo": full_url(program.logo_url) if program.logo else None,
            "developer": program.developer or None,
            "verified": program.merchant.verified,
            "privacyPolicyUrl": program.privacy_policy_url or None,
        },
        "scopes": [
            {
                "scope": line.scope,
                "label": line.label,
                "description": line.description,
                "purpose": line.purpose,
                "required": line.required,
                "preview": list(line.preview),
                "hasValue": not line.is_missing,
                "sensitive": line.sensitive,
                "changed": line.changed,
                "previousPurpose": line.before or None,
                "maxDays": line.max_days,
            }
            for line in shown.lines
        ],
        "durations": [{"value": choice.value, "label": choice.label} for choice in shown.durations],
        "alreadyGranted": list(shown.already),
    }
