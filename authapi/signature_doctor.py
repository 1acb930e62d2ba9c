"""Says step by step why the signature of a pasted request fails, and what mistake that looks like (wire.md 4).

What an RSA signature has inside is no secret to who has the public key: the hash that was signed. So each key is
tried once, and the hash is looked up among those of everything that may have been signed by mistake.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from authapi import opened_signatures, signature_mistakes, signing
from authapi.opened_signatures import Key, Opened
from authapi.pasted_requests import PastedRequest, visible
from authapi.signature_mistakes import Mistake
from portal.models.merchants import rsa_public_key

FINE, DOUBTFUL, WRONG = "fine", "doubtful", "wrong"


@dataclass(frozen=True)
class Caller:
    """What is known of a Client-Id; `near` is one that is spelt almost alike."""

    is_known: bool = False
    is_active: bool = True
    name: str = ""
    keys: tuple[Key, ...] = ()
    near: str = ""


@dataclass(frozen=True)
class Step:
    """One thing that was looked at."""

    title: str
    verdict: str
    detail: str
    remedy: str = ""


@dataclass
class Diagnosis:
    """What was found; `message` is the string to sign with what cannot be seen made visible."""

    steps: list[Step] = field(default_factory=list)
    message: str = ""
    digest: str = ""
    signed_digest: str = ""  # of what the caller signed, when a key tells

    @property
    def is_fine(self) -> bool:
        """Whether we would take this signature, now."""
        return all(step.verdict == FINE for step in self.steps)

    @property
    def headline(self) -> str:
        """The first thing to put right."""
        bad = [step for step in self.steps if step.verdict == WRONG]
        bad = bad or [step for step in self.steps if step.verdict == DOUBTFUL]
        return f"{bad[0].title}: {bad[0].detail}" if bad else "The signature is fine."


@dataclass(frozen=True)
class Setting:
    """What the diagnosis must know of this portal and this moment. `strangers` are other merchants' keys."""

    now: datetime
    window: timedelta
    prefixes: list[str] = field(default_factory=list)
    is_endpoint: bool = True
    strangers: Iterable[Key] = ()


def diagnose(request: PastedRequest, caller: Caller, setting: Setting) -> Diagnosis:
    """Everything about this request's signature, in the order in which the portal looks at it."""
    message = signature_mistakes.right(request).message()
    found = Diagnosis(message=visible(message), digest=hashlib.sha256(message).hexdigest())
    found.steps += [_method(request), _path(request, setting), _client(request, caller)]
    found.steps += [_time(request.header("Request-Time"), setting), *_header(request, caller)]
    if request.header("Signature"):
        found.steps.append(_signed(request, caller, setting, found))
    return found


def _method(request: PastedRequest) -> Step:
    if request.method == "POST":
        return Step("Method", FINE, "POST.")
    return Step("Method", WRONG, f"{request.method} is not supported.", "Use POST, and sign POST.")


def _path(request: PastedRequest, setting: Setting) -> Step:
    if not request.target:
        remedy = "Paste the first line of the request, like POST /v2/users/inquiryUserInfo."
        return Step("Path", WRONG, "there is none.", remedy)
    if not setting.is_endpoint:
        return Step("Path", WRONG, f"{request.path} is no endpoint: INVALID_API.", "Correct the address.")
    return Step("Path", FINE, f"{request.path}, of the whole address the part that is signed.")


def _client(request: PastedRequest, caller: Caller) -> Step:
    client_id = request.header("Client-Id")
    if not client_id:
        return Step("Client-Id", WRONG, "the header is missing.", "Send it with every call.")
    if not caller.is_known:
        near = f"It is spelt {caller.near}." if caller.near else "Use the one that the merchant was registered with."
        return Step("Client-Id", WRONG, f"no merchant has {client_id}.", near)
    if not caller.is_active:
        detail = f"{caller.name} is disabled: INVALID_AUTH_CLIENT_STATUS, however well it signs."
        return Step("Client-Id", WRONG, detail, "A manager can make it active again.")
    return Step("Client-Id", FINE, f"{caller.name}.")


def _time(text: str, setting: Setting) -> Step:
    if not text:
        return Step("Request-Time", WRONG, "the header is missing.", "Send it, and sign the same text.")
    if text.isascii() and text.isdigit() and len(text) == 10:
        return Step("Request-Time", WRONG, "these are seconds.", "Send milliseconds, of 13 digits, or ISO-8601.")
    try:
        moment = signing.parse_time(text)
    except signing.MalformedError as error:
        return Step("Request-Time", WRONG, f"{error}.", "Correct its form.")
    away = abs(setting.now - moment)
    how = f"{_span(away)} {'ago' if moment <= setting.now else 'ahead'}, read at {setting.now:%Y-%m-%d %H:%M:%S %Z}"
    if signing.is_fresh(moment, setting.now, setting.window):
        return Step("Request-Time", FINE, f"{how}.")
    remedy = "A request that was sent long ago is only out of date here. If it was sent just now, correct the clock."
    return Step("Request-Time", DOUBTFUL, f"{how}, and more than {_span(setting.window)} is refused.", remedy)


def _span(away: timedelta) -> str:
    return str(timedelta(seconds=round(away.total_seconds())))


def _header(request: PastedRequest, caller: Caller) -> Iterator[Step]:
    """The header's form, then the version of its key."""
    form = "Write: algorithm=RSA256, keyVersion=1, signature=<URL-encoded base64>"
    text = request.header("Signature")
    if not text:
        yield Step("Signature header", WRONG, "the header is missing.", form)
        return
    try:
        header = signing.parse_header(text)
    except signing.MalformedError as error:
        yield Step("Signature header", WRONG, f"{error}.", form)
        return
    if header.algorithm.upper() != signing.ALGORITHM:
        yield Step("Signature header", WRONG, f"the algorithm is {header.algorithm[:40]}.", "Use RSA256.")
    else:
        yield Step("Signature header", FINE, f"RSA256, {len(header.signature)} bytes.")
    if caller.is_known:
        yield _version(header.key_version, caller)


def _version(version: int, caller: Caller) -> Step:
    active = ", ".join(str(key.version) for key in caller.keys if not key.retired) or "none"
    for key in caller.keys:
        if key.version == version and key.retired:
            detail = f"{version} was retired on {key.retired:%Y-%m-%d %H:%M %Z}: KEY_NOT_FOUND."
            return Step("keyVersion", WRONG, detail, f"Sign with an active key. There are: {active}.")
        if key.version == version:
            return Step("keyVersion", FINE, f"{version}.")
    return Step("keyVersion", WRONG, f"there is no {version}: KEY_NOT_FOUND.", f"Active are: {active}.")


# --- The signature itself ---------------------------------------------------------------------------------------

SINGLE = 150  # so many recipes have at most one mistake


def _signed(request: PastedRequest, caller: Caller, setting: Setting, found: Diagnosis) -> Step:
    value = _value(request.header("Signature"))
    opened = list(opened_signatures.by(value, caller.keys)) or list(opened_signatures.by(value, setting.strangers))
    for one in opened:
        found.signed_digest = one.digest.hex()
        for recipe, mistakes in signature_mistakes.recipes(request, setting.prefixes):
            if one.fits(recipe):
                return _verdict(request, one.key, [*one.mistakes, *mistakes])
    if opened:
        return _something_else(request, opened[0])
    few = islice(signature_mistakes.recipes(request, setting.prefixes), SINGLE)
    if pss := opened_signatures.with_pss(value, caller.keys, few):
        return _verdict(request, *pss)
    return _no_key(value, caller)


def _value(header: str) -> str:
    """The text after signature=, whatever else is wrong with the header."""
    for item in header.split(","):
        name, _, value = item.strip().partition("=")
        if name.strip().lower() == "signature":
            return value.strip()
    return header.strip()


def _verdict(request: PastedRequest, key: Key, mistakes: list[Mistake]) -> Step:
    if wrong := _of_key(request, key):
        mistakes = [wrong, *mistakes]
    if not mistakes:
        return Step("Signature", FINE, f"it verifies with {key}.")
    if not request.is_exact and all(mistake.is_line_end for mistake in mistakes):
        detail = f"it verifies with {key}, if {mistakes[0].what}: pasting does not keep line ends"
        return Step("Signature", FINE, f"{detail}.", "For certainty give the body in base64.")
    detail = "; also, ".join(mistake.what for mistake in mistakes)
    return Step("Signature", WRONG, f"{detail}.", " ".join(dict.fromkeys(mistake.remedy for mistake in mistakes)))


def _of_key(request: PastedRequest, key: Key) -> Mistake | None:
    if key.owner:
        return Mistake(f"it was made with {key}, another merchant's", "Sign with the key of this Client-Id.")
    try:
        version = signing.parse_header(request.header("Signature")).key_version
    except signing.MalformedError:
        return None
    if key.version != version:
        remedy = f"Sign with the key of keyVersion {version}, or say keyVersion={key.version}."
        return Mistake(f"it was made with {key}, and the header says {version}", remedy)
    return None


def _something_else(request: PastedRequest, opened: Opened) -> Step:
    if wrong := _of_key(request, opened.key):
        return Step("Signature", WRONG, f"{wrong.what}; what was signed no usual mistake explains.", wrong.remedy)
    detail = f"the key is right ({opened.key}), but something else was signed, and no usual mistake explains what"
    remedy = "Compare the string below with the one that was signed; what differs is most often the body."
    return Step("Signature", WRONG, f"{detail}.", remedy)


def _no_key(value: str, caller: Caller) -> Step:
    sizes = {rsa_public_key(key.public_key).key_size // 8 for key in caller.keys if key.is_readable}
    lengths = {len(signature) for signature, _ in signature_mistakes.signatures(value)}
    if sizes and lengths and not sizes & lengths:
        detail = f"it has {min(lengths)} bytes, where a signature of this merchant's keys has {max(sizes)}: it was cut"
        return Step("Signature", WRONG, f"{detail}, or made with a key of another size.", "Send all of it.")
    detail = "no key that is registered for this merchant made it: it is another private key's, or it was damaged"
    return Step("Signature", WRONG, f"{detail}.", "Register the public key that belongs to the private key in use.")
