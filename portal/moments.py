"""A time that an operator types at a command."""

import argparse
from datetime import datetime

from django.utils import timezone


def to_come(text: str) -> datetime:
    """An argument: a day, or a time with its offset, still to come."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("use ISO-8601: 2026-12-01, or 2026-12-01T03:00+00:00") from error
    found = found if found.tzinfo else timezone.make_aware(found)
    if found <= timezone.now():
        raise argparse.ArgumentTypeError("it is past")
    return found
