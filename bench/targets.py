"""The run's figures beside what they should reach."""

from collections.abc import Iterator
from typing import Any

from bench import plan
from bench.big_tables import Cleanup

Row = tuple[str, float, str, bool]  # what it is, measured, the target in words, met


def table(ratios: dict[str, Any], cleanup: Cleanup | None) -> str:
    """Markdown; only what was measured."""
    lines = ["| figure | measured | target | |", "| --- | --- | --- | --- |"]
    for what, measured, target, met in [*_ratios(ratios), *_big(ratios, cleanup)]:
        lines.append(f"| {what} | {measured:g} | {target} | {'met' if met else '**missed**'} |")
    return "\n".join(lines)


def _ratios(ratios: dict[str, Any]) -> Iterator[Row]:
    for operation, targets in plan.TARGETS.items():
        for name, least in targets.items():
            if name in ratios.get(operation, {}):
                value = ratios[operation][name]
                peer = name.removeprefix("vs_").replace("_", " ")
                yield f"{operation}, our req/s by those of {peer}", value, f"at least {least:g}", value >= least
    if "getAuthCode_silent" in ratios:
        value = ratios["getAuthCode_silent"]["vs_inquiryUserInfo"]
        what = "getAuthCode_silent, its cost by that of inquiryUserInfo"
        yield what, value, f"at most {plan.MOST_CODE_COST:g}", value <= plan.MOST_CODE_COST


def _big(ratios: dict[str, Any], cleanup: Cleanup | None) -> Iterator[Row]:
    value = ratios["worker_mb"]
    yield "memory of a worker, MB (RSS)", value, f"at most {plan.MOST_WORKER_MB}", value <= plan.MOST_WORKER_MB
    for operation, value in ratios["big_tables"].items():
        least = plan.LEAST_BIG_TABLES
        yield f"{operation}, req/s on big tables by small", value, f"at least {least:g}", value >= least
    if cleanup:
        seconds, slowdown = round(cleanup.seconds, 1), round(cleanup.slowdown, 2)
        most, twice = plan.MOST_CLEANUP_SECONDS, plan.MOST_CLEANUP_SLOWDOWN
        yield "cleanup of 1,000,000 expired tokens, s", seconds, f"under {most}", seconds < most
        yield "p99 of inquiryUserInfo during it by before", slowdown, f"at most {twice:g}", slowdown <= twice
