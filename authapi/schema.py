"""The OpenAPI description: what drf-spectacular cannot read off the views (paths, headers, signing, outcomes)."""

import re
from collections.abc import Callable
from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent, build_bearer_security_scheme_object
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, PolymorphicProxySerializer

from authapi import answers, outcomes
from authapi.answers import Answer
from authapi.container_api import ContainerView
from authapi.merchant_api import MerchantView

Endpoint = tuple[str, str, str, Callable[..., Any]]
Json = dict[str, Any]

DESCRIPTION = """
Three callers: the mini-program's page (`my.getAuthCode`, JavaScript), the super-app's **container** as the signed-in
user, and the **merchant** server. Container: a session cookie with CSRF token, or the native app's bearer token.

**Signing a merchant call**

1. Take the body exactly as you will send it, UTF-8.
2. Take the time for the header `Request-Time`: ISO-8601 with offset, or epoch milliseconds; within {window} of ours.
3. Build the string to sign, one LF, nothing at the end:
   `POST <path with query, no host>\\n<Client-Id>.<Request-Time>.<body>`
4. Sign it with your RSA key (2048 bits or more), RSASSA-PKCS1-v1_5 with SHA-256.
5. Encode the signature with base64, then percent-encode it.
6. Send `Signature: algorithm=RSA256, keyVersion=1, signature=<that>`, with `Client-Id` and `Request-Time`.
7. keyVersion names which of your public keys to verify with; it is 1 when left out.
8. Every answer is HTTP 200 and signed the same way: `POST <request path>\\n<client-id>.<response-time>.<answer body>`.
9. Verify it with our key of `/.well-known/jwks.json`, over the bytes as they came.
10. If it never verifies, POST the same call to `/v1/tools/verifySignature`: it tells the string we computed.

Each merchant path exists under these gateway prefixes too: {prefixes}; the signature covers the path as requested.
A trailing `.htm` is accepted. Every answer carries a `Trace-Id`.
"""


def endpoints(endpoints: list[Endpoint], **kwargs: Any) -> list[Endpoint]:
    """Each endpoint once: the container's as they are, the merchant's without gateway prefix, v1 and v2 apart."""
    from authapi.urls import MERCHANT_API  # the URLs import the views, and those come before any schema

    container = [entry for entry in endpoints if issubclass(getattr(entry[3], "cls", object), ContainerView)]
    merchant: list[Endpoint] = [
        (path, f"^{path[1:]}$", "POST", view.as_view())
        for versions, rest, view in MERCHANT_API
        for path in (f"/v{version}/{rest}" for version in versions)
    ]
    return container + merchant


def describe(result: Json, **kwargs: Any) -> Json:
    """Adds what no view says: how to sign, and the key set, which is a plain function."""
    prefixes = ", ".join(f"`{prefix}`" for prefix in settings.GATEWAY_PREFIXES if prefix.strip("/"))
    minutes = f"{settings.REQUEST_TIME_WINDOW.total_seconds() / 60:g} minutes"
    result["info"]["description"] = DESCRIPTION.strip().format(window=minutes, prefixes=prefixes)
    result["tags"] = [
        {"name": "Container", "description": "Called as the signed-in user."},
        {"name": "Merchant", "description": "Signed calls of a merchant's server."},
    ]
    result["paths"]["/.well-known/jwks.json"] = {
        "get": {
            "operationId": "jwks",
            "summary": "Our public keys",
            "description": "A JSON Web Key Set (RFC 7517); kid is the keyVersion.",
            "tags": ["Merchant"],
            "security": [],
            "responses": {"200": {"description": "", "content": {"application/json": {"schema": {"type": "object"}}}}},
        }
    }
    return result


class WireSchema(AutoSchema):
    """Reads the outcomes of a view from outcomes.py."""

    @property
    def is_merchant(self) -> bool:
        return isinstance(self.view, MerchantView)

    @property
    def version(self) -> int:
        return 1 if self.path.startswith("/v1/") else 2

    @property
    def merchant(self) -> outcomes.MerchantOutcomes:
        return outcomes.MERCHANT.get(type(self.view).__name__, outcomes.MerchantOutcomes())

    def get_operation_id(self) -> str:
        return re.sub(r"[{}]", "", self.path).strip("/").replace("/", "_")

    def get_summary(self) -> str:
        """The view's docstring without its clause."""
        return re.sub(r"\s*\(wire\.md[^)]*\)", "", (type(self.view).__doc__ or "").split("\n\n")[0]).strip()

    def get_description(self) -> str:  # type: ignore[override]  # drf-spectacular drops the arguments too
        if not self.is_merchant:
            return ""
        codes = [refusal().code_on(self.version) for refusal in self.merchant.refusals_on(self.version)]
        return f"Result codes: {', '.join(['SUCCESS', *codes])}."

    def get_tags(self) -> list[str]:
        return ["Merchant" if self.is_merchant else "Container"]

    def map_parsers(self) -> list[str]:
        return ["application/json"]

    def map_renderers(self, attribute: str) -> list[str]:
        return ["application/json"]

    def get_request_serializer(self) -> Any:
        return getattr(self.view, "params_class", None)

    def get_response_serializers(self) -> Any:
        if self.is_merchant:
            v1 = self.merchant.v1_shape if self.version == 1 else None
            return {"200": _one_of(v1 or self.merchant.shape, answers.Refusal)}
        shapes, _requests, _answers = outcomes.CONTAINER[type(self.view).__name__]
        codes = [401, 403, *([404] if "{consent_id}" in self.path else []), 429]
        refusals = {str(code): _http_refusal(code) for code in codes}
        return {"200": _one_of(*shapes), **refusals}

    def get_examples(self) -> list[OpenApiExample]:
        if self.is_merchant:
            requests = dict(self.merchant.requests)
            shown = {"SUCCESS": outcomes.success_example(self.merchant)}
            for refusal in self.merchant.refusals_on(self.version):
                shown[refusal().code_on(self.version)] = outcomes.refusal_example(refusal, self.version)
        else:
            _shapes, requests, shown = outcomes.CONTAINER[type(self.view).__name__]
        return [
            *(OpenApiExample(name, value=value, request_only=True) for name, value in requests.items()),
            *(OpenApiExample(name, value=value, response_only=True) for name, value in shown.items()),
        ]

    def get_override_parameters(self) -> Any:
        trace = _header("Trace-Id", "Stands in our logs and error audit too.", response=True)
        if self.is_merchant:
            return [*MERCHANT_HEADERS, trace]
        consent_id = OpenApiParameter("consent_id", str, OpenApiParameter.PATH, description="From getAuthCode.")
        return [trace, *([consent_id] if "{consent_id}" in self.path else [])]

    def get_auth(self) -> list[dict[str, list[str]]]:
        if not self.is_merchant:
            return list(super().get_auth())
        scheme = {
            "type": "apiKey",
            "in": "header",
            "name": "Signature",
            "description": "RSASSA-PKCS1-v1_5 with SHA-256 over method, path, Client-Id, Request-Time and body.",
        }
        component = ResolvedComponent("merchantSignature", ResolvedComponent.SECURITY_SCHEMA, scheme, MerchantView)
        self.registry.register_on_missing(component)
        return [{component.name: []}]


def _one_of(*shapes: type[Answer]) -> PolymorphicProxySerializer:
    name = "Or".join(shape.__name__ for shape in shapes)
    return PolymorphicProxySerializer(component_name=name, serializers=shapes, resource_type_field_name=None)


def _http_refusal(code: int) -> OpenApiResponse:
    description, value = outcomes.HTTP_REFUSALS[code]
    example = OpenApiExample(str(code), value=value, response_only=True)
    return OpenApiResponse(answers.Failure, description=description, examples=[example])


def _header(name: str, description: str, *, response: bool = False, required: bool = True) -> OpenApiParameter:
    return OpenApiParameter(
        name, str, OpenApiParameter.HEADER, description=description, response=response, required=required
    )


MERCHANT_HEADERS = [
    _header("Client-Id", "Who calls; at most 128 characters."),
    _header("Request-Time", "ISO-8601 with offset, or epoch milliseconds."),
    _header("Signature", "algorithm=RSA256, keyVersion=1, signature=<urlEncode(base64)>"),
    _header("Retry-After", "Seconds, with REQUEST_TRAFFIC_EXCEED_LIMIT.", response=True, required=False),
    _header("client-id", "The caller's, echoed.", response=True, required=False),
    _header("response-time", "ISO-8601 with offset.", response=True, required=False),
    _header("signature", "Ours, over the answer.", response=True, required=False),
]


class ContainerCookie(OpenApiAuthenticationExtension):
    """The web shell: both are needed."""

    target_class = "authapi.container_api.CookieAuthentication"
    name = ["sessionCookie", "csrfToken"]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[Json]:
        return [
            {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME},
            {"type": "apiKey", "in": "header", "name": "X-CSRFToken", "description": "Not needed with GET."},
        ]


class ContainerBearer(OpenApiAuthenticationExtension):
    """The super-app's own native client."""

    target_class = "authapi.container_api.FirstPartyTokenAuthentication"
    name = "firstPartyToken"

    def get_security_definition(self, auto_schema: AutoSchema) -> Json:
        return dict(build_bearer_security_scheme_object("Authorization", "Bearer"))


class Scopes(OpenApiSerializerFieldExtension):
    """wire.md 1: an array; a bare string counts as one scope, null as auth_base."""

    target_class = "authapi.serializers.ScopesField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> Json:
        name = {"type": "string", "maxLength": 64}
        return {"oneOf": [{"type": "array", "items": name, "minItems": 1, "maxItems": 50}, name, {"type": "null"}]}


class ExtendInfo(OpenApiSerializerFieldExtension):
    """wire.md 4.1: an object or a string."""

    target_class = "authapi.serializers.ExtendInfoField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> Json:
        return {"oneOf": [{"type": "object"}, {"type": "string", "maxLength": 4096}, {"type": "null"}]}
