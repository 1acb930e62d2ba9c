"""The operator's console, one file per noun; importing them registers them."""

from . import (
    background,
    decisions,
    grants,
    mass_revocations,
    merchants,
    mini_programs,
    operators,
    reports,
    review_queue,
    users,
)

__all__ = [
    "background",
    "decisions",
    "grants",
    "mass_revocations",
    "merchants",
    "mini_programs",
    "operators",
    "reports",
    "review_queue",
    "users",
]
