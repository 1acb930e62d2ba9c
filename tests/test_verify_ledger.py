"""`manage.py verify_ledger`: whoever edits the ledger, the error audit or the operators' log with SQL is found."""

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from authapi import sealing, signing
from authapi.models import ErrorAudit
from portal import fingerprints
from portal.models import ConsentDecision, ConsentText, MiniProgram, Seal, User
from tests.conftest import Container, make_person
from tests.ledgers import AUDIT, LEDGER, LOG, MODELS, WITH_MAC, copy_row, pks, seal, sql, table, undone, verify
from tests.merchants import key_of

pytestmark = pytest.mark.trust(31)

EACH_CHAIN = pytest.mark.parametrize("chain", MODELS)

# What somebody might put into each column; a function where it must be a row that exists.
CHANGES: dict[str, dict[str, Any]] = {
    LEDGER: {
        "at": "2020-01-01 00:00:00+00:00",
        "act": "refused",
        "user_id": lambda: User.objects.get(username="eve").pk,
        "mini_program_id": lambda: MiniProgram.objects.get(client_id="mart").pk,
        "grant_id": None,
        "actor_id": None,
        "scopes_before": '["USER_ADDRESS"]',
        "scopes_after": '["USER_ADDRESS", "auth_base"]',
        "terms": '{"auth_base": {"once": true}}',
        "shown_id": lambda: ConsentText.of({"other": "words"}, version="1", language="en").pk,
        "reason": "because",
        "trace_id": "0" * 32,
        "mac": "0" * 32,
    },
    AUDIT: {
        "at": "2020-01-01 00:00:00+00:00",
        "endpoint": "/v2/authorizations/applyTokeN",
        "code": "SUCCESS",
        "reason": "",
        "app_id": "shop",
        "client_id": "cafe-client",
        "user_id": 1,
        "scopes": '["auth_user"]',
        "address": "10.0.0.1",
        "trace_id": "0" * 32,
        "mac": "0" * 32,
    },
    LOG: {
        "action_time": "2020-01-01 00:00:00+00:00",
        "user_id": lambda: User.objects.get(username="eve").pk,
        "content_type_id": None,
        "object_id": "0",
        "object_repr": "another",
        "action_flag": 3,
        "change_message": "",
    },
}
SEAL_CHANGES = {
    "chain": "admin.Nothing",
    "number": 9,
    "last_pk": 10**6,
    "rows": b"x" * 80,
    "previous": "0" * 64,
    "sealed_at": "2020-01-01 00:00:00+00:00",
    "hash": "0" * 64,
    "signature": b"x" * 256,
    "key_version": "2",
}


def test_no_column_is_left_out() -> None:
    for model, columns in [*((MODELS[chain], columns) for chain, columns in CHANGES.items()), (Seal, SEAL_CHANGES)]:
        assert {field.column for field in model._meta.concrete_fields} == {"id", *columns}


def change(chain: str, pk: int, column: str) -> None:
    value = CHANGES[chain][column]
    sql(f"UPDATE {table(chain)} SET {column} = %s WHERE id = %s", value() if callable(value) else value, pk)


@pytest.fixture
def others(written: None) -> None:
    """Somebody and something to point to instead."""
    make_person("eve", "+639170000000")
    mart = MiniProgram.objects.get(client_id="shop")
    mart.pk, mart.client_id = None, "mart"
    mart.save()


def test_what_use_leaves_is_sound(written: None) -> None:
    assert verify() == []
    seal()
    assert verify() == []


def test_an_empty_ledger_is_sound(db: None) -> None:
    assert verify() == []


def test_it_tells_what_it_checked_and_seals_what_is_new(sealed: None, alices: Container) -> None:
    alices.code("shop", ["USER_GENDER"])
    before = sealing.head_of(LEDGER)
    out = io.StringIO()
    call_command("verify_ledger", stdout=out)
    counts = "rows checked: 9, seals checked: 3, not sealed yet: 1"
    assert f"{LEDGER}: sound\n  {counts}, head: {before}\n" in out.getvalue()
    head = sealing.head_of(LEDGER)
    assert head
    assert (head.number, head.count) == (4, 1)
    assert f"{head}  rows sealed: 1\n" in out.getvalue()


def test_it_seals_nothing_where_something_is_wrong(written: None) -> None:
    sql("UPDATE authapi_erroraudit SET reason = 'x' WHERE id = %s", pks(AUDIT)[0])
    with pytest.raises(CommandError, match="tampered"):
        call_command("verify_ledger", stdout=io.StringIO(), stderr=io.StringIO())
    assert not Seal.objects.exists()


# --- Changed, removed, inserted rows ---


@EACH_CHAIN
def test_a_change_of_any_column_is_found(sealed: None, others: None, chain: str) -> None:
    pk = pks(chain)[4]
    for column in CHANGES[chain]:
        with undone():
            change(chain, pk, column)
            assert verify("--all") == [f"{chain} #{pk} was changed."], column
    assert verify() == []


@EACH_CHAIN
def test_a_microsecond_is_a_change(sealed: None, chain: str) -> None:
    row: Any = MODELS[chain]._default_manager.order_by("pk")[6]
    column = "action_time" if chain == LOG else "at"
    later = getattr(row, column) + timedelta(microseconds=1)
    sql(f"UPDATE {table(chain)} SET {column} = %s WHERE id = %s", str(later), row.pk)
    assert verify("--all") == [f"{chain} #{row.pk} was changed."]


@EACH_CHAIN
def test_a_removed_row_is_found_wherever_it_stood(sealed: None, chain: str) -> None:
    for pk in pks(chain):
        with undone():
            sql(f"DELETE FROM {table(chain)} WHERE id = %s", pk)
            assert verify("--all") == [f"{chain} #{pk} was removed."]


@EACH_CHAIN
def test_every_row_removed_is_found(sealed: None, chain: str) -> None:
    gone = pks(chain)
    sql(f"DELETE FROM {table(chain)}")
    assert verify() == [f"{chain} #{gone[0]} was removed."]
    assert verify("--all") == [f"{chain} #{pk} was removed." for pk in gone]


@EACH_CHAIN
def test_a_moved_row_is_found(sealed: None, chain: str) -> None:
    numbers = pks(chain)
    sql(f"UPDATE {table(chain)} SET id = %s WHERE id = %s", numbers[-1] + 100, numbers[3])
    assert verify() == [f"{chain} #{numbers[3]} was removed."]


@EACH_CHAIN
def test_two_rows_that_changed_places_are_found(sealed: None, chain: str) -> None:
    first, second, *_rest = pks(chain)
    for old, new in ((first, -1), (second, first), (-1, second)):
        sql(f"UPDATE {table(chain)} SET id = %s WHERE id = %s", new, old)
    assert verify("--all") == [f"{chain} #{first} was changed.", f"{chain} #{second} was changed."]


@EACH_CHAIN
def test_a_row_inserted_before_the_sealed_ones_is_found(sealed: None, chain: str) -> None:
    copy_row(chain, pks(chain)[2], id=-7)
    assert verify("--all") == [f"{chain} #-7 was inserted."]


@EACH_CHAIN
def test_a_row_inserted_into_a_gap_is_found(written: None, chain: str) -> None:
    gap = pks(chain)[3]
    sql(f"DELETE FROM {table(chain)} WHERE id = %s", gap)  # as a transaction that was rolled back leaves it
    seal()
    assert verify() == []
    copy_row(chain, pks(chain)[0], id=gap)
    assert verify("--all") == [f"{chain} #{gap} was inserted."]


@EACH_CHAIN
def test_a_row_with_a_made_up_number_does_not_cover_the_rows_to_come(sealed: None, olga: User, chain: str) -> None:
    row: Any = MODELS[chain]._default_manager.latest("pk")
    copy_row(chain, row.pk, id=10**9)
    seal()
    number = copy_row(chain, row.pk)
    wrong = verify("--all")
    assert not any(f"#{number} was inserted" in line for line in wrong)
    assert len(wrong) == (0 if chain == LOG else 2)


UNREADABLE = {
    "postgresql": [("authapi_erroraudit", "at", "infinity"), ("portal_seal", "sealed_at", "infinity")],
    "sqlite": [
        ("authapi_erroraudit", "at", "2026-99-99 00:00:00"),
        ("authapi_erroraudit", "mac", b"x"),
        ("portal_seal", "rows", "words"),
        ("portal_seal", "signature", "words"),
        ("portal_seal", "sealed_at", "2026-99-99 00:00:00"),
    ],
}


@pytest.mark.parametrize("number", [1, 3])
def test_what_cannot_be_read_is_found(sealed: None, olga: User, number: int) -> None:
    ErrorAudit.objects.write(endpoint="/", code="X", reason="not sealed yet", trace_id="0" * 32)
    for where, column, value in UNREADABLE[connection.vendor]:
        pk = pks(AUDIT)[0] if number == 1 else pks(AUDIT)[-1]
        key, kept = ("id", pk) if where != "portal_seal" else ("number", number)
        with undone():
            sql(f"UPDATE {where} SET {column} = %s WHERE {key} = %s", value, kept)
            assert verify("--all"), (where, column)
    assert verify() == []


def test_the_sealer_goes_on_with_the_other_chains(written: None, caplog: pytest.LogCaptureFixture) -> None:
    value = {"postgresql": "infinity", "sqlite": "2026-99-99 00:00:00"}[connection.vendor]
    sql("UPDATE authapi_erroraudit SET at = %s WHERE id = %s", value, pks(AUDIT)[0])
    with pytest.raises(CommandError, match=f"Not sealed: {AUDIT}"):
        seal()
    assert {row.chain for row in Seal.objects.all()} == {LEDGER, LOG}
    assert "cannot be read" in caplog.text


def test_all_chains_are_told_at_once(sealed: None) -> None:
    for chain in MODELS:
        sql(f"DELETE FROM {table(chain)} WHERE id = %s", pks(chain)[1])
    assert len(verify()) == 3


# --- Rows that are not sealed yet ---


@pytest.mark.parametrize("chain", WITH_MAC)
def test_a_row_forged_at_the_end_is_found_before_and_after_it_is_sealed(sealed: None, chain: str) -> None:
    forgeries: list[dict[str, str]] = [{"mac": ""}, {"mac": "0" * 32}, {"trace_id": "1" * 32}, {}]  # {}: a copy
    for changed in forgeries:
        with undone():
            number = copy_row(chain, pks(chain)[7], **changed)
            assert verify("--all") == [f"{chain} #{number} was changed or inserted; it is not sealed yet."]
            seal()
            assert verify("--all") == [f"{chain} #{number} was changed or inserted before it was sealed."]


@pytest.mark.parametrize("chain", WITH_MAC)
def test_a_row_changed_before_it_was_sealed_is_found(others: None, chain: str) -> None:
    pk = pks(chain)[4]
    for column in CHANGES[chain]:
        with undone():
            change(chain, pk, column)
            assert verify("--all") == [f"{chain} #{pk} was changed or inserted; it is not sealed yet."], column
            seal()
            assert verify("--all") == [f"{chain} #{pk} was changed or inserted before it was sealed."]
    assert verify() == []


def test_the_secret_key_may_change_once_the_rows_are_sealed(sealed: None, alices: Container, settings: Any) -> None:
    alices.code("shop", ["USER_GENDER"])
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another" * 10
    assert len(verify()) == 1
    settings.SECRET_KEY_FALLBACKS = [old]
    assert verify() == []
    seal()
    settings.SECRET_KEY_FALLBACKS = []
    assert verify() == []


# --- The words that were shown ---


def test_what_is_said_of_the_words_shown_cannot_be_changed(sealed: None) -> None:
    decision = ConsentDecision.objects.exclude(shown=None).earliest("id")
    for column in ("version", "language"):
        with undone():
            sql(f"UPDATE portal_consenttext SET {column} = 'xx' WHERE hash = %s", decision.shown_id)
            assert verify() == [f"{LEDGER} #{decision.pk} was changed."]


def test_the_words_shown_cannot_be_changed(written: None) -> None:
    decision = ConsentDecision.objects.exclude(shown=None).earliest("id")
    sql("""UPDATE portal_consenttext SET text = '{"words": "others"}' WHERE hash = %s""", decision.shown_id)
    assert verify() == [f"portal.ConsentText {decision.shown_id} was changed."]


# --- Seals ---


def test_a_change_of_any_column_of_a_seal_is_found(sealed: None) -> None:
    forged = "is forged: no key of ours signed it"
    words = {"number": "was removed", "chain": "was removed", "signature": forged, "key_version": forged}
    for column, value in SEAL_CHANGES.items():
        with undone():
            sql(f"UPDATE portal_seal SET {column} = %s WHERE chain = %s AND number = 2", value, AUDIT)
            assert verify() == [f"Seal {AUDIT}:2 {words.get(column, 'was changed')}."], column
    assert verify() == []


@EACH_CHAIN
def test_a_removed_seal_is_found(sealed: None, chain: str) -> None:
    for number in (1, 2):
        with undone():
            sql("DELETE FROM portal_seal WHERE chain = %s AND number = %s", chain, number)
            assert verify("--all") == [f"Seal {chain}:{number} was removed."]


def test_swapped_seals_are_found(sealed: None) -> None:
    for old, new in ((1, 9), (2, 1), (9, 2)):
        sql("UPDATE portal_seal SET number = %s WHERE chain = %s AND number = %s", new, LEDGER, old)
    assert verify() == [f"Seal {LEDGER}:1 was changed."]


def rewrite(row: Seal, key: str) -> None:
    """Make a seal fit the rows that are there now, as somebody who knows this code would; signed by another key."""
    before = Seal.objects.filter(chain=row.chain, number=row.number - 1).first()
    after = before.last_pk if before else sealing.BEFORE_ALL
    there = {values["id"]: fingerprints.digest(values) for values in sealing.rows(row.chain, after, row.last_pk)}
    row = Seal.after(row.chain, before, there)
    row.signature = signing.sign(key_of(key), row.signed_message())
    Seal.objects.filter(chain=row.chain, number=row.number).delete()
    row.key_version = "1"
    row.save(force_insert=True)


@EACH_CHAIN
def test_a_chain_rewritten_without_the_platform_key_is_found(sealed: None, chain: str) -> None:
    sql(f"DELETE FROM {table(chain)} WHERE id = %s", pks(chain)[4])
    for number in (2, 3):
        rewrite(Seal.objects.get(chain=chain, number=number), "mallory")
    assert verify() == [f"Seal {chain}:2 is forged: no key of ours signed it."]


def test_a_seal_of_another_past_is_found(sealed: None) -> None:
    """Signed by us, once: what follows must follow the seal that is there."""
    old = Seal.objects.get(chain=LEDGER, number=3)
    Seal.objects.filter(chain=LEDGER).delete()
    seal()  # anew, at another time
    Seal.objects.filter(chain=LEDGER, number=3).delete()
    old.save(force_insert=True)
    assert verify() == [f"Seal {LEDGER}:3 does not follow the seal before it: that one was replaced."]


# --- Heads kept elsewhere ---


def test_the_newest_seals_cut_off_with_their_rows_are_found_by_a_kept_head(sealed: None, tmp_path: Path) -> None:
    heads = tmp_path / "heads"
    heads.write_text("\n".join(seal()))
    assert verify("--head", str(heads)) == []
    last = Seal.objects.get(chain=AUDIT, number=2).last_pk
    sql("DELETE FROM portal_seal WHERE chain = %s AND number = 3", AUDIT)
    sql("DELETE FROM authapi_erroraudit WHERE id > %s", last)
    assert verify() == []  # a sound, shorter chain
    assert verify("--head", str(heads)) == [f"Seal {AUDIT}:3 was removed: the head that was kept is not there."]


def test_a_chain_made_anew_is_found_by_a_kept_head(sealed: None) -> None:
    kept = str(Seal.objects.get(chain=LOG, number=2))
    sql("DELETE FROM portal_seal")
    sql("DELETE FROM django_admin_log WHERE id = %s", pks(LOG)[0])
    seal()
    assert verify() == []
    assert verify("--expect", kept) == [f"Seal {LOG}:2 was replaced: it is not the head that was kept."]


@pytest.mark.parametrize("words", ["", "authapi.ErrorAudit:1", f"authapi.Nothing:1:{'0' * 64}"])
def test_a_head_that_is_none_is_refused(db: None, words: str) -> None:
    with pytest.raises(CommandError, match="is no head"):
        call_command("verify_ledger", expect=[words], stdout=io.StringIO())


def test_a_file_of_heads_that_is_missing_is_refused(db: None, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("verify_ledger", "--head", str(tmp_path / "none"), stdout=io.StringIO())
