"""What a token may see of a user: token's scopes ∩ live grant ∩ the mini-program's approvals (wire.md 5.2)."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from authapi import results
from portal import masking, phones, scopes
from portal.models import Contact, LoginId, MiniProgramGrant, User
from portal.scopes import Scope

FullUrl = Callable[[str], str]


def effective(token_scopes: Iterable[str], grant: MiniProgramGrant) -> list[Scope]:
    """The scopes that count now: carried by the token, still granted, still approved. One statement."""
    approved = grant.mini_program.approvals()
    return scopes.known(name for name in token_scopes if name in grant.scopes and name in approved)


def read(user: User, open_scopes: list[Scope], user_id: str, full_url: FullUrl) -> dict[str, Any]:
    """userInfo, wire names, without the fields that have no value.

    `user_id` is the pairwise id; `full_url` makes an absolute URL of a path. Raises InvalidAccessToken when the
    token opens nothing at all.
    """
    fields = {field for scope in open_scopes for field in scope.fields}
    if not open_scopes:
        raise results.InvalidAccessToken(reason="none of the token's scopes is still granted and approved")
    info: dict[str, Any] = {"userId": user_id}
    for field, reader in _READERS.items():
        if field in fields:
            info[field] = reader(user)
    if "avatar" in fields and user.avatar:
        info["avatar"] = full_url(user.avatar.url)
    info["loginIdInfos"] = _login_ids(user, fields)
    info["contactInfos"] = _contacts(user, fields)
    for scope in open_scopes:
        info |= {field: user.extra.get(field) for field in scope.host_fields}
    return {name: value for name, value in info.items() if value not in (None, "", [], {})}


def _user_name(user: User) -> dict[str, str]:
    parts = {
        "fullName": user.name_in_full,
        "firstName": user.first_name,
        "middleName": user.middle_name,
        "lastName": user.last_name,
    }
    return {name: value for name, value in parts.items() if value}


def _birth_date(user: User) -> str:
    return user.birth_date.isoformat() if user.birth_date else ""


def _addresses(user: User) -> list[dict[str, str]]:
    return [
        {
            name: value
            for name, value in {
                "label": row.label,
                "region": str(row.region),
                "state": row.state,
                "city": row.city,
                "address1": row.address1,
                "address2": row.address2,
                "zipCode": row.zip_code,
            }.items()
            if value
        }
        for row in user.addresses.all()
    ]


_READERS: dict[str, Callable[[User], Any]] = {
    "status": lambda user: user.status,
    "nickName": lambda user: user.nickname,
    "userName": _user_name,
    "gender": lambda user: user.gender,
    "birthDate": _birth_date,
    "nationality": lambda user: str(user.nationality),
    "userAddresses": _addresses,
}


def _login_ids(user: User, fields: set[str]) -> list[dict[str, str]]:
    """Each form of a login id only with its own scope."""
    forms = [form for form in scopes.LOGIN_ID_FORMS if form in fields]
    if not forms:
        return []
    return [
        {"loginIdType": row.type, **{f.split(".")[1]: _FORMS[f](row) for f in forms}} for row in user.login_ids.all()
    ]


def plain(row: LoginId | Contact) -> str:
    """The value as the wire writes it: phones as `CC-number`."""
    return phones.wire(row.value) if row.type in ("MOBILE_PHONE", "TELEPHONE") else row.value


def masked(row: LoginId | Contact) -> str:
    """The value with its middle hidden, as the wire writes it."""
    if row.type in ("MOBILE_PHONE", "TELEPHONE"):
        return masking.wire_phone(row.value)
    return masking.wire_email(row.value) if row.type == "EMAIL" else masking.wire_text(row.value)


_FORMS: dict[str, Callable[[LoginId], str]] = {
    "loginIdInfos.loginId": plain,
    "loginIdInfos.maskLoginId": masked,
    "loginIdInfos.hashLoginId": lambda row: hashlib.sha256(plain(row).encode()).hexdigest(),
}


def _contacts(user: User, fields: set[str]) -> list[dict[str, str]]:
    """USER_CONTACTINFO shows all, mobiles masked; PLAINTEXT_MOBILE_PHONE shows mobiles in full."""
    every, mobiles = (name in fields for name in scopes.CONTACT_FORMS)
    if not (every or mobiles):
        return []
    found = []
    for row in user.contacts.all():
        mobile = row.type == Contact.Type.MOBILE_PHONE
        if every or mobile:
            number = masked(row) if mobile and not mobiles else plain(row)
            found.append({"contactType": row.type, "contactNo": number})
    return found
