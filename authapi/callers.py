"""Who calls: the merchant behind a signed request (wire.md 4)."""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.conf import settings
from django.utils import timezone

from authapi import results, signing
from portal.models import Merchant, MerchantKey
from portal.models.merchants import rsa_public_key


@dataclass(frozen=True)
class SignedCall:
    """The parts of a request that its signature covers, as they arrived; the path with its query."""

    path: str
    client_id: str
    time: str
    signature: str
    body: bytes = field(repr=False)

    def string_to_sign(self) -> bytes:
        """What the merchant should have signed."""
        return signing.string_to_sign(self.path, self.client_id, self.time, self.body)


def authenticate(call: SignedCall) -> Merchant:
    """The merchant who signed this call. Raises ParamIllegal, InvalidClient, KeyNotFound, InvalidSignature.

    Two statements. The merchant may be disabled: what that means, the endpoint says.
    """
    _check_present(call)
    merchant = Merchant.objects.select_related("sector").filter(client_id=call.client_id).first()
    if merchant is None:
        raise results.InvalidClient(reason=f"no merchant has the Client-Id {call.client_id}")
    _check_time(call.time)
    try:
        header = signing.parse_header(call.signature)
    except signing.MalformedError as error:
        raise results.InvalidSignature(f"Signature: {error}.") from error
    if header.algorithm.upper() != signing.ALGORITHM:
        raise results.InvalidSignature("Signature: algorithm must be RSA256.")
    if not signing.verify(_key(merchant, header.key_version), call.string_to_sign(), header.signature):
        raise results.InvalidSignature(reason=f"keyVersion {header.key_version} does not verify the request")
    return merchant


def _check_present(call: SignedCall) -> None:
    headers = {"Client-Id": call.client_id, "Request-Time": call.time, "Signature": call.signature}
    for name, value in headers.items():
        if not value:
            raise results.ParamIllegal(f"{name}: the header is missing.")
    if len(call.client_id) > 128 or "\0" in call.client_id:
        raise results.ParamIllegal("Client-Id: at most 128 characters.")


def _check_time(text: str) -> None:
    try:
        moment = signing.parse_time(text)
    except signing.MalformedError as error:
        raise results.ParamIllegal(f"Request-Time: {error}.") from error
    now = timezone.now()
    if not signing.is_fresh(moment, now, settings.REQUEST_TIME_WINDOW):
        raise results.InvalidSignature(
            f"Request-Time: more than {settings.REQUEST_TIME_WINDOW} away from our clock, "
            f"{now.isoformat(timespec='seconds')}."
        )


def _key(merchant: Merchant, version: int) -> RSAPublicKey:
    """The key that was active under this version; retired and unknown ones look the same."""
    rows = MerchantKey.objects.filter(merchant=merchant, version=version)
    row = next((row for row in rows if row.retired_at is None or row.retired_at > timezone.now()), None)
    if row is None:
        raise results.KeyNotFound(f"There is no active key of this Client-Id with keyVersion={version}.")
    try:
        return rsa_public_key(row.public_key)
    except ValueError as error:
        raise results.InvalidSignature(f"The key with keyVersion={version} cannot be used: {error}") from error
