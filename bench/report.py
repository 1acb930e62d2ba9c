"""What a run says: a Markdown table for people, and the ratios as one JSON object for programs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench import targets
from bench.big_tables import Cleanup
from bench.measure import Result
from bench.systems import System

Results = Mapping[tuple[str, str], Result]
HEAD = ("operation", "system", "req/s", "min to max", "p50 ms", "p99 ms", "server CPU ms", "PostgreSQL CPU ms")
HEAD += ("statements", "BEGIN/COMMIT", "wrk's CPU")


@dataclass(frozen=True)
class Memory:
    """Of a system's largest worker after the run, in MB: resident, and with shared pages counted in proportion."""

    rss: float
    pss: float

    @classmethod
    def of(cls, system: System) -> "Memory":
        return cls(system.worker_megabytes("Rss"), system.worker_megabytes("Pss"))


def line(result: Result) -> str:
    """The newest round, for somebody who watches."""
    one = result.rounds[-1]
    return (
        f"  {result.system:14} {one.rate:7.0f} req/s   p50 {one.p50:6.2f} ms   p99 {one.p99:7.2f} ms   "
        f"CPU {one.server_ms:5.2f} + {one.postgres_ms:5.2f} ms   SQL {one.statements:4.1f} + {one.frames:3.1f}   "
        f"wrk {one.wrk_cpu:4.0%}"
    )


def text(results: Results, memory: Mapping[str, Memory], cleanup: Cleanup | None) -> str:
    """Everything a run found, as Markdown."""
    sizes = [f"{name} {size.rss:.0f} ({size.pss:.0f})" for name, size in memory.items()]
    parts = [
        table(results),
        targets.table(ratios(results, memory), cleanup),
        f"Memory of the largest worker after the run, MB, RSS (PSS): {', '.join(sizes)}.",
        sentence(cleanup) if cleanup else "",
    ]
    return "\n\n".join(filter(None, parts))


def table(results: Results) -> str:
    if not results:
        return ""
    rows = [HEAD, tuple("---" for _ in HEAD), *(cells(result) for result in results.values())]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def sentence(cleanup: Cleanup) -> str:
    """What the clean-up did to the traffic beside it."""
    before, during = cleanup.before, cleanup.during
    return (
        f"cleanup took {cleanup.seconds:.1f} s ({'; '.join(cleanup.said.splitlines())}). inquiryUserInfo beside it: "
        f"{before.answers / before.seconds:.0f} req/s before and {during.answers / during.seconds:.0f} during, "
        f"p50 {before.p50:.1f} and {during.p50:.1f} ms, p99 {before.p99:.1f} and {during.p99:.1f} ms."
    )


def cells(result: Result) -> tuple[str, ...]:
    rates = [one.rate for one in result.rounds]
    middle = result.middle
    return (
        result.operation,
        result.system,
        f"{result.rate:,.0f}",
        f"{min(rates):,.0f} to {max(rates):,.0f}",
        *(f"{middle(name):.1f}" for name in ("p50", "p99")),
        *(f"{middle(name):.2f}" for name in ("server_ms", "postgres_ms")),
        *(f"{middle(name):.1f}" for name in ("statements", "frames")),
        f"{middle('wrk_cpu'):.0%}",
    )


def ratios(results: Results, memory: Mapping[str, Memory]) -> dict[str, Any]:
    """The run's last line: our rate by theirs, and what the big tables leave of ours."""
    found: dict[str, dict[str, float]] = {}
    big: dict[str, float] = {}
    for (operation, system), result in results.items():
        ours = results[operation, "portal"].rate
        if system == "portal_big":
            big[operation] = round(result.rate / ours, 2)
        elif system != "portal":
            found.setdefault(operation, {})[f"vs_{system}"] = round(ours / result.rate, 2)
    code, info = results.get(("getAuthCode_silent", "portal")), results.get(("inquiryUserInfo", "portal"))
    if code and info:
        found["getAuthCode_silent"] = {"vs_inquiryUserInfo": round(info.rate / code.rate, 2)}
    largest = max(size.rss for name, size in memory.items() if name.startswith("portal"))
    return {**found, "worker_mb": round(largest), "big_tables": big}
