"""What `register_mini_program` is told about scopes: what each is for, in which language, and for how long at most."""

import argparse
import re
from dataclasses import dataclass

from django.conf import settings
from django.core.management.base import CommandError

from portal.models import MiniProgram, ScopeApproval

_PURPOSE = re.compile(r"(\w+)(?:\[([^\]=]*)\])?=(.*)", re.DOTALL)
_DAYS = re.compile(r"(\w+)=([0-9]{1,5})")
LONGEST = 200  # ScopeApproval.purpose
MOST_DAYS = 36500


@dataclass(frozen=True)
class Purpose:
    """One `SCOPE=TEXT` or `SCOPE[LANGUAGE]=TEXT`."""

    scope: str
    language: str
    text: str


def purpose(value: str) -> Purpose:
    """Read a `--purpose`. ArgumentTypeError says what is wrong with it."""
    found = _PURPOSE.fullmatch(value)
    if not found:
        raise argparse.ArgumentTypeError("use SCOPE=TEXT or SCOPE[LANGUAGE]=TEXT")
    name, language, words = found[1], found[2] or "", found[3].strip()
    codes = [code for code, _name in settings.LANGUAGES if code != settings.LANGUAGE_CODE]
    if found[2] is not None and language not in codes:
        raise argparse.ArgumentTypeError(
            f"there is no language {language!r}. There are: {', '.join(codes)}. "
            f"Without a language it is the text in {settings.LANGUAGE_CODE}"
        )
    if not words or "\0" in words or len(words) > LONGEST:
        raise argparse.ArgumentTypeError(f"write 1 to {LONGEST} characters after the =")
    return Purpose(name, language, words)


def max_days(value: str) -> tuple[str, int]:
    """Read a `--max-days`: the scope, and how many days. ArgumentTypeError says what is wrong with it."""
    found = _DAYS.fullmatch(value)
    if not found or not 1 <= int(found[2]) <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"use SCOPE=DAYS with 1 to {MOST_DAYS} days")
    return found[1], int(found[2])


def check_named(argument: str, names: set[str], approved: list[str]) -> None:
    """CommandError when the argument is about a scope that is not approved by the same call."""
    if unknown := sorted(names - set(approved)):
        raise CommandError(
            f"{argument}: {', '.join(unknown)} is not among --scopes. Add it there, or leave this {argument} out."
        )


def asked(program: MiniProgram, scope: str, purposes: list[Purpose]) -> ScopeApproval:
    """A scope this mini-program did not ask for before; not saved. Its first purpose is no change of one."""
    said = {purpose.language: purpose.text for purpose in purposes if purpose.scope == scope}
    return ScopeApproval(mini_program=program, scope=scope, purpose=said.pop("", ""), purposes=said)


def describe(approvals: dict[str, ScopeApproval], purposes: list[Purpose], days: dict[str, int]) -> None:
    """Give these scopes their purposes and longest times; what is not named stays as it is.

    Another wording is a change people are told of and asked about anew: see ScopeApproval.reword.
    """
    for name, approval in approvals.items():
        said = {purpose.language: purpose.text for purpose in purposes if purpose.scope == name}
        if said:
            original = said.pop("", approval.purpose)
            approval.reword(original, {**approval.purposes, **said}, by=None)
        if name in days:
            approval.max_days = days[name]
            approval.save(update_fields=["max_days"])
