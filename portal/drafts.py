"""What a person has chosen on a consent sheet and not sent off yet."""

from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from portal.sheet import Sheet

KEY = "consent_draft"  # in the session: of one sheet, the last that was left for a moment


@dataclass(frozen=True)
class Draft:
    """The scopes that are switched on, the duration, and the hash of the words that were read."""

    scopes: tuple[str, ...] = ()
    duration: str = ""
    read: str = ""

    @classmethod
    def sent(cls, form: QueryDict) -> "Draft":
        """What the form says, unchecked."""
        return cls(tuple(form.getlist("scopes")), form.get("duration", ""), form.get("shown", ""))

    @classmethod
    def kept(cls, session: Any, consent_id: str) -> "Draft":
        """What this person chose on this sheet before they left it; nothing, for any other sheet (trust 23)."""
        found = session.get(KEY, {})
        return cls(tuple(found["scopes"]), found["duration"]) if found.get("consent") == consent_id else cls()

    def keep(self, session: Any, consent_id: str) -> None:
        """For `kept`."""
        session[KEY] = {"consent": consent_id, "scopes": self.scopes, "duration": self.duration}

    def granted(self, shown: Sheet) -> list[str]:
        """What a press of Allow allows: what is switched on, and the required lines."""
        return list(dict.fromkeys([*self.scopes, *shown.required()]))

    def has_read(self, shown: Sheet) -> bool:
        """Whether these are the words that were on the sheet when it was answered (trust 28)."""
        return self.read == shown.hash

    def problem(self, shown: Sheet) -> str:
        """Why a press of Allow cannot count; "" when it can."""
        if self.duration not in [choice.value for choice in shown.durations]:
            return _("Choose for how long.")
        if not self.granted(shown):
            return _("Switch on what you want to allow, or press “Don't allow”.")
        return ""
