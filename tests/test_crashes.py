"""The portal or its database killed in the middle of everything: nothing lost, nothing doubled (trust 11).

Real processes and a PostgreSQL of their own, whatever DATABASE_URL says; `make bench-crash` does it longer.
"""

from collections.abc import Iterator

import pytest

from tests import killable, machine, postgres
from tests.crashes import Crashes
from tests.killable import KillablePortal
from tests.outages import Outage

pytestmark = [pytest.mark.process, pytest.mark.trust(11), pytest.mark.timeout(300)]
KILLS = 5


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KillablePortal]:
    if postgres.programs() is None:
        machine.absent(postgres.ADVICE)
    with killable.portal(tmp_path_factory.mktemp("crashes")) as killable_portal:
        yield killable_portal


def test_a_killed_portal_leaves_all_of_an_exchange_or_refresh_or_nothing(portal: KillablePortal) -> None:
    crashes = Crashes(portal, seed=11)
    assert list(crashes.run(KILLS)) == list(range(1, KILLS + 1))  # each checked the books twice
    assert crashes.counts["kills with a call in flight"] >= KILLS / 2, crashes.counts
    assert crashes.counts["calls answered"] > 0
    assert "Traceback" not in portal.log.read_text()


@pytest.mark.wire("3 UNKNOWN_EXCEPTION")
def test_postgresql_stopped_under_traffic_costs_refusals_and_nothing_else(portal: KillablePortal) -> None:
    """U, error 3, the error page and 503 meanwhile; afterwards everything works without a restart of the portal."""
    portal.start()
    process = portal.process
    outage = Outage(portal)
    counts = outage.run()
    assert counts["dark while PostgreSQL was gone"] > 0
    assert counts["bright after it was back"] > 0
    assert portal.process is process
    assert process
    assert process.poll() is None
    # The audit row of a U has nowhere to go: the log says so, under the trace id that the caller got.
    log = portal.log.read_text()
    lost = {trace for trace in outage.traces if f"trace={trace} error audit row lost: UNKNOWN_EXCEPTION" in log}
    rows = {row[0] for row in portal.sql("SELECT trace_id FROM authapi_erroraudit WHERE code = 'UNKNOWN_EXCEPTION'")}
    assert lost
    assert lost | rows == set(outage.traces)  # a row: PostgreSQL was back between the error and its row
