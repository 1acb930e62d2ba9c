"""What every merchant endpoint shares: verify, parse, answer with HTTP 200, sign, audit (wire.md 3 and 4)."""

import logging
from collections.abc import Iterable
from typing import Any, ClassVar

from django.http import HttpResponse
from django.utils.encoding import escape_uri_path
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from authapi import audit, bodies, callers, limits, platform, results
from authapi.serializers import MerchantParams, first_error
from portal.models import Merchant

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/json; charset=UTF-8"
SUCCESS = {"resultStatus": "S", "resultCode": "SUCCESS", "resultMessage": "success"}


class IgnoreAccept(BaseContentNegotiation):
    """The official SDKs accept only `text/*`; we send JSON all the same (wire.md 4.1)."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        return None

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return JSONRenderer(), CONTENT_TYPE


class MerchantView(APIView):
    """One endpoint of the merchant API: `handle` gets the checked parameters and gives the answer's fields."""

    authentication_classes = []
    permission_classes = []
    content_negotiation_class = IgnoreAccept
    http_method_names = ["post"]  # OPTIONS included: nobody calls from a browser
    params_class: ClassVar[type[MerchantParams]] = MerchantParams

    merchant: Merchant
    version = 2

    def post(self, request: Request, version: str = "2", **kwargs: Any) -> HttpResponse:
        self.version = int(version)
        self.merchant = callers.authenticate(self.signed_call())
        params = self.params()
        self.check_merchant(params)
        return self.answer({"result": SUCCESS, **self.handle(params)})

    def handle(self, params: dict[str, Any]) -> dict[str, Any]:
        """The fields beside `result`; refuses by raising a MerchantRefusal."""
        raise results.InvalidApi

    def signed_call(self) -> callers.SignedCall:
        """What the signature covers, as it arrived."""
        request = self.request
        return callers.SignedCall(
            path=self.target(),
            client_id=request.headers.get("Client-Id", ""),
            time=request.headers.get("Request-Time", ""),
            signature=request.headers.get("Signature", ""),
            body=self.body(),
        )

    def body(self) -> bytes:
        """The raw bytes, never parsed and written again."""
        try:
            return bodies.read(self.request._request)
        except bodies.MalformedError as error:
            raise results.ParamIllegal(str(error)) from error

    def target(self) -> str:
        """The path as requested, with its query: Django's own get_full_path quotes a query once more."""
        query = self.request.META.get("QUERY_STRING", "")
        return f"{escape_uri_path(self.request.path)}?{query}" if query else escape_uri_path(self.request.path)

    def params(self) -> dict[str, Any]:
        """The checked fields of the body, absent and null ones left out."""
        try:
            parsed = bodies.parse(self.body())
        except bodies.MalformedError as error:
            raise results.ParamIllegal(str(error)) from error
        serializer = self.params_class(data=parsed)
        if not serializer.is_valid():
            raise results.ParamIllegal(first_error(serializer.errors))
        return {name: value for name, value in serializer.validated_data.items() if value not in (None, "")}

    def check_merchant(self, params: dict[str, Any]) -> None:
        """The merchant is active, and authClientId, when given, is the signer (wire.md 5.1)."""
        if not self.merchant.is_active:
            raise results.InvalidAuthClientStatus
        if params.get("auth_client_id", self.merchant.client_id) != self.merchant.client_id:
            raise results.InvalidAuthClient(reason=f"authClientId {params['auth_client_id']} did not sign")

    def answer(self, fields: dict[str, Any]) -> HttpResponse:
        """HTTP 200 whatever happened, signed whenever a Client-Id was sent (wire.md 3 and 4)."""
        body = bodies.dump(fields)
        response = HttpResponse(body, content_type=CONTENT_TYPE)
        response["cache-control"] = "no-store"
        client_id = self.request.headers.get("Client-Id", "")
        if client_id and client_id.isascii() and client_id.isprintable():
            for name, value in platform.signed_headers(self.target(), client_id, body, prefix="response").items():
                response[name] = value
        return response

    def handle_exception(self, exc: Exception) -> HttpResponse:  # type: ignore[override]
        """A refusal becomes its result and one audit row; anything else is our fault: U, and nothing is shown."""
        if not isinstance(exc, results.MerchantRefusal):
            logger.exception("unforeseen error at %s", self.request.path, exc_info=exc)
            exc = results.UnknownException(reason=f"{type(exc).__name__}, see the log")
        exc = limits.instead(
            exc,
            client_id=self.request.headers.get("Client-Id", ""),
            address=audit.address(self.request._request),
            secret=self.named(exc.field),
        )
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
            self.request._request,
            code=refusal.code_on(self.version),
            reason=refusal.reason,
            app_id=refusal.app_id or self.named("appId"),
            client_id=self.request.headers.get("Client-Id", ""),
            user=refusal.user,
            scopes=refusal.scopes,
        )

    def named(self, field: str) -> str:
        """The text the caller wrote into this field, "" when it cannot be read."""
        try:
            found = bodies.parse(self.body()).get(field, "")
        except (bodies.MalformedError, results.ParamIllegal):
            return ""
        return found if isinstance(found, str) else ""

    def http_method_not_allowed(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override]
        raise results.InvalidApi(f"{request.method} is not supported here. Use POST.")
