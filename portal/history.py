"""What a row of the ledger says, in the words of the person it is about (trust 27)."""

from django.utils.translation import gettext as _

from portal import local, scopes
from portal.models.grants import labels
from portal.models.ledger import ConsentDecision

Act = ConsentDecision.Act


def told(decision: ConsentDecision) -> str:
    """One sentence: "You allowed nickname.", "An operator ended it: fraud." Reads `actor` and `shown`."""
    if decision.act == Act.REFUSED:
        return _("You did not allow: %(what)s.") % {"what": _refused(decision)}
    if decision.act in (Act.GIVEN, Act.WIDENED):
        return _allowed(decision)
    if decision.act == Act.EXPIRED:
        return _("Its time ran out, and all access ended.")
    return _taken(decision)


def _allowed(decision: ConsentDecision) -> str:
    added = [name for name in decision.scopes_after if name not in decision.scopes_before]
    asked = [scope.name for scope in scopes.known(added) if not scope.silent]
    if not asked:
        return _("You opened it, and it got: %(what)s.") % {"what": _words(added)}
    if any(not scope.silent for scope in scopes.known(decision.scopes_before)):
        return _("You also allowed: %(what)s.") % {"what": _words(asked)}
    return _("You allowed: %(what)s.") % {"what": _words(asked)}


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
    """The labels the sheet showed; the ledger keeps its words."""
    lines = decision.shown.text.get("lines", []) if decision.shown else []
    return local.listed(line["label"] for line in lines) or _("what it asked for")


def _words(names: list[str]) -> str:
    return local.listed(labels(names)) or ", ".join(names)
