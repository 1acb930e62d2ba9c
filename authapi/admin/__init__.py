"""What the API adds to the operator's console, one file per noun; importing them registers them."""

# The toolkit registers codes and tokens with the classes above; ID tokens we never issue.
import oauth2_provider.admin  # noqa: F401  it asks for the classes above by name
from django.contrib import admin
from oauth2_provider.models import get_id_token_model

from . import error_groups, errors, ledger, signatures, why
from .tokens import AccessTokenAdmin, AuthCodeAdmin, IDTokenAdmin, RefreshTokenAdmin

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
