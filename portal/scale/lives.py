"""What became of the grants of a made-up super-app: told by place, so that two passes over them say the same."""

import base64
import hashlib
import random
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from portal.scale.programs import Program
from portal.scale.size import Size

BLOCK = 10_000  # grants that come in the same days, and draw from the same mini-programs
STEP = 611_953  # a prime: the people of a mini-program come in an order of their own, each once

# Which scopes are granted together, and how often: from nearly always to once in ten thousand, and some never.
SETS = (
    (("auth_base",), 3000),
    (("auth_base", "USER_NICKNAME", "USER_AVATAR"), 3000),
    (("auth_base", "USER_NICKNAME", "PLAINTEXT_MOBILE_PHONE"), 2000),
    (("auth_base", "USER_NAME", "USER_CONTACTINFO"), 1200),
    (("auth_base", "USER_NICKNAME", "USER_ADDRESS"), 600),
    (("auth_base", "USER_NAME", "USER_BIRTHDAY", "USER_GENDER"), 178),
    (("auth_base", "HASH_LOGIN_ID"), 21),
    (("auth_base", "USER_NATIONALITY"), 1),
)


@dataclass(frozen=True)
class Life:
    """What happens to a grant: this act after this part of the two years, in so many of a thousand."""

    act: str
    after: float
    often: int

    @property
    def is_end(self) -> bool:
        return self.act in ("withdrawn", "revoked", "expired")


LIVES = (
    Life("", 1, 280),
    Life("overdue", 0.05, 3),  # its time ran out, and nobody has ended it so far
    Life("withdrawn", 0.01, 60),
    Life("withdrawn", 0.08, 80),
    Life("withdrawn", 0.3, 80),
    Life("revoked", 0.05, 20),
    Life("expired", 0.0411, 40),  # 30 days
    Life("expired", 0.5, 60),
    Life("narrowed", 0.02, 100),
    Life("widened", 0.03, 150),
    Life("renewed", 0.1, 70),
    Life("retimed", 0.04, 37),
    Life("paused", 0.06, 20),
)


class Lives:
    """Of every grant, by its place in time: mini-program, user, scopes, what happened."""

    def __init__(self, size: Size, people: range, programs: list[Program], chance: random.Random) -> None:
        self.size, self.people, self.programs = size, people, programs
        weights = [weight for _names, weight in SETS]
        self.sets = bytes(chance.choices(range(len(SETS)), weights, k=size.grants))
        self.lives = bytes(chance.choices(range(len(LIVES)), [life.often for life in LIVES], k=size.grants))
        self.program, self.user = array("H"), array("I")
        self._salt = chance.randbytes(8)
        for place, user in self._pairs(chance):
            self.program.append(place)
            self.user.append(user)

    def key(self, place: int) -> str:
        """The grant's id: looks as random as any."""
        digest = hashlib.blake2b(place.to_bytes(8), key=self._salt, digest_size=24).digest()
        return base64.urlsafe_b64encode(digest).decode()

    def life(self, place: int) -> Life:
        """What happens to it, or happened by now."""
        return LIVES[self.lives[place]]

    def delay(self, life: Life) -> int:
        """How many places later that is."""
        return int(life.after * self.size.grants)

    def is_over(self, place: int) -> bool:
        """Whether what happens to it has happened."""
        return place + self.delay(self.life(place)) < self.size.grants

    def _pairs(self, chance: random.Random) -> Iterator[tuple[int, int]]:
        """(mini-program, user) of each grant, no pair twice."""
        count, first = len(self.people), self.people.start
        used = [0] * len(self.programs)
        for begin in range(0, self.size.grants, BLOCK):
            for place in self._drawn(begin, chance):
                while used[place] >= count:
                    place = (place + 1) % len(used)
                yield place, first + (used[place] * STEP + place * 977) % count
                used[place] += 1

    def _drawn(self, begin: int, chance: random.Random) -> list[int]:
        """The mini-programs of one block: those that were there then."""
        now = begin / self.size.grants
        there = [place for place, program in enumerate(self.programs) if program.begun <= now]
        weights = list(accumulate(self.programs[place].weight for place in there))
        return chance.choices(there, cum_weights=weights, k=min(BLOCK, self.size.grants - begin))
