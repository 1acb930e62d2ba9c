"""The memory of the portal: people, mini-programs, scopes, grants."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = "Portal"

    def ready(self) -> None:
        """Registers the system checks."""
        from portal import checks  # noqa: F401


class ConsoleConfig(AdminConfig):
    """Django's admin with our site for a default: the operator's console."""

    default_site = "portal.console.Console"
