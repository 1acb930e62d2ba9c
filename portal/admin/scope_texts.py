"""A scope's purpose in every language: as it stood, as it is proposed, and as people will read it on the sheet."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.utils import translation
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal import scopes
from portal.admin import terms
from portal.admin.word_changes import marked
from portal.models import ScopeApproval
from portal.models.scope_approvals import Proposal


@dataclass(frozen=True)
class Text:
    """One language: what changed, word by word, and the scope's line on the consent sheet."""

    code: str
    language: str
    change: SafeString
    is_changed: bool
    is_missing: bool  # people read the language it was first written in
    label: str
    tag: str
    purpose: str
    description: str
    at_most: str


def basis(row: ScopeApproval) -> Proposal | None:
    """What stands, or stood last; None where nothing ever did. Words of earlier versions come prefetched."""
    if row.is_approved or row.approved_version == row.purpose_version:
        return row.stands()
    for old in row.earlier_purposes.all():
        if old.version == row.approved_version:
            return {**row.stands(), "purpose": old.purpose, "purposes": old.purposes}
    return None


def earlier(row: ScopeApproval) -> list[tuple[int, str, str, str]]:
    """The versions before, newest first: number, words, until when, who changed it."""
    return [
        (
            old.version,
            " · ".join(filter(None, [old.purpose, *old.purposes.values()])),
            terms.when(old.replaced_at),
            str(old.replaced_by or _("a command")),
        )
        for old in reversed(row.earlier_purposes.all())
    ]


def of(rows: Iterable[ScopeApproval]) -> dict[int, list[Text]]:
    """By primary key, in the languages' order. One language after the other: each is activated once."""
    rows = list(rows)
    found: dict[int, list[Text]] = {row.pk: [] for row in rows}
    for code, language in settings.LANGUAGES:
        with translation.override(code):
            for row in rows:
                found[row.pk].append(_text(row, code, str(language)))
    return found


def _text(row: ScopeApproval, code: str, language: str) -> Text:
    proposed, scope = row.proposed(), scopes.catalogue().get(row.scope)
    before, now = _written(basis(row) or proposed, code), _written(proposed, code)
    purpose, days = now or proposed["purpose"], proposed["max_days"]
    says_what = scope and (scope.sensitive or not scope.fields or not purpose)
    return Text(
        code=code,
        language=language,
        change=marked(before, now),
        is_changed=before != now,
        is_missing=not now,
        label=str(scope.label) if scope else row.scope,
        tag=_("Required") if proposed["required"] else "",
        purpose=purpose,
        description=str(scope.description) if scope and says_what else "",
        at_most=ngettext("At most %(days)s day", "At most %(days)s days", days) % {"days": days} if days else "",
    )


def _written(proposal: Proposal, code: str) -> str:
    """The words in this very language, "" where there are none."""
    words: str = proposal["purpose"] if code == settings.LANGUAGE_CODE else proposal["purposes"].get(code, "")
    return words
