"""Lines in the operators' log about people, who are named by number there: the log is for ever, and not encrypted."""

from typing import cast

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest

from portal.models import User


def operator(request: HttpRequest) -> User:
    """Who acts; the site lets nobody else in."""
    return cast("User", request.user)


def log_about(request: HttpRequest, person: User, words: str) -> LogEntry:
    """What this operator did to this person, and why (trust 30)."""
    return LogEntry.objects.create(
        user=operator(request),
        content_type=ContentType.objects.get_for_model(User),
        object_id=str(person.pk),
        object_repr=f"#{person.pk}",
        action_flag=CHANGE,
        change_message=words,
    )


def log_own(request: HttpRequest, words: str) -> LogEntry:
    """What this operator did to their own account."""
    return log_about(request, operator(request), words)
