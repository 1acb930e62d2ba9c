"""`python -m bench`: starts PostgreSQL and the servers, measures, prints. The last line is one JSON object."""

import argparse
import json
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench import big_tables, database, load, machine, measure, plan, report
from bench.peers.systems import OidcProvider, Toolkit
from bench.processes import BenchError
from bench.systems import BigPortal, Portal, System

CLEANUP = "cleanup"


def main() -> int:
    options = arguments()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    try:
        bench(options)
    except BenchError as error:
        print(f"\nThe run failed. {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=[*plan.OPERATIONS, CLEANUP], help="may be repeated")
    parser.add_argument("--seconds", type=int, default=plan.SECONDS, help=f"of a round ({plan.SECONDS})")
    parser.add_argument("--rounds", type=int, default=plan.ROUNDS, help=f"for each system ({plan.ROUNDS})")
    parser.add_argument("--no-peers", action="store_true", help="only this portal")
    parser.add_argument("--no-big", action="store_true", help="no big tables, no cleanup")
    options = parser.parse_args()
    options.only = options.only or [*plan.OPERATIONS, CLEANUP]
    return options


def bench(options: argparse.Namespace) -> None:
    load.check_wrk()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portal-bench-")))
        say("Starting PostgreSQL")
        postgres = stack.enter_context(database.running())
        systems = [started(kind(postgres, folder), stack) for kind in kinds(options)]
        results = measured(postgres, systems, options)
        memory = {system.name: report.Memory.of(system) for system in systems}
        cleanup = cleaned(systems) if CLEANUP in options.only else None
        found = f"{report.text(results, memory, cleanup)}\n\n{machine.description(postgres.cluster.programs)}\n"
    plan.RESULTS.mkdir(parents=True, exist_ok=True)
    (plan.RESULTS / "report.md").write_text(found)
    say("")
    print(found)
    print(json.dumps(report.ratios(results, memory)))


def measured(postgres: database.Database, systems: list[System], options: argparse.Namespace) -> report.Results:
    results: dict[tuple[str, str], measure.Result] = {}
    for operation in plan.OPERATIONS:
        if operation in options.only:
            say(f"\n{operation}")
            for result in measure.compare(postgres, systems, operation, options.rounds, options.seconds):
                say(report.line(result))
                results[operation, result.system] = result
    return results


def cleaned(systems: list[System]) -> big_tables.Cleanup | None:
    """None without big tables."""
    for system in systems:
        if isinstance(system, BigPortal):
            say("\ncleanup")
            return big_tables.measure(system)
    return None


def kinds(options: argparse.Namespace) -> list[type[System]]:
    if options.only == [CLEANUP]:
        return [BigPortal]
    big = [] if options.no_big else [BigPortal]
    return [Portal, *big] if options.no_peers else [Portal, *big, Toolkit, OidcProvider]


def started(system: System, stack: ExitStack) -> System:
    say(f"Setting up {system.name}")
    system.set_up()
    stack.callback(system.stop)
    system.start()
    return system


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
