"""Who calls: the merchant behind a signed request (wire.md 4)."""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.conf import settings
from django.utils import timezone

from authapi import results, signing, statements
from portal.models import Merchant, Sector
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


_MERCHANT = """
SELECT m.id, m.client_id, m.status, m.sector_id, s.salt, k.public_key, k.retired_at <= %(now)s
FROM portal_merchant m
JOIN portal_sector s ON s.id = m.sector_id
LEFT JOIN portal_merchantkey k ON k.merchant_id = m.id AND k.version = %(version)s
WHERE m.client_id = %(client_id)s
"""


def authenticate(call: SignedCall) -> Merchant:
    """The merchant who signed this call. Raises ParamIllegal, InvalidClient, KeyNotFound, InvalidSignature.

    One statement. The merchant may be disabled: what that means, the endpoint says.
    """
    _check_present(call)
    header = _header(call.signature)
    version = header.key_version if isinstance(header, signing.SignatureHeader) else 0
    values = {"client_id": call.client_id, "version": version, "now": statements.moment(timezone.now())}
    found = statements.row(_MERCHANT, values)
    if found is None:
        raise results.InvalidClient(reason=f"no merchant has the Client-Id {call.client_id}")
    _check_time(call.time)
    if not isinstance(header, signing.SignatureHeader):
        raise header
    *merchant, public_key, retired = found
    if public_key is None or retired:  # retired and unknown ones look the same
        raise results.KeyNotFound(f"There is no active key of this Client-Id with keyVersion={version}.")
    if not signing.verify(_readable(public_key, version), call.string_to_sign(), header.signature):
        raise results.InvalidSignature(reason=f"keyVersion {version} does not verify the request")
    return _merchant(*merchant)


def _merchant(key: int, client_id: str, status: str, sector_id: int, salt: bytes) -> Merchant:
    merchant = statements.model(Merchant, id=key, client_id=client_id, status=status, sector_id=sector_id)
    merchant.sector = statements.model(Sector, id=sector_id, salt=salt)
    return merchant


def _header(text: str) -> signing.SignatureHeader | results.InvalidSignature:
    """The Signature header, or the refusal to raise once the merchant is known to exist."""
    try:
        header = signing.parse_header(text)
    except signing.MalformedError as error:
        return results.InvalidSignature(f"Signature: {error}.")
    if header.algorithm.upper() != signing.ALGORITHM:
        return results.InvalidSignature("Signature: algorithm must be RSA256.")
    return header


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


def _readable(public_key: str, version: int) -> RSAPublicKey:
    try:
        return rsa_public_key(public_key)
    except ValueError as error:
        raise results.InvalidSignature(f"The key with keyVersion={version} cannot be used: {error}") from error
