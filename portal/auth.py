"""Signing in with a phone number, an e-mail or the login."""

from contextlib import suppress
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from portal import phones
from portal.models.users import LoginId, User


class LoginIdBackend(ModelBackend):
    """Django's own backend, with more than one name for a person."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """The user these belong to, or None; an unknown name costs as much time as a wrong password."""
        if not username or password is None:
            return None
        user = find(username)
        if user is None:
            User().set_password(password)
            return None
        return user if user.check_password(password) and self.user_can_authenticate(user) else None


def find(name: str) -> User | None:
    """The user who signs in with this login, e-mail or phone number (any usual way to write it)."""
    name = name.strip()
    if user := User.objects.filter(username=name).first():
        return user
    row = LoginId.objects.filter(value__in=spellings(name)).select_related("user").first()
    return row.user if row else None


def canonical(name: str) -> str:
    """One spelling for all the usual ways to write a name: a phone number as E.164, anything else in lower case."""
    try:
        return phones.parse(name)
    except ValidationError:
        return name.strip().lower()


def spellings(name: str) -> set[str]:
    """All the ways this login id may be stored."""
    spellings = {name, name.lower()}
    with suppress(ValidationError):
        spellings.add(phones.parse(name))
    return spellings
