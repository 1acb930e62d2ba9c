"""How much of everything a made-up super-app has, and when it began."""

from dataclasses import dataclass
from datetime import datetime, timedelta

STRETCH = timedelta(days=730)


@dataclass(frozen=True)
class Size:
    """Numbers of rows; `end` is now, two years after the first row."""

    users: int
    grants: int
    decisions: int
    errors: int
    tokens: int
    programs: int
    merchants: int
    end: datetime

    @property
    def start(self) -> datetime:
        return self.end - STRETCH

    def at(self, place: int, of: int) -> datetime:
        """The time of row `place` of so many that come evenly."""
        return self.start + STRETCH * (place / of)

    def problem(self) -> str:
        """Why there cannot be such a super-app; "" when there can."""
        if min(self.users, self.grants, self.errors, self.tokens) < 1 or not 1 <= self.merchants <= self.programs:
            return "Each number must be 1 or more, and there are no more merchants than programs."
        if self.users >= 10_000_000:
            return "There are only ten million phone numbers: have fewer users."
        if self.grants > self.users * self.programs // 4:
            return "Too many grants: have more users, or fewer grants than a quarter of users x programs."
        if self.decisions < 2 * self.grants:
            return "Each grant has its decisions: have at least twice as many of those."
        return ""
