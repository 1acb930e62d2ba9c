"""The portal killed, in the middle of everything: nothing lost, nothing doubled (trust 11).

Real processes and a PostgreSQL of their own, whatever DATABASE_URL says; `make bench-crash` does it longer.
"""

from collections.abc import Iterator

import pytest

from tests import killable, machine, postgres
from tests.crashes import Crashes
from tests.killable import KillablePortal

pytestmark = [pytest.mark.process, pytest.mark.trust(11)]
KILLS = 8


@pytest.fixture
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
