"""`load_fixture_scale`: a database of the size of a real super-app, to try the console with."""

import argparse
import random
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone

from portal.models import User
from portal.scale import errors, grants, people, programs, tokens
from portal.scale.lives import Lives
from portal.scale.size import Size

DESCRIPTION = """Fill PostgreSQL with a made-up super-app: by default a million users with five million grants, ten
million decisions and five million errors over two years, with COPY. For trying things out, never for a database
that anybody needs: decisions and errors are written without a MAC (verify_ledger will say so), nobody has a password,
and no token is known to anybody. All of it comes in one transaction, or nothing. Asks for a role that may set
session_replication_role (a superuser), and builds the tables' indexes anew."""


class Command(BaseCommand):
    help = DESCRIPTION

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        numbers = {"users": 1_000_000, "programs": 300, "merchants": 100}
        for name, number in numbers.items():
            parser.add_argument(f"--{name}", type=int, default=number, help=f"({number:,})")
        for name, each in (("grants", 5), ("decisions", 10), ("errors", 5), ("tokens", 0.1)):
            parser.add_argument(f"--{name}", type=int, help=f"({each} for each user)")
        parser.add_argument("--seed", type=int, default=5, help="of what is drawn at random (5)")
        parser.add_argument("--force", action="store_true", help="even where there are users, or on a public host")

    def handle(self, *, force: bool, seed: int, **options: Any) -> None:
        self._check(force)
        size = _size(options)
        if problem := size.problem():
            raise CommandError(problem)
        begun = time.monotonic()
        try:
            with transaction.atomic():
                self._load(size, random.Random(seed))  # noqa: S311  not a secret
        except ProgrammingError as error:
            raise CommandError(f"Nothing was loaded. {error}") from error
        self._step("vacuum and analyze", _analyse)
        self.stdout.write(f"Loaded in {time.monotonic() - begun:.0f} s.")

    def _check(self, force: bool) -> None:
        if connection.vendor != "postgresql":
            raise CommandError("This needs PostgreSQL: set DATABASE_URL=postgres://…")
        if settings.PUBLIC and not force:
            raise CommandError("This is a public host. --force loads made-up people into it all the same.")
        if not force and User.objects.exists():
            raise CommandError("There are users in this database. --force adds made-up ones to them.")

    def _load(self, size: Size, chance: random.Random) -> None:
        keys = self._step(f"{size.users:,} users", lambda: people.load(size, chance))
        made = self._step(f"{size.programs} programs", lambda: programs.load(size.programs, size.merchants, chance))
        lives = self._step("what became of the grants", lambda: Lives(size, keys, made, chance))
        what = f"{size.grants:,} grants, {size.decisions:,} decisions"
        self._step(what, lambda: grants.load(lives, chance))
        self._step(f"{size.errors:,} errors", lambda: errors.load(size, keys, made, chance))
        self._step(f"2 x {size.tokens:,} tokens", lambda: tokens.load(lives, chance))

    def _step(self, what: str, do: Callable[[], Any]) -> Any:
        """Do it, and say how long it took."""
        begun = time.monotonic()
        done = do()
        self.stdout.write(f"{what}: {time.monotonic() - begun:.0f} s")
        self.stdout.flush()
        return done


def _size(options: dict[str, Any]) -> Size:
    users = options["users"]
    each = {"grants": 5, "decisions": 10, "errors": 5, "tokens": 0.1}
    given = {name: int(users * many) if options[name] is None else options[name] for name, many in each.items()}
    return Size(users, programs=options["programs"], merchants=options["merchants"], end=timezone.now(), **given)


def _analyse() -> None:
    """As autovacuum does, but now: what was loaded would otherwise be planned for as if it were not there."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
