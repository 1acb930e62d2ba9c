"""What the API adds to the operator's console, one file per noun; importing them registers them."""

from importlib import import_module

from django.contrib import admin
from oauth2_provider.models import get_id_token_model

from . import error_groups, errors, ledger, signatures, why
from .tokens import AccessTokenAdmin, AuthCodeAdmin, IDTokenAdmin, RefreshTokenAdmin

# The toolkit registers codes and tokens with the classes above, which it asks for by name; ID tokens we never issue.
import_module("oauth2_provider.admin")
admin.site.unregister(get_id_token_model())

__all__ = [
    "AccessTokenAdmin",
    "AuthCodeAdmin",
    "IDTokenAdmin",
    "RefreshTokenAdmin",
    "error_groups",
    "errors",
    "ledger",
    "signatures",
    "why",
]
