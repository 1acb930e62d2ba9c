"""One small view per endpoint: parse, one call, answer (wire.md 2, 4.1, 5)."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import condition

from authapi import (
    access_tokens,
    accesses,
    audit,
    authorizations,
    callers,
    judgements,
    platform,
    results,
    serializers,
    tokens,
    userinfo,
)
from authapi.container_api import ContainerView
from authapi.merchant_api import MerchantView
from portal import endpoints, metrics, recent_sign_in, sheet
from portal.models import PendingConsent, User
from portal.terms import Duration


class ApplyToken(MerchantView):
    """Swap an auth code or a refresh token for a token pair (wire.md 5.1)."""

    params_class = serializers.ApplyTokenParams

    def handle(self, params: dict[str, Any]) -> dict[str, Any]:
        grant_type = params["grant_type"].upper()
        named = {"app_id": params.get("app_id", ""), "reference": params.get("reference_client_id", "")}
        if grant_type not in ("AUTHORIZATION_CODE", "REFRESH_TOKEN"):
            raise results.UnsupportedGrantType
        try:
            if grant_type == "AUTHORIZATION_CODE":
                pair = tokens.exchange(self.required(params, "auth_code", "authCode"), self.merchant, **named)
            else:
                pair = tokens.refresh(self.required(params, "refresh_token", "refreshToken"), self.merchant, **named)
        except results.MerchantRefusal as refusal:
            metrics.TOKENS.labels(grant_type, refusal.code).inc()
            raise
        metrics.ISSUED[grant_type].inc()
        return serializers.token_pair(pair, self.merchant.sector.user_id(pair.user.bytes))

    def required(self, params: dict[str, Any], name: str, wire_name: str) -> str:
        if name not in params:
            raise results.ParamIllegal(f"{wire_name}: it is required with this grantType.")
        return str(params[name])


class InquiryUserInfo(MerchantView):
    """What the token may see of the user (wire.md 5.2)."""

    params_class = serializers.AccessTokenParams

    def handle(self, params: dict[str, Any]) -> dict[str, Any]:
        found, grant = access_tokens.use(params["access_token"], self.merchant, app_id=params.get("app_id", ""))
        user_id = self.merchant.sector.user_id(found.user.uuid.bytes)
        with results.about(user_id=found.user.pk, app_id=found.mini_program.app_id, scopes=found.scopes):
            scopes = userinfo.effective(found, grant)
            info = userinfo.read(found, scopes, user_id, self.request.build_absolute_uri)
        accesses.counter.note(grant.pk, [scope.name for scope in scopes])
        if self.version == 1 and "birthDate" in info:
            info["birthday"] = info.pop("birthDate")
        return {"userInfo": info}


class CancelToken(MerchantView):
    """The merchant logs the user out: both tokens die, the grant stays, and again is S (wire.md 5.3)."""

    params_class = serializers.AccessTokenParams

    def handle(self, params: dict[str, Any]) -> dict[str, Any]:
        tokens.revoke(access_tokens.find(params["access_token"], self.merchant, app_id=params.get("app_id", "")))
        return {}


class Query(MerchantView):
    """Whether a token is alive (wire.md 5.4)."""

    params_class = serializers.AccessTokenParams

    def handle(self, params: dict[str, Any]) -> dict[str, Any]:
        found = access_tokens.find(params["access_token"], self.merchant, app_id=params.get("app_id", ""))
        return {
            "accessToken": params["access_token"],
            "accessTokenExpiryTime": serializers.moment(found.row.expires),
            "tokenStatusType": access_tokens.status(found),
        }


class VerifySignature(MerchantView):
    """What string we computed from this very request, and whether its signature holds (wire.md 4.1)."""

    def post(self, request: HttpRequest, version: str = "1", **kwargs: Any) -> HttpResponse:
        call = self.signed_call()
        answer = {
            "result": {"resultStatus": "S", "resultCode": "SUCCESS", "resultMessage": "success"},
            "signatureValid": "true",
            "stringToSign": call.string_to_sign().decode("utf-8", "replace"),
        }
        try:
            callers.authenticate(call)
        except results.MerchantRefusal as refusal:
            answer |= {"signatureValid": "false", "resultCodeOtherwise": refusal.code, "reason": refusal.message}
        return self.answer(answer)


class NoSuchApi(MerchantView):
    """Every other path under /v1, /v2 ...: INVALID_API, signed like any answer (wire.md 3)."""

    schema = None

    def post(self, request: HttpRequest, version: str = "2", **kwargs: Any) -> HttpResponse:
        raise results.InvalidApi


class GetAuthCode(ContainerView):
    """A code, or the consent to ask for, or a failure (wire.md 2)."""

    params_class = serializers.GetAuthCodeParams

    def post(self, request: HttpRequest, user: User) -> HttpResponse:
        params = self.params()
        if consent_id := params.get("consent_id"):
            outcome = authorizations.collect(user, self.consent(consent_id, user, params))
        else:
            outcome = authorizations.request(user, params["app_id"], params.get("scopes"))
        request.META[endpoints.APP_ID] = params["app_id"]
        return outcome_response(request, outcome)

    def consent(self, consent_id: str, user: User, params: dict[str, Any]) -> PendingConsent:
        """The user's own consent, for this mini-program and these scopes. Raises InvalidParameters."""
        rows = PendingConsent.objects.select_related("user", "mini_program")
        consent = rows.filter(pk=consent_id, user=user, mini_program__client_id=params["app_id"]).first()
        if consent is None:
            raise results.InvalidParameters("consentId: there is no such consent for this user and appId.")
        if params.get("scopes") and list(dict.fromkeys(params["scopes"])) != consent.scopes:
            raise results.InvalidParameters("scopes: they differ from those of the consent. Leave them out.")
        return consent


def outcome_response(request: HttpRequest, outcome: authorizations.Outcome) -> HttpResponse:
    """An Outcome as JSON, with the address of the sheet when the user must be asked."""
    request.META[endpoints.CODE], url = "SUCCESS", ""
    if outcome.consent:
        request.META[endpoints.CODE] = str(results.AGREEMENT_PENDING)
        url = request.build_absolute_uri(reverse("consent", args=[outcome.consent.pk]))
    return JsonResponse(serializers.auth_code(outcome, url))


class Consent(ContainerView):
    """What the sheet shows, for a container that draws its own (wire.md 2)."""

    def get(self, request: HttpRequest, user: User, consent_id: str) -> HttpResponse:
        judgements.check_user(user)
        shown = sheet.of(own_consent(user, consent_id))
        return JsonResponse(serializers.consent(shown, request.build_absolute_uri))


class Decision(ContainerView):
    """The user's answer to a sheet; answers like getAuthCode (wire.md 2)."""

    params_class = serializers.DecisionParams

    def post(self, request: HttpRequest, user: User, consent_id: str) -> HttpResponse:
        consent = own_consent(user, consent_id)
        params = self.params()
        self.named = {"appId": consent.mini_program.app_id, "scopes": consent.scopes}
        request.META[endpoints.APP_ID] = consent.mini_program.app_id
        # Whoever shows a bearer token is the super-app's own program, which knows when its user signed in.
        signed_in = self.is_vouched_for or recent_sign_in.is_recent(request)
        outcome = authorizations.decide(
            user, consent, params["granted_scopes"], duration=Duration(params["duration"]), signed_in=signed_in
        )
        return outcome_response(request, outcome)


def own_consent(user: User, consent_id: str) -> PendingConsent:
    """404 for anything of another user (trust 25)."""
    rows = PendingConsent.objects.select_related("user", "mini_program__merchant")
    return get_object_or_404(rows, pk=consent_id, user=user)


class ReportError(ContainerView):
    """A JSAPI error that our endpoints did not see (a network failure, bad arguments): one audit row."""

    params_class = serializers.ReportErrorParams
    default_messages: ClassVar = {error: cls.default for error, cls in results.JSAPI_ERRORS.items()}

    def post(self, request: HttpRequest, user: User) -> HttpResponse:
        params = self.params()
        error = params["error"]
        audit.write(
            request,
            code=str(error),
            reason="container: " + (params.get("error_message") or self.default_messages.get(error, "?")),
            app_id=params["app_id"],
            user_id=user.pk,
            scopes=params.get("scopes") or [],
        )
        return JsonResponse({"reported": True})


@cache
def bridge() -> tuple[bytes, str]:
    """my.js and its entity tag, read once a process."""
    source = (Path(__file__).parent / "static" / "authapi" / "my.js").read_bytes()
    return source, f'"{hashlib.sha256(source).hexdigest()[:32]}"'


@condition(etag_func=lambda request: bridge()[1])
def my_js(request: HttpRequest) -> HttpResponse:
    """The bridge a mini-program's page loads from here, at an address that never changes (wire.md 1)."""
    response = HttpResponse(bridge()[0], content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = "public, max-age=300"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    # The same file for everybody: lets a page that says `crossorigin` hear what went wrong in its own callbacks.
    response["Access-Control-Allow-Origin"] = "*"
    return response


def jwks(request: HttpRequest) -> HttpResponse:
    """Our public keys (wire.md 4.1)."""
    response = JsonResponse(platform.jwks())
    response["Cache-Control"] = "public, max-age=300"
    return response
