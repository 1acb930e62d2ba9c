"""What a row of the ledger says, in the words of the person it is about (trust 27)."""

from collections.abc import Iterable
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal import local, scopes
from portal.models.grants import OVER, labels
from portal.models.ledger import ConsentDecision
from portal.terms import Term

Act = ConsentDecision.Act


def told(decision: ConsentDecision) -> str:
    """One sentence: "You allowed: Nickname, for 30 days.", "An operator ended it: fraud." Reads actor and `shown`."""
    if decision.act == Act.REFUSED:
        return _("You did not allow: %(what)s.") % {"what": _refused(decision)}
    if decision.act in (Act.GIVEN, Act.WIDENED):
        return _allowed(decision)
    if decision.act == Act.RENEWED:
        return _renewed(decision)
    if decision.act == Act.EXPIRED:
        return _ran_out(decision)
    return _changed(decision) if decision.act in (Act.RETIMED, Act.PAUSED, Act.RESUMED) else _taken(decision)


def is_end(decision: ConsentDecision) -> bool:
    """Whether it took anything away, or kept it."""
    return decision.act not in (Act.GIVEN, Act.WIDENED, Act.RENEWED, Act.RESUMED, Act.RETIMED)


def _allowed(decision: ConsentDecision) -> str:
    added = [name for name in decision.scopes_after if name not in decision.scopes_before]
    asked = [scope.name for scope in scopes.known(added) if not scope.silent]
    if not asked:
        return _("You opened it, and it got: %(what)s.") % {"what": _words(added)}
    if any(not scope.silent for scope in scopes.known(decision.scopes_before)):
        return _("You also allowed: %(what)s.") % {"what": _for_a_time(decision, asked)}
    return _("You allowed: %(what)s.") % {"what": _for_a_time(decision, asked)}


def _renewed(decision: ConsentDecision) -> str:
    """The sheet says which of its lines it put again because their purpose had changed."""
    lines = [line for line in _lines(decision) if line.get("scope") in decision.scopes_after]
    names = [line["scope"] for line in lines] or _asked(decision.scopes_after)
    what = {"what": _for_a_time(decision, names)}
    if any(line.get("changed") for line in lines):
        return _("What it is for had changed, and you agreed: %(what)s.") % what
    return _("You allowed again: %(what)s.") % what


def _ran_out(decision: ConsentDecision) -> str:
    if decision.scopes_after:
        lost = [name for name in decision.scopes_before if name not in decision.scopes_after]
        return _("The time for %(what)s ran out.") % {"what": _words(lost)}
    if decision.reason and decision.reason != OVER:
        return _("Nobody had used it for a long time, and all access ended.")
    return _("Its time ran out, and all access ended.")


def _changed(decision: ConsentDecision) -> str:
    """A pause, its end, or another duration."""
    own = decision.actor_id == decision.user_id
    if decision.act == Act.PAUSED:
        return _("You paused it.") if own else _("An operator paused it.")
    if decision.act == Act.RESUMED:
        return _("You let it go on.") if own else _("An operator let it go on.")
    when = {"when": _until(decision)}
    if own:
        return _("You changed how long: %(when)s.") % when
    return _("An operator changed how long: %(when)s.") % when


def _taken(decision: ConsentDecision) -> str:
    """A withdrawal by the person, or by an operator, who gives a reason."""
    lost = [name for name in decision.scopes_before if name not in decision.scopes_after]
    own = decision.actor_id == decision.user_id
    if decision.act != Act.NARROWED:
        sentence = _("You withdrew everything") if own else _("An operator ended all access")
    else:
        sentence = (_("You withdrew: %(what)s") if own else _("An operator took away: %(what)s")) % {
            "what": _words(lost)
        }
    if decision.reason and not own:
        return _("%(sentence)s. Reason: %(reason)s") % {"sentence": sentence, "reason": decision.reason}
    return f"{sentence}."


def _refused(decision: ConsentDecision) -> str:
    """What the sheet asked for: in the reader's language, and in the ledger's words where the catalogue has none."""
    known = scopes.catalogue()
    asked = _lines(decision)
    names = [str(known[line["scope"]].label) if line.get("scope") in known else line["label"] for line in asked]
    return local.listed(dict.fromkeys(names)) or _("what it asked for")


def _lines(decision: ConsentDecision) -> list[dict[str, str]]:
    return decision.shown.text.get("lines", []) if decision.shown else []


def _asked(names: Iterable[str]) -> list[str]:
    return [scope.name for scope in scopes.known(names) if not scope.silent]


def _words(names: list[str]) -> str:
    return local.listed(labels(names)) or ", ".join(names)


# --- Terms ------------------------------------------------------------------------------------------------------


def _for_a_time(decision: ConsentDecision, names: list[str]) -> str:
    """ "Nickname", "Nickname, for 30 days", "Nickname (for 7 days) and Name (until you withdraw it)"."""
    spans = {name: span(Term.read(decision.terms or {}, name), decision.at) for name in names}
    if len(set(spans.values())) > 1:
        lasting = _("until you withdraw it")
        parts = [
            _("%(what)s (%(span)s)") % {"what": label, "span": spans[name] or lasting}
            for name in names
            for label in labels([name])
        ]
        return local.listed(parts)
    common = next(iter(spans.values()), "")
    return _("%(what)s, %(span)s") % {"what": _words(names), "span": common} if common else _words(names)


def span(term: Term, given_at: datetime) -> str:
    """ "for 30 days"; "" when it has no end."""
    if term.once:
        return _("this time only")
    if not term.until:
        return ""
    days = round((term.until - given_at).total_seconds() / 86400)
    if days == 365:
        return _("for 1 year")
    return ngettext("for %(days)d day", "for %(days)d days", days) % {"days": days}


def until(end: datetime | None) -> str:
    """ "until 3 December 2026", "until you withdraw it"."""
    if not end:
        return _("until you withdraw it")
    return _("until %(day)s") % {"day": local.day(end)}


def _until(decision: ConsentDecision) -> str:
    names = _asked(decision.scopes_after)
    ends = {name: until(Term.read(decision.terms or {}, name).until) for name in names}
    if len(set(ends.values())) <= 1:
        return next(iter(ends.values()), until(None))
    parts = [
        _("%(what)s %(when)s") % {"what": label, "when": ends[name]} for name in names for label in labels([name])
    ]
    return local.listed(parts)
