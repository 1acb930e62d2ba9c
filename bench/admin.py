"""`python -m bench.admin`: the console at the size of a real super-app. The last line is one JSON object.

Starts a throw-away PostgreSQL, fills it (`load_fixture_scale`), lets it be counted as a worker does, and opens every
list of the console in every way, then its other pages; last comes the kill switch.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
from typing import Any

from bench import database, plan, processes

NAME = "admin"
USERS = 1_000_000
HOUR = 3600  # for loading, or for measuring
ENVIRONMENT = {"ALLOWED_HOSTS": "127.0.0.1,localhost", "DEBUG": "False", "CACHE_URL": "locmemcache://"}
# What whoever keeps ten gigabytes in a PostgreSQL changes first: its defaults are for a hundred megabytes.
POSTGRES = "-c shared_buffers=4GB -c max_wal_size=16GB"
SLOWEST = 25  # lines of the table that are about single pages


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.admin", description=__doc__)
    parser.add_argument("--users", type=int, default=USERS, help=f"and everything else in proportion ({USERS:,})")
    users = parser.parse_args().users
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    try:
        bench(users)
    except processes.BenchError as error:
        print(f"\nThe run failed. {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    return 0


def bench(users: int) -> None:
    with database.running(POSTGRES) as postgres, tempfile.TemporaryDirectory(prefix="portal-bench-") as folder:
        environment = {**os.environ, **ENVIRONMENT, "DATABASE_URL": postgres.create(NAME), "VAR_DIR": folder}

        def run(*words: str) -> str:
            return processes.run([sys.executable, *words], environment, HOUR)

        run("manage.py", "migrate", "-v0")
        print(run("manage.py", "load_fixture_scale", "--users", str(users)), flush=True)
        counted = json.loads(run("-m", "bench.admin_counts"))
        pages = [json.loads(line) for line in run("-m", "bench.admin_lists").splitlines()]
        others = [json.loads(line) for line in run("-m", "bench.admin_pages").splitlines()]
        found = f"{table(pages)}\n{table_of_others(others)}"
        plan.RESULTS.mkdir(parents=True, exist_ok=True)
        (plan.RESULTS / "admin.md").write_text(found)
        print(found, flush=True)
        switch = json.loads(run("-m", "bench.admin_kill").splitlines()[-1])
    slowest = {"other_pages_worst_seconds": worst(others)["worst_seconds"]}
    print(json.dumps({**worst(pages), **slowest, **counted, **switch}))


def worst(pages: list[dict[str, Any]]) -> dict[str, float]:
    return {f"worst_{name}": max(page[name] for page in pages) for name in ("seconds", "statements")}


def table(pages: list[dict[str, Any]]) -> str:
    """Each list with its slowest page, then the slowest pages of all."""
    lines = ["| list | pages opened | by | slowest, s | most statements | which |", "|---|--:|---|--:|--:|---|"]
    for name in dict.fromkeys(page["list"] for page in pages):
        rows = [page for page in pages if page["list"] == name]
        slowest = max(rows, key=lambda page: page["seconds"])
        most = worst(rows)
        lines.append(
            f"| {name} | {len(rows)} | {slowest['role']} | {most['worst_seconds']:.3f} | {most['worst_statements']} "
            f"| `{slowest['query'] or 'first page'}` |"
        )
    lines += ["", "| slowest pages | s | statements | it says |", "|---|--:|--:|---|"]
    for page in sorted(pages, key=lambda page: -page["seconds"])[:SLOWEST]:
        address = f"{page['list']}?{page['query']}"
        lines.append(f"| `{address}` | {page['seconds']:.3f} | {page['statements']} | {page['rows']} |")
    return "\n".join(lines) + "\n"


def table_of_others(pages: list[dict[str, Any]]) -> str:
    """Each page that is no list, at its slowest."""
    lines = ["| other pages | opened | slowest, s | most statements |", "|---|--:|--:|--:|"]
    for name in dict.fromkeys(page["page"] for page in pages):
        rows = [page for page in pages if page["page"] == name]
        most = worst(rows)
        lines.append(f"| {name} | {len(rows)} | {most['worst_seconds']:.3f} | {most['worst_statements']} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
