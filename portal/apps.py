"""The memory of the portal: people, mini-programs, scopes, grants."""

from django.apps import AppConfig
from django.conf import settings
from django.contrib.admin.apps import AdminConfig


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = "Portal"

    def ready(self) -> None:
        """Registers the system checks; begins to watch, as far as it is asked for."""
        from portal import checks  # noqa: F401

        if settings.SENTRY_DSN:
            from portal import sentry

            sentry.start()
        if settings.METRICS_PORT:
            from portal import metrics

            metrics.serve(settings.METRICS_PORT)


class ConsoleConfig(AdminConfig):
    """Django's admin with our site for a default: the operator's console."""

    default_site = "portal.console.Console"
