"""The durations a person can choose from, under the longest times that operators allow."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.utils.translation import ngettext

from portal.terms import Duration


@dataclass(frozen=True)
class Choice:
    """One duration as it is offered: what a form or the container's API sends, and what a person reads."""

    value: str
    label: str


def longest(limits: Collection[int | None]) -> int | None:
    """The days after which all of it is over, of the limits of some scopes; None when one of them has none."""
    found = [days for days in limits if days]
    return max(found) if found and len(found) == len(limits) else None


def offered(limits: Collection[int | None]) -> list[Choice]:
    """Every duration; where every scope is limited, none above the highest limit, and that limit itself."""
    days = longest(limits)
    if days is None:
        return [Choice(duration.value, str(duration.label)) for duration in Duration]
    fits = [duration for duration in Duration if duration.span and duration.span <= timedelta(days=days)]
    choices = [Choice(duration.value, str(duration.label)) for duration in fits]
    if not fits or fits[-1].span != timedelta(days=days):
        label = ngettext("%(days)d day", "%(days)d days", days) % {"days": days}
        choices.append(Choice(next(other for other in Duration if other not in fits).value, label))  # Term.of cuts it
    return choices


def preset(choices: Sequence[Choice]) -> str:
    """What stands there before a person chooses: a year, or the longest below it.

    Without an end, it would take for good what nobody said to give for good: the longest time by default is the
    trick that GDPR article 25(2) means. This time only would ask again at every start, and who is asked all day
    learns to press Allow unread. After a year, the longest that Australia's CDR allows a consent, people are asked
    once more; who wants to be left in peace chooses so.
    """
    return next(choice.value for choice in reversed(choices) if choice.value != Duration.ALWAYS)
