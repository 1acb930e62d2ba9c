"""Some tokens of a made-up super-app: a pair for the youngest grants that are alive, none that anybody holds."""

import random
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice

from oauth2_provider.models import AccessToken, RefreshToken

from portal.copying import copy_lines, next_id
from portal.scale.lives import SETS, Lives

LIFETIME = timedelta(hours=1)


def load(lives: Lives, chance: random.Random) -> None:
    """Fills both tables; the checksums are those of no token."""
    alive = (place for place in reversed(range(lives.size.grants)) if not lives.life(place).is_end)
    places = list(reversed(list(islice(alive, lives.size.tokens))))
    access, refresh = next_id(AccessToken), next_id(RefreshToken)
    columns = ("id", "user_id", "application_id", "token_checksum", "scope", "created", "updated", "expires")
    copy_lines(AccessToken, columns, _access(lives, places, access, chance), token="", source_refresh_token_id=None)
    columns = (*columns[:4], "token_family", "access_token_id", "created", "updated")
    copy_lines(RefreshToken, columns, _refresh(lives, places, (access, refresh), chance), token="", revoked=None)


def _access(lives: Lives, places: list[int], first: int, chance: random.Random) -> Iterator[str]:
    for number, place in enumerate(places, first):
        created = lives.size.at(place, lives.size.grants)
        scope = " ".join(SETS[lives.sets[place]][0])
        yield f"{_start(lives, place, number, chance)}\t{scope}\t{created}\t{created}\t{created + LIFETIME}"


def _refresh(lives: Lives, places: list[int], firsts: tuple[int, int], chance: random.Random) -> Iterator[str]:
    access, refresh = firsts
    for n, place in enumerate(places):
        created = lives.size.at(place, lives.size.grants)
        family = f"{chance.getrandbits(128):032x}"
        yield f"{_start(lives, place, refresh + n, chance)}\t{family}\t{access + n}\t{created}\t{created}"


def _start(lives: Lives, place: int, number: int, chance: random.Random) -> str:
    program = lives.programs[lives.program[place]].pk
    return f"{number}\t{lives.user[place]}\t{program}\t{chance.getrandbits(256):064x}"
