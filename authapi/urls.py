"""The wire's addresses, one line each, under every gateway prefix (wire.md 3)."""

import re
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, re_path

from authapi import pages, views

# Merchant endpoints: <versions> <path>; a trailing .htm is accepted.
MERCHANT_API = (
    ("12", "authorizations/applyToken", views.ApplyToken),
    ("12", "users/inquiryUserInfo", views.InquiryUserInfo),
    ("1", "customers/user/inquiryUserInfoByAccessToken", views.InquiryUserInfo),
    ("2", "customers/user/inquiryUserInfo", views.InquiryUserInfo),
    ("1", "authorizations/cancelToken", views.CancelToken),
    ("12", "authorizations/revoke", views.CancelToken),
    ("1", "authorizations/query", views.Query),
    ("1", "tools/verifySignature", views.VerifySignature),
)


GET_AUTH_CODE = "v1/authorizations/getAuthCode"


def starts() -> list[str]:
    """What comes before the version, with its slash at the end: every gateway prefix, and nothing."""
    return [f"{prefix.strip('/')}/" if prefix.strip("/") else "" for prefix in settings.GATEWAY_PREFIXES]


def signed_routes() -> dict[str, tuple[Callable[..., HttpResponse], str]]:
    """Every path of the merchant API with its view and version, for `middleware.ApiMiddleware`."""
    routes: dict[str, tuple[Callable[..., HttpResponse], str]] = {}
    for versions, rest, view in MERCHANT_API:
        answer = view.as_view()
        for start in starts():
            for version in versions:
                routes[f"/{start}v{version}/{rest}"] = routes[f"/{start}v{version}/{rest}.htm"] = answer, version
    return routes


def bearer_routes() -> dict[str, Callable[[HttpRequest], HttpResponse]]:
    """What a native container calls on every start of a mini-program."""
    return {f"/{GET_AUTH_CODE}": views.GetAuthCode.as_view()}


def _merchant_urls() -> list[URLPattern]:
    urls: list[URLPattern] = []
    for literal in starts():
        start = re.escape(literal)
        urls += [
            re_path(rf"^{start}v(?P<version>[{versions}])/{rest}(?:\.htm)?\Z", view.as_view())
            for versions, rest, view in MERCHANT_API
        ]
        rest = "" if start else r"v[0-9]+(?:/|\Z)"  # a gateway's prefix is all ours
        urls.append(re_path(rf"^{start}{rest}", views.NoSuchApi.as_view()))
    return urls


urlpatterns = [
    path(GET_AUTH_CODE, views.GetAuthCode.as_view(), name="get_auth_code"),
    path("v1/authorizations/consents/<str:consent_id>", views.Consent.as_view(), name="consent_api"),
    path("v1/authorizations/consents/<str:consent_id>/decision", views.Decision.as_view(), name="decision_api"),
    path("v1/authorizations/reportError", views.ReportError.as_view(), name="report_error"),
    path("my.js", views.my_js, name="my_js"),
    path(".well-known/jwks.json", views.jwks, name="jwks"),
    path("receipts/verify/", pages.verify_receipt, name="verify_receipt"),
    path("receipts/<int:pk>/", pages.receipt, name="receipt"),
    path("receipts/<int:pk>/receipt.json", pages.receipt_json, name="receipt_json"),
    *_merchant_urls(),
]
