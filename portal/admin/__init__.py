"""The operator's console, one file per noun; importing them registers them."""

from . import decisions, grants, merchants, mini_programs, operators, reports, users

__all__ = ["decisions", "grants", "merchants", "mini_programs", "operators", "reports", "users"]
