"""What a consent sheet and the permissions page show of a value: enough to recognise, not enough to read."""

import logging
from collections.abc import Callable, Iterable

from django.utils.translation import gettext as _

from portal import local, masking
from portal.models.users import Contact, LoginId, User
from portal.scopes import Scope

logger = logging.getLogger(__name__)


def preview(user: User, scope: Scope) -> list[str]:
    """The masked values a mini-program with this scope would get, in the scope's own order; [] when there is none."""
    found: list[str] = []
    for field in scope.fields:
        reader = _READERS.get(field)
        found += reader(user) if reader else _extra(user, field)
    return list(dict.fromkeys(filter(None, found)))


def if_readable(user: User, scope: Scope) -> list[str]:
    """Like `preview`, for a page that must open whatever is stored: [] when a value cannot be read (our fault)."""
    try:
        return preview(user, scope)
    except Exception:
        logger.exception("scope %s of user %s cannot be previewed", scope.name, user.pk)
        return []


def shows_profile(scope: Scope) -> bool:
    """Whether it opens anything that a profile may lack; an id or a status is always there."""
    return not set(scope.fields) <= {"userId", "status"}


def rows_of(scopes: Iterable[Scope]) -> list[str]:
    """The relations of a user that previews of these scopes read, each once."""
    kinds = {"loginIdInfos": "login_ids", "contactInfos": "contacts", "userAddresses": "addresses"}
    fields = {field.partition(".")[0] for scope in scopes for field in scope.fields}
    return [relation for kind, relation in kinds.items() if kind in fields]


def _extra(user: User, field: str) -> list[str]:
    value = user.extra.get(field)
    return [] if value is None or value == "" else [masking.text(str(value))]


def _one(value: str, keep: int = 3) -> list[str]:
    return [masking.text(value, keep)] if value else []


def _avatar(user: User) -> list[str]:
    return [_("your picture")] if user.avatar else []


def _gender(user: User) -> list[str]:
    return [user.get_gender_display()] if user.gender else []


def _birth_date(user: User) -> list[str]:
    """The year stays hidden."""
    return [f"{local.day_of_year(user.birth_date)} {masking.DOTS}"] if user.birth_date else []


def _nationality(user: User) -> list[str]:
    return [local.country(str(user.nationality))] if user.nationality else []


def _reachable(row: LoginId | Contact) -> str:
    if row.type in ("MOBILE_PHONE", "TELEPHONE"):
        return masking.phone(row.value)
    return masking.email(row.value) if row.type == "EMAIL" else masking.text(row.value)


def _login_ids(user: User) -> list[str]:
    return [_reachable(row) for row in user.login_ids.all()]


def _contacts(user: User) -> list[str]:
    return [_reachable(row) for row in user.contacts.all()]


def _mobile(user: User) -> list[str]:
    return [_reachable(row) for row in user.contacts.all() if row.type == Contact.Type.MOBILE_PHONE]


def _addresses(user: User) -> list[str]:
    return [", ".join(filter(None, [masking.text(row.address1), row.city])) for row in user.addresses.all()]


_READERS: dict[str, Callable[[User], list[str]]] = {
    "userId": lambda user: [],
    "status": lambda user: [],
    "nickName": lambda user: _one(user.nickname),
    "userName": lambda user: _one(user.name_in_full),
    "avatar": _avatar,
    "gender": _gender,
    "birthDate": _birth_date,
    "nationality": _nationality,
    "loginIdInfos.loginId": _login_ids,
    "loginIdInfos.maskLoginId": _login_ids,
    "loginIdInfos.hashLoginId": _login_ids,
    "contactInfos": _contacts,
    "contactInfos.MOBILE_PHONE": _mobile,
    "userAddresses": _addresses,
}
