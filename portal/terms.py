"""On what terms a scope is granted: until when, for this one time, for which wording of its purpose."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

Stored = Mapping[str, Mapping[str, Any]]  # {scope: {"until": ISO-8601, "once": true, "purpose": 2}}


class Duration(TextChoices):
    """For how long a person allows something; the values stand in forms and in the container's API."""

    ONCE = "once", _("this time only")
    MONTH = "30d", _("30 days")
    YEAR = "1y", _("1 year")
    ALWAYS = "always", _("until I withdraw it")

    @property
    def span(self) -> timedelta | None:
        """None: it has no end of its own. Once: as long as one code and the access token that comes of it live."""
        once = settings.AUTH_CODE_LIFETIME + settings.ACCESS_TOKEN_LIFETIME
        return {"once": once, "30d": timedelta(days=30), "1y": timedelta(days=365)}.get(self.value)


@dataclass(frozen=True, slots=True)
class Term:
    """The terms of one scope. `once`: asked again at the next call; `purpose`: the version that was agreed to."""

    until: datetime | None = None
    once: bool = False
    purpose: int = 1

    @classmethod
    def of(cls, duration: Duration, now: datetime, *, max_days: int | None = None, purpose: int = 1) -> "Term":
        """What this choice means at this time, under the operators' longest time for the scope."""
        spans = [span for span in (duration.span, timedelta(days=max_days) if max_days else None) if span]
        return cls(now + min(spans) if spans else None, duration == Duration.ONCE, purpose)

    @classmethod
    def read(cls, stored: Stored, scope: str) -> "Term":
        """The terms of this scope; the plain ones where none are stored."""
        found = stored.get(scope, {})
        until = found.get("until")
        return cls(datetime.fromisoformat(until) if until else None, found.get("once", False), found.get("purpose", 1))

    def stored(self) -> dict[str, Any]:
        """As JSON; {} for the plain terms."""
        until = {"until": self.until.isoformat()} if self.until else {}
        return {
            **until,
            **({"once": True} if self.once else {}),
            **({"purpose": self.purpose} if self.purpose > 1 else {}),
        }

    def is_open(self, now: datetime) -> bool:
        """Whether its time has not run out."""
        return self.until is None or self.until > now

    def settles(self, purpose: int, now: datetime) -> bool:
        """Whether nothing is left to ask: in time, not for one time only, and for this wording of the purpose."""
        return self.is_open(now) and not self.once and self.purpose >= purpose


def open_scopes(names: Mapping[str, Any] | list[str], stored: Stored, now: datetime) -> set[str]:
    """Those of these granted scopes whose time has not run out."""
    return {name for name in names if name not in stored or Term.read(stored, name).is_open(now)}
