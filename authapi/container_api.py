"""What the container's endpoints share: the signed-in user, JSAPI answers, audit (wire.md 2)."""

import logging
from typing import Any, ClassVar

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from oauth2_provider.models import AccessToken
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from authapi import audit, bodies, codes, limits, results
from authapi.merchant_api import IgnoreAccept
from authapi.serializers import first_error, jsapi_error
from portal.limits import Over
from portal.models import User

logger = logging.getLogger(__name__)

FIRST_PARTY_SCOPE = "container"


class FirstPartyTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token>` of the super-app's own native client; a merchant's token is none."""

    def authenticate(self, request: Request) -> tuple[User, str] | None:
        kind, _, token = get_authorization_header(request).partition(b" ")
        if kind.lower() != b"bearer":
            return None
        row = (
            AccessToken.objects.select_related("user")
            .filter(
                token_checksum=codes.digest(token.strip().decode("latin-1")),
                application=None,
                scope=FIRST_PARTY_SCOPE,
                expires__gt=timezone.now(),
            )
            .first()
        )
        if row is None or row.user is None or not row.user.is_active:
            raise exceptions.AuthenticationFailed("The bearer token is unknown or expired.")
        return row.user, FIRST_PARTY_SCOPE

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class CookieAuthentication(SessionAuthentication):
    """The web shell's session cookie, with its CSRF token."""

    def enforce_csrf(self, request: Request) -> None:
        """On Django's own request: DRF's would parse the body, which is ours to read."""
        super().enforce_csrf(request._request)  # type: ignore[arg-type]


class ContainerView(APIView):
    """One endpoint of the container's API, called as the signed-in user: session and CSRF token, or bearer token."""

    authentication_classes = [FirstPartyTokenAuthentication, CookieAuthentication]
    permission_classes = [IsAuthenticated]
    content_negotiation_class = IgnoreAccept
    params_class: ClassVar[type[Serializer[Any]]]
    named: dict[str, Any] = {}

    @property
    def user(self) -> User:
        """The signed-in user; IsAuthenticated has seen to it that there is one."""
        user = self.request.user
        assert isinstance(user, User)
        return user

    def params(self) -> dict[str, Any]:
        """The checked fields of the body. Raises InvalidParameters, naming the field."""
        try:
            parsed = bodies.parse(bodies.read(self.request._request))
        except bodies.MalformedError as error:
            raise results.InvalidParameters(str(error)) from error
        self.named = parsed
        serializer = self.params_class(data=parsed)
        if not serializer.is_valid():
            raise results.InvalidParameters(first_error(serializer.errors))
        return dict(serializer.validated_data)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Codes, and what concerns one user, stay in no cache."""
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Cache-Control"] = "no-store"
        return response

    def handle_exception(self, exc: Exception) -> HttpResponse:  # type: ignore[override]
        """JSAPI errors are HTTP 200; 401, 403 and 404 say who you are not (wire.md 2). Each leaves an audit row."""
        if isinstance(exc, (exceptions.APIException, Http404)):
            return self._http_refusal(exc)
        if not isinstance(exc, results.JsapiError):
            logger.exception("unforeseen error at %s", self.request.path, exc_info=exc)
            exc = results.UnknownError(reason=f"{type(exc).__name__}, see the log")
        self.write_audit(str(exc.error), exc.reason, list(exc.error_scopes))
        return JsonResponse(jsapi_error(exc))

    def _http_refusal(self, exc: exceptions.APIException | Http404) -> HttpResponse:
        drf = exceptions.NotFound("There is no such thing of yours.") if isinstance(exc, Http404) else exc
        unauthenticated = isinstance(drf, (exceptions.NotAuthenticated, exceptions.AuthenticationFailed))
        if unauthenticated and (over := limits.unauthenticated(audit.address(self.request._request))):
            return self._too_many(over)
        self.write_audit("401" if unauthenticated else str(drf.status_code), str(drf.detail), [])
        body = jsapi_error(results.UnknownError(str(drf.detail)))
        response = JsonResponse(body, status=401 if unauthenticated else drf.status_code)
        if unauthenticated:
            response["WWW-Authenticate"] = "Bearer"
        return response

    def _too_many(self, over: Over) -> HttpResponse:
        """429: calls without a valid user are limited per address (trust 19); the first of a window is audited."""
        if over.first:
            self.write_audit("429", limits.UNAUTHENTICATED, [])
        response = JsonResponse(jsapi_error(results.UnknownError(limits.UNAUTHENTICATED)), status=429)
        response["Retry-After"] = str(over.retry_after)
        return response

    def write_audit(self, code: str, reason: str, failed: list[str]) -> None:
        request: HttpRequest = self.request._request
        user = getattr(self.request, "_user", None)
        asked = self.named.get("scopes")
        audit.write(
            request,
            code=code,
            reason=reason,
            app_id=str(self.named.get("appId", "")),
            user=user if isinstance(user, User) else None,
            scopes=failed or (asked if isinstance(asked, list) else []),
        )
