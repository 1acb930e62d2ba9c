"""What every merchant endpoint shares: verify, parse, answer with HTTP 200, sign, audit (wire.md 3 and 4)."""

import logging
from functools import cached_property, lru_cache
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.utils.encoding import escape_uri_path
from rest_framework.views import APIView

from authapi import audit, bodies, callers, limits, platform, results, serializers
from authapi.serializers import MerchantParams
from portal import endpoints
from portal.models import Merchant

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/json; charset=UTF-8"
SUCCESS = {"resultStatus": "S", "resultCode": "SUCCESS", "resultMessage": "success"}


@lru_cache(maxsize=256)
def _as_sent(path: str) -> str:
    """A decoded path with its escapes back in place."""
    return escape_uri_path(path)


class MerchantView(endpoints.Named, APIView):
    """One endpoint of the merchant API: `handle` gets the checked parameters and gives the answer's fields."""

    params_class: ClassVar[type[MerchantParams]] = MerchantParams

    request: HttpRequest  # type: ignore[assignment]
    merchant: Merchant
    version = 2

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Without DRF's own ceremony: a signed call has no user, no media types to choose from, and no parser."""
        request.META[endpoints.ENDPOINT] = self.wire_name
        try:
            if request.method != "POST":  # OPTIONS included: nobody calls from a browser
                raise results.InvalidApi(f"{request.method} is not supported here. Use POST.")
            return self.post(request, **kwargs)
        except Exception as error:  # noqa: BLE001 - each becomes an answer
            return self.handle_exception(error)

    def post(self, request: HttpRequest, version: str = "2", **kwargs: Any) -> HttpResponse:
        self.version = int(version)
        self.merchant = callers.authenticate(self.signed_call())
        self.request.META[endpoints.CLIENT_ID] = self.merchant.client_id
        params = self.params()
        self.check_merchant(params)
        answer = self.handle(params)
        if "app_id" in params:
            self.request.META[endpoints.APP_ID] = params["app_id"]
        return self.answer({"result": SUCCESS, **answer})

    def handle(self, params: dict[str, Any]) -> dict[str, Any]:
        """The fields beside `result`; refuses by raising a MerchantRefusal."""
        raise results.InvalidApi

    def signed_call(self) -> callers.SignedCall:
        """What the signature covers, as it arrived."""
        headers = self.request.META
        return callers.SignedCall(
            path=self.target,
            client_id=self.client_id,
            time=headers.get("HTTP_REQUEST_TIME", ""),
            signature=headers.get("HTTP_SIGNATURE", ""),
            body=self.body,
        )

    @property
    def client_id(self) -> str:
        """The Client-Id as sent, known or not."""
        sent: str = self.request.META.get("HTTP_CLIENT_ID", "")
        return sent

    @cached_property
    def body(self) -> bytes:
        """The raw bytes, never parsed and written again."""
        try:
            return bodies.read(self.request)
        except bodies.MalformedError as error:
            raise results.ParamIllegal(str(error)) from error

    @cached_property
    def target(self) -> str:
        """The path as requested, with its query: Django's own get_full_path quotes a query once more."""
        path, query = _as_sent(self.request.path), self.request.META.get("QUERY_STRING", "")
        return f"{path}?{query}" if query else path

    def params(self) -> dict[str, Any]:
        """The checked fields of the body, absent and null ones left out."""
        try:
            checked = serializers.check(self.params_class, bodies.parse(self.body))
        except (bodies.MalformedError, serializers.UnfitError) as error:
            raise results.ParamIllegal(str(error)) from error
        return {name: value for name, value in checked.items() if value not in (None, "")}

    def check_merchant(self, params: dict[str, Any]) -> None:
        """The merchant is active, and authClientId, when given, is the signer (wire.md 5.1)."""
        if not self.merchant.is_active:
            raise results.InvalidAuthClientStatus
        if params.get("auth_client_id", self.merchant.client_id) != self.merchant.client_id:
            raise results.InvalidAuthClient(reason=f"authClientId {params['auth_client_id']} did not sign")

    def answer(self, fields: dict[str, Any]) -> HttpResponse:
        """HTTP 200 whatever happened, signed whenever a Client-Id was sent (wire.md 3 and 4)."""
        self.request.META[endpoints.CODE] = fields["result"]["resultCode"]
        body = bodies.dump(fields)
        response = HttpResponse(body, content_type=CONTENT_TYPE)
        response["cache-control"] = "no-store"
        client_id = self.client_id
        if client_id and client_id.isascii() and client_id.isprintable():
            for name, value in platform.signed_headers(self.target, client_id, body, prefix="response").items():
                response[name] = value
        return response

    def handle_exception(self, exc: Exception) -> HttpResponse:  # type: ignore[override]
        """A refusal becomes its result and one audit row; anything else is our fault: U, and nothing is shown."""
        if not isinstance(exc, results.MerchantRefusal):
            logger.exception("unforeseen error at %s", self.request.path, exc_info=exc)
            exc = results.UnknownException(reason=f"{type(exc).__name__}, see the log")
        exc = limits.instead(
            exc,
            client_id=self.client_id,
            address=audit.address(self.request),
            secret=self.named(exc.field),
        )
        self.request.META[endpoints.APP_ID] = exc.app_id
        if exc.audited:
            self.write_audit(exc)
        result = {
            "resultStatus": exc.status_on(self.version),
            "resultCode": exc.code_on(self.version),
            "resultMessage": exc.message,
        }
        response = self.answer({"result": result})
        if exc.retry_after:
            response["Retry-After"] = str(exc.retry_after)
        return response

    def write_audit(self, refusal: results.MerchantRefusal) -> None:
        audit.write(
            self.request,
            code=refusal.code_on(self.version),
            reason=refusal.reason,
            app_id=refusal.app_id or self.named("appId"),
            client_id=self.client_id,
            user_id=refusal.user_id,
            scopes=refusal.scopes,
        )

    def named(self, field: str) -> str:
        """The text the caller wrote into this field, "" when it cannot be read."""
        try:
            found = bodies.parse(self.body).get(field, "")
        except (bodies.MalformedError, results.ParamIllegal):
            return ""
        return found if isinstance(found, str) else ""
