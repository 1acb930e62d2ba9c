"""The pages of receipts: one's own, to keep and to print, and one where anybody checks any (trust 25, 36)."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.utils.translation import override
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from authapi import receipt_standards, receipts
from authapi.jws import NotGenuineError
from portal import local
from portal.models import ConsentDecision


@never_cache
@login_required
@require_safe
def receipt(request: HttpRequest, pk: int) -> HttpResponse:
    """The receipt of one decision, for the screen and for paper."""
    decision = _own(request, pk)
    payload = receipts.of(decision)
    context = {"decision": decision, "jws": receipts.sign(payload), **told(payload)}
    return render(request, "portal/receipt.html", context)


@never_cache
@login_required
@require_safe
def receipt_json(request: HttpRequest, pk: int) -> HttpResponse:
    """The same as a file: what it says, and the signature over that."""
    payload = receipts.of(_own(request, pk))
    body = {"receipt": payload, "jws": receipts.sign(payload)}
    response = JsonResponse(body, json_dumps_params={"ensure_ascii": False, "indent": 1})
    response["Content-Disposition"] = f'attachment; filename="receipt-{pk}.json"'
    return response


def _own(request: HttpRequest, pk: int) -> ConsentDecision:
    """404 for anything of another user (trust 25)."""
    rows = ConsentDecision.objects.select_related("user", "mini_program__merchant__sector", "shown")
    return get_object_or_404(rows, pk=pk, user=request.user)


@never_cache
def verify_receipt(request: HttpRequest) -> HttpResponse:
    """Whether a receipt is genuine, for anybody. It asks nothing but the signature: no row is looked up."""
    if request.method != "POST":
        return render(request, "portal/verify_receipt.html")
    try:
        payload, key_version = receipts.verify(_pasted(request))
    except NotGenuineError as error:
        return render(request, "portal/verify_receipt.html", {"problem": str(error)}, status=422)
    return render(request, "portal/verify_receipt.html", {"key_version": key_version, **told(payload)})


def _pasted(request: HttpRequest) -> str:
    """The chosen file, or else the pasted text."""
    file = request.FILES.get("file")
    if file is None:
        return request.POST.get("receipt", "")
    if (file.size or 0) > receipts.MAX_FILE:
        raise NotGenuineError(_("This is too long to be a receipt."))
    content: bytes = file.read()
    return content.decode("utf-8", "replace")


def told(payload: dict[str, Any]) -> dict[str, Any]:
    """What the pages show of a payload: its times as times, and what is called the same once."""
    decision, shown = payload["decision"], payload["decision"]["shown"]
    labels = [label for purpose in payload["services"][0]["purposes"] for label in purpose["piiCategory"]]
    with override(payload["language"]):
        holds = local.listed(dict.fromkeys(labels)) if labels else ""
    return {
        "receipt": payload,
        "at": _moment(decision["at"]),
        "lines": list({line["label"]: line for line in _lines(payload)}.values()),
        "holds": holds,
        "read_in": dict(settings.LANGUAGES).get(shown["language"], shown["language"]) if shown else "",
    }


def _lines(payload: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The scopes it is about: label, purpose, and on what terms they are allowed now, if they are."""
    record = payload["consent_record"]
    lines, purposes, events = payload["decision"]["about"], record["pii_processing"]["purposes"], record["event"]
    for line, purpose, event in zip(lines, purposes, events, strict=True):
        stands = event["event_state"] in receipt_standards.STANDING
        yield {**line, "purpose": purpose["purpose"], "stands": stands, "until": _moment(line["until"])}


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
