"""What a mass revocation took from a mini-program's grants while their rows have not followed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class CutOff:
    """Grants given in [since, until) and before `at` no longer open these scopes; no scopes: nothing at all.

    Kept as JSON in MiniProgram.cut_offs, which every call reads anyway: so it takes effect everywhere at once.
    """

    revocation: int
    at: datetime
    since: datetime | None = None
    until: datetime | None = None
    scopes: tuple[str, ...] = ()

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> "CutOff":
        """From JSON."""
        times = {name: datetime.fromisoformat(stored[name]) for name in ("at", "since", "until") if stored.get(name)}
        return cls(revocation=stored["revocation"], scopes=tuple(stored.get("scopes", ())), **times)

    def stored(self) -> dict[str, Any]:
        """As JSON."""
        times = {"at": self.at, "since": self.since, "until": self.until}
        return {
            "revocation": self.revocation,
            "scopes": list(self.scopes),
            **{name: moment.isoformat() for name, moment in times.items() if moment},
        }

    def takes(self, granted: Mapping[str, str], since: datetime) -> set[str]:
        """Which of {scope: since, ISO-8601} it took from a grant given at `since`.

        What was given after it is not touched: people may allow it anew.
        """
        if since > self.at or (self.since and since < self.since) or (self.until and since >= self.until):
            return set()
        named = self.scopes or granted
        return {name for name in named if name in granted and datetime.fromisoformat(granted[name]) <= self.at}
