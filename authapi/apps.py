"""The mouth of the portal: the REST endpoints of wire.md."""

from django.apps import AppConfig


class AuthapiConfig(AppConfig):
    name = "authapi"
    verbose_name = "Authorization API"
