"""What an operator types into a search: always an exact name, so that half a phone number lists nobody (trust 32)."""

from typing import Any

from django.db.models import Exists, F, Q, QuerySet, Value

from portal import auth
from portal.models import LoginId, MiniProgram, User

NOTHING = Q(pk__in=[])


def concerning(term: str, program: str = "mini_program", *, otherwise: Q = NOTHING) -> Q:
    """Rows of the person with this login, phone, e-mail or #id, or of the mini-program with this appId; all exact.

    `otherwise` is what the term may mean when it names neither: alternatives that are asked for at once cannot be read
    from an index in its order. One statement.
    """
    found: dict[str, list[int]] = {}
    for kind, key in _named(term.strip()):
        found.setdefault(kind, []).append(key)
    people, programs = found.get("user"), found.get("program")
    if people and programs:
        return Q(user__in=people) | Q(**{f"{program}__in": programs})
    if people or programs:
        return Q(user__in=people) if people else Q(**{program: (programs or [])[0]})
    return otherwise


def _named(term: str) -> Any:
    """(kind, key) of whoever and whatever has this name."""
    people, user = User.objects.order_by(), Value("user")
    if number := _number(term):
        return people.filter(pk=number).values_list(user, "pk")
    logins = LoginId.objects.order_by().filter(value__in=auth.spellings(term))
    return (
        people.filter(username=term)
        .values_list(user, F("pk"))
        .union(
            logins.values_list(user, F("user_id")),
            people.filter(external_id=term).values_list(user, F("pk")),
            MiniProgram.objects.order_by().filter(client_id=term).values_list(Value("program"), F("pk")),
        )
    )


def _number(term: str) -> int | None:
    """Of `#id`, as the error audit names people."""
    digits = term[1:] if term.startswith("#") and len(term) < 19 else ""
    return int(digits) if digits.isascii() and digits.isdigit() else None


def find_user(term: str) -> User | None:
    """By login, phone, e-mail, external id, or `#id`."""
    if number := _number(term):
        return User.objects.filter(pk=number).first()
    return auth.find(term) or User.objects.filter(external_id=term).first()


def led_to(rows: QuerySet[Any], *meanings: tuple[Q, QuerySet[Any]]) -> QuerySet[Any]:
    """The rows of what a term means: of those meanings that any row has, the ones known to us if there are any.

    Each meaning is a condition on the rows, and who would be known under it. One statement more; then an index can be
    read in its order, which it cannot for alternatives that are asked for at once.
    """
    every = rows.model._default_manager.order_by()
    flags = [Exists(every.filter(meaning)) for meaning, _whose in meanings]
    known = [Exists(whose) for _meaning, whose in meanings]
    first = next(iter(every.values_list(*flags, *known)[:1]), ())
    there = [(meaning, first[n + len(meanings)]) for n, (meaning, _whose) in enumerate(meanings) if first and first[n]]
    found = NOTHING
    for meaning in [meaning for meaning, is_known in there if is_known] or [meaning for meaning, _known in there]:
        found |= meaning
    return rows.filter(found)
