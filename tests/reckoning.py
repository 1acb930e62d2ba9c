"""What merchants were told against what the database holds (trust 11): nothing lost, nothing doubled, no halves.

Reads the tables with SQL, so that it does not believe the code it checks.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

Sql = Callable[[str], list[tuple[Any, ...]]]

CODES = "SELECT code, used_at IS NOT NULL, token_family FROM authapi_authcode"
PAIRS = """
    SELECT r.token_family, r.id, r.token_checksum, r.revoked IS NULL,
           a.id, a.token_checksum, a.expires > now(), a.source_refresh_token_id
    FROM oauth2_provider_refreshtoken r LEFT JOIN oauth2_provider_accesstoken a ON a.id = r.access_token_id
    ORDER BY r.id
"""
WIDOWS = """
    SELECT a.id FROM oauth2_provider_accesstoken a LEFT JOIN oauth2_provider_refreshtoken r ON r.access_token_id = a.id
    WHERE r.id IS NULL
"""


def digest(secret: str) -> str:
    """What the database keeps of a code or a token."""
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass
class Chain:
    """One code, the pairs its merchant was told of, oldest first, and the call that never got its answer."""

    code: str
    pairs: list[tuple[str, str]] = field(default_factory=list)
    unanswered: str = ""  # "exchange" or "refresh"
    is_over: bool = False  # a USED_* was told, and with it everything that came of the code died


@dataclass(frozen=True)
class Row:
    """A token pair of the database."""

    family: Any
    refresh_id: int
    refresh: str
    refresh_lives: bool
    access_id: int | None
    access: str
    access_lives: bool
    source: int | None

    @property
    def hashes(self) -> tuple[str, str]:
        return self.access, self.refresh


class Books:
    """Codes and token pairs as they stand in the database at one moment."""

    def __init__(self, sql: Sql) -> None:
        self.codes = {code: (used, family) for code, used, family in sql(CODES)}
        self.rows = [Row(*row) for row in sql(PAIRS)]
        self.widows = [row[0] for row in sql(WIDOWS)]
        self.families: dict[Any, list[Row]] = defaultdict(list)
        for row in self.rows:
            self.families[row.family].append(row)

    def family_of(self, chain: Chain) -> list[Row]:
        return self.families.get(self.codes[digest(chain.code)][1], [])

    def was_done(self, chain: Chain) -> bool:
        """Whether the unanswered call of this chain took effect."""
        if chain.unanswered == "exchange":
            return bool(self.codes[digest(chain.code)][0])
        last = (digest(chain.pairs[-1][0]), digest(chain.pairs[-1][1]))
        return not any(row.hashes == last and row.refresh_lives for row in self.family_of(chain))

    def problems(self, chains: Iterable[Chain]) -> list[str]:
        """Everything that is not as it must be; empty when all is well."""
        return [*self._halves(), *(problem for chain in chains for problem in self._of(chain))]

    def _halves(self) -> list[str]:
        """What no history of calls can excuse."""
        found = [f"access token #{number} has no refresh token" for number in self.widows]
        families = {family for _used, family in self.codes.values() if family}
        ids = {row.refresh_id for row in self.rows}
        for row in self.rows:
            name = f"refresh token #{row.refresh_id}"
            if row.access_id is None:
                found.append(f"{name} has no access token")
            if row.refresh_lives != row.access_lives:
                found.append(f"{name} and its access token are not both alive or both dead")
            if row.family not in families:
                found.append(f"{name} came of no code")
            if row.source and row.source not in ids:
                found.append(f"{name} came of a refresh token that does not exist")
        return found

    def _of(self, chain: Chain) -> list[str]:
        """What is wrong with this code, its tokens, and what was told about them."""
        known = self.codes.get(digest(chain.code))
        if known is None:
            return ["a code that was told is lost"]
        rows = self.family_of(chain)
        name = f"the family {known[1]}"
        found = []
        if not known[0] == bool(known[1]) == bool(rows):
            found.append(f"{name} is half used: {known}, {len(rows)} pairs")
        living = [row for row in rows if row.refresh_lives]
        if known[0] and not self._begins_well(chain, rows):
            found.append(f"{name} does not begin with the one pair of the exchange")
        if known[0] and len(living) != (0 if chain.is_over else 1):
            found.append(f"{name} has {len(living)} living pairs ({'over' if chain.is_over else 'not over'})")
        return [*found, *self._told(chain, rows, living, name)]

    def _begins_well(self, chain: Chain, rows: list[Row]) -> bool:
        """The exchange's pair, and else only unseen ones: replaced, so they are dead, come of nothing, and were
        never told."""
        unsourced = [row for row in rows if row.source is None]
        told = {(digest(access), digest(refresh)) for access, refresh in chain.pairs}
        return bool(unsourced) and not any(row.refresh_lives or row.hashes in told for row in unsourced[1:])

    def _told(self, chain: Chain, rows: list[Row], living: list[Row], name: str) -> list[str]:
        told = [(digest(access), digest(refresh)) for access, refresh in chain.pairs]
        there = {row.hashes: row for row in rows}
        found = [f"{name}: a pair that was told is lost" for hashes in told if hashes not in there]
        if found or chain.is_over or not living:
            return found if found or chain.is_over or not told else [f"{name}: what was told is dead"]
        newest, alive = there.get(told[-1]) if told else None, living[0]
        if not chain.unanswered and alive is not newest:
            found.append(f"{name}: the living pair is not the one told last")
        if chain.unanswered == "refresh" and newest and alive is not newest and alive.source != newest.refresh_id:
            found.append(f"{name}: the living pair did not come of the one told last")
        return found
