"""`manage.py verify_ledger` and `seal_ledger`: whoever edits the ledger with SQL is found (trust 31)."""

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.db import connection, models

from authapi import sealing, signing
from authapi.models import ErrorAudit
from portal.models import ConsentDecision, ConsentText, MiniProgram, MiniProgramGrant, Seal, User
from tests.conftest import Container, make_person
from tests.merchants import MerchantServer, key_of
from tests.operators import Desk

pytestmark = pytest.mark.trust(31)

LEDGER, AUDIT, LOG = "portal.ConsentDecision", "authapi.ErrorAudit", "admin.LogEntry"
MODELS: dict[str, type[models.Model]] = {LEDGER: ConsentDecision, AUDIT: ErrorAudit, LOG: LogEntry}
WITH_MAC = (LEDGER, AUDIT)


def sql(statement: str, *values: Any) -> None:
    """As somebody with a database prompt would."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def seal() -> list[str]:
    out = io.StringIO()
    call_command("seal_ledger", stdout=out)
    return out.getvalue().splitlines()


def verify(*arguments: str) -> list[str]:
    """What it says is wrong; [] when it ended with exit code 0. Seals nothing."""
    wrong = io.StringIO()
    try:
        call_command("verify_ledger", "--no-seal", *arguments, stdout=io.StringIO(), stderr=wrong)
    except CommandError:
        assert wrong.getvalue()
    else:
        assert not wrong.getvalue()
    return wrong.getvalue().splitlines()


def table(chain: str) -> str:
    return MODELS[chain]._meta.db_table


def pks(chain: str) -> list[int]:
    return list(MODELS[chain]._default_manager.order_by("pk").values_list("pk", flat=True))


def copy_row(chain: str, pk: int, **changed: Any) -> int:
    """Put a row in again under another number, perhaps changed; gives its number."""
    names = [field.column for field in MODELS[chain]._meta.concrete_fields if not field.primary_key]
    number = changed.pop("id", max(pks(chain)) + 1)
    taken = ", ".join("%s" if name in changed else f'"{name}"' for name in names)
    listed = ", ".join(f'"{name}"' for name in names)
    values = [changed[name] for name in names if name in changed]
    sql(
        f"INSERT INTO {table(chain)} (id, {listed}) SELECT %s, {taken} FROM {table(chain)} WHERE id = %s",
        number,
        *values,
        pk,
    )
    return int(number)


@pytest.fixture
def small_seals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "BATCH", 3)


@pytest.fixture
def written(
    alices: Container, bobs: Container, olga: User, shop: MiniProgram, cafe: MiniProgram, shop_server: MerchantServer
) -> None:
    """Eight rows in each table, as use leaves them: numbers 1 to 8 in the order written, if none were there before."""
    for program in ("shop", "cafe"):
        alices.code(program, ["auth_base"])
        alices.code(program, ["USER_NICKNAME"])
    bobs.code("shop", ["auth_base", "USER_NAME"])
    bobs.code("cafe", ["auth_base"])
    for grant in MiniProgramGrant.objects.filter(user__username="bob"):
        grant.revoke(by=olga, reason="breach")
    for number in range(8):
        shop_server.exchange(f"no-such-code-{number}")
    desk = Desk(olga)
    for number in range(8):
        path = f"/admin/portal/miniprogram/{shop.pk}/change/"
        LogEntry.objects.log_actions(olga.pk, [shop], 2, f"act {number}", single_object=True)
    assert desk.page(path)
    assert {len(pks(chain)) for chain in MODELS} == {8}


@pytest.fixture
def sealed(written: None, small_seals: None) -> None:
    """The eight rows of each table under three seals: 3, 3 and 2."""
    seal()
    assert Seal.objects.count() == 9
    assert verify() == []


def test_what_is_written_is_sealed_and_sound(written: None) -> None:
    assert verify() == []
    lines = seal()
    heads = list(Seal.objects.all())
    assert sorted(lines) == [f"{head}  rows sealed: 8" for head in sorted(heads, key=lambda head: head.chain)]
    assert all(head.number == 1 and head.count == 8 for head in heads)
    assert [line[-14:] for line in seal()] == ["rows sealed: 0"] * 3
    assert verify() == []


def test_an_empty_ledger_is_sound(db: None) -> None:
    assert verify() == []
    assert all("has no seal" in line for line in seal())
    assert verify() == []


def test_verify_tells_what_it_checked_and_seals_what_is_new(sealed: None, alices: Container) -> None:
    alices.code("shop", ["USER_GENDER"])
    out = io.StringIO()
    call_command("verify_ledger", stdout=out)
    assert (
        f"{LEDGER}: sound\n  rows checked: 9, seals checked: 3, not sealed yet: 1, head: {LEDGER}:3:" in out.getvalue()
    )
    head = sealing.head_of(LEDGER)
    assert head
    assert (head.number, head.count) == (4, 1)
    assert f"{head}  rows sealed: 1\n" in out.getvalue()


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


def test_no_column_is_left_out() -> None:
    for chain, columns in CHANGES.items():
        assert {field.column for field in MODELS[chain]._meta.concrete_fields} == {"id", *columns}


@pytest.mark.parametrize(
    ("chain", "column"), [(chain, column) for chain, names in CHANGES.items() for column in names]
)
def test_a_changed_column_is_found(sealed: None, chain: str, column: str) -> None:
    make_person("eve", "+639170000000")
    other = MiniProgram.objects.get(client_id="shop")
    other.pk, other.client_id = None, "mart"
    other.save()
    value = CHANGES[chain][column]
    pk = pks(chain)[4]
    sql(f'UPDATE {table(chain)} SET "{column}" = %s WHERE id = %s', value() if callable(value) else value, pk)
    assert verify() == [f"{chain} #{pk} was changed."]


@pytest.mark.parametrize("chain", MODELS)
def test_a_microsecond_is_a_change(sealed: None, chain: str) -> None:
    row: Any = MODELS[chain]._default_manager.order_by("pk")[6]
    column = "action_time" if chain == LOG else "at"
    sql(
        f"UPDATE {table(chain)} SET {column} = %s WHERE id = %s",
        str(getattr(row, column) + timedelta(microseconds=1)),
        row.pk,
    )
    assert verify() == [f"{chain} #{row.pk} was changed."]


@pytest.mark.parametrize("place", range(8))
@pytest.mark.parametrize("chain", MODELS)
def test_a_removed_row_is_found(sealed: None, chain: str, place: int) -> None:
    pk = pks(chain)[place]
    sql(f"DELETE FROM {table(chain)} WHERE id = %s", pk)
    assert verify() == [f"{chain} #{pk} was removed."]


@pytest.mark.parametrize("chain", MODELS)
def test_every_row_removed_is_found(sealed: None, chain: str) -> None:
    gone = pks(chain)
    sql(f"DELETE FROM {table(chain)}")
    assert verify() == [f"{chain} #{gone[0]} was removed."]
    assert verify("--all") == [f"{chain} #{pk} was removed." for pk in gone]


@pytest.mark.parametrize("chain", MODELS)
def test_a_moved_row_is_found(sealed: None, chain: str) -> None:
    numbers = pks(chain)
    sql(f"UPDATE {table(chain)} SET id = %s WHERE id = %s", numbers[-1] + 100, numbers[3])
    assert verify() == [f"{chain} #{numbers[3]} was removed."]


@pytest.mark.parametrize("chain", MODELS)
def test_two_rows_that_changed_places_are_found(sealed: None, chain: str) -> None:
    first, second, *_rest = pks(chain)
    for old, new in ((first, -1), (second, first), (-1, second)):
        sql(f"UPDATE {table(chain)} SET id = %s WHERE id = %s", new, old)
    assert verify("--all") == [f"{chain} #{first} was changed.", f"{chain} #{second} was changed."]


@pytest.mark.parametrize("chain", MODELS)
def test_a_row_inserted_among_sealed_ones_is_found(sealed: None, chain: str) -> None:
    number = copy_row(chain, pks(chain)[2], id=-7)
    assert verify() == [f"{chain} #{number} was inserted."]


@pytest.mark.parametrize("chain", MODELS)
def test_a_row_inserted_into_a_gap_is_found(written: None, chain: str) -> None:
    gap = pks(chain)[3]
    sql(f"DELETE FROM {table(chain)} WHERE id = %s", gap)  # as a transaction that was rolled back leaves it
    seal()
    assert verify() == []
    copy_row(chain, pks(chain)[0], id=gap)
    assert verify() == [f"{chain} #{gap} was inserted."]


@pytest.mark.parametrize("chain", WITH_MAC)
@pytest.mark.parametrize("changed", [{"mac": ""}, {"mac": "0" * 32}, {"trace_id": "1" * 32}, {}], ids=str)
def test_a_row_forged_at_the_end_is_found_before_and_after_it_is_sealed(
    sealed: None, chain: str, changed: dict[str, str]
) -> None:
    number = copy_row(chain, pks(chain)[7], **changed)
    assert verify() == [f"{chain} #{number} was changed or inserted; it is not sealed yet."]
    seal()
    assert verify() == [f"{chain} #{number} was changed or inserted before it was sealed."]


@pytest.mark.parametrize(
    ("chain", "column"), [(chain, column) for chain in WITH_MAC for column in CHANGES[chain] if column != "user_id"]
)
def test_a_row_changed_before_it_was_sealed_is_found(written: None, chain: str, column: str) -> None:
    other = MiniProgram.objects.get(client_id="shop")
    other.pk, other.client_id = None, "mart"
    other.save()
    value = CHANGES[chain][column]
    pk = pks(chain)[4]
    sql(f'UPDATE {table(chain)} SET "{column}" = %s WHERE id = %s', value() if callable(value) else value, pk)
    assert verify() == [f"{chain} #{pk} was changed or inserted; it is not sealed yet."]
    seal()
    assert verify() == [f"{chain} #{pk} was changed or inserted before it was sealed."]


def test_verify_seals_nothing_where_something_is_wrong(written: None) -> None:
    sql("UPDATE authapi_erroraudit SET reason = 'x' WHERE id = %s", pks(AUDIT)[0])
    with pytest.raises(CommandError, match="tampered"):
        call_command("verify_ledger", stdout=io.StringIO(), stderr=io.StringIO())
    assert not Seal.objects.exists()


@pytest.mark.parametrize("column", ["version", "language"])
def test_what_is_said_of_the_words_shown_cannot_be_changed(sealed: None, column: str) -> None:
    decision = ConsentDecision.objects.exclude(shown=None).earliest("id")
    sql(f"UPDATE portal_consenttext SET {column} = 'xx' WHERE hash = %s", decision.shown_id)
    assert verify() == [f"{LEDGER} #{decision.pk} was changed."]


def test_the_words_shown_cannot_be_changed(written: None) -> None:
    decision = ConsentDecision.objects.exclude(shown=None).earliest("id")
    sql("""UPDATE portal_consenttext SET text = '{"words": "others"}' WHERE hash = %s""", decision.shown_id)
    assert verify() == [f"portal.ConsentText {decision.shown_id} was changed."]


@pytest.mark.parametrize("chain", MODELS)
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_removed_seal_is_found(sealed: None, chain: str, number: int) -> None:
    kept = str(sealing.head_of(chain))
    sql("DELETE FROM portal_seal WHERE chain = %s AND number = %s", chain, number)
    if number < 3:
        assert verify() == [f"Seal {chain}:{number} was removed."]
    else:  # the newest: its rows are unsealed again, and sound
        assert verify() == []
    assert verify("--expect", kept) != []


SEAL_CHANGES = {
    "number": 4,
    "last_pk": 10**6,
    "rows": b"x" * 80,
    "previous": "0" * 64,
    "sealed_at": "2020-01-01 00:00:00+00:00",
    "hash": "0" * 64,
    "signature": b"x" * 256,
    "key_version": "2",
    "chain": "admin.Nothing",
}


@pytest.mark.parametrize("column", SEAL_CHANGES)
def test_a_changed_seal_is_found(sealed: None, column: str) -> None:
    sql(f"UPDATE portal_seal SET {column} = %s WHERE chain = %s AND number = 2", SEAL_CHANGES[column], AUDIT) if (
        column != "number"
    ) else sql("UPDATE portal_seal SET number = 4 WHERE chain = %s AND number = 2", AUDIT)
    words = {
        "number": "was removed",
        "chain": "was removed",
        "signature": "is forged: no key of ours signed it",
        "key_version": "is forged: no key of ours signed it",
    }
    assert verify()[0] == f"Seal {AUDIT}:2 {words.get(column, 'was changed')}."


def test_no_column_of_a_seal_is_left_out() -> None:
    assert {field.column for field in Seal._meta.concrete_fields} == {"id", *SEAL_CHANGES}


def test_swapped_seals_are_found(sealed: None) -> None:
    for old, new in ((1, 9), (2, 1), (9, 2)):
        sql("UPDATE portal_seal SET number = %s WHERE chain = %s AND number = %s", new, LEDGER, old)
    assert verify()[0] == f"Seal {LEDGER}:1 was changed."


def rewrite(row: Seal, *, key: str = "") -> None:
    """Make a seal fit the rows that are there now, as somebody who knows this code would."""
    before = Seal.objects.filter(chain=row.chain, number=row.number - 1).first()
    after = before.last_pk if before else sealing.BEFORE_ALL
    digests = {
        values["id"]: sealing.fingerprints.digest(values) for values in sealing.rows(row.chain, after, row.last_pk)
    }
    new = Seal.after(row.chain, before, digests)
    signature = signing.sign(key_of(key), new.signed_message()) if key else bytes(row.signature)
    Seal.objects.filter(pk=row.pk).update(
        rows=new.rows, previous=new.previous, sealed_at=new.sealed_at, hash=new.hash, signature=signature
    )


@pytest.mark.parametrize("key", ["", "mallory"])
@pytest.mark.parametrize("chain", MODELS)
def test_a_chain_rewritten_without_the_platform_key_is_found(sealed: None, chain: str, key: str) -> None:
    sql(f"DELETE FROM {table(chain)} WHERE id = %s", pks(chain)[4])
    for number in (2, 3):
        rewrite(Seal.objects.get(chain=chain, number=number), key=key)
    assert verify() == [f"Seal {chain}:2 is forged: no key of ours signed it."]


def test_a_seal_of_an_older_chain_put_in_place_of_the_newest_is_found(sealed: None) -> None:
    """Signed by us, but over another past: with the rows gone, a seal of the same number follows nothing here."""
    old = Seal.objects.get(chain=LEDGER, number=3)
    Seal.objects.filter(chain=LEDGER).delete()
    list(sealing.seal(LEDGER))  # sealed anew, with other times and hashes
    Seal.objects.filter(chain=LEDGER, number=3).delete()
    old.save(force_insert=True)
    assert verify() == [f"Seal {LEDGER}:3 does not follow the seal before it: that one was replaced."]


def test_newest_seals_cut_off_with_their_rows_are_found_with_a_head_kept_elsewhere(
    sealed: None, tmp_path: Any
) -> None:
    file = tmp_path / "heads"
    file.write_text("\n".join(seal()))
    assert verify("--head", str(file)) == []
    last = Seal.objects.get(chain=AUDIT, number=2).last_pk
    sql("DELETE FROM portal_seal WHERE chain = %s AND number = 3", AUDIT)
    sql("DELETE FROM authapi_erroraudit WHERE id > %s", last)
    assert verify() == []  # a sound, shorter chain
    assert verify("--head", str(file)) == [f"Seal {AUDIT}:3 was removed: the head that you kept is not there."]


def test_a_chain_made_anew_is_found_with_a_head_kept_elsewhere(sealed: None) -> None:
    kept = str(Seal.objects.get(chain=LOG, number=2))
    sql("DELETE FROM portal_seal")
    sql("DELETE FROM django_admin_log WHERE id = %s", pks(LOG)[0])
    seal()
    assert verify() == []
    assert verify("--expect", kept) == [f"Seal {LOG}:2 was replaced: it is not the head that you kept."]


@pytest.mark.parametrize("words", ["", "authapi.ErrorAudit:1", f"authapi.Nothing:1:{'0' * 64}"])
def test_a_head_that_is_none_is_refused(db: None, words: str) -> None:
    with pytest.raises(CommandError, match="is no head"):
        call_command("verify_ledger", expect=[words], stdout=io.StringIO())


def test_a_file_of_heads_that_is_missing_is_refused(db: None, tmp_path: Any) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("verify_ledger", "--head", str(tmp_path / "none"), stdout=io.StringIO())


def test_all_chains_are_told_at_once(sealed: None) -> None:
    for chain in MODELS:
        sql(f"DELETE FROM {table(chain)} WHERE id = %s", pks(chain)[1])
    assert len(verify()) == 3


def test_a_secret_key_may_change_once_the_rows_are_sealed(sealed: None, alices: Container, settings: Any) -> None:
    alices.code("shop", ["USER_GENDER"])
    old = settings.SECRET_KEY
    settings.SECRET_KEY = "another" * 10
    assert len(verify()) == 1
    settings.SECRET_KEY_FALLBACKS = [old]
    assert verify() == []
    seal()
    settings.SECRET_KEY_FALLBACKS = []
    assert verify() == []


def test_a_row_and_its_mac_go_in_with_one_statement(
    alice: User, shop: MiniProgram, django_assert_num_queries: Callable[[int], Any]
) -> None:
    with django_assert_num_queries(1):
        ConsentDecision.objects.write(act="given", user=alice, mini_program=shop, actor=alice)
    with django_assert_num_queries(1):
        ErrorAudit.objects.write(endpoint="/", code="X", reason="x", address="::FFFF:10.0.0.1", scopes=("é", "\u2028"))
    assert verify() == []
