"""`manage.py rotate_field_keys`: every value under the newest key, beside traffic, and resumable."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.test.utils import CaptureQueriesContext

from portal import auth, encryption, rotation
from portal.encryption import Encrypted, EncryptedTextField
from portal.models import Contact, LoginId, User
from tests.operators import code_of, factor_of

OLD, NEW, OTHER = (bytes([n]) * 32 for n in (1, 2, 3))
OLD_ID, NEW_ID, OTHER_ID = map(encryption.key_id, (OLD, NEW, OTHER))


@pytest.fixture(autouse=True)
def _written_with_the_old_key(settings: Any, request: pytest.FixtureRequest) -> None:
    """The cast is under OLD; NEW encrypts from now on."""
    settings.FIELD_ENCRYPTION_KEYS = (OLD,)
    request.getfixturevalue("alice")
    request.getfixturevalue("bob")
    settings.FIELD_ENCRYPTION_KEYS = (NEW, OLD)


def rotate(**options: Any) -> str:
    out = io.StringIO()
    call_command("rotate_field_keys", stdout=out, **options)
    return out.getvalue()


def stored() -> dict[str, str]:
    """Every value that is not empty, as it stands in its column."""
    found = {}
    for model, fields in rotation.models_with(Encrypted):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT id, {', '.join(f.column for f in fields)} FROM {model._meta.db_table}")
            for pk, *values in cursor.fetchall():
                found |= {f"{f} {pk}": text for f, text in zip(fields, values, strict=True) if text}
    return found


def keys_in_use() -> set[str]:
    return {text[:8] for text in stored().values()}


def people() -> list[Any]:
    return [
        *User.objects.order_by("pk").values_list("username", "nickname", "first_name", "birth_date", "extra"),
        *LoginId.objects.order_by("pk").values_list("type", "value"),
        *Contact.objects.order_by("pk").values_list("type", "value"),
    ]


@pytest.mark.parametrize("batch", [1, 2, 500])
def test_every_value_moves_to_the_first_key(batch: int, settings: Any) -> None:
    before = people()
    assert keys_in_use() == {OLD_ID}
    words = rotate(batch=batch)
    assert "Rows written: 14, changed meanwhile: 0, unreadable: 0." in words
    assert f"Every value is under key {NEW_ID}: no other key is needed." in words
    assert keys_in_use() == {NEW_ID}
    settings.FIELD_ENCRYPTION_KEYS = (NEW,)
    assert people() == before
    assert auth.find("0917 123 4567") == User.objects.get(username="alice")


def test_second_factors_move_too(olga: User, settings: Any) -> None:
    settings.FIELD_ENCRYPTION_KEYS = (OLD,)
    app, recovery = factor_of(olga), RecoveryCodes.activate(olga)
    code, codes = code_of(olga), recovery.generate_codes()
    settings.FIELD_ENCRYPTION_KEYS = (NEW, OLD)
    with pytest.raises(CommandError, match="values are not under key"):
        rotate(check=True)
    assert f"mfa.Authenticator.data: 2 under key {OLD_ID}" in "".join(map(str, rotation.left()))
    rotate()
    settings.FIELD_ENCRYPTION_KEYS = (NEW,)
    app.refresh_from_db()
    assert code_of(olga) == code
    assert RecoveryCodes.activate(olga).generate_codes() == codes
    app.data["secret"] = f"{OTHER_ID}:{app.data['secret'][9:]}"
    app.save()
    with pytest.raises(CommandError, match="1 values are not under key"):
        rotate()


def test_again_nothing_is_written() -> None:
    rotate()
    before = stored()
    assert "Rows written: 0" in rotate()
    assert stored() == before


def test_stopped_in_the_middle_it_goes_on_where_it_was() -> None:
    batches = rotation.rotate(batch=2)
    assert [next(batches).done for _ in range(3)] == [2, 2, 2]
    batches.close()  # type: ignore[attr-defined]
    half = {name for name, text in stored().items() if text.startswith(NEW_ID)}
    before = stored()
    assert half
    rotate(batch=2)
    assert keys_in_use() == {NEW_ID}
    assert {name: stored()[name] for name in half} == {name: before[name] for name in half}


def test_check_counts_and_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    before, out = stored(), io.StringIO()
    with pytest.raises(CommandError, match=f"{len(before)} values are not under key {NEW_ID}. Keep all keys."):
        call_command("rotate_field_keys", check=True, stdout=out)
    assert f"Left: portal.User.username: 2 under key {OLD_ID}.\n" in out.getvalue()
    assert f"Left: portal.Contact.value: 6 under key {OLD_ID}.\n" in out.getvalue()
    assert stored() == before
    rotate()
    assert "no other key is needed" in rotate(check=True)


def test_a_row_that_changed_meanwhile_keeps_what_was_written(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between reading and writing somebody saves her profile."""
    encrypt = encryption.encrypt

    def slowly(text: str) -> str:
        if text == "Alice" and User.objects.get(pk=alice.pk).nickname != "Ally":
            User.objects.filter(pk=alice.pk).update(nickname="Ally")
        return encrypt(text)

    monkeypatch.setattr(rotation, "encrypt", slowly)
    out = io.StringIO()
    with pytest.raises(CommandError, match="Keep all keys"):
        call_command("rotate_field_keys", stdout=out)
    assert "changed meanwhile: 1" in out.getvalue()
    assert User.objects.get(pk=alice.pk).nickname == "Ally"
    monkeypatch.undo()
    rotate()
    assert (keys_in_use(), User.objects.get(pk=alice.pk).nickname) == ({NEW_ID}, "Ally")


def test_values_whose_key_is_gone_are_told_and_left(settings: Any) -> None:
    before = stored()
    settings.FIELD_ENCRYPTION_KEYS = (OTHER,)
    Contact.objects.all()[0].user.contacts.create(type="EMAIL", value="fresh@example.org")
    out = io.StringIO()
    with pytest.raises(CommandError, match=f"{len(before)} values are not under key {OTHER_ID}"):
        call_command("rotate_field_keys", stdout=out)
    assert f"Left: portal.User.nickname: 2 under key {OLD_ID}, which is not in the list.\n" in out.getvalue()
    assert f"unreadable: {len(before)}" in out.getvalue()
    assert before.items() <= stored().items()


def test_one_spoilt_value_does_not_hold_up_the_rest_of_its_row(alice: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE portal_user SET nickname = %s WHERE id = %s", [f"{OLD_ID}:c3BvaWx0", alice.pk])
    with pytest.raises(CommandError, match="1 values are not under key"):
        rotate()
    assert User.objects.get(pk=alice.pk).first_name == "Alice"
    assert sum(text.startswith(OLD_ID) for text in stored().values()) == 1


def test_text_that_was_never_encrypted_is_counted_but_not_shown(alice: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE portal_user SET nickname = 'Plain Jane' WHERE id = %s", [alice.pk])
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("rotate_field_keys", stdout=out)
    assert "Left: portal.User.nickname: 1 not encrypted." in out.getvalue()
    assert "Plain" not in out.getvalue()


def test_what_is_done_is_not_read_again() -> None:
    """The database skips it: one statement a model, and one for second factors, however many rows are there."""
    rotate()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert sum(outcome.done for outcome in rotation.rotate(batch=1)) == 0
    selects = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
    assert len(selects) == len(list(rotation.models_with(Encrypted))) + 1


def test_a_bad_batch_size_is_refused() -> None:
    with pytest.raises(CommandError, match="--batch must be 1 or more"):
        rotate(batch=0)


# --- Any model --------------------------------------------------------------------------------------------------


@pytest.fixture
def note() -> Iterator[Any]:
    """A model that somebody adds later, with a text for its key."""

    class Note(models.Model):
        id = models.CharField(max_length=8, primary_key=True)
        body = EncryptedTextField()

        class Meta:
            app_label = "portal"

        def __str__(self) -> str:
            return self.id

    with connection.schema_editor() as editor:
        editor.create_model(Note)
    yield Note
    apps.all_models["portal"].pop("note")
    apps.clear_cache()


@pytest.mark.django_db(transaction=True)
def test_a_model_added_later_is_included(note: Any, settings: Any) -> None:
    settings.FIELD_ENCRYPTION_KEYS = (OLD,)
    note.objects.bulk_create(note(id=f"n{n}", body=f"secret {n}") for n in range(5))
    settings.FIELD_ENCRYPTION_KEYS = (NEW, OLD)
    rotate(batch=2)
    settings.FIELD_ENCRYPTION_KEYS = (NEW,)
    assert note.objects.get(id="n3").body == "secret 3"
    with connection.schema_editor() as editor:
        editor.delete_model(note)


# --- Blind indexes ----------------------------------------------------------------------------------------------


def test_blind_indexes_are_worked_out_anew_under_another_key(alice: User, settings: Any) -> None:
    settings.BLIND_INDEX_KEY = OTHER
    assert auth.find("alice") is None
    with pytest.raises(CommandError, match="6 blind indexes are wrong"):
        rotate(blind_index=True, check=True)
    words = rotate(blind_index=True, batch=2)
    assert "Rows written: 6" in words
    assert "Every blind index is right." in words
    assert [auth.find(name) for name in ("alice", "0917 123 4567", "alice@example.org")] == [alice] * 3
    assert "Every blind index is right." in rotate(blind_index=True, check=True)


def test_a_stale_index_is_repaired(alice: User) -> None:
    LoginId.objects.filter(user=alice, type="EMAIL").update(value_index="stale")
    assert auth.find("alice@example.org") is None
    assert "Rows written: 1" in rotate(blind_index=True)
    assert auth.find("alice@example.org") == alice


def test_an_index_of_an_unreadable_value_is_told(settings: Any) -> None:
    settings.FIELD_ENCRYPTION_KEYS = (OTHER,)
    with pytest.raises(CommandError, match="Put the missing keys back"):
        rotate(blind_index=True)
