"""What failed in a made-up super-app: a steady noise of every code, and bursts of one cause for one mini-program."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from django.apps import apps

from portal.copying import copy_lines, next_id, without_indexes
from portal.scale.programs import Program
from portal.scale.size import Size

BLOCK = 5000  # rows of the same hours
BURSTS = 0.1  # of the blocks hold one
COLUMNS = ("id", "at", "endpoint", "code", "reason", "app_id", "client_id", "user_id", "address", "trace_id")
PREFIXES = ("", "", "", "/ams/api", "/ams/sandbox/api", "/aps/api", "/api/open")


@dataclass(frozen=True)
class Cause:
    """One way to fail; `often` among the others."""

    path: str
    code: str
    reason: str
    often: int


CAUSES = (
    Cause("/v2/authorizations/applyToken", "INVALID_SIGNATURE", "The signature does not match.", 300),
    Cause("/v2/authorizations/applyToken", "USED_AUTHCODE", "authCode: it was used before.", 120),
    Cause("/v2/authorizations/applyToken", "EXPIRED_AUTHCODE", "authCode: it is too old.", 80),
    Cause("/v1/authorizations/applyToken", "USED_CODE", "authCode: it was used before.", 60),
    Cause("/v2/authorizations/applyToken", "EXPIRED_REFRESH_TOKEN", "refreshToken: it is too old.", 90),
    Cause("/v2/users/inquiryUserInfo", "EXPIRED_ACCESS_TOKEN", "accessToken: it is too old. Refresh it.", 150),
    Cause("/v2/users/inquiryUserInfo", "INVALID_ACCESS_TOKEN", "accessToken: there is no such token.", 70),
    Cause("/v2/users/inquiryUserInfo", "PARAM_ILLEGAL", "accessToken: this field is required.", 30),
    Cause("/v1/authorizations/cancelToken", "INVALID_CLIENT", "The Client-Id is unknown.", 10),
    Cause("/v1/authorizations/query", "KEY_NOT_FOUND", "There is no active key for this keyVersion.", 5),
    Cause("/v1/authorizations/getAuthCode", "11", "The user refused.", 400),
    Cause("/v1/authorizations/getAuthCode", "401", "Nobody is signed in.", 80),
    Cause("/v1/authorizations/reportError", "2", "The page sent no scopes.", 20),
    Cause("/v2/authorizations/revoke", "UNKNOWN_EXCEPTION", "The database did not answer.", 1),
)


def load(size: Size, people: range, programs: list[Program], chance: random.Random) -> None:
    """Fills the error audit."""
    model = apps.get_model("authapi", "ErrorAudit")
    rows = _rows(size, people, programs, chance)
    with without_indexes(model):
        copy_lines(model, COLUMNS, (f"{number}\t{row}" for number, row in enumerate(rows, next_id(model))))


def _rows(size: Size, people: range, programs: list[Program], chance: random.Random) -> Iterator[str]:
    for begin in range(0, size.errors, BLOCK):
        count = min(BLOCK, size.errors - begin)
        for place, (cause, program) in enumerate(_block(count, begin / size.errors, programs, chance), begin):
            yield _row(size, place, cause, program, chance.choice(people), chance)


def _block(count: int, now: float, programs: list[Program], chance: random.Random) -> list[tuple[Cause, Program]]:
    there = [program for program in programs if program.begun <= now]
    whose = chance.choices(there, cum_weights=list(accumulate(program.weight for program in there)), k=count)
    causes = chance.choices(CAUSES, [cause.often for cause in CAUSES], k=count)
    if chance.random() < BURSTS:
        half = count // 2
        whose[half:], causes[half:] = [chance.choice(there)] * (count - half), [chance.choice(CAUSES)] * (count - half)
    return list(zip(causes, whose, strict=True))


def _row(size: Size, place: int, cause: Cause, program: Program, user: int, chance: random.Random) -> str:
    """Calls of servers name no user until the token is known; containers name no Client-Id."""
    number, bits = chance.getrandbits(16), chance.getrandbits(128)
    by_container = "getAuthCode" in cause.path or "reportError" in cause.path
    path = cause.path if by_container else f"{PREFIXES[number % len(PREFIXES)]}{cause.path}"
    client = "" if by_container else program.client_id
    whom = user if by_container or "TOKEN" in cause.code else r"\N"
    address = f"198.18.{number >> 8}.{number & 255}" if by_container else f"203.0.113.{program.pk % 256}"
    at = size.at(place, size.errors)
    return f"{at}\t{path}\t{cause.code}\t{cause.reason}\t{program.app_id}\t{client}\t{whom}\t{address}\t{bits:032x}"
