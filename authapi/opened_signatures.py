"""What stands inside an RSA signature: which key made it, and the hash that was signed.

That is no secret to who has the public key. So each key is tried once, whatever may have been signed.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import product

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from authapi import signature_mistakes
from authapi.signature_mistakes import Mistake, Recipe
from portal.models.merchants import rsa_public_key


@dataclass(frozen=True)
class Key:
    """A public key of a merchant; `owner` is the Client-Id where it is not the caller's."""

    version: int
    public_key: str
    retired: datetime | None = None
    owner: str = ""

    def __str__(self) -> str:
        return f"keyVersion {self.version}{f' of {self.owner}' if self.owner else ''}"

    @property
    def is_readable(self) -> bool:
        """Whether it is a key that can verify anything."""
        try:
            return bool(rsa_public_key(self.public_key))
        except ValueError:
            return False


@dataclass(frozen=True)
class Opened:
    """What a key found in a signature that it made: a hash, of which kind, and the mistakes so far."""

    key: Key
    kind: str
    digest: bytes
    mistakes: list[Mistake]

    def fits(self, recipe: Recipe) -> bool:
        """Whether this string is what was signed."""
        return hashlib.new(self.kind, recipe.message()).digest() == self.digest


def by(value: str, keys: Iterable[Key]) -> Iterator[Opened]:
    """Each of these keys that made this signature, in whichever way that is written."""
    written = list(signature_mistakes.signatures(value))
    for key in filter(lambda key: key.is_readable, keys):
        for signature, mistakes in written:
            if inside := _inside(rsa_public_key(key.public_key), signature):
                kind, digest, more = inside
                yield Opened(key, kind, digest, [*mistakes, *more])
                break


# DigestInfo of RFC 8017 section 9.2, note 1: what stands before a hash of this kind.
_KINDS = {
    "sha256": "3031300d060960864801650304020105000420",
    "sha1": "3021300906052b0e03021a05000414",
    "sha512": "3051300d060960864801650304020305000440",
    "sha384": "3041300d060960864801650304020205000430",
    "md5": "3020300c06082a864886f70d020505000410",
}


def _inside(key: RSAPublicKey, signature: bytes) -> tuple[str, bytes, list[Mistake]] | None:
    """The kind of hash and the hash in a PKCS#1 v1.5 signature; None when this key did not make it."""
    numbers, size = key.public_numbers(), key.key_size // 8
    number = int.from_bytes(signature)
    if len(signature) != size or number >= numbers.n:
        return None
    block = pow(number, numbers.e, numbers.n).to_bytes(size)
    start, _, rest = block[2:].partition(b"\0")
    if block[:2] != b"\0\1" or len(start) < 8 or start.strip(b"\xff"):
        return None
    for kind, prefix in _KINDS.items():
        if rest.startswith(bytes.fromhex(prefix)):
            wrong = Mistake(f"it was made with {kind.upper()}", "Use SHA-256: SHA256withRSA.")
            return kind, rest[len(prefix) // 2 :], [] if kind == "sha256" else [wrong]
    bare = Mistake("the hash was encrypted without saying which hash it is", "Use SHA256withRSA, not a bare RSA.")
    return ("sha256", rest, [bare]) if len(rest) == 32 else None


_PSS = padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO)
_WRONG_PADDING = Mistake(
    "it was made with RSASSA-PSS", "Use PKCS#1 v1.5: SHA256withRSA, and not SHA256withRSA/PSS or SHA256withRSAandMGF1."
)


def with_pss(
    value: str, keys: Iterable[Key], recipes: Iterable[tuple[Recipe, list[Mistake]]]
) -> tuple[Key, list[Mistake]] | None:
    """The key that made a signature of the wrong padding, and all mistakes. It tells no hash: each string is tried."""
    written, usable = list(signature_mistakes.signatures(value)), [key for key in keys if key.is_readable]
    for recipe, mistakes in recipes:
        message = recipe.message()
        for key, (signature, more) in product(usable, written):
            if _is_pss(rsa_public_key(key.public_key), signature, message):
                return key, [_WRONG_PADDING, *more, *mistakes]
    return None


def _is_pss(key: RSAPublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message, _PSS, hashes.SHA256())
    except InvalidSignature:
        return False
    return True
