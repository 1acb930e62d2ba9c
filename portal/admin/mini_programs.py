"""Mini-programs in the operator's console."""

from django.contrib import admin


class MiniProgramAdmin(admin.ModelAdmin):
    """Mini-programs."""
