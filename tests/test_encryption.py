"""Personal data at rest: encrypted in the column, plain in Python, found by exact match alone."""

import base64
import logging
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.core.exceptions import FieldError, ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client

from portal import auth, encryption
from portal.encryption import UnreadableError, blind_index, decrypt, encrypt
from portal.models import Address, Contact, LoginId, MiniProgram, MiniProgramGrant, User
from tests.conftest import PASSWORD, Container
from tests.merchants import MerchantServer

NEW_KEY = bytes(range(32))


def column(model: Any, name: str, pk: int) -> Any:
    """What stands in the column."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {name} FROM {table} WHERE id = %s", [pk])
        return cursor.fetchone()[0]


def spoil(model: Any, name: str, value: str) -> None:
    """Write this into the column of every row."""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {model._meta.db_table} SET {name} = %s", [value])


# --- Functions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["a", "+639171234567", "Zoë 花😀", "x" * 10_000, "a:b", "\x00", " "])
def test_what_is_encrypted_can_be_decrypted(text: str) -> None:
    stored = encrypt(text)
    assert decrypt(stored) == text
    assert text not in stored.partition(":")[2] or len(text) == 1


def test_equal_texts_are_stored_differently_and_indexed_equally() -> None:
    assert encrypt("same") != encrypt("same")
    assert blind_index("same") == blind_index("same") != blind_index("Same")
    assert len(blind_index("x" * 1000)) == 44


def test_nothing_stays_nothing() -> None:
    assert (encrypt(""), decrypt("")) == ("", "")


def test_the_index_depends_on_its_own_key(settings: Any) -> None:
    before = blind_index("alice")
    settings.FIELD_ENCRYPTION_KEYS = (NEW_KEY,)
    assert blind_index("alice") == before
    settings.BLIND_INDEX_KEY = NEW_KEY
    assert blind_index("alice") != before


def test_the_first_key_encrypts_and_all_decrypt(settings: Any) -> None:
    old = encrypt("alice")
    settings.FIELD_ENCRYPTION_KEYS = (NEW_KEY, *settings.FIELD_ENCRYPTION_KEYS)
    assert encrypt("alice").startswith(f"{encryption.key_id(NEW_KEY)}:")
    assert decrypt(old) == decrypt(encrypt("alice")) == "alice"


def test_a_value_under_a_missing_key_names_the_key(settings: Any) -> None:
    stored = encrypt("alice")
    settings.FIELD_ENCRYPTION_KEYS = (NEW_KEY,)
    with pytest.raises(UnreadableError, match=f"FIELD_ENCRYPTION_KEYS lacks the key {stored[:8]}. Put that key back"):
        decrypt(stored)


@pytest.mark.parametrize("place", [10, 30, -3])
def test_a_changed_byte_is_found(place: int) -> None:
    stored = encrypt("alice@example.org")
    other = "A" if stored[place] != "A" else "B"
    changed = stored[:place] + other + stored[place:][1:]
    with pytest.raises(UnreadableError, match="changed or cut off") as refused:
        decrypt(changed)
    assert stored[9:20] not in str(refused.value)


@pytest.mark.parametrize("stored", ["alice", "+639171234567", "12345678:", "deadbee", "ALICE@EX:", "{}"])
def test_what_was_never_encrypted_is_not_taken_for_text(stored: str) -> None:
    with pytest.raises(UnreadableError) as refused:
        decrypt(stored)
    assert stored[:8] not in str(refused.value) or encryption.is_encrypted(stored)


@pytest.mark.parametrize("cut", [9, 12, 20, 30])
def test_a_value_cut_off_is_unreadable(cut: int) -> None:
    with pytest.raises(UnreadableError):
        decrypt(encrypt("alice")[:cut])


# --- Fields -----------------------------------------------------------------------------------------------------


def test_every_personal_column_holds_ciphertext(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(extra={"kycLevel": "3"}, full_name="Alice R. Santos")
    for name in ("username", "nickname", "full_name", "first_name", "middle_name", "last_name", "birth_date", "extra"):
        assert encryption.is_encrypted(column(User, name, alice.pk)), name
    for row in (*alice.login_ids.all(), *alice.contacts.all()):
        assert encryption.is_encrypted(column(type(row), "value", row.pk))
    home = alice.addresses.get()
    for name in ("label", "city", "address1"):
        assert encryption.is_encrypted(column(Address, name, home.pk)), name


def test_they_read_as_they_were_written(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(extra={"a": [1, None, "é"]})
    alice.refresh_from_db()
    assert (alice.nickname, alice.birth_date, alice.extra) == ("Alice", date(1994, 3, 12), {"a": [1, None, "é"]})
    assert list(alice.addresses.values_list("city", "state")) == [("Quezon City", "")]


def test_what_is_empty_needs_no_key(bob: User) -> None:
    assert [column(User, name, bob.pk) for name in ("first_name", "extra", "birth_date")] == ["", "", None]
    bob.refresh_from_db()
    assert (bob.first_name, bob.extra, bob.birth_date) == ("", {}, None)


def test_max_length_is_of_the_plain_text(alice: User) -> None:
    alice.first_name = "x" * 33
    with pytest.raises(ValidationError) as refused:
        alice.full_clean()
    assert list(refused.value.message_dict) == ["first_name"]
    alice.first_name = "é" * 32
    alice.full_clean()
    alice.save()


# --- Searching --------------------------------------------------------------------------------------------------


def test_exact_lookups_go_to_the_index(alice: User, bob: User) -> None:
    assert User.objects.get(username="alice") == alice
    assert set(User.objects.filter(username__in=["alice", "bob", "carol"])) == {alice, bob}
    assert list(User.objects.exclude(username="alice")) == [bob]
    assert not User.objects.filter(username__in=[]).exists()
    assert not User.objects.filter(username="Alice").exists()
    assert LoginId.objects.get(user__username="bob", value="bob@example.org").user == bob
    assert User.objects.get_by_natural_key("alice") == alice


@pytest.mark.parametrize(
    ("model", "lookup"),
    [
        (User, {"username__icontains": "ali"}),
        (User, {"username__startswith": "ali"}),
        (User, {"username__gt": "a"}),
        (User, {"nickname": "Alice"}),
        (User, {"birth_date__year": 1994}),
        (User, {"birth_date": date(1994, 3, 12)}),
        (User, {"extra__kycLevel": "3"}),
        (Contact, {"value": "+639171234567"}),
        (Address, {"city__in": ["Manila"]}),
    ],
    ids=str,
)
def test_any_other_lookup_is_a_mistake_not_an_empty_answer(model: Any, lookup: dict[str, Any]) -> None:
    with pytest.raises(FieldError):
        model.objects.filter(**lookup)


def test_null_can_be_asked_for(alice: User, bob: User) -> None:
    assert list(User.objects.filter(birth_date__isnull=True)) == [bob]


@pytest.mark.parametrize("name", ["alice", "0917 123 4567", "63-9171234567", "+63 917 123 4567", "Alice@Example.org"])
def test_people_sign_in_with_each_of_their_names(alice: User, bob: User, name: str) -> None:
    assert auth.find(name) == alice


def test_the_index_follows_every_way_to_write(db: None) -> None:
    user = User.objects.create_user("first")
    user.username = "saved"
    user.save()
    assert User.objects.get(username="saved") == user
    User.objects.filter(pk=user.pk).update(username="updated")
    assert User.objects.get(username="updated") == user
    assert not User.objects.filter(username__in=["first", "saved"]).exists()
    User.objects.update_or_create(username="updated", defaults={"username": "again"})
    assert User.objects.get(username="again") == user
    (row,) = user.login_ids.bulk_create([LoginId(user=user, type="OTHER", value="bulk")])
    assert auth.find("bulk") == user
    user.login_ids.update(value="other")
    assert (auth.find("bulk"), auth.find("other")) == (None, user)
    row.refresh_from_db()
    assert row.value_index == blind_index("other")


def test_an_index_of_what_only_the_database_knows_is_refused(alice: User) -> None:
    alice.username = "alicia"
    with pytest.raises(FieldError, match="text only"):
        User.objects.bulk_update([alice], ["username"])


# --- Uniqueness -------------------------------------------------------------------------------------------------


def test_the_database_holds_names_unique(alice: User, bob: User) -> None:
    for write in (
        lambda: User.objects.create_user("alice"),
        lambda: User.objects.filter(pk=bob.pk).update(username="alice"),
        lambda: LoginId.objects.create(user=bob, type="EMAIL", value="alice@example.org"),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            write()
    LoginId.objects.create(user=bob, type="OTHER", value="alice@example.org")


def test_validation_finds_a_taken_name_first(alice: User, bob: User) -> None:
    bob.username = "alice"
    with pytest.raises(ValidationError, match="Somebody else signs in with this already"):
        bob.full_clean()
    with pytest.raises(ValidationError, match="Somebody else signs in with this already"):
        LoginId(user=bob, type="EMAIL", value="Alice@example.org").full_clean()
    alice.full_clean()


def test_createsuperuser_tells_a_taken_name(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    with pytest.raises(CommandError, match="already taken"):
        call_command("createsuperuser", interactive=False, username="alice")
    call_command("createsuperuser", interactive=False, username="root", verbosity=0)
    assert User.objects.get(username="root").is_superuser


# --- What cannot be read ----------------------------------------------------------------------------------------


@pytest.fixture
def new_key(settings: Any) -> Callable[[], None]:
    """From this call on the key that encrypted everything is not there."""

    def change() -> None:
        settings.FIELD_ENCRYPTION_KEYS = (NEW_KEY,)

    return change


def test_an_unreadable_value_names_field_and_remedy_but_no_ciphertext(alice: User) -> None:
    stored = column(User, "nickname", alice.pk)
    spoil(User, "nickname", "00000000" + stored[8:])
    user = User.objects.get(username="alice")
    assert user.first_name == "Alice"
    with pytest.raises(UnreadableError) as refused:
        user.nickname  # noqa: B018
    assert str(refused.value) == (
        "portal.User.nickname cannot be read: FIELD_ENCRYPTION_KEYS lacks the key 00000000. "
        "Put that key back, at the end of the list."
    )


def test_an_unreadable_value_is_not_overwritten(alice: User) -> None:
    spoil(User, "nickname", "00000000:AAAA")
    user = User.objects.get(username="alice")
    with pytest.raises(UnreadableError), transaction.atomic():
        user.save()
    with pytest.raises(UnreadableError), transaction.atomic():
        User.objects.filter(pk=user.pk).update(nickname=user.__dict__["nickname"])
    user.save(update_fields=["last_login"])
    assert column(User, "nickname", alice.pk) == "00000000:AAAA"
    user.nickname = "Alice again"
    user.save()
    assert User.objects.get(username="alice").nickname == "Alice again"


@pytest.mark.parametrize("path", ["/", "/permissions/", "/permissions/{grant}/", "/accounts/login/"])
def test_pages_open_when_a_key_is_missing(
    path: str,
    alices: Container,
    alice: User,
    shop: MiniProgram,
    shop_server: MerchantServer,
    new_key: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    alices.code("shop", ["USER_NICKNAME", "PLAINTEXT_MOBILE_PHONE"])
    grant = MiniProgramGrant.objects.get(user=alice)
    new_key()
    with caplog.at_level(logging.ERROR):
        page = alices.http.get(path.format(grant=grant.pk))
    assert page.status_code in (200, 302)
    assert "cannot be read" not in page.content.decode()
    assert alice.nickname not in page.content.decode()


def test_the_user_can_still_withdraw_when_a_key_is_missing(
    alices: Container, alice: User, shop: MiniProgram, new_key: Callable[[], None]
) -> None:
    alices.code("shop", ["USER_NICKNAME"])
    grant = MiniProgramGrant.objects.get(user=alice)
    new_key()
    browser = Client()
    browser.force_login(User.objects.get(username="alice"))
    assert browser.post(f"/permissions/{grant.pk}/withdraw/").status_code == 302
    grant.refresh_from_db()
    assert grant.ended_at


def test_get_auth_code_answers_3_for_what_cannot_be_read(
    alices: Container, shop: MiniProgram, new_key: Callable[[], None]
) -> None:
    new_key()
    answer = alices.get_auth_code("shop", ["auth_base", "USER_NICKNAME", "PLAINTEXT_MOBILE_PHONE"])
    assert answer["authErrorScopes"] == {"USER_NICKNAME": "3", "PLAINTEXT_MOBILE_PHONE": "3"}
    assert answer["authCode"]


def test_user_information_is_u_when_it_cannot_be_read(
    alices: Container,
    alice: User,
    shop: MiniProgram,
    shop_server: MerchantServer,
    new_key: Callable[[], None],
    audited: Callable[..., Any],
) -> None:
    """Never an S with less than was granted: the merchant would take that for an empty profile."""
    pair = shop_server.exchange(alices.code("shop", ["auth_base", "USER_NICKNAME"]))
    new_key()
    shop_server.http.raise_request_exception = False
    result = shop_server.user_info(pair["accessToken"])["result"]
    assert (result["resultStatus"], result["resultCode"]) == ("U", "UNKNOWN_EXCEPTION")
    row = audited("UNKNOWN_EXCEPTION")
    assert "AAAA" not in row.reason


def test_signing_in_needs_the_index_only(alice: User, new_key: Callable[[], None]) -> None:
    new_key()
    assert Client().login(username="0917 123 4567", password=PASSWORD)


def test_keys_are_base64_of_32_bytes() -> None:
    from portal.keys import symmetric

    key = base64.urlsafe_b64encode(b"\xff" * 32).decode()
    assert symmetric(f"{key}\n") == (b"\xff" * 32,)
