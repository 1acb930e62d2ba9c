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

    One statement. The merchant may be disabled: what that means, the endpoint says.
    """
    _check_present(call)
    keys = list(MerchantKey.objects.select_related("merchant__sector").filter(merchant__client_id=call.client_id))
    if not keys and not Merchant.objects.filter(client_id=call.client_id).exists():
        raise results.InvalidClient(reason=f"no merchant has the Client-Id {call.client_id}")
    _check_time(call.time)
    try:
        header = signing.parse_header(call.signature)
    except signing.MalformedError as error:
        raise results.InvalidSignature(f"Signature: {error}.") from error
    if header.algorithm.upper() != signing.ALGORITHM:
        raise results.InvalidSignature("Signature: algorithm must be RSA256.")
    key = _active(keys, header.key_version)
    if not signing.verify(_readable(key), call.string_to_sign(), header.signature):
        raise results.InvalidSignature(reason=f"keyVersion {header.key_version} does not verify the request")
    return key.merchant


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


def _active(keys: list[MerchantKey], version: int) -> MerchantKey:
    """The key with this version; retired and unknown ones look the same."""
    now = timezone.now()
    for key in keys:
        if key.version == version and (key.retired_at is None or key.retired_at > now):
            return key
    raise results.KeyNotFound(f"There is no active key of this Client-Id with keyVersion={version}.")


def _readable(key: MerchantKey) -> RSAPublicKey:
    try:
        return rsa_public_key(key.public_key)
    except ValueError as error:
        raise results.InvalidSignature(f"The key with keyVersion={key.version} cannot be used: {error}") from error
