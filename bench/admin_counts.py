"""What a worker counts for the console (decisions by day, errors by group), as a program of its own.

    DATABASE_URL=… python -m bench.admin_counts

Prints one JSON object: how many seconds it takes to catch up with a database that was filled at once.
"""

import json
import os
import time
from collections.abc import Callable

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
django.setup()

from authapi import error_groups  # noqa: E402
from portal import tallying  # noqa: E402

BATCH = 50_000  # ten times a worker's: nobody else is there


def main() -> None:
    counts = {"decisions": tallying.tally, "errors": error_groups.gather}
    print(json.dumps({f"{name}_counted_s": seconds(count) for name, count in counts.items()}))


def seconds(count: Callable[[int], int]) -> float:
    begun = time.monotonic()
    if not count(BATCH):
        raise SystemExit("Nothing was counted.")
    return round(time.monotonic() - begun, 1)


if __name__ == "__main__":
    main()
