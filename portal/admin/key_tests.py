"""Whether a merchant holds the private half of a key: it signs a text of ours, and the key verifies it (trust 12)."""

import base64
import binascii
import secrets
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512, HashAlgorithm
from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.models import MerchantKey
from portal.models.merchants import rsa_public_key

if TYPE_CHECKING:
    from portal.admin.merchants import MerchantAdmin

SESSION = "key_test"
LIFETIME = 600  # seconds
COMMAND = "printf %s '{text}' | openssl dgst -sha256 -sign private_key.pem | openssl base64 -A"
# What we recognise, to say so, and never accept.
OTHERS: dict[str, HashAlgorithm] = {"SHA-1": SHA1(), "SHA-384": SHA384(), "SHA-512": SHA512()}  # noqa: S303


@dataclass(frozen=True)
class Challenge:
    """What is to be signed, for one key, until when (epoch seconds); in the session of the operator who asked."""

    key: int
    text: str
    until: float

    @property
    def minutes(self) -> int:
        """How long it still holds, rounded up."""
        return int((self.until - time.time()) // 60) + 1


class SignatureForm(forms.Form):
    """What the merchant sent back."""

    signature = forms.CharField(
        label=gettext_lazy("Signature, in base64"),
        max_length=4096,
        widget=forms.Textarea(attrs={"rows": 6, "class": "vLargeTextField", "autocomplete": "off"}),
        error_messages={"required": gettext_lazy("Paste the signature.")},
    )


def challenge(request: HttpRequest, key: MerchantKey, *, anew: bool = False) -> Challenge:
    """The one that waits for this key, or a new one. It is no request: nothing else of ours begins like it."""
    waiting = request.session.get(SESSION) or {}
    if not anew and waiting.get("key") == key.pk and waiting["until"] > time.time():
        return Challenge(**waiting)
    made = Challenge(key.pk, f"key-self-test:{secrets.token_urlsafe(32)}", time.time() + LIFETIME)
    request.session[SESSION] = asdict(made)
    return made


def problem(key: MerchantKey, text: str, pasted: str) -> str:
    """Why this is no signature of that text by this key, and what to do; "" when it is one."""
    if "PRIVATE KEY" in pasted:
        return _(
            "This is a private key. Nobody but the merchant may have it: it is worth nothing now. Ask for a new one."
        )
    try:
        signature = base64.b64decode("".join(pasted.split()), validate=True)
    except (binascii.Error, ValueError):
        return _("This is not base64. Paste what the command prints, and nothing else.")
    public, message = rsa_public_key(key.public_key), text.encode()
    if _fits(public, signature, message):
        return ""
    return _other_key(key, signature, message) or _other_way(public, signature, message)


def _other_key(key: MerchantKey, signature: bytes, message: bytes) -> str:
    """Whether another key of this merchant made it."""
    for other in key.merchant.keys.exclude(pk=key.pk):
        if _fits(rsa_public_key(other.public_key), signature, message):
            words = _("This was signed with the private half of keyVersion %(other)d, not %(this)d.")
            return words % {"other": other.version, "this": key.version}
    return ""


def _other_way(public: RSAPublicKey, signature: bytes, message: bytes) -> str:
    """Whether this key made it in another way than we verify; else it was another key."""
    size = public.key_size // 8
    if len(signature) != size:
        words = _("A signature with this key has %(size)d bytes, this has %(found)d: another key, or no RSA at all.")
        return words % {"size": size, "found": len(signature)}
    if _fits(public, signature, message + b"\n") or _fits(public, signature, message + b"\r\n"):
        return _("A line break was signed with the text. Use printf %s, not echo.")
    for name, algorithm in OTHERS.items():
        if _fits(public, signature, message, algorithm):
            return _("This was signed with %s. Use SHA-256, as every request does.") % name
    if _fits_pss(public, signature, message):
        return _("This was signed with RSA-PSS. Use PKCS #1 v1.5, as every request does.")
    return _(
        "The key is another one, or the text is. Compare the fingerprint, and sign the text that stands here now."
    )


def _fits(public: RSAPublicKey, signature: bytes, message: bytes, algorithm: HashAlgorithm | None = None) -> bool:
    try:
        public.verify(signature, message, padding.PKCS1v15(), algorithm or SHA256())
    except InvalidSignature:
        return False
    return True


def _fits_pss(public: RSAPublicKey, signature: bytes, message: bytes) -> bool:
    try:
        public.verify(signature, message, padding.PSS(padding.MGF1(SHA256()), padding.PSS.AUTO), SHA256())
    except InvalidSignature:
        return False
    return True


def page(console: "MerchantAdmin", request: HttpRequest, key: MerchantKey) -> HttpResponse:
    """The text to sign; a POST brings the signature, or asks for another text."""
    if not request.user.has_perm("portal.change_merchantkey"):
        raise PermissionDenied
    asked = challenge(request, key, anew="anew" in request.POST)
    form = SignatureForm(request.POST if "signature" in request.POST else None)
    if form.is_valid():
        if why := problem(key, asked.text, form.cleaned_data["signature"]):
            form = SignatureForm()  # what was pasted is not sent back: it may be what nobody should see
        else:
            return _passed(console, request, key)
    else:
        why = ""
    context = {
        **console.admin_site.each_context(request),
        "title": _("Test %s") % key,
        "opts": console.opts,
        "media": console.media,
        "key": key,
        "challenge": asked,
        "command": COMMAND.format(text=asked.text),
        "form": form,
        "problem": why,
    }
    return TemplateResponse(request, "admin/portal/merchant/key_test.html", context)


@transaction.atomic
def _passed(console: "MerchantAdmin", request: HttpRequest, key: MerchantKey) -> HttpResponse:
    """Remember it; the text is spent."""
    del request.session[SESSION]
    MerchantKey.objects.filter(pk=key.pk).update(tested_at=timezone.now())
    words = _("Tested keyVersion %d: the merchant holds its private half") % key.version
    console.log_change(request, key.merchant, f"{words}.")
    console.message_user(request, f"{words}.", messages.SUCCESS)
    return HttpResponseRedirect(console.page_of(key.merchant))
