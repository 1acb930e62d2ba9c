"""What a token may see of a user: token's scopes ∩ live grant ∩ the mini-program's approvals (wire.md 5.2)."""

import json
from collections.abc import Callable
from typing import Any

from django.core.files.storage import default_storage

from authapi import results
from authapi.access_tokens import Found
from portal import encryption, scopes, values
from portal.models import Contact, MiniProgramGrant
from portal.scopes import Scope

FullUrl = Callable[[str], str]


def effective(found: Found, grant: MiniProgramGrant) -> list[Scope]:
    """The scopes that count now: carried by the token, still granted and in time, still approved."""
    held = grant.open_scopes()
    return scopes.known(name for name in found.scopes if name in held and name in found.approved)


def read(found: Found, open_scopes: list[Scope], user_id: str, full_url: FullUrl) -> dict[str, Any]:
    """userInfo, wire names, without the fields that have no value.

    `user_id` is the pairwise id; `full_url` makes an absolute URL of a path. Raises InvalidAccessToken when the
    token opens nothing at all.
    """
    fields = {field for scope in open_scopes for field in scope.fields}
    if not open_scopes:
        raise results.InvalidAccessToken(reason="none of the token's scopes is still granted and approved")
    person = Person(found)
    info: dict[str, Any] = {"userId": user_id}
    for field, reader in _READERS.items():
        if field in fields:
            info[field] = reader(person)
    if "avatar" in fields and (picture := found.profile["avatar"]):
        info["avatar"] = full_url(default_storage.url(picture))
    info |= _lists(person, fields)
    if host_fields := [field for scope in open_scopes for field in scope.host_fields]:
        extra = person.extra()
        info |= {field: extra.get(field) for field in host_fields}
    return {name: value for name, value in info.items() if value not in (None, "", [], {})}


class Person:
    """The profile behind a token: a value is decrypted when a scope opens it, not before."""

    def __init__(self, found: Found) -> None:
        self.status = found.user.status
        self._stored = found.profile

    def __getitem__(self, column: str) -> str:
        return self._stored[column] or ""

    def plain(self, column: str) -> str:
        """An encrypted column, "" when it is empty."""
        stored = self._stored[column]
        return encryption.decrypt(stored) if stored else ""

    def rows(self, name: str) -> list[list[str]]:
        """The rows of one of access_tokens.LISTS, values as stored."""
        found: list[list[str]] = json.loads(self._stored[name] or "[]")
        return found

    def extra(self) -> dict[str, Any]:
        """The values of host-defined fields."""
        found: dict[str, Any] = json.loads(self.plain("extra") or "{}")
        return found


def _user_name(person: Person) -> dict[str, str]:
    parts = {
        "firstName": person.plain("first_name"),
        "middleName": person.plain("middle_name"),
        "lastName": person.plain("last_name"),
    }
    full = person.plain("full_name") or " ".join(filter(None, parts.values()))  # as User.name_in_full
    return {name: value for name, value in {"fullName": full, **parts}.items() if value}


_READERS: dict[str, Callable[[Person], Any]] = {
    "status": lambda person: person.status,
    "nickName": lambda person: person.plain("nickname"),
    "userName": _user_name,
    "gender": lambda person: person["gender"],
    "birthDate": lambda person: person.plain("birth_date"),
    "nationality": lambda person: person["nationality"],
}


def _lists(person: Person, fields: set[str]) -> dict[str, list[dict[str, str]]]:
    """The lists that these fields open."""
    found: dict[str, list[dict[str, str]]] = {}
    if forms := [form for form in scopes.LOGIN_ID_FORMS if form in fields]:
        found["loginIdInfos"] = [_login_id(kind, stored, forms) for kind, stored in person.rows("login_ids")]
    if not fields.isdisjoint(scopes.CONTACT_FORMS):
        found["contactInfos"] = _contacts(person.rows("contacts"), fields)
    if "userAddresses" in fields:
        found["userAddresses"] = [_address(row) for row in person.rows("addresses")]
    return found


def _address(row: list[str]) -> dict[str, str]:
    region, *encrypted = row
    names = ("label", "state", "city", "address1", "address2", "zipCode")
    filled = {name: encryption.decrypt(stored) for name, stored in zip(names, encrypted, strict=True) if stored}
    return {"region": region, **filled}


def _login_id(kind: str, stored: str, forms: list[str]) -> dict[str, str]:
    """Each form of a login id only with its own scope."""
    value = encryption.decrypt(stored)
    return {"loginIdType": kind, **{form.split(".")[1]: values.FORMS[form](kind, value) for form in forms}}


def _contacts(rows: list[list[str]], fields: set[str]) -> list[dict[str, str]]:
    """USER_CONTACTINFO shows all, mobiles masked; PLAINTEXT_MOBILE_PHONE shows mobiles in full."""
    every, mobiles = (name in fields for name in scopes.CONTACT_FORMS)
    found = []
    for kind, stored in rows:
        mobile = kind == Contact.Type.MOBILE_PHONE
        if every or mobile:
            show = values.masked if mobile and not mobiles else values.plain
            found.append({"contactType": kind, "contactNo": show(kind, encryption.decrypt(stored))})
    return found
