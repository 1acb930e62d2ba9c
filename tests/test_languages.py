"""The portal in the language of whoever reads it: chosen by the browser, or with the switch at the foot of a page."""

import gettext
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import Client
from django.utils import timezone
from django.utils.translation import get_language_info, override, to_locale

from portal import local, scopes
from portal.models import MiniProgram, User
from tests.pages import fields, words

CODES = [code for code, _name in settings.LANGUAGES]
OTHERS = CODES[1:]
LOGIN = "/accounts/login/"


def page(client: Client, path: str = LOGIN, **headers: str) -> str:
    return str(client.get(path, headers=headers).content.decode())


def opened(html: str) -> tuple[str, str]:
    found = re.search(r'<html lang="([^"]+)"\s+dir="([^"]+)"', html)
    assert found
    return found[1], found[2]


@pytest.mark.parametrize("code", CODES)
def test_the_browsers_language_is_spoken(db: None, code: str) -> None:
    assert opened(page(Client(), **{"Accept-Language": code})) == (code, "rtl" if code == "ar" else "ltr")


@pytest.mark.parametrize(("asked", "spoken"), [("zh-CN", "zh-hans"), ("fil-PH", "fil"), ("pt-BR", "en"), ("", "en")])
def test_the_nearest_language_is_spoken_and_english_where_there_is_none(db: None, asked: str, spoken: str) -> None:
    assert opened(page(Client(), **{"Accept-Language": asked}))[0] == spoken


@pytest.mark.parametrize("code", CODES)
def test_the_switch_is_remembered_and_leads_back(browser: Client, code: str) -> None:
    form = re.search(r'<form method="post" action="(/language/)".*?</form>', page(browser, "/permissions/?q=x"), re.S)
    assert form
    assert 'name="next" value="/permissions/?q=x"' in form[0]
    assert f'lang="{code}"' in form[0]
    answer = browser.post(form[1], {"language": code, "next": "/permissions/?q=x"})
    assert (answer.status_code, answer["Location"]) == (302, "/permissions/?q=x")
    assert opened(page(browser, "/permissions/", **{"Accept-Language": "en"}))[0] == code
    cookie = browser.cookies[settings.LANGUAGE_COOKIE_NAME]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


@pytest.mark.parametrize("sent", [{"language": "xx"}, {"language": ""}, {}])
def test_a_language_we_do_not_speak_changes_nothing(browser: Client, sent: dict[str, str]) -> None:
    browser.post("/language/", {**sent, "next": "/"})
    assert opened(page(browser, "/"))[0] == "en"


def test_the_switch_never_leads_to_another_site(browser: Client) -> None:
    assert browser.post("/language/", {"language": "id", "next": "https://evil.example/"})["Location"] == "/"


@pytest.mark.parametrize("path", [LOGIN, "/no-such-page/"])
def test_strangers_and_the_lost_have_the_switch_too(db: None, path: str) -> None:
    assert 'action="/language/"' in page(Client(), path)


def test_merchants_and_their_developers_read_english(alices: Any, shop: Any, shop_server: Any) -> None:
    answer = shop_server.send("/v2/users/inquiryUserInfo", b"{}", **{"Accept-Language": "ar"}).json()
    assert answer["result"]["resultMessage"].isascii()
    refused = alices.post("/v1/authorizations/getAuthCode", {"appId": "nobody"}, **{"Accept-Language": "ar"}).json()
    assert refused["errorMessage"] == "Invalid parameters: appId is unknown."


# --- How things are written -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "day", "names", "country"),
    [
        ("en", "25 November 2026", "A, B and C", "Philippines"),
        ("zh-hans", "2026年11月25日", "A、B和C", "菲律宾"),
        ("id", "25 November 2026", "A, B, dan C", "Filipina"),
        ("fil", "Nobyembre 25, 2026", "A, B, at C", "Pilipinas"),
        ("ms", "25 November 2026", "A, B dan C", "Filipina"),
        ("th", "25 พฤศจิกายน ค.ศ. 2026", "A B และC", "ฟิลิปปินส์"),
        ("ar", "25 نوفمبر 2026", "A وB وC", "الفلبين"),
    ],
)
def test_days_lists_and_countries_are_written_as_people_there_do(
    code: str, day: str, names: str, country: str
) -> None:
    with override(code):
        assert local.day(date(2026, 11, 25)) == day
        assert local.listed("ABC") == names
        assert local.country("PH") == country
        assert ("PH", country) in local.countries()


@pytest.mark.parametrize("code", CODES)
def test_times_say_their_zone_and_how_long_ago_is_said_in_words(code: str) -> None:
    with override(code):
        assert local.moment(datetime(2026, 11, 25, 8, 14, tzinfo=UTC)).endswith("UTC")
        said = local.ago(timezone.now() - timedelta(days=3))
        assert "3" in said
        assert (said == "3 days ago") == (code == "en")


def test_pages_show_times_in_the_zone_of_the_deployment(settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Manila"
    with override("en"):
        assert local.moment(datetime(2026, 11, 25, 20, 14, tzinfo=UTC)) == "26 November 2026, 04:14 PST"


def test_a_birthday_is_previewed_in_the_language_of_its_owner(browser: Client, alice: User, shop: Any) -> None:
    answer = browser.get("/profile/", headers={"Accept-Language": "fil"})
    assert "Pilipinas" in words(answer)


# --- Catalogues -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", OTHERS)
def test_what_is_compiled_is_what_is_translated(code: str) -> None:
    folder = Path(settings.LOCALE_PATHS[0]) / to_locale(code) / "LC_MESSAGES"
    with (folder / "django.mo").open("rb") as compiled, (folder / "django.po").open("rb") as source:
        known = gettext.GNUTranslations(compiled)._catalog  # type: ignore[attr-defined]
        catalogue = read_po(source)
    wanted: dict[Any, str] = {}
    for message in catalogue:
        if not message.id or message.fuzzy:
            continue
        if message.pluralizable:
            wanted |= {(message.id[0], n): text for n, text in enumerate(message.string) if text}
        elif message.string:
            key = f"{message.context}\x04{message.id}" if message.context else message.id
            wanted[key] = str(message.string)
    known.pop("", None)
    assert known == wanted, "run: make words"


@pytest.mark.parametrize("code", OTHERS)
def test_each_language_is_named_in_itself(code: str) -> None:
    assert get_language_info(code)["name_local"]
    assert dict(settings.LANGUAGES)[code]


# --- Scopes of a host's own -------------------------------------------------------------------------------------

KYC = '[scopes.KYC_INFO]\nlabel = "Identity check"\nfields = ["kycLevel"]\n'


@pytest.fixture
def write(settings: Any, tmp_path: Path) -> Any:
    def written(text: str) -> None:
        path = tmp_path / f"{abs(hash(text))}.toml"
        path.write_text(text, encoding="utf-8")
        settings.SCOPES_FILE = str(path)

    return written


def test_a_hosts_scope_speaks_every_language_its_file_has(write: Any) -> None:
    write(KYC + 'labels = { id = "Pemeriksaan identitas" }\ndescriptions = { id = "Apakah Anda sudah dicek." }')
    scope = scopes.catalogue()["KYC_INFO"]
    with override("id"):
        assert (str(scope.label), str(scope.description)) == ("Pemeriksaan identitas", "Apakah Anda sudah dicek.")
    with override("th"):
        assert str(scope.label) == "Identity check"


@pytest.mark.parametrize("labels", ['{ xx = "?" }', "{ id = 7 }", '{ id = "" }', '"?"'])
def test_a_bad_language_in_a_scopes_file_is_told(write: Any, labels: str) -> None:
    write(f"{KYC}labels = {labels}")
    with pytest.raises(SystemCheckError, match=r"KYC_INFO.*labels"):
        call_command("check")


def test_names_and_numbers_keep_their_direction_among_arabic_words(browser: Client, shop: MiniProgram) -> None:
    arabic = {"Accept-Language": "ar"}
    assert "\u2068shop Ltd\u2069" in words(browser.get("/mini/shop/", headers=arabic))
    assert "by shop Ltd" in words(browser.get("/mini/shop/"))
    form = {**fields(browser.get("/profile/")), "contacts-0-value": "nobody@"}
    refused = words(browser.post("/profile/", form, headers=arabic))
    assert "\u2068nobody@\u2069" in refused
    assert "\u2066+63 917 123 4567\u2069" in refused
