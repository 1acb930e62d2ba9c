"""A batch of user lines brought into the database: matched with the people there, then written in bulk."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import DataError, IntegrityError, models, transaction

from portal import user_lines
from portal.json_lines import RejectedError
from portal.models import Address, Contact, LoginId, User
from portal.user_lines import Row, UserLine

# Related name -> model, and its fields in the order of a Row.
ROWS: dict[str, tuple[type[models.Model], tuple[str, ...]]] = {
    "login_ids": (LoginId, ("type", "value")),
    "contacts": (Contact, ("type", "value")),
    "addresses": (Address, tuple(attribute for attribute, _length in user_lines.ADDRESS.values())),
}


@dataclass
class Outcome:
    """How many lines made or changed a person, and those that did neither, each with the reason."""

    made: int = 0
    updated: int = 0
    refused: list[tuple[UserLine, str]] = field(default_factory=list)

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(self.made + other.made, self.updated + other.updated, self.refused + other.refused)


def store(lines: list[UserLine]) -> Outcome:
    """Insert or update by externalId, as if line by line: a later line of a person is laid over the earlier one."""
    _hash_passwords(lines)
    return _store(lines)


def _store(lines: list[UserLine]) -> Outcome:
    """One transaction; what the database refuses is tried again in halves, so a bad line costs no good one."""
    try:
        with transaction.atomic():
            return _Batch(lines).write()
    except (IntegrityError, DataError) as error:
        if len(lines) == 1:
            reason = f"The database refused it: {str(error).splitlines()[0][:200]}. Correct the line."
            return Outcome(refused=[(lines[0], reason)])
    half = len(lines) // 2
    return _store(lines[:half]) + _store(lines[half:])


def _hash_passwords(lines: list[UserLine]) -> None:
    """On all cores: hashing is slow on purpose, and leaves Python's lock alone meanwhile."""
    given = [line for line in lines if line.password]
    if given:
        with ThreadPoolExecutor() as pool:
            for line, encoded in zip(given, pool.map(make_password, [line.password for line in given]), strict=True):
                line.profile["password"] = encoded


class _Batch:
    """The people of these lines as they are stored, then as each line in turn leaves them."""

    def __init__(self, lines: list[UserLine]) -> None:
        self.lines = lines
        found = User.objects.select_for_update(no_key=True).order_by("pk")
        self.people = {
            str(user.external_id): user for user in found.filter(external_id__in={line.external_id for line in lines})
        }
        self.keys = {user.pk: key for key, user in self.people.items()}
        self.rows: dict[str, dict[str, list[Row]]] = {related: self._stored(related) for related in ROWS}
        self.before = {related: dict(rows) for related, rows in self.rows.items()}
        self.owners = self._owners()
        self.changed: dict[str, set[str]] = {}  # externalId -> fields of User

    def write(self) -> Outcome:
        """Apply every line, then write what changed."""
        outcome = Outcome()
        for line in self.lines:
            made = line.external_id not in self.people
            try:
                self._apply(line)
            except RejectedError as error:
                outcome.refused.append((line, str(error)))
            else:
                outcome += Outcome(made=int(made), updated=int(not made))
        self._write_users()
        for related in ROWS:
            self._write_rows(related)
        return outcome

    def _stored(self, related: str) -> dict[str, list[Row]]:
        """externalId -> rows, of the people who are there already."""
        model, fields = ROWS[related]
        stored: dict[str, list[Row]] = {}
        rows = model._default_manager.filter(user__in=list(self.keys)).order_by("pk")
        for user_id, *row in rows.values_list("user_id", *fields):
            stored.setdefault(self.keys[user_id], []).append(tuple(row))
        return stored

    def _owners(self) -> dict[str, str | int]:
        """Who signs in with the names these lines want: externalId in this batch, else primary key."""
        wanted = {line.login or User.normalize_username(line.external_id) for line in self.lines}
        wanted |= {row[1] for line in self.lines for row in line.rows.get("login_ids", [])}
        taken = [
            *User.objects.filter(username__in=wanted).values_list("username", "pk"),
            *LoginId.objects.filter(value__in=wanted).values_list("value", "user_id"),
        ]
        return {name: self.keys.get(pk, pk) for name, pk in taken}

    def _apply(self, line: UserLine) -> None:
        """Lay the line over its person. Raises RejectedError, and then has done nothing."""
        key, user = line.external_id, self.people.get(line.external_id)
        login = line.login or (user.username if user else user_lines.login("externalId", key))
        login_ids = line.rows.get("login_ids", self.rows["login_ids"].get(key, []))
        self._rename(line, user, login, {value for _kind, value in login_ids})
        changed = self.changed.setdefault(key, set())
        if user is None:
            user = self.people[key] = User(external_id=key, username=login, password=make_password(None))
        values: dict[str, Any] = {**line.profile, "username": login, "extra": {**user.extra, **line.extra}}
        for name, value in values.items():
            if getattr(user, name) != value:
                setattr(user, name, value)
                changed.add(name)
        for related, rows in line.rows.items():
            self.rows[related][key] = rows

    def _rename(self, line: UserLine, user: User | None, login: str, values: set[str]) -> None:
        """Give up the names this person signs in with and take the new ones. RejectedError if one is another's."""
        key, names = line.external_id, {login, *values}
        held = {user.username, *(row[1] for row in self.rows["login_ids"].get(key, []))} if user else set()
        for name in names - held:
            if self.owners.get(name, key) != key:
                where = "loginIdInfos" if name in values else "login" if line.login else "externalId (as login)"
                raise RejectedError(f"{where}: somebody else signs in with {name!r} already. Correct one of the two.")
        for name in held - names:
            if self.owners.get(name) == key:
                del self.owners[name]
        self.owners.update(dict.fromkeys(names - held, key))

    def _write_users(self) -> None:
        there = [self.people[key] for key, fields in self.changed.items() if fields and self.people[key].pk]
        if there:
            fields = {"username_index"}.union(*(self.changed[str(user.external_id)] for user in there))
            User.objects.bulk_create(there, update_conflicts=True, unique_fields=["id"], update_fields=sorted(fields))
        User.objects.bulk_create(user for user in self.people.values() if user.pk is None)

    def _write_rows(self, related: str) -> None:
        """Replace the lists that differ."""
        model, fields = ROWS[related]
        before, after = self.before[related], self.rows[related]
        replaced = [key for key, rows in after.items() if rows != before.get(key, [])]
        model._default_manager.filter(user__in=[self.people[key].pk for key in replaced if key in before]).delete()
        model._default_manager.bulk_create(self._instances(model, fields, after, replaced))

    def _instances(
        self, model: type[models.Model], fields: tuple[str, ...], rows: dict[str, list[Row]], keys: Iterable[str]
    ) -> Iterable[models.Model]:
        for key in keys:
            for row in rows[key]:
                yield model(user=self.people[key], **dict(zip(fields, row, strict=True)))
