"""How dates, times, lists and countries are written in the language of the person who reads (Unicode's CLDR)."""

from collections.abc import Iterable
from datetime import date, datetime
from functools import lru_cache

from babel import Locale, dates, lists
from django.utils import timezone
from django.utils.translation import get_language, get_language_bidi, to_locale

# English as most of the world's super-apps write it: 25 November 2026.
_LOCALES = {"en": "en_GB"}


def day(value: date | datetime | None) -> str:
    """A day in words: `25 November 2026`. A time counts by the portal's time zone; "" for None."""
    return dates.format_date(_here(value), "long", locale=_locale()) if value else ""


def day_of_year(value: date) -> str:
    """A day without its year: `12 March`."""
    return dates.format_skeleton("MMMMd", value, locale=_locale())


def moment(value: datetime | None) -> str:
    """A day and a time: `25 November 2026, 08:14 UTC`; "" for None."""
    if value is None:
        return ""
    here, locale = _here(value), _locale()
    assert isinstance(here, datetime)
    pattern = str(locale.datetime_formats["medium"]).replace("'", "")
    time = f"{dates.format_time(here, 'short', locale=locale)} {here.tzname()}"
    return pattern.replace("{1}", day(value)).replace("{0}", time)


def ago(value: datetime | None) -> str:
    """How long since, or until: `2 hours ago`, `in 3 days`; "" for None."""
    if value is None:
        return ""
    return dates.format_timedelta(value - timezone.now(), granularity="minute", add_direction=True, locale=_locale())


def listed(names: Iterable[object]) -> str:
    """`A, B and C`."""
    return lists.format_list([str(name) for name in names], locale=_locale())


def apart(text: str) -> str:
    """A name or number in its own direction, whole among words that run from right to left (Unicode's FSI and PDI)."""
    return f"\u2068{text}\u2069" if get_language_bidi() else text


def country(code: str) -> str:
    """The name of a country or region by its ISO 3166-1 alpha-2 code; the code where there is none."""
    return str(_locale().territories.get(code, code))


def countries() -> list[tuple[str, str]]:
    """(code, name) of every country and region that an address can be in, in the order of the names."""
    return _countries(get_language() or "en")


@lru_cache(maxsize=16)
def _countries(language: str) -> list[tuple[str, str]]:
    from django_countries import countries as known  # it reads the settings when it is imported

    names = _parsed(language).territories
    return sorted(((code, str(names.get(code, name))) for code, name in known), key=lambda pair: pair[1])


def _here(value: date | datetime | None) -> date | datetime | None:
    return timezone.localtime(value) if isinstance(value, datetime) else value


def _locale() -> Locale:
    return _parsed(get_language() or "en")


@lru_cache(maxsize=64)
def _parsed(language: str) -> Locale:
    return Locale.parse(_LOCALES.get(language) or to_locale(language))
