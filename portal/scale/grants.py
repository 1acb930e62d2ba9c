"""The grants of a made-up super-app and their decisions, as rows in COPY's text format, both in the order of time."""

import json
import random
from collections.abc import Iterator
from datetime import timedelta

from portal.copying import copy_lines, next_id, without_indexes
from portal.models import ConsentDecision, MiniProgramGrant
from portal.scale.lives import LIVES, SETS, Life, Lives

NONE = r"\N"
GRANTS = (
    *("id", "user_id", "mini_program_id", "scopes", "since"),
    *("expires_at", "next_end_at", "last_used_at", "paused_at", "ended_at"),
)
DECISIONS = (
    *("id", "act", "user_id", "mini_program_id", "grant_id", "actor_id"),
    *("scopes_before", "scopes_after", "reason", "trace_id", "at"),
)
SCOPES = [json.dumps(dict.fromkeys(names, "@")) for names, _often in SETS]
NAMES = [json.dumps(names) for names, _often in SETS]
BASE = '["auth_base"]'
SMALL = timedelta(seconds=9)  # after a grant began, before the next decision


def load(lives: Lives, chance: random.Random) -> None:
    """Fills both tables."""
    with without_indexes(MiniProgramGrant):
        copy_lines(MiniProgramGrant, GRANTS, _grants(lives, chance))
    with without_indexes(ConsentDecision):
        numbered = enumerate(_acts(lives, chance), next_id(ConsentDecision))
        copy_lines(ConsentDecision, DECISIONS, (f"{number}\t{line}" for number, line in numbered))


def _grants(lives: Lives, chance: random.Random) -> Iterator[str]:
    keys = [program.pk for program in lives.programs]
    for place in range(lives.size.grants):
        since = lives.size.at(place, lives.size.grants)
        written = since.isoformat()
        scopes = SCOPES[lives.sets[place]].replace("@", written)
        rest = _times(lives, place, chance)
        yield f"{lives.key(place)}\t{lives.user[place]}\t{keys[lives.program[place]]}\t{scopes}\t{written}\t{rest}"


def _times(lives: Lives, place: int, chance: random.Random) -> str:
    """until, next end, last used, paused, ended."""
    life, size, over = lives.life(place), lives.size, lives.is_over(place)
    after = min(place + lives.delay(life), size.grants)
    happened = size.at(after, size.grants)
    used = size.at(chance.randint(place, after), size.grants).isoformat() if place % 5 else NONE
    until = happened.isoformat() if life.act in ("expired", "overdue") else NONE
    paused = happened.isoformat() if over and life.act == "paused" else NONE
    ended = happened.isoformat() if over and life.is_end else NONE
    return f"{until}\t{until}\t{used}\t{paused}\t{ended}"


def _acts(lives: Lives, chance: random.Random) -> Iterator[str]:
    """Whenever a grant is given, so is what happened to earlier ones on that day, and refusals to fill it up."""
    acts = [(number, life, lives.delay(life)) for number, life in enumerate(LIVES) if life.act not in ("", "overdue")]
    size, done = lives.size, 0
    for place in range(size.grants):
        at = size.at(place, size.grants)
        yield _line(lives, place, "given", "[]", NAMES[lives.sets[place]], f"{chance.getrandbits(128):032x}\t{at}")
        done += 1
        for number, life, delay in acts:
            earlier = place - delay
            if earlier >= 0 and lives.lives[earlier] == number:
                yield _later(lives, earlier, life, f"{chance.getrandbits(128):032x}\t{at + SMALL}")
                done += 1
        while done * size.grants < size.decisions * (place + 1):
            yield _filler(lives, place, done, f"{chance.getrandbits(128):032x}\t{at + SMALL}")
            done += 1


def _later(lives: Lives, place: int, life: Life, rest: str) -> str:
    names = NAMES[lives.sets[place]]
    before = {"widened": BASE, "narrowed": '["auth_base", "USER_ADDRESS", "USER_NAME"]'}.get(life.act, names)
    return _line(lives, place, life.act, before, "[]" if life.is_end else names, rest)


def _filler(lives: Lives, place: int, done: int, rest: str) -> str:
    """A refusal, or one more renewal."""
    act = "renewed" if done % 3 else "refused"
    names = NAMES[lives.sets[place]]
    return _line(lives, place, act, names, names, rest)


def _line(lives: Lives, place: int, act: str, before: str, after: str, rest: str) -> str:
    user, program = lives.user[place], lives.programs[lives.program[place]].pk
    actor = NONE if act in ("expired", "revoked") else user
    reason = "breach of the terms" if act == "revoked" else ""
    return f"{act}\t{user}\t{program}\t{lives.key(place)}\t{actor}\t{before}\t{after}\t{reason}\t{rest}"
