"""The ledger's page at the console: how far it is sealed, verified in the background, and edited by nobody."""

from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection

from authapi import verification
from authapi.models import ErrorAudit, LedgerCheck
from portal import periodic, workers
from portal.models import ConsentDecision, Job, PeriodicRun, Seal, User
from tests import console_map
from tests.ledgers import AUDIT, LEDGER, LOG, seal, sealed, small_seals, sql, table, written  # noqa: F401  (fixtures)
from tests.operators import Desk, in_role, last_log

LIST, VERIFY = "/admin/authapi/ledgercheck/", "/admin/authapi/ledgercheck/verify/"


@pytest.fixture
def auditor(db: None) -> Desk:
    return Desk(in_role("auditor"))


def verified(desk: Desk, **fields: Any) -> LedgerCheck:
    """A verification asked for at the console, and carried out by a worker."""
    response = desk.post(VERIFY, fields)
    check = LedgerCheck.objects.get(pk=LedgerCheck.objects.latest("pk").pk)
    assert response["Location"] == f"{LIST}{check.pk}/change/"
    workers.work_off()
    check.refresh_from_db()
    return check


@pytest.mark.trust(31)
def test_an_auditor_has_the_ledger_verified(auditor: Desk, sealed: None) -> None:  # noqa: F811
    check = verified(auditor)
    assert (check.result, check.wrong, check.asked_by.username) == ("Sound", 0, "the-auditor")
    assert check.finished_at
    assert check.rows == 8 * 3 + 1  # and the line that says it was asked for
    words = [entry.get_change_message() for entry in LogEntry.objects.order_by("-pk")[:2]]
    assert words == ["Ledger verified: sound, 25 rows checked", "Verification of the ledger asked for"]
    assert last_log()[:2] == ("the-auditor", str(check.pk))
    page = auditor.page(LIST)
    assert "Sound" in page
    assert "Whoever removes the newest seals" in page
    for head in Seal.objects.filter(number=3):
        assert str(head) in page


@pytest.mark.trust(31)
@pytest.mark.parametrize("chain", [LEDGER, AUDIT, LOG])
def test_what_was_tampered_with_is_found_and_alarms(chain: str, auditor: Desk, sealed: None) -> None:  # noqa: F811
    assert "tampered" not in auditor.page("/admin/")
    column = {LEDGER: "reason", AUDIT: "code", LOG: "change_message"}[chain]
    first, second = list(Seal.objects.get(chain=chain, number=1).digests())[:2]
    sql(f"UPDATE {table(chain)} SET {column} = 'x' WHERE id = %s", first)
    sql(f"DELETE FROM {table(chain)} WHERE id = %s", second)
    check = verified(auditor)
    assert (check.result, check.wrong) == ("2 findings", 2)
    assert check.found[chain]["findings"] == [f"{chain} #{first} was changed", f"{chain} #{second} was removed"]
    page = auditor.page(f"{LIST}{check.pk}/change/")
    assert f"{chain} #{first} was changed" in page
    start = auditor.page("/admin/")
    assert "The ledger was tampered with: 2 findings" in start
    assert f"{LIST}{check.pk}/change/" in start


def test_a_verification_goes_on_from_seal_to_seal(
    auditor: Desk,
    sealed: None,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verification, "STEP", -1)
    sql(f"DELETE FROM {table(AUDIT)} WHERE id = %s", next(iter(Seal.objects.get(chain=AUDIT, number=3).digests())))
    auditor.post(VERIFY)
    check = LedgerCheck.objects.get()
    steps = 0
    while verification.carry_on(key=check.pk) is not None:
        steps += 1
        check.refresh_from_db()
        assert check.result in ("Waiting", "1 finding")
    assert steps == 1 + 3 * 4  # the texts, and each chain's three seals and what is not sealed
    check.refresh_from_db()
    assert (check.rows, check.wrong) == (24, 1)
    assert [check.found[chain]["seals"] for chain in (LEDGER, AUDIT, LOG)] == [3, 3, 3]


@pytest.mark.trust(31)
def test_a_head_that_was_kept_shows_what_was_cut_off(auditor: Desk, sealed: None) -> None:  # noqa: F811
    kept = "\n".join(str(row) for row in Seal.objects.filter(number=3))
    cut_off(LEDGER, AUDIT)
    assert verified(auditor).wrong == 0  # sound in itself
    check = verified(auditor, heads=kept)
    assert check.wrong == 2
    assert check.found[AUDIT]["findings"] == [f"Seal {AUDIT}:3 was removed: the head that was kept is not there"]


def cut_off(*chains: str) -> None:
    """The newest seal and its rows."""
    for chain in chains:
        head = Seal.objects.get(chain=chain, number=3)
        sql(f"DELETE FROM {table(chain)} WHERE id IN ({', '.join(map(str, head.digests()))})")
        sql("DELETE FROM portal_seal WHERE chain = %s AND number = 3", chain)


@pytest.mark.trust(31)
def test_a_worker_verifies_it_every_day_and_misses_what_it_saw_before(
    auditor: Desk,
    sealed: None,  # noqa: F811
    settings: Any,
) -> None:
    name = "authapi.verification.ask_regularly"
    settings.PERIODIC_WORK = {name: settings.PERIODIC_WORK[name]}

    def day() -> LedgerCheck:
        PeriodicRun.objects.all().delete()
        periodic.run_due("a worker", Event())
        workers.work_off()
        return LedgerCheck.objects.latest("pk")

    lines = LogEntry.objects.count()
    check = day()
    assert (check.result, check.asked_by, check.rows) == ("Sound", None, 24)
    assert "asked by the portal itself" in auditor.page(LIST)
    cut_off(LEDGER)
    for _ in range(2):  # it rings until somebody has done something about it
        check = day()
        assert check.found[LEDGER]["findings"] == [f"Seal {LEDGER}:3 was removed: the head that was kept is not there"]
        assert "The ledger was tampered with: 1 finding" in auditor.page("/admin/")
    assert LogEntry.objects.count() == lines


def test_lines_that_are_no_heads_are_refused(auditor: Desk) -> None:
    page = auditor.post(VERIFY, {"heads": "nonsense"}).content.decode()
    assert "is no head" in page
    assert not LedgerCheck.objects.exists()
    assert "With heads" not in auditor.page(VERIFY)


def test_one_verification_at_a_time(auditor: Desk) -> None:
    auditor.post(VERIFY)
    response = auditor.post(VERIFY, follow=True)
    assert "A verification is running already." in response.content.decode()
    assert (LedgerCheck.objects.count(), LogEntry.objects.count()) == (1, 1)
    assert "Waiting" in auditor.page(LIST)
    Job.objects.update(state="STUCK")
    assert "Stuck" in auditor.page(LIST)
    auditor.post(VERIFY)
    assert LedgerCheck.objects.count() == 2


def test_a_verification_that_is_promised_again_is_done_once(auditor: Desk) -> None:
    check = verified(auditor)
    assert verification.carry_on(key=check.pk) is None
    assert LogEntry.objects.count() == 2


def test_the_pages_take_few_statements(
    auditor: Desk,
    sealed: None,  # noqa: F811
    django_assert_max_num_queries: Any,
) -> None:
    check = verified(auditor)
    for page in (LIST, f"{LIST}{check.pk}/change/", "/admin/"):
        with django_assert_max_num_queries(12):
            auditor.page(page)


# --- Nobody edits or deletes any of it -----------------------------------------------------------------------------

KEPT = ("portal.ConsentDecision", "authapi.ErrorAudit", "admin.LogEntry", "authapi.LedgerCheck")


def rows() -> list[Any]:
    """All of the ledger and its seals, as they are."""
    tables = (ConsentDecision, ErrorAudit, LogEntry, Seal, LedgerCheck)
    return [list(model._default_manager.order_by("pk").values()) for model in tables]  # type: ignore[attr-defined]


def ways() -> Iterator[str]:
    """Every address of the console below one of these models, with the row's own number."""
    for pattern in console_map.patterns():
        if any(pattern.startswith(console_map.prefixes()[label]) for label in KEPT):
            yield f"/admin/{console_map.filled(pattern)}"


@pytest.mark.trust(31)
@pytest.mark.parametrize("who", ["manager", "administrator", "root"])
def test_no_address_and_no_act_edits_or_deletes_the_ledger(who: str, sealed: None) -> None:  # noqa: F811
    user = User.objects.create_superuser("root") if who == "root" else in_role(who)
    desk = Desk(user)
    verified(desk)
    before = rows()
    tried = list(ways())
    assert len(tried) > 20
    for address in tried:
        if address.endswith(("/verify/", "/export/")):  # acts of their own, which only add
            continue
        for data in (
            {},
            {"post": "yes", "reason": "x", "code": "x", "_save": "Save", "act": "given"},
            {"action": "delete_selected", "_selected_action": ["1", "2"], "post": "yes", "select_across": "1"},
            {
                "_popup": "1",
                "form-TOTAL_FORMS": "1",
                "form-INITIAL_FORMS": "1",
                "form-0-id": "1",
                "form-0-reason": "x",
            },
        ):
            assert desk.post(address, data).status_code in (200, 302, 403, 404, 405), address
        for verb in ("put", "patch", "delete"):
            assert getattr(desk, verb)(address).status_code in (200, 302, 403, 404, 405), address
    assert rows() == before
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM portal_seal")
        assert cursor.fetchone()[0] == 9
