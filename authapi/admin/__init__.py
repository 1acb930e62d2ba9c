"""What the API adds to the operator's console, one file per noun; importing them registers them."""

from django.contrib import admin
from oauth2_provider.models import get_id_token_model

from . import error_groups, errors, why
from .tokens import AccessTokenAdmin, AuthCodeAdmin, IDTokenAdmin, RefreshTokenAdmin

# The toolkit registers codes and tokens with the classes above; ID tokens we never issue.
import oauth2_provider.admin  # noqa: E402, F401, I001  it asks for the classes above by name

admin.site.unregister(get_id_token_model())

__all__ = ["AccessTokenAdmin", "AuthCodeAdmin", "IDTokenAdmin", "RefreshTokenAdmin", "error_groups", "errors", "why"]
