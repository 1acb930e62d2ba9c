"""Phone numbers: parsed and kept as E.164, shown as wire.md 5.2 writes them."""

import phonenumbers
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from portal import local

_COUNTRY_CODES = frozenset(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)


def parse(text: str) -> str:
    """A number as people write it, in E.164 (`+27609000084`). ValidationError when it is none.

    Takes the wire's `27-609000084` too; a number without country code is read in PHONE_REGION.
    """
    country, dash, _rest = text.strip().partition("-")
    if dash and country.isdigit() and not country.startswith("0"):
        wired = _valid(f"+{text.strip()}", None)
        if wired:
            return wired
    number = _valid(text, settings.PHONE_REGION)
    if not number:
        raise ValidationError(
            _("%(text)s is not a phone number. Write it with its country code, like +63 917 123 4567."),
            params={"text": local.apart(text[:32])},
        )
    return number


def wire(e164: str) -> str:
    """`+27609000084` as `27-609000084`. ValueError when it does not begin with a country code."""
    digits = e164.removeprefix("+")
    # No country code begins another one, so nothing has to be parsed.
    length = next((n for n in (1, 2, 3) if digits[:n].isdigit() and int(digits[:n]) in _COUNTRY_CODES), 0)
    if not length:
        raise ValueError("not a phone number in E.164")
    return f"{digits[:length]}-{digits[length:]}"


def international(e164: str) -> str:
    """`+639171234567` as people read it: `+63 917 123 4567`."""
    return phonenumbers.format_number(phonenumbers.parse(e164), phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def _valid(text: str, region: str | None) -> str:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(number):
        return ""
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return e164 if _again(e164) == e164 else ""  # of a row of zeros, each reading takes one for a trunk prefix


def _again(e164: str) -> str:
    return phonenumbers.format_number(phonenumbers.parse(e164), phonenumbers.PhoneNumberFormat.E164)
