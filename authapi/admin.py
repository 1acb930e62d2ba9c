"""Codes, tokens and the error audit in the operator's console."""

from django.contrib import admin


class AuthCodeAdmin(admin.ModelAdmin):
    """Auth codes."""


class AccessTokenAdmin(admin.ModelAdmin):
    """Access tokens."""


class RefreshTokenAdmin(admin.ModelAdmin):
    """Refresh tokens."""


class IDTokenAdmin(admin.ModelAdmin):
    """ID tokens, of which we issue none."""
