"""On what terms scopes are granted, in words for operators."""

from datetime import datetime

from django.utils import formats, timezone
from django.utils.translation import gettext as _

from portal.models import MiniProgramGrant
from portal.terms import Stored, Term


def when(moment: datetime | None) -> str:
    """As the console shows times, and no time."""
    return formats.date_format(timezone.localtime(moment), "DATETIME_FORMAT") if moment else "–"


def words(term: Term) -> str:
    """ "until 5 Dec. 2026, 10:00, purpose 2"; "" for the plain terms."""
    parts = []
    if term.until:
        parts.append(_("until %s") % when(term.until))
    if term.once:
        parts.append(_("this time only"))
    if term.purpose > 1:
        parts.append(_("purpose %d") % term.purpose)
    return ", ".join(parts)


def told(stored: Stored | None) -> str:
    """The terms of every scope that has any, those that are alike together."""
    alike: dict[str, list[str]] = {}
    for scope in stored or {}:
        alike.setdefault(words(Term.read(stored or {}, scope)), []).append(scope)
    return "; ".join(f"{', '.join(scopes)} {text}" for text, scopes in alike.items() if text)


def state(grant: MiniProgramGrant) -> str:
    """Live, paused, ended by somebody, or past its time."""
    if grant.ended_at:
        return _("Ended")
    if not grant.is_live:
        return _("Expired")
    return _("Paused") if grant.paused_at else _("Live")
