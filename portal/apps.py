"""The memory of the portal: people, mini-programs, scopes, grants."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = "Portal"
