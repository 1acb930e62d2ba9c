"""What `manage.py check` finds before a user does."""

from collections.abc import Sequence

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured
from lucide import IconDoesNotExist
from lucide.templatetags.lucide import lucide

from portal import scopes


@register
def check_scopes_file(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """portal.E001: SCOPES_FILE cannot be read, or one of its scopes is wrong; the message names scope and key."""
    try:
        catalogue = scopes.catalogue()
        for scope in catalogue.values():
            _check_icon(scope)
    except ImproperlyConfigured as error:
        return [Error(str(error), hint="See SCOPES_FILE in .env.example.", id="portal.E001")]
    return []


def _check_icon(scope: scopes.Scope) -> None:
    try:
        lucide(scope.icon)
    except IconDoesNotExist as error:
        raise ImproperlyConfigured(
            f"SCOPES_FILE: scope {scope.name}: icon {scope.icon!r} is no name of a Lucide icon (lucide.dev)"
        ) from error
