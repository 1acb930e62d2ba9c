"""What the container's endpoints share: the signed-in user, JSAPI answers, audit (wire.md 2)."""

import logging
from typing import Any, ClassVar

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.utils import timezone
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from authapi import audit, bodies, codes, limits, results, serializers, statements
from authapi.serializers import jsapi_error
from portal import endpoints
from portal.limits import Over
from portal.models import User

logger = logging.getLogger(__name__)

FIRST_PARTY_SCOPE = "container"


# Found by its hash alone: a planner that knows no better would walk through every token without an application.
_BEARER = """
SELECT u.id, u.uuid, u.status,
    u.is_active AND t.application_id IS NULL AND t.scope = %(scope)s AND t.expires > %(now)s
FROM oauth2_provider_accesstoken t JOIN portal_user u ON u.id = t.user_id
WHERE t.token_checksum = %(checksum)s
"""


class FirstPartyTokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token>` of the super-app's own native client; a merchant's token is none."""

    def authenticate(self, request: HttpRequest) -> tuple[User, str] | None:
        kind, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        now, checksum = statements.moment(timezone.now()), codes.digest(token.strip())
        row = statements.row(_BEARER, {"checksum": checksum, "scope": FIRST_PARTY_SCOPE, "now": now})
        if row is None or not row[3]:
            raise exceptions.AuthenticationFailed("The bearer token is unknown or expired.")
        user = statements.model(User, id=row[0], uuid=statements.as_uuid(row[1]), status=row[2], is_active=True)
        return user, FIRST_PARTY_SCOPE


class CookieAuthentication(SessionAuthentication):
    """The web shell's session cookie, with its CSRF token."""

    def authenticate(self, request: HttpRequest) -> tuple[User, None] | None:
        if not (isinstance(request.user, User) and request.user.is_active):
            return None
        request.POST = QueryDict()  # by the header alone: the body is ours to read, whatever its Content-Type says
        self.enforce_csrf(request)  # type: ignore[arg-type]
        return request.user, None


class ContainerView(endpoints.Named, APIView):
    """One endpoint of the container's API, called as the signed-in user: session and CSRF token, or bearer token."""

    authentication_classes = [FirstPartyTokenAuthentication, CookieAuthentication]
    params_class: ClassVar[type[Serializer[Any]]]

    request: HttpRequest  # type: ignore[assignment]
    user: User | None = None
    is_vouched_for = False  # called with a bearer token: the super-app's own client says who holds the phone
    named: dict[str, Any] = {}

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Without DRF's own ceremony. Codes, and what concerns one user, stay in no cache."""
        request.META[endpoints.ENDPOINT] = self.wire_name
        try:
            self.user = user = self._authenticate(request)
            handler = getattr(self, (request.method or "").lower(), None)
            if request.method not in ("GET", "POST") or handler is None:
                raise exceptions.MethodNotAllowed(request.method or "")
            response: HttpResponse = handler(request, user, **kwargs)
        except Exception as error:  # noqa: BLE001 - each becomes an answer
            response = self.handle_exception(error)
        response["Cache-Control"] = "no-store"
        return response

    def _authenticate(self, request: HttpRequest) -> User:
        for authentication in self.authentication_classes:
            if found := authentication().authenticate(request):  # type: ignore[arg-type]
                user: User = found[0]
                self.is_vouched_for = found[1] == FIRST_PARTY_SCOPE
                return user
        raise exceptions.NotAuthenticated

    def params(self) -> dict[str, Any]:
        """The checked fields of the body. Raises InvalidParameters, naming the field."""
        try:
            self.named = bodies.parse(bodies.read(self.request))
            return serializers.check(self.params_class, self.named)
        except (bodies.MalformedError, serializers.UnfitError) as error:
            raise results.InvalidParameters(str(error)) from error

    def handle_exception(self, exc: Exception) -> HttpResponse:  # type: ignore[override]
        """JSAPI errors are HTTP 200; 401, 403 and 404 say who you are not (wire.md 2). Each leaves an audit row."""
        if isinstance(exc, (exceptions.APIException, Http404)):
            return self._http_refusal(exc)
        if not isinstance(exc, results.JsapiError):
            logger.exception("unforeseen error at %s", self.request.path, exc_info=exc)
            exc = results.UnknownError(reason=f"{type(exc).__name__}, see the log")
        self.request.META[endpoints.CODE] = str(exc.error)
        self.write_audit(str(exc.error), exc.reason, list(exc.error_scopes))
        return JsonResponse(jsapi_error(exc))

    def _http_refusal(self, exc: exceptions.APIException | Http404) -> HttpResponse:
        drf = exceptions.NotFound("There is no such thing of yours.") if isinstance(exc, Http404) else exc
        unauthenticated = isinstance(drf, (exceptions.NotAuthenticated, exceptions.AuthenticationFailed))
        if unauthenticated and (over := limits.unauthenticated(audit.address(self.request))):
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
        asked = self.named.get("scopes")
        audit.write(
            self.request,
            code=code,
            reason=reason,
            app_id=str(self.named.get("appId", "")),
            user_id=self.user.pk if self.user else None,
            scopes=failed or (asked if isinstance(asked, list) else []),
        )
