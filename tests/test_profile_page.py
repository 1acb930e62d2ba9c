"""/profile/: a person edits what the portal knows of them, and nobody else's rows."""

import io
import struct
import zlib
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from PIL import Image

from portal.models import Address, Contact, LoginId, User
from tests.conftest import PASSWORD
from tests.pages import fields, words

PROFILE = "/profile/"


def picture(size: tuple[int, int] = (900, 600), kind: str = "JPEG", **options: Any) -> SimpleUploadedFile:
    out = io.BytesIO()
    Image.new("RGB", size, "#c33").save(out, kind, **options)
    return SimpleUploadedFile("holiday photo.jpg", out.getvalue(), "image/jpeg")


def bomb() -> SimpleUploadedFile:
    """A PNG of 1 kB that says it is 60000 pixels high and wide."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60000, 60000, 1, 0, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 100_000))
    return SimpleUploadedFile("x.png", b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b""))


def save(browser: Client, **changes: Any) -> Any:
    """Load the page, change these fields, press Save. `login_ids__0__value` is the field login_ids-0-value."""
    sent = fields(browser.get(PROFILE)) | {name.replace("__", "-"): value for name, value in changes.items()}
    return browser.post(PROFILE, sent)


def rows(user: User) -> list[Any]:
    return [
        *user.login_ids.values_list("id", "type", "value"),
        *user.contacts.values_list("id", "type", "value"),
        *user.addresses.values_list("id", "label", "region", "city", "address1"),
    ]


def test_saving_an_untouched_page_changes_nothing(browser: Client, alice: User) -> None:
    before = rows(alice), User.objects.values().get(pk=alice.pk)
    assert save(browser)["Location"] == PROFILE
    assert (rows(alice), User.objects.values().get(pk=alice.pk)) == before
    assert "Your profile is saved." in words(browser.get(PROFILE))


def test_every_field_of_a_person_can_be_changed(browser: Client, alice: User) -> None:
    changes = {
        "nickname": "Ali",
        "full_name": "Santos, Alicia",
        "first_name": "Alicia",
        "middle_name": "R.",
        "last_name": "Santos-Cruz",
        "gender": "M",
        "birth_date": "1990-01-31",
        "nationality": "ZA",
    }
    assert save(browser, **changes).status_code == 302
    alice.refresh_from_db()
    assert {name: str(getattr(alice, name)) for name in changes} == changes


def test_every_field_of_a_person_can_be_emptied(browser: Client, alice: User) -> None:
    names = ("nickname", "first_name", "middle_name", "last_name", "gender", "birth_date", "nationality")
    assert save(browser, **dict.fromkeys(names, "")).status_code == 302
    alice.refresh_from_db()
    assert not any(getattr(alice, name) for name in names)


def test_rows_are_changed_removed_and_added(browser: Client, alice: User) -> None:
    answer = save(
        browser,
        contacts__0__value="0918 765 4321",
        contacts__1__DELETE="on",
        contacts__3__type="EMAIL",
        contacts__3__value="Second@Example.org",
        addresses__0__city="Makati",
        addresses__1__label="Work",
        addresses__1__region="ZA",
        addresses__1__address1="5 Long Street",
    )
    assert answer.status_code == 302
    assert list(alice.contacts.values_list("type", "value")) == [
        ("MOBILE_PHONE", "+639187654321"),
        ("EMAIL", "alice@example.org"),
        ("EMAIL", "second@example.org"),
    ]
    assert list(alice.addresses.values_list("label", "region", "city", "address1")) == [
        ("Home", "PH", "Makati", "12 Mabini Street"),
        ("Work", "ZA", "", "5 Long Street"),
    ]


def test_phones_are_shown_as_people_read_them(browser: Client) -> None:
    shown = fields(browser.get(PROFILE))
    assert shown["login_ids-0-value"] == "+63 917 123 4567"
    assert shown["contacts-1-value"] == "+63 2 8555 1234"


def test_a_new_login_id_signs_in(browser: Client, alice: User) -> None:
    assert save(browser, login_ids__2__type="OTHER", login_ids__2__value=" ali.santos ").status_code == 302
    assert Client().post("/accounts/login/", {"username": "ali.santos", "password": PASSWORD}).status_code == 302


def test_without_login_ids_the_login_still_signs_in(browser: Client, alice: User) -> None:
    assert save(browser, login_ids__0__DELETE="on", login_ids__1__DELETE="on").status_code == 302
    assert not alice.login_ids.exists()
    assert Client().post("/accounts/login/", {"username": "alice", "password": PASSWORD}).status_code == 302


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("MOBILE_PHONE", "+27 60 900 0084"),
        ("MOBILE_PHONE", "27-609000084"),
        ("EMAIL", "BOB@example.org"),
        ("OTHER", "bob"),
    ],
)
def test_a_login_id_of_somebody_else_is_refused_at_its_field(
    browser: Client, alice: User, bob: User, kind: str, value: str
) -> None:
    page = save(browser, nickname="Typed", login_ids__2__type=kind, login_ids__2__value=value)
    assert page.status_code == 422
    html = page.content.decode()
    assert 'id="id_login_ids-2-value_error"' in html
    assert "Somebody else signs in with this already. Choose another." in words(page)
    assert fields(page)["nickname"] == "Typed"
    assert fields(page)["login_ids-2-value"] == value
    assert alice.login_ids.count() == 2


@pytest.mark.parametrize("value", ["+27609000084", "0917 765 4321", "bob@example.org"])
def test_a_number_or_mail_cannot_hide_under_another_kind(browser: Client, bob: User, alice: User, value: str) -> None:
    page = save(browser, login_ids__2__type="OTHER", login_ids__2__value=value)
    assert page.status_code == 422
    assert "This looks like a phone number or e-mail: choose that kind." in words(page)
    assert alice.login_ids.count() == 2


def test_the_same_login_id_twice_is_refused(browser: Client, alice: User) -> None:
    twice = save(browser, login_ids__2__type="MOBILE_PHONE", login_ids__2__value="0917-123-4567")
    assert "You have this already." in words(twice)
    both = save(browser, login_ids__1__type="OTHER", login_ids__1__value="a", login_ids__2__type="OTHER",
                login_ids__2__value="a")  # fmt: skip
    assert (twice.status_code, both.status_code) == (422, 422)
    assert "You have this twice. Remove one of them." in words(both)
    assert alice.login_ids.filter(type="OTHER").count() == 0


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"contacts__3__value": "12"}, "12 is not a phone number. Write it with its country code"),
        ({"contacts__3__type": "EMAIL", "contacts__3__value": "no mail"}, "Write it like name@example.com."),
        ({"contacts__0__value": ""}, "Fill this in, or tick “Remove”."),
        ({"contacts__0__type": "CARRIER_PIGEON"}, "Select a valid choice."),
        ({"login_ids__2__type": "OTHER", "login_ids__2__value": "x" * 65}, "at most 64 characters"),
        ({"addresses__1__city": "Manila"}, "Type the street and number."),
        ({"addresses__1__city": "Manila"}, "Choose a country or region."),
        ({"addresses__0__region": "XX"}, "Select a valid choice."),
        ({"nationality": "XX"}, "Select a valid choice."),
        ({"gender": "X"}, "Select a valid choice."),
        ({"first_name": "x" * 33}, "at most 32 characters"),
        ({"nickname": "a\x00b"}, "Null characters are not allowed."),
        ({"birth_date": "12/03/94?"}, "Write it as year-month-day: 1994-03-12."),
        ({"birth_date": "1899-12-31"}, "This is before 1900."),
        ({"birth_date": str(timezone.now().date() + timedelta(days=2))}, "This day is still to come."),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_a_wrong_value_is_named_and_nothing_is_saved(
    browser: Client, alice: User, changes: dict[str, str], error: str
) -> None:
    before = rows(alice), User.objects.values().get(pk=alice.pk)
    page = save(browser, **({"nickname": "Typed"} | changes))
    assert page.status_code == 422
    assert error in words(page)
    assert "Nothing is saved yet." in words(page)
    assert 'aria-label="Profile of Alice"' in page.content.decode()  # the header shows what is, not what was tried
    assert (rows(alice), User.objects.values().get(pk=alice.pk)) == before


@pytest.mark.parametrize("day", [date(1900, 1, 1), timezone.now().date()])
def test_the_first_and_the_last_possible_birthday_are_accepted(browser: Client, alice: User, day: date) -> None:
    assert save(browser, birth_date=day.isoformat()).status_code == 302
    alice.refresh_from_db()
    assert alice.birth_date == day


def test_at_most_ten_rows_of_a_kind(browser: Client, alice: User) -> None:
    for i in range(8):
        Contact.objects.create(user=alice, type="EMAIL", value=f"a{i}@example.org")
    page = save(browser, contacts__TOTAL_FORMS="12", contacts__11__type="EMAIL", contacts__11__value="b@example.org")
    assert page.status_code == 422
    assert "You can keep at most 10 of these." in words(page)


# ---- nobody else's rows ----------------------------------------------------------------------------------------


@pytest.mark.trust(25)
@pytest.mark.parametrize(
    ("part", "model", "change"),
    [
        ("login_ids", LoginId, {"type": "OTHER", "value": "mine-now"}),
        ("login_ids", LoginId, {"DELETE": "on"}),
        ("contacts", Contact, {"type": "EMAIL", "value": "mine@example.org"}),
        ("contacts", Contact, {"DELETE": "on"}),
        ("addresses", Address, {"address1": "Mine"}),
        ("addresses", Address, {"DELETE": "on"}),
    ],
)
@pytest.mark.parametrize("position", [0, 9], ids=["in place of hers", "as another row"])
def test_bobs_rows_cannot_be_reached_by_their_ids(
    browser: Client, alice: User, bob: User, part: str, model: Any, change: dict[str, str], position: int
) -> None:
    before = rows(bob)
    theirs = model.objects.filter(user=bob).first()
    sent = fields(browser.get(PROFILE))
    sent |= {f"{part}-{position}-{name}": value for name, value in {"id": theirs.pk, "user": bob.pk, **change}.items()}
    if position:
        sent |= {f"{part}-TOTAL_FORMS": "10", f"{part}-INITIAL_FORMS": "10"}
    assert browser.post(PROFILE, sent).status_code in (302, 422)
    assert rows(bob) == before


@pytest.mark.parametrize(
    "counts",
    [
        {"TOTAL_FORMS": "1000000", "INITIAL_FORMS": "1000000"},
        {"TOTAL_FORMS": "-1"},
        {"TOTAL_FORMS": "x"},
        {"INITIAL_FORMS": ""},
        {"TOTAL_FORMS": "9", "INITIAL_FORMS": "9"},
        {"TOTAL_FORMS": "0", "INITIAL_FORMS": "0"},
    ],
    ids=str,
)
@pytest.mark.trust(36)
def test_wrong_counts_of_rows_never_crash_or_take_rows_away(
    browser: Client, alice: User, counts: dict[str, str]
) -> None:
    before = rows(alice)
    answer = save(browser, **{f"contacts-{name}": value for name, value in counts.items()})
    assert answer.status_code in (302, 422)
    assert rows(alice) == before


@pytest.mark.trust(36)
def test_an_empty_post_and_a_huge_one_change_nothing(browser: Client, alice: User) -> None:
    before = rows(alice)
    assert browser.post(PROFILE, {}).status_code == 422
    assert browser.post(PROFILE, {"nickname": "x" * 70_000}).status_code == 400
    alice.refresh_from_db()
    assert (rows(alice), alice.nickname) == (before, "Alice")


def test_status_login_and_rights_are_not_for_the_user_to_change(browser: Client, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(status="FROZEN")
    assert "Account Frozen" in words(browser.get(PROFILE))
    save(browser, status="ACTIVE", username="root", is_staff="on", is_superuser="on", external_id="7", uuid="0" * 32)
    after = User.objects.get(pk=alice.pk)
    assert (after.status, after.username, after.is_staff, after.is_superuser) == ("FROZEN", "alice", False, False)
    assert (after.uuid, after.external_id) == (alice.uuid, None)


def test_the_page_needs_a_sign_in_and_a_csrf_token(alice: User) -> None:
    assert Client().get(PROFILE)["Location"] == "/accounts/login/?next=/profile/"
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    assert strict.post(PROFILE, {"nickname": "x"}).status_code == 403


# ---- the picture -----------------------------------------------------------------------------------------------


def test_a_picture_is_kept_small_square_and_bare(browser: Client, alice: User) -> None:
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[1] = "N"  # GPS
    assert save(browser, avatar=picture(exif=exif.tobytes(), comment=b"at home")).status_code == 302
    alice.refresh_from_db()
    raw = Path(alice.avatar.path).read_bytes()
    with Image.open(io.BytesIO(raw)) as kept:
        assert (kept.format, kept.size, dict(kept.getexif())) == ("JPEG", (512, 512), {})
    assert b"SecretCamera" not in raw
    assert b"at home" not in raw
    name = Path(str(alice.avatar.name))
    assert (str(name.parent), name.suffix) == ("avatars", ".jpg")
    assert "holiday" not in name.stem
    assert len(name.stem) >= 22
    assert f'src="{alice.avatar.url}"' in browser.get("/").content.decode()


def test_a_picture_taken_sideways_stands_upright(browser: Client, alice: User) -> None:
    image = Image.new("RGB", (100, 100), "blue")
    image.paste("red", (0, 0, 100, 50))  # red above blue
    exif = Image.Exif()
    exif[0x0112] = 3  # taken upside down
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif.tobytes())
    save(browser, avatar=SimpleUploadedFile("a.jpg", out.getvalue()))
    alice.refresh_from_db()
    with Image.open(alice.avatar.path) as kept:
        top = kept.convert("RGB").getpixel((50, 10))
    assert isinstance(top, tuple)
    assert top[2] > 200 > top[0]


@pytest.mark.parametrize(("size", "kind"), [((40, 30), "PNG"), ((600, 2000), "WEBP"), ((1, 1), "GIF")])
def test_other_formats_become_the_same(browser: Client, alice: User, size: tuple[int, int], kind: str) -> None:
    assert save(browser, avatar=picture(size, kind)).status_code == 302
    alice.refresh_from_db()
    with Image.open(alice.avatar.path) as kept:
        assert (kept.format, kept.size) == ("JPEG", (min(512, *size),) * 2)


@pytest.mark.parametrize(
    ("upload", "error"),
    [
        (
            lambda: SimpleUploadedFile("a.jpg", b"\xff\xd8\xff" + b"0" * 5 * 1024 * 1024),
            "This file is larger than 5 MB",
        ),
        (lambda: SimpleUploadedFile("a.jpg", b"#!/bin/sh"), "This is not a picture we can read"),
        (
            lambda: SimpleUploadedFile("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
            "not a picture we can read",
        ),
        (lambda: SimpleUploadedFile("a.jpg", picture().read()[:400]), "This is not a picture we can read"),
        (lambda: picture((100, 100), "TIFF"), "This is not a picture we can read"),
        (lambda: SimpleUploadedFile("a.jpg", b""), "This file is empty"),
        (bomb, "This picture has too many pixels"),
        (lambda: picture((7000, 6000), "PNG"), "This picture has too many pixels"),
    ],
    ids=["large", "script", "svg", "cut off", "tiff", "empty", "bomb", "pixels"],
)
@pytest.mark.trust(36)
def test_what_is_no_fit_picture_is_refused_with_a_remedy(
    browser: Client, alice: User, upload: Any, error: str
) -> None:
    page = save(browser, nickname="Typed", avatar=upload())
    assert page.status_code == 422
    assert error in words(page)
    assert fields(page)["nickname"] == "Typed"
    alice.refresh_from_db()
    assert (alice.avatar.name, alice.nickname) == ("", "Alice")


def test_the_old_picture_goes_when_the_new_one_stands(
    browser: Client, alice: User, django_capture_on_commit_callbacks: Any
) -> None:
    save(browser, avatar=picture())
    alice.refresh_from_db()
    old = Path(alice.avatar.path)
    refused = save(browser, avatar=picture(), birth_date="nonsense")
    assert "Choose the picture again" in words(refused)
    assert old.exists()
    with django_capture_on_commit_callbacks() as callbacks:
        save(browser, avatar=picture())
    assert old.exists()  # not before the commit
    callbacks[0]()
    alice.refresh_from_db()
    assert [Path(alice.avatar.path)] == list(old.parent.iterdir())


def test_a_picture_can_be_removed(browser: Client, alice: User, django_capture_on_commit_callbacks: Any) -> None:
    save(browser, avatar=picture())
    alice.refresh_from_db()
    old = Path(alice.avatar.path)
    with django_capture_on_commit_callbacks(execute=True):
        assert save(browser, **{"avatar-clear": "on"}).status_code == 302
    alice.refresh_from_db()
    assert not alice.avatar
    assert not old.exists()


def test_a_new_picture_and_its_removal_contradict(browser: Client, alice: User) -> None:
    page = save(browser, avatar=picture(), **{"avatar-clear": "on"})
    assert page.status_code == 422
    assert "Either choose a new picture or remove the old one, not both." in words(page)
