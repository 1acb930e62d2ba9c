"""What every template knows."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest

from portal.models import InboxNotice

MOST = 100  # what the header cannot count


def brand(request: HttpRequest) -> dict[str, str]:
    """The super-app's name, for titles and headers."""
    return {"brand": settings.BRAND_NAME}


def unread(request: HttpRequest) -> dict[str, Callable[[], int]]:
    """How many notices wait in the reader's inbox, up to MOST; a page that does not show it pays nothing."""

    def count() -> int:
        return InboxNotice.objects.filter(user=request.user.pk).unread().order_by()[:MOST].count()

    return {"count_unread": count}
