"""Who uses a made-up super-app: everybody with an encrypted login, a nickname and a mobile number to be found by."""

import random
from collections.abc import Iterator

from django.contrib.auth.hashers import make_password

from portal.copying import copy_lines, next_id
from portal.encryption import blind_index, encrypt
from portal.models import LoginId, User
from portal.scale.size import Size

STATUSES = [*["ACTIVE"] * 995, *["FROZEN"] * 4, "INACTIVE"]


def login(number: int) -> str:
    """What user `number` signs in with."""
    return f"person{number}"


def phone(number: int) -> str:
    """The same, as E.164."""
    return f"+63917{number:07}"


def load(size: Size, chance: random.Random) -> range:
    """Fills the tables of people and of login ids; gives the users' keys."""
    first = next_id(User)
    keys = range(first, first + size.users)
    columns = ("id", "username", "username_index", "nickname", "uuid", "status", "date_joined")
    unusable = make_password(None)
    copy_lines(User, columns, _people(size, keys, chance), password=unusable, extra="")
    copy_lines(LoginId, ("user_id", "type", "value", "value_index"), _phones(keys))
    return keys


def _people(size: Size, keys: range, chance: random.Random) -> Iterator[str]:
    for place, key in enumerate(keys):
        name = login(key)
        uuid, status = f"{chance.getrandbits(128):032x}", chance.choice(STATUSES)
        joined = size.at(place, size.users).isoformat()
        yield f"{key}\t{encrypt(name)}\t{blind_index(name)}\t{encrypt(f'Nick {key}')}\t{uuid}\t{status}\t{joined}"


def _phones(keys: range) -> Iterator[str]:
    for key in keys:
        number = phone(key)
        yield f"{key}\tMOBILE_PHONE\t{encrypt(number)}\t{blind_index(number)}"
