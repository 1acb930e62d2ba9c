"""What a mini-program gets of a person, to the letter: as inquiryUserInfo answers it (wire.md 5.2), and in words."""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal import masking, phones, scopes
from portal.models.users import Contact, LoginId, User
from portal.scopes import Scope

logger = logging.getLogger(__name__)
PHONES = ("MOBILE_PHONE", "TELEPHONE")
FullUrl = Callable[[str], str]
Told = list[tuple[str, str]]  # (what it is, the value)


def plain(kind: str, value: str) -> str:
    """A login id or contact as the wire writes it: phones as `CC-number`."""
    return phones.wire(value) if kind in PHONES else value


def masked(kind: str, value: str) -> str:
    """The same with its middle hidden."""
    if kind in PHONES:
        return masking.wire_phone(value)
    return masking.wire_email(value) if kind == "EMAIL" else masking.wire_text(value)


FORMS: dict[str, Callable[[str, str], str]] = {
    "loginIdInfos.loginId": plain,
    "loginIdInfos.maskLoginId": masked,
    "loginIdInfos.hashLoginId": lambda kind, value: hashlib.sha256(plain(kind, value).encode()).hexdigest(),
}


def of(user: User, scope: Scope, *, user_id: str, full_url: FullUrl) -> dict[str, Any]:
    """The part of userInfo that a token with this scope alone opens, without the fields that have no value.

    `user_id` is the pairwise id; `full_url` makes an absolute URL of a path.
    """
    info: dict[str, Any] = {"userId": user_id} if "userId" in scope.fields else {}
    info |= {field: reader(user) for field, reader in _READERS.items() if field in scope.fields}
    if "avatar" in scope.fields and user.avatar:
        info["avatar"] = full_url(user.avatar.url)
    if forms := [form for form in scopes.LOGIN_ID_FORMS if form in scope.fields]:
        info["loginIdInfos"] = [_login_id(row, forms) for row in user.login_ids.all()]
    if any(field in scope.fields for field in scopes.CONTACT_FORMS):
        info["contactInfos"] = _contacts(user, scope)
    info |= {field: user.extra.get(field) for field in scope.host_fields}
    return {name: value for name, value in info.items() if value not in (None, "", [], {})}


def told(user: User, scope: Scope, *, user_id: str, full_url: FullUrl) -> Told:
    """The same for a person to read; [] when there is nothing, or a value cannot be read (our fault)."""
    try:
        info = of(user, scope, user_id=user_id, full_url=full_url)
        return [pair for name, value in info.items() for pair in _told(name, value)]
    except Exception:
        logger.exception("scope %s of user %s cannot be shown", scope.name, user.pk)
        return []


def _user_name(user: User) -> dict[str, str]:
    parts = {
        "fullName": user.name_in_full,
        "firstName": user.first_name,
        "middleName": user.middle_name,
        "lastName": user.last_name,
    }
    return {name: value for name, value in parts.items() if value}


def _address(row: Any) -> dict[str, str]:
    values = {
        "region": row.region.code,
        "label": row.label,
        "state": row.state,
        "city": row.city,
        "address1": row.address1,
        "address2": row.address2,
        "zipCode": row.zip_code,
    }
    return {name: value for name, value in values.items() if value}


_READERS: dict[str, Callable[[User], Any]] = {
    "status": lambda user: user.status,
    "nickName": lambda user: user.nickname,
    "userName": _user_name,
    "gender": lambda user: user.gender,
    "birthDate": lambda user: user.birth_date and user.birth_date.isoformat(),
    "nationality": lambda user: user.nationality.code,
    "userAddresses": lambda user: [_address(row) for row in user.addresses.all()],
}


def _login_id(row: LoginId, forms: Iterable[str]) -> dict[str, str]:
    shown = {form.split(".")[1]: FORMS[form](row.type, row.value) for form in forms}
    return {"loginIdType": row.type, **shown}


def _contacts(user: User, scope: Scope) -> list[dict[str, str]]:
    every, mobiles = (form in scope.fields for form in scopes.CONTACT_FORMS)
    found = []
    for row in user.contacts.all():
        mobile = row.type == Contact.Type.MOBILE_PHONE
        if every or mobile:
            show = masked if mobile and not mobiles else plain
            found.append({"contactType": row.type, "contactNo": show(row.type, row.value)})
    return found


_LABELS = {
    "userId": gettext_lazy("User ID"),
    "status": gettext_lazy("Account"),
    "nickName": gettext_lazy("Nickname"),
    "fullName": gettext_lazy("Full name"),
    "firstName": gettext_lazy("First name"),
    "middleName": gettext_lazy("Middle name"),
    "lastName": gettext_lazy("Last name"),
    "avatar": gettext_lazy("Picture"),
    "gender": gettext_lazy("Gender"),
    "birthDate": gettext_lazy("Birthday"),
    "nationality": gettext_lazy("Nationality"),
}
_KINDS = {**dict(Contact.Type.choices), **dict(LoginId.Type.choices)}
_STREET_FIRST = ("address1", "address2", "city", "state", "zipCode", "region")


def _told(name: str, value: Any) -> Told:
    if name in ("loginIdInfos", "contactInfos"):
        return [_reach(entry) for entry in value]
    if name == "userAddresses":
        rows = [", ".join(filter(None, map(entry.get, _STREET_FIRST))) for entry in value]
        return [(entry.get("label") or _("Address"), row) for entry, row in zip(value, rows, strict=True)]
    if name == "userName":
        return [(str(_LABELS[part]), text) for part, text in value.items()]
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return [(str(_LABELS.get(name, name)), text)]


def _reach(entry: dict[str, str]) -> tuple[str, str]:
    kind, *values = entry.values()
    return str(_KINDS[kind]), " · ".join(values)
