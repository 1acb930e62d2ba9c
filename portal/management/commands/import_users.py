"""`import_users`: the host's users, made or brought up to date from a JSON Lines file."""

import argparse
import json
import os
import sys
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from django.core.management.base import BaseCommand, CommandError
from django.db import reset_queries
from tqdm import tqdm

from portal import json_lines, user_batches, user_lines
from portal.json_lines import RejectedError

BATCH = 500

DESCRIPTION = """Make or update users from FILE.jsonl: one JSON object a line, in UTF-8, with the fields of userInfo
(wire.md 5.2), externalId (required: it decides who it is), login (externalId when absent), password, and the fields
of host-defined scopes. An absent or null field leaves what is stored, "" and [] empty it, a list replaces the stored
one; avatar is ignored. Each password takes a quarter of a second of one core to hash. Refused lines go to
FILE.rejects.jsonl with line number and reason, and then the exit status is 1."""


class Command(BaseCommand):
    help = DESCRIPTION

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE.jsonl", type=Path, help="one user a line")

    def handle(self, *, file: Path, **options: Any) -> None:
        try:
            with file.open("rb") as source, _private(file.with_suffix(".rejects.jsonl")) as refused:
                run = Run(source, refused)
                run.all()
        except OSError as error:
            raise CommandError(
                f"{error.filename or file}: {error.strerror}. Give a JSON Lines file that can be read, in a folder "
                "that can be written: the refused lines go there."
            ) from error
        if run.avatars:
            self.stdout.write(f"avatar was ignored on {run.avatars} lines: pictures are uploaded, not imported.")
        self.stdout.write(f"Users made: {run.made}, updated: {run.updated}. Lines refused: {run.refusals}.")
        if run.refusals:
            raise CommandError(f"{run.refusals} lines were refused; {refused.name} says why.")
        os.unlink(refused.name)


class Run:
    """One pass over the file, a batch at a time: nothing but the batch is in memory."""

    def __init__(self, source: BinaryIO, refused: TextIO) -> None:
        self.source = source
        self.refused = refused
        self.made = self.updated = self.refusals = self.avatars = 0

    def all(self) -> None:
        """Every line, with a progress bar on a terminal."""
        size = os.fstat(self.source.fileno()).st_size
        lines = json_lines.lines(self.source)
        with tqdm(total=size, unit="B", unit_scale=True, disable=None, file=sys.stderr) as bar:
            while batch := list(islice(lines, BATCH)):
                self._batch(batch)
                bar.update(self.source.tell() - bar.n)
                reset_queries()  # with DEBUG on, Django keeps every statement

    def _batch(self, batch: list[tuple[int, bytes]]) -> None:
        lines = []
        refusals: list[tuple[int, str, dict[str, Any] | None]] = []
        for number, raw in batch:
            try:
                lines.append(user_lines.read(number, raw))
            except RejectedError as error:
                refusals.append((number, str(error), error.record))
        outcome = user_batches.store(lines)
        refusals += [(line.number, reason, user_lines.shown(line.record)) for line, reason in outcome.refused]
        self.made += outcome.made
        self.updated += outcome.updated
        self.refusals += len(refusals)
        self.avatars += sum(line.has_avatar for line in lines)
        self._write(refusals)

    def _write(self, refusals: list[tuple[int, str, dict[str, Any] | None]]) -> None:
        for number, reason, record in sorted(refusals, key=lambda refusal: refusal[0]):
            row = {"line": number, "reason": reason} | ({"record": record} if record else {})
            self.refused.write(json.dumps(row) + "\n")
        self.refused.flush()


def _private(path: Path) -> TextIO:
    """A new file that nobody else reads: it holds personal data."""
    return open(path, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600))
