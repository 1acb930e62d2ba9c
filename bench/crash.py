"""`make bench-crash`: kill the portal 200 times in the middle of exchanges and refreshes, and stop PostgreSQL 5 times.

After each, every code and token is compared with what callers were told (trust 11). Ends with exit code 1 and the
first thing that is not in order.
"""

import argparse
import os
import secrets
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

from tests import killable
from tests.crashes import Crashes
from tests.outages import SLOWEST, Outage


def main() -> None:
    """Run it, and say what happened. AssertionError for what is not in order."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="of the portal, by SIGKILL")
    parser.add_argument("--outages", type=int, default=5, help="of PostgreSQL, under traffic")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of the random moments")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="portal-crash-") as folder, killable.portal(Path(folder)) as portal:
        crashes = Crashes(portal, options.seed)
        for number in crashes.run(options.kills):
            if number % 20 == 0:
                print(f"{number} kills, {time.monotonic() - start:.0f} s", flush=True)
        for _number in range(options.outages):
            counts = Outage(portal).run()
            slowest = max(counts.pop(SLOWEST), crashes.counts.pop(SLOWEST, 0))
            crashes.counts.update({**counts, SLOWEST: slowest, "outages": 1})
    for name, count in sorted(crashes.counts.items()):
        print(f"{count:6} {name}")


if __name__ == "__main__":
    try:
        main()
    except AssertionError as error:
        sys.exit(f"NOT IN ORDER: {error}")
