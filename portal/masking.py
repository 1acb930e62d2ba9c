"""How a value is shown to someone who should recognise it but not read it."""

import re

from django.core.exceptions import ValidationError

from portal import phones

_PHONE_LIKE = re.compile(r"\+?[\d\s().-]{6,}")
# In an error's words: what is quoted, addresses, long numbers, and what looks like a token.
_QUOTED = re.compile(r"""(?<!\w)(['"])(.*?)\1(?!\w)""")
_NAME = re.compile(r"[a-z]+(?:[._][a-z]+)+")  # a column, a module
_TELLING = re.compile(r"\S+@\S+|\+?\d[\d\s().-]{5,}\d|\b(?=[\w+/=-]*\d)[\w+/=-]{16,}")
DOTS = "•••"


def wire_phone(e164: str) -> str:
    """`+27609000084` as `27-6****0084` (wire.md 5.2); of a short number the end alone."""
    country, number = phones.wire(e164).split("-")
    return f"{country}-{number[:1] if len(number) > 7 else ''}****{_end(number)}"


def wire_email(address: str) -> str:
    """`alice@example.org` as `a****@example.org`."""
    name, _, domain = address.partition("@")
    return f"{name[:1]}****@{domain}"


def wire_text(text: str) -> str:
    """Any other sign-in name: its first character and four stars."""
    return f"{text[:1]}****"


def phone(e164: str) -> str:
    """For a person: `+63 ••• ••• 4567`."""
    country, number = phones.wire(e164).split("-")
    return f"+{country} {DOTS} {DOTS} {_end(number)}"


def _end(number: str) -> str:
    """The last four digits, and never more than half: the numbers of some islands have four."""
    return number[-min(4, len(number) // 2) :]


def email(address: str) -> str:
    """For a person: `a•••@example.org`."""
    name, _, domain = address.partition("@")
    return f"{name[:1]}{DOTS}@{domain}"


def text(value: str, keep: int = 3) -> str:
    """For a person: the first characters and dots, never more than half of the value."""
    return f"{value[: min(keep, len(value) // 2)]}{DOTS}"


def login(name: str) -> str:
    """A login as operators see it: as it is, unless it is an e-mail or a phone number."""
    if "@" in name:
        return email(name)
    if not _PHONE_LIKE.fullmatch(name):
        return name
    try:
        return phone(phones.parse(name))
    except ValidationError:
        return text(name)


def error(raised: BaseException) -> str:
    """An exception's class and the first line of its words, without what may be a secret or somebody's data."""
    line = next(iter(str(raised).splitlines()), "")
    line = _QUOTED.sub(lambda found: found[0] if _NAME.fullmatch(found[2]) else f"{found[1]}{DOTS}{found[1]}", line)
    words = _TELLING.sub(DOTS, line)[:200]
    return f"{type(raised).__name__}: {words}" if words else type(raised).__name__
