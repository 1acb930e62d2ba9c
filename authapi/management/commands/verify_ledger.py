"""`verify_ledger`: names the first row of the ledger, the error audit or the operators' log that was tampered with."""

import argparse
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from authapi import inspection, sealing

_HEAD = re.compile(r"\b([a-z]+\.[A-Za-z]+):(\d{1,18}):([0-9a-f]{64})\b")

Heads = dict[str, dict[int, str]]

HEAD_HELP = "lines that seal_ledger or verify_ledger printed, kept out of reach of who can change the database"


class Command(BaseCommand):
    help = (
        "Compare every row of the ledger, the error audit and the operators' log with the seals on them, and the "
        "seals with each other and with the platform's key. The first thing wrong of each chain is named, and the "
        "exit code is 1. Unsealed rows are checked by the MAC they were written with (the operators' log has none). "
        "When all is well the new rows are sealed. Whoever removes the newest seals together with their rows leaves "
        "a shorter chain that is sound in itself: only a head kept elsewhere shows that, see --head."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--expect", action="append", default=[], metavar="CHAIN:NUMBER:HASH", help="a seal kept")
        parser.add_argument("--head", action="append", default=[], type=Path, metavar="FILE", help=HEAD_HELP)
        parser.add_argument("--all", action="store_true", help="name everything that is wrong, not the first only")
        parser.add_argument("--no-seal", action="store_true", help="leave the new rows unsealed")

    def handle(self, *, expect: list[str], head: list[Path], no_seal: bool, **options: Any) -> None:
        heads = kept(expect, head)
        problems = self._tell("portal.ConsentText", inspection.texts(), options["all"])
        for chain in sealing.CHAINS:
            walk = inspection.Inspection(chain, heads[chain])
            problems += self._tell(chain, walk.problems(), options["all"])
            self.stdout.write(f"  {walk}")
        if problems:
            raise CommandError("The ledger was tampered with; what is wrong stands above.")
        if not no_seal:
            with suppress(CommandError):  # a writer stays open: its rows are sealed another time, and the log says so
                call_command("seal_ledger", stdout=self.stdout)

    def _tell(self, chain: str, problems: Iterator[str], everything: bool) -> int:
        """Print the first problem, or all; gives how many it printed."""
        found = 0
        for problem in islice(problems, None if everything else 1):
            self.stderr.write(f"{problem}.")
            found += 1
        if not found:
            self.stdout.write(f"{chain}: sound")
        return found


def kept(expect: list[str], files: list[Path]) -> Heads:
    """The heads that were kept elsewhere. Raises CommandError."""
    heads: Heads = defaultdict(dict)
    for text in [*expect, *(read(path) for path in files)]:
        found = _HEAD.findall(text)
        if not found or any(chain not in sealing.CHAINS for chain, _number, _hash in found):
            raise CommandError(f"{text.strip()[:200]!r} is no head. Chains: {', '.join(sealing.CHAINS)}.")
        for chain, number, digest in found:
            heads[chain][int(number)] = digest
    return heads


def read(path: Path) -> str:
    """A file's text. Raises CommandError."""
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"--head: {path} cannot be read.") from error
