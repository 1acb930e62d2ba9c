"""Secrets of a development machine: made at first use in an ignored folder, refused on a public host."""

import base64
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

DEVELOPMENT_MARK = "development-only-"


def development_secret(path: Path) -> str:
    """The text kept in `path`, made of 50 random characters when the file is missing."""
    return kept(path, lambda: DEVELOPMENT_MARK + secrets.token_urlsafe(50))


def development_private_key(path: Path) -> str:
    """The RSA-2048 key (PKCS8 PEM) kept in `path`, made when missing, marked so that production refuses it."""
    return kept(path, lambda: f"{DEVELOPMENT_MARK}key\n{new_private_key()}")


def development_key(path: Path) -> str:
    """The symmetric key kept in `path`, made when missing, marked so that production refuses it."""
    return kept(path, lambda: DEVELOPMENT_MARK + base64.b64encode(secrets.token_bytes(32)).decode())


def symmetric(text: str) -> tuple[bytes, ...]:
    """The 32-byte keys in `text`: base64, with commas or blanks between them. ValueError says what is wrong."""
    keys = tuple(_symmetric(word) for word in text.replace(",", " ").split())
    if not keys:
        raise ValueError("it holds no key")
    if len(set(keys)) < len(keys):
        raise ValueError("it holds one key twice")
    return keys


def _symmetric(word: str) -> bytes:
    word = word.removeprefix(DEVELOPMENT_MARK).translate(str.maketrans("-_", "+/"))
    try:
        key = base64.b64decode(word, validate=True)
    except ValueError as error:
        raise ValueError("a key in it is not base64") from error
    if len(key) != 32:
        raise ValueError(f"a key in it has {len(key)} bytes, not 32")
    return key


def new_private_key() -> str:
    """A fresh RSA-2048 private key as PKCS8 PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def public_key_of(private_pem: str) -> str:
    """The public half of a private key PEM, as SubjectPublicKeyInfo PEM."""
    start = private_pem.index("-----BEGIN")
    key = serialization.load_pem_private_key(private_pem[start:].encode(), password=None)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return public.decode()


def problem_of(private_pem: str) -> str:
    """Why this private key cannot sign (wire.md 4), without showing any of it; "" when it can."""
    start = private_pem.find("-----BEGIN")
    try:
        key = serialization.load_pem_private_key(private_pem[max(start, 0) :].encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "it is neither a PKCS8 PEM nor the path of a file that holds one"
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < 2048:
        return "it is no RSA key of 2048 bits or more"
    return ""


def kept(path: Path, make: Callable[[], str]) -> str:
    """Read `path`; when missing, write what `make()` gives. Two processes may race: the first file wins."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        draft = path.with_suffix(f".{os.getpid()}.{secrets.token_hex(4)}")
        draft.touch(mode=0o600)
        draft.write_text(make())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text()
