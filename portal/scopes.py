"""The scopes that exist: a catalogue in code, extended or overridden by the TOML file SCOPES_FILE (wire.md 1.1)."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import Promise, lazy
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

DEFAULT = "auth_base"
VERSION = "1"  # of the labels and descriptions below; stands on every ledger row that shows them

# What a field name in `Scope.fields` may say. Any other name is a host's own: it is read from `User.extra`.
LOGIN_ID_FORMS = ("loginIdInfos.loginId", "loginIdInfos.maskLoginId", "loginIdInfos.hashLoginId")
CONTACT_FORMS = ("contactInfos", "contactInfos.MOBILE_PHONE")
PROFILE_FIELDS = (
    "userId",
    "status",
    "nickName",
    "userName",
    "avatar",
    "gender",
    "birthDate",
    "nationality",
    "userAddresses",
    *LOGIN_ID_FORMS,
    *CONTACT_FORMS,
)

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_FIELD = re.compile(r"[a-z][A-Za-z0-9]{0,63}")


@dataclass(frozen=True)
class Scope:
    """One nameable thing a mini-program may see or do.

    `label` and `description` are in the language of whoever reads them; `fields` are the userInfo fields it opens
    (wire.md 5.2); `silent` scopes never ask the user; `sensitive` ones show more than a nickname would; `icon` is the
    name of a Lucide icon.
    """

    name: str
    label: str | Promise
    description: str | Promise
    fields: tuple[str, ...]
    silent: bool = False
    sensitive: bool = False
    icon: str = "circle-user-round"

    @property
    def host_fields(self) -> tuple[str, ...]:
        """The fields that only this deployment knows; their values stand in `User.extra`."""
        return tuple(field for field in self.fields if field not in PROFILE_FIELDS)


BUILT_IN = (
    Scope(
        "auth_base",
        _("User ID"),
        _("A number that stands for you at this merchant, and nothing else about you."),
        ("userId",),
        silent=True,
        icon="fingerprint-pattern",
    ),
    Scope(
        "USER_ID",
        _("User ID"),
        _("A number that stands for you at this merchant, and nothing else about you."),
        ("userId",),
        silent=True,
        icon="fingerprint-pattern",
    ),
    Scope(
        "auth_user",
        _("Your profile"),
        _("Nickname, name, picture, gender, birthday, nationality and your sign-in name with its middle hidden."),
        (
            "userId",
            "status",
            "nickName",
            "userName",
            "avatar",
            "gender",
            "birthDate",
            "nationality",
            "loginIdInfos.maskLoginId",
        ),
        icon="circle-user-round",
    ),
    Scope(
        "SEND_MESSAGE",
        _("Send you messages"),
        _("Text messages, notifications and mail to your inbox here. You can stop them at any time."),
        (),
        icon="message-circle",
    ),
    Scope("USER_NICKNAME", _("Nickname"), _("What you like to be called."), ("nickName",), icon="smile"),
    Scope("USER_NAME", _("Name"), _("Your first, middle and last name."), ("userName",), icon="id-card"),
    Scope(
        "USER_LOGIN_ID",
        _("Sign-in name, partly hidden"),
        _("The phone number or e-mail you sign in with, its middle hidden."),
        ("loginIdInfos.maskLoginId",),
        icon="at-sign",
    ),
    Scope(
        "PLAINTEXT_USER_LOGIN_ID",
        _("Sign-in name"),
        _("The phone number or e-mail you sign in with, in full."),
        ("loginIdInfos.loginId",),
        sensitive=True,
        icon="at-sign",
    ),
    Scope(
        "HASH_LOGIN_ID",
        _("Fingerprint of your sign-in name"),
        _("Lets a merchant who already has your phone number or e-mail recognise you by it."),
        ("loginIdInfos.hashLoginId",),
        icon="hash",
    ),
    Scope("USER_AVATAR", _("Picture"), _("Your profile picture."), ("avatar",), icon="image"),
    Scope("USER_GENDER", _("Gender"), _("The gender in your profile."), ("gender",), icon="users-round"),
    Scope("USER_BIRTHDAY", _("Birthday"), _("Your date of birth."), ("birthDate",), icon="cake"),
    Scope("USER_NATIONALITY", _("Nationality"), _("The country of your nationality."), ("nationality",), icon="flag"),
    Scope(
        "USER_CONTACTINFO",
        _("Contacts"),
        _("Your e-mail and telephone in full, your mobile number with its middle hidden."),
        ("contactInfos",),
        sensitive=True,
        icon="contact-round",
    ),
    Scope(
        "USER_ADDRESS",
        _("Address"),
        _("The addresses in your profile."),
        ("userAddresses",),
        sensitive=True,
        icon="map-pin",
    ),
    Scope(
        "PLAINTEXT_MOBILE_PHONE",
        _("Mobile number"),
        _("Your mobile phone number in full."),
        ("contactInfos.MOBILE_PHONE",),
        sensitive=True,
        icon="smartphone",
    ),
)


def catalogue() -> Mapping[str, Scope]:
    """Every scope of this deployment by name. Raises ImproperlyConfigured, naming scope and key, for a bad file."""
    return _catalogue(settings.SCOPES_FILE)


def known(names: Iterable[str]) -> list[Scope]:
    """The catalogue's scopes among `names`, in the catalogue's order."""
    wanted = set(names)
    return [scope for scope in catalogue().values() if scope.name in wanted]


def silent(names: Iterable[str]) -> list[str]:
    """Those of these scopes that never ask the user."""
    return [scope.name for scope in known(names) if scope.silent]


@cache
def _catalogue(path: str) -> Mapping[str, Scope]:
    scopes = {scope.name: scope for scope in BUILT_IN}
    for name, entry in _entries(path):
        scopes[name] = _merged(name, entry, scopes.get(name))
    return MappingProxyType(scopes)


def _entries(path: str) -> Iterable[tuple[str, Any]]:
    """The `[scopes.NAME]` tables of the file."""
    if not path:
        return ()
    try:
        parsed = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ImproperlyConfigured(f"SCOPES_FILE {path}: {error}") from error
    tables = parsed.get("scopes")
    if not isinstance(tables, dict):
        raise ImproperlyConfigured(f"SCOPES_FILE {path}: it must hold tables named [scopes.NAME]")
    return tables.items()


_TYPES: dict[str, type] = {
    "label": str,
    "description": str,
    "fields": list,
    "silent": bool,
    "sensitive": bool,
    "icon": str,
    "labels": dict,
    "descriptions": dict,
}


def _merged(name: str, entry: Any, base: Scope | None) -> Scope:
    """A scope of the file: a built-in one with some keys replaced, or a new one."""
    where = f"SCOPES_FILE: scope {name}"
    _check_keys(where, name, entry)
    base = base or Scope(name, "", "", ())
    if not entry.get("label", base.label):
        raise ImproperlyConfigured(f"{where}: a scope needs a label")
    fields = tuple(entry.get("fields", base.fields))
    for field in fields:
        if not _is_field(field):
            raise ImproperlyConfigured(
                f"{where}: fields: {field!r} is neither a lowerCamelCase name of your own nor one of "
                + ", ".join(PROFILE_FIELDS)
            )
    words = {key: _in_languages(where, entry, key, base) for key in ("label", "description") if f"{key}s" in entry}
    plain = {key: value for key, value in entry.items() if key not in ("labels", "descriptions")}
    return replace(base, **{**plain, **words, "fields": fields})


def _in_languages(where: str, entry: dict[str, Any], key: str, base: Scope) -> str | Promise:
    """The label or description in the language of whoever reads it; the plain one where a language has none."""
    texts = entry[f"{key}s"]
    for language, text in texts.items():
        if language not in dict(settings.LANGUAGES):
            raise ImproperlyConfigured(
                f"{where}: {key}s: {language!r} is none of {', '.join(dict(settings.LANGUAGES))}"
            )
        if not isinstance(text, str) or not text:
            raise ImproperlyConfigured(f"{where}: {key}s: {language}: must be a text")
    plain = entry.get(key) or getattr(base, key)
    return cast("Promise", lazy(lambda: texts.get(get_language()) or str(plain), str)())


def _check_keys(where: str, name: str, entry: Any) -> None:
    if not _NAME.fullmatch(name):
        raise ImproperlyConfigured(f"{where}: a name is letters, digits and _, at most 64")
    if not isinstance(entry, dict):
        raise ImproperlyConfigured(f"{where}: must be a table")
    for key, value in entry.items():
        if key not in _TYPES:
            raise ImproperlyConfigured(f"{where}: unknown key {key!r}; known are {', '.join(_TYPES)}")
        if not isinstance(value, _TYPES[key]):
            raise ImproperlyConfigured(f"{where}: {key} must be a {_TYPES[key].__name__}")


def _is_field(field: Any) -> bool:
    """A field of the profile, or a host's own name that hides none of userInfo's."""
    if not isinstance(field, str) or field in ("loginIdInfos", "birthday"):
        return False
    return field in PROFILE_FIELDS or bool(_FIELD.fullmatch(field))
