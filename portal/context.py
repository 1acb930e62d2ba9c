"""What every template knows."""

from django.conf import settings
from django.http import HttpRequest


def brand(request: HttpRequest) -> dict[str, str]:
    """The super-app's name, for titles and headers."""
    return {"brand": settings.BRAND_NAME}
