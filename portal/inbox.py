"""What a notice of the inbox says: put into words when it is read, in the language of who reads it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from portal import history, local, scopes
from portal.models import InboxNotice, MiniProgramGrant, PurposeVersion

Kind = InboxNotice.Kind
Versions = dict[tuple[int | None, str], list[PurposeVersion]]


@dataclass(frozen=True)
class Entry:
    """A notice as the page shows it. `was` and `now` are what a scope is for, before and after a change."""

    notice: InboxNotice
    words: str
    was: str = ""
    now: str = ""

    @property
    def is_new(self) -> bool:
        """Not read before this page showed it."""
        return self.notice.read_at is None

    @property
    def by_operator(self) -> bool:
        """Whether an operator did what it tells."""
        decision = self.notice.decision
        return bool(decision and decision.actor_id and decision.actor_id != decision.user_id)

    @property
    def grant_id(self) -> str:
        """The grant it is about, for a link to its page; "" when there is none."""
        decision = self.notice.decision
        return str((decision.grant_id if decision else getattr(self.notice, "live_grant", "")) or "")


def of(user_pk: int) -> "QuerySet[InboxNotice]":
    """This person's notices, newest first, each with what `entries` reads."""
    pair = {"user": OuterRef("user"), "mini_program": OuterRef("mini_program"), "ended_at": None}
    live = MiniProgramGrant.objects.filter(**pair).values("pk")[:1]
    rows = InboxNotice.objects.filter(user=user_pk).select_related("mini_program", "decision__shown")
    return rows.annotate(live_grant=Subquery(live))


def unread_of(user: OuterRef) -> Subquery:
    """How many notices wait for this user, as a part of another statement; NULL for none."""
    rows = InboxNotice.objects.filter(user=user).unread().order_by().values("user")
    return Subquery(rows.annotate(n=Count("pk")).values("n"))


def entries(notices: Sequence[InboxNotice]) -> list[Entry]:
    """These notices in words. At most one statement more, for all of them."""
    versions = _versions(notice for notice in notices if notice.kind == Kind.PURPOSE)
    return [_entry(notice, versions) for notice in notices]


def _entry(notice: InboxNotice, versions: Versions) -> Entry:
    if notice.kind == Kind.PURPOSE:
        was, now = _purposes(notice, versions.get((notice.mini_program_id, notice.facts["scope"]), []))
        return Entry(notice, _purpose_words(notice), was, now)
    return Entry(notice, _TOLD[Kind(notice.kind)](notice))


def _decision_words(notice: InboxNotice) -> str:
    return history.told(notice.decision) if notice.decision else ""


def _unused_words(notice: InboxNotice) -> str:
    days = int(notice.facts["days"])
    return ngettext(
        "You have not used it for %(days)d day. It can still see what you allowed. Withdraw what you do not need.",
        "You have not used it for %(days)d days. It can still see what you allowed. Withdraw what you do not need.",
        days,
    ) % {"days": days}


def _deletion_words(notice: InboxNotice) -> str:
    """True for ever: what was asked for and planned then, or that it was called off."""
    if "due" not in notice.facts:
        return _("You decided to keep your account. Nothing will be deleted.")
    due = local.day(datetime.fromisoformat(notice.facts["due"]))
    return _("You asked us to delete your account. You could change your mind until %(day)s.") % {"day": due}


def _report_words(notice: InboxNotice) -> str:
    return _("We have looked at what you reported about it. Thank you for telling us.")


_TOLD = {
    Kind.DECISION: _decision_words,
    Kind.UNUSED: _unused_words,
    Kind.DELETION: _deletion_words,
    Kind.REPORT: _report_words,
}


# --- A changed purpose ------------------------------------------------------------------------------------------


def _purpose_words(notice: InboxNotice) -> str:
    scope = scopes.catalogue().get(notice.facts["scope"])
    what = scope.label if scope else notice.facts["scope"]
    return _("It changed what it asks this for: %(what)s. It will ask you again.") % {"what": what}


def _versions(notices: Iterable[InboxNotice]) -> Versions:
    """Every earlier purpose of what these notices are about, oldest first, each with the approval as it is now."""
    pairs = {(notice.mini_program_id, str(notice.facts["scope"])) for notice in notices}
    found: Versions = {pair: [] for pair in pairs}
    if not pairs:
        return found
    programs, names = zip(*pairs, strict=True)
    rows = PurposeVersion.objects.filter(approval__mini_program__in=programs, approval__scope__in=names)
    for row in rows.select_related("approval").order_by("version"):
        found.setdefault((row.approval.mini_program_id, row.approval.scope), []).append(row)
    return found


def _purposes(notice: InboxNotice, earlier: list[PurposeVersion]) -> tuple[str, str]:
    """What the scope was for before this change and after it; ("", "") when nobody knows any more.

    `facts` may name the version that was announced, and the one before: without it, it is the newest.
    """
    if not earlier:
        return "", ""
    approval, language = earlier[-1].approval, get_language() or ""
    texts: dict[Any, str] = {row.version: row.purpose_in(language) for row in earlier}
    texts[approval.purpose_version] = approval.purpose_in(language)
    version = notice.facts.get("version", approval.purpose_version)
    return texts.get(notice.facts.get("was", version - 1), ""), texts.get(version, "")
