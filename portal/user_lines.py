"""One line of an import file: a user as JSON in the words of userInfo (wire.md 5.2), checked and normalised."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any

from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.utils import timezone
from django_countries import countries

from portal import json_lines, scopes
from portal.json_lines import RejectedError
from portal.models.users import Contact, LoginId, User, normalised

_check_login = UnicodeUsernameValidator()
MAX_ROWS = 50  # login ids, contacts or addresses of one person

Row = tuple[str, ...]


@dataclass
class UserLine:
    """What one line says. A key that is absent or null is not in here, and leaves what is stored."""

    number: int
    record: dict[str, Any] = field(repr=False)
    external_id: str = ""
    login: str = ""
    password: str = field(default="", repr=False)
    # By field of User; lists by the related name of their rows: (type, value), or an address in the order of ADDRESS.
    profile: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)
    has_avatar: bool = False


def read(number: int, raw: bytes) -> UserLine:
    """The user on line `number`. Raises RejectedError."""
    record = json_lines.parse(raw)
    try:
        json_lines.check_characters(raw, record)
        return _line(UserLine(number, record))
    except RejectedError as error:
        raise RejectedError(str(error), shown(record)) from error


def shown(record: dict[str, Any]) -> dict[str, Any]:
    """A record as the list of refused lines may show it: no password, nor what may be a misspelt one."""
    known = {"externalId", *_READERS, *_host_fields()} - {"password"}
    return {key: value for key, value in record.items() if key in known}


def login(name: str, value: Any) -> str:
    """A sign-in name, normalised. RejectedError says what is wrong with the field `name`."""
    text: str = User.normalize_username(_text(name, value, 150))
    try:
        _check_login(text)
    except ValidationError as error:
        raise RejectedError(f"{name}: {text[:40]!r} is no login. Use letters, digits and @.+-_ there.") from error
    return _text(name, text, 150)  # normalising can lengthen it


def _line(line: UserLine) -> UserLine:
    record = line.record
    line.external_id = _text("externalId", record.get("externalId", ""), 128)
    if not line.external_id:
        raise RejectedError("externalId: it is missing. Give the id this person has in your system.")
    for key, value in record.items():
        if value is None or key == "externalId":
            continue
        if reader := _READERS.get(key):
            reader(line, key, value)
        elif key in _host_fields():
            line.extra[key] = json_lines.storable(key, value)
        else:
            known = ", ".join(("externalId", *_READERS, *sorted(_host_fields())))
            raise RejectedError(f"{key[:64]}: no such field. Remove it, or open it in SCOPES_FILE. Known: {known}.")
    return line


def _host_fields() -> frozenset[str]:
    """The fields that scopes of SCOPES_FILE open."""
    return frozenset(name for scope in scopes.catalogue().values() for name in scope.host_fields)


def _text(name: str, value: Any, length: int) -> str:
    if not isinstance(value, str):
        raise RejectedError(f"{name}: it must be a string. Put it in quotes.")
    text = value.strip()
    if len(text) > length:
        raise RejectedError(f"{name}: it has {len(text)} characters; {length} is the most. Shorten it.")
    return text


def _one_of(name: str, value: Any, choices: list[str]) -> str:
    text = _text(name, value, 32)
    if text not in choices:
        raise RejectedError(f"{name}: {text!r} is unknown. Use one of {', '.join(filter(None, choices))}.")
    return text


def _country(name: str, value: Any) -> str:
    code = _text(name, value, 32).upper()
    if code and code not in _country_codes():
        raise RejectedError(f"{name}: {code!r} is no country. Use two letters of ISO 3166-1, like PH.")
    return code


@cache
def _country_codes() -> frozenset[str]:
    return frozenset(code for code, _name in countries)


def _date(name: str, value: Any) -> date | None:
    text = _text(name, value, 32)
    try:
        day = date.fromisoformat(text) if text else None
    except ValueError as error:
        raise RejectedError(f"{name}: {text!r} is no date. Write it like 1994-03-12.") from error
    if day and day > timezone.localdate():
        raise RejectedError(f"{name}: {day} lies in the future. Correct it.")
    return day


def _object(name: str, value: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    """The object's entries that are not null; no other keys than these."""
    if not isinstance(value, dict):
        raise RejectedError(f"{name}: it must be an object with {', '.join(keys)}.")
    for key in value:
        if key not in keys:
            raise RejectedError(f"{name}.{key[:64]}: there is no such field. Remove it ({', '.join(keys)}).")
    return {key: item for key, item in value.items() if item is not None}


def _objects(name: str, value: Any, keys: tuple[str, ...]) -> list[tuple[str, dict[str, Any]]]:
    """The entries of a list of objects, each with its name for messages."""
    if not isinstance(value, list):
        raise RejectedError(f"{name}: it must be a list of objects with {', '.join(keys)}.")
    if len(value) > MAX_ROWS:
        raise RejectedError(f"{name}: it has {len(value)} entries; {MAX_ROWS} is the most. Leave some out.")
    named = [(f"{name}[{number}]", item) for number, item in enumerate(value)]
    return [(where, _object(where, item, keys)) for where, item in named]


# --- Fields ---------------------------------------------------------------------------------------------------

Reader = Callable[[UserLine, str, Any], None]
NAMES = {
    "fullName": ("full_name", 128),
    "firstName": ("first_name", 32),
    "middleName": ("middle_name", 32),
    "lastName": ("last_name", 32),
}
ADDRESS = {
    "label": ("label", 64),
    "region": ("region", 2),
    "state": ("state", 128),
    "city": ("city", 128),
    "address1": ("address1", 256),
    "address2": ("address2", 256),
    "zipCode": ("zip_code", 32),
}


def _scalar(attribute: str, check: Callable[..., Any], *options: Any) -> Reader:
    def read_scalar(line: UserLine, key: str, value: Any) -> None:
        line.profile[attribute] = check(key, value, *options)

    return read_scalar


def _login(line: UserLine, key: str, value: Any) -> None:
    line.login = login(key, value)


def _password(line: UserLine, key: str, value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise RejectedError("password: it must be a string that is not empty. Leave it out to set none.")
    line.password = value


def _avatar(line: UserLine, key: str, value: Any) -> None:
    line.has_avatar = True


def _user_name(line: UserLine, key: str, value: Any) -> None:
    for part, text in _object(key, value, tuple(NAMES)).items():
        attribute, length = NAMES[part]
        line.profile[attribute] = _text(f"{key}.{part}", text, length)


def _birth_date(line: UserLine, key: str, value: Any) -> None:
    """birthDate, or v1's birthday; both must say the same."""
    day = _date(key, value)
    if line.profile.setdefault("birth_date", day) != day:
        raise RejectedError(f"{key}: birthDate and birthday differ. Keep one.")


def _pairs(related: str, type_key: str, value_key: str, types: list[str]) -> Reader:
    """A list of typed values: login ids or contacts, each once, in order."""

    def read_pairs(line: UserLine, key: str, value: Any) -> None:
        found: dict[Row, None] = {}
        for where, item in _objects(key, value, (type_key, value_key)):
            kind = _one_of(f"{where}.{type_key}", item.get(type_key, ""), types)
            found[kind, _reachable(f"{where}.{value_key}", kind, item.get(value_key, ""))] = None
        line.rows[related] = list(found)

    return read_pairs


def _reachable(name: str, kind: str, value: Any) -> str:
    try:
        return _text(name, normalised(kind, _text(name, value, 320)), 64)
    except ValidationError as error:
        raise RejectedError(f"{name}: {error.messages[0]}") from error


def _addresses(line: UserLine, key: str, value: Any) -> None:
    found = []
    for where, item in _objects(key, value, tuple(ADDRESS)):
        item["region"] = _country(f"{where}.region", item.get("region", ""))
        row = {part: _text(f"{where}.{part}", item.get(part, ""), length) for part, (_, length) in ADDRESS.items()}
        for part in ("region", "address1"):
            if not row[part]:
                raise RejectedError(f"{where}.{part}: it is missing. An address needs it.")
        found.append(tuple(row.values()))
    line.rows["addresses"] = found


_READERS: dict[str, Reader] = {
    "login": _login,
    "password": _password,
    "status": _scalar("status", _one_of, list(User.Status.values)),
    "nickName": _scalar("nickname", _text, 256),
    "userName": _user_name,
    "avatar": _avatar,
    "gender": _scalar("gender", _one_of, [*User.Gender.values, ""]),
    "birthDate": _birth_date,
    "birthday": _birth_date,
    "nationality": _scalar("nationality", _country),
    "loginIdInfos": _pairs("login_ids", "loginIdType", "loginId", list(LoginId.Type.values)),
    "contactInfos": _pairs("contacts", "contactType", "contactNo", list(Contact.Type.values)),
    "userAddresses": _addresses,
}
