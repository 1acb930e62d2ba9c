"""`rotate_field_keys`: personal data under the newest key, so that the older ones can be dropped."""

import argparse
import sys
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from portal import rotation
from portal.encryption import key_id
from portal.rotation import Outcome

DESCRIPTION = """Re-encrypt every value that is not under the first of FIELD_ENCRYPTION_KEYS. It may run beside
traffic, be stopped at any time, and be started again. In this order: put the new key at the END of the list in every
process, then to its front in every process, then run this, then --check; when that is content, drop the old key.
With --blind-index it works out the indexes anew instead, after BLIND_INDEX_KEY was changed: until it is through,
people whose index is still the old one cannot sign in with their password nor be searched for. There is no other
way: plan for that time. Exit status 1 when something is left."""


class Command(BaseCommand):
    help = DESCRIPTION

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--batch", type=int, default=500, help="rows in one transaction (500)")
        parser.add_argument("--check", action="store_true", help="count what is left, change nothing")
        parser.add_argument("--blind-index", action="store_true", help="the blind indexes, not the values")

    def handle(self, *, batch: int, check: bool, blind_index: bool, **options: Any) -> None:
        if batch < 1:
            raise CommandError("--batch must be 1 or more.")
        if blind_index:
            self._reindex(batch, check)
        else:
            self._rotate(batch, check)

    def _rotate(self, batch: int, check: bool) -> None:
        current, *others = map(key_id, settings.FIELD_ENCRYPTION_KEYS)
        self.stdout.write(f"Key {current} encrypts. Keys that only decrypt: {', '.join(others) or 'none'}.")
        if not check:
            self.stdout.write(f"Values to bring under it: {sum(group.count for group in rotation.left())}.")
            self._told(followed(rotation.rotate(batch)))
        left = rotation.left()
        for group in left:
            self.stdout.write(f"Left: {group}.")
        if left:
            raise CommandError(
                f"{sum(group.count for group in left)} values are not under key {current}. Keep all keys."
            )
        self.stdout.write(f"Every value is under key {current}: no other key is needed.")

    def _reindex(self, batch: int, check: bool) -> None:
        total = followed(rotation.reindex(batch, write=not check))
        if not check:
            self._told(total)
        if check and total.done:
            raise CommandError(f"{total.done} blind indexes are wrong. Run rotate_field_keys --blind-index.")
        if total.unreadable or total.changed:
            raise CommandError("Some could not be looked at. Put the missing keys back, and run this again.")
        self.stdout.write("Every blind index is right.")

    def _told(self, total: Outcome) -> None:
        self.stdout.write(
            f"Rows written: {total.done}, changed meanwhile: {total.changed}, unreadable: {total.unreadable}."
        )


def followed(outcomes: Iterable[Outcome]) -> Outcome:
    """The sum of these; on a terminal with a count of rows that goes up."""
    total = Outcome()
    with tqdm(unit=" rows", disable=None, file=sys.stderr) as bar:
        for outcome in outcomes:
            total += outcome
            bar.update(total.done - bar.n)
    return total
