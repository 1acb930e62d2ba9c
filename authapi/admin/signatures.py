"""Signature debugging in the console: a pasted request, and why its signature fails. Nothing of it is kept."""

import base64
import binascii
from collections.abc import Iterator
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from authapi import pasted_requests, signature_doctor, urls
from authapi.opened_signatures import Key
from authapi.pasted_requests import PastedRequest
from authapi.signature_doctor import Caller, Diagnosis, Setting
from portal.console import ADDRESSES, PAGES, Page
from portal.models import Merchant, MerchantKey

PERMISSION = "authapi.view_erroraudit"
STRANGERS = 500  # so many keys of other merchants are tried, the newest first
AREA = {"class": "vLargeTextField", "spellcheck": "false", "autocomplete": "off"}


class RequestForm(forms.Form):
    """A request as it was sent."""

    text = forms.CharField(
        label="Request",
        strip=False,
        widget=forms.Textarea(attrs={**AREA, "rows": 12}),
        help_text="First line, headers, an empty line, the body. As the merchant sent it, or what curl -v shows.",
        error_messages={"required": "Paste the request."},
    )
    body = forms.CharField(
        label="Body in base64",
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={**AREA, "rows": 3}),
        help_text="Optional, and exact: a form does not keep whether lines end in LF or CRLF.",
    )

    def clean_body(self) -> bytes | None:
        """Its bytes; None when it is not given."""
        text = "".join(self.cleaned_data["body"].split())
        try:
            return base64.b64decode(text, validate=True) if text else None
        except (binascii.Error, ValueError) as error:
            raise forms.ValidationError("This is no base64.") from error

    def request(self) -> PastedRequest:
        """What was pasted, read."""
        return pasted_requests.read(self.cleaned_data["text"], self.cleaned_data["body"])


@never_cache
@sensitive_post_parameters()
@permission_required(PERMISSION, raise_exception=True)
@require_http_methods(["GET", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """The form, and after a POST the diagnosis."""
    form = RequestForm(request.POST or None)
    context = {**admin.site.each_context(request), "title": "Why does the signature fail?", "form": form}
    if form.is_bound and form.is_valid():
        context["found"] = _diagnosed(form.request())
    return TemplateResponse(request, "admin/signature.html", context)


def _diagnosed(pasted: PastedRequest) -> Diagnosis:
    client_id = pasted.header("Client-Id")[:200]
    setting = Setting(
        now=timezone.now(),
        window=settings.REQUEST_TIME_WINDOW,
        prefixes=[prefix for prefix in settings.GATEWAY_PREFIXES if prefix.strip("/")],
        is_endpoint=pasted.path.partition("?")[0] in urls.signed_routes(),
        strangers=_strangers(client_id),
    )
    return signature_doctor.diagnose(pasted, _caller(client_id), setting)


def _caller(client_id: str) -> Caller:
    merchant = Merchant.objects.filter(client_id=client_id).first()
    if merchant is None:
        near = Merchant.objects.filter(client_id__iexact=client_id).first()
        return Caller(near=near.client_id if near else "")
    now = timezone.now()
    keys = tuple(
        Key(key.version, key.public_key, key.retired_at if key.retired_at and key.retired_at <= now else None)
        for key in merchant.keys.all()
    )
    return Caller(True, merchant.is_active, merchant.name, keys)


def _strangers(client_id: str) -> Iterator[Key]:
    """Looked at only when none of the merchant's own keys made the signature."""
    rows: Any = MerchantKey.objects.exclude(merchant__client_id=client_id).select_related("merchant")
    for key in rows.order_by("-pk")[:STRANGERS]:
        yield Key(key.version, key.public_key, owner=key.merchant.client_id)


ADDRESSES.append(path("signature/", admin.site.admin_view(page), name="signature"))
PAGES.append(Page("errors", "Signature check", "signature", PERMISSION))
