"""`manage.py import_users`: a host's users come in from a file, and no bad line costs a good one."""

import io
import json
import os
import stat
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from portal.models import Address, Contact, LoginId, MiniProgram, User
from tests.conftest import Container
from tests.merchants import MerchantServer

pytestmark = pytest.mark.django_db
Import = Callable[..., list[dict[str, Any]]]

ADA = {
    "externalId": "h-1",
    "login": "ada",
    "status": "ACTIVE",
    "nickName": "Ada",
    "userName": {"fullName": "Ada King", "firstName": "Ada", "middleName": "Byron", "lastName": "King"},
    "avatar": "https://host.example/ada.png",
    "gender": "F",
    "birthDate": "1985-12-10",
    "nationality": "gb",
    "loginIdInfos": [
        {"loginIdType": "MOBILE_PHONE", "loginId": "44-7700900123"},
        {"loginIdType": "EMAIL", "loginId": "Ada@Example.org"},
    ],
    "contactInfos": [
        {"contactType": "MOBILE_PHONE", "contactNo": "+44 7700 900123"},
        {"contactType": "EMAIL", "contactNo": "ada@example.org"},
    ],
    "userAddresses": [
        {"label": "Home", "region": "GB", "city": "London", "address1": "12 St James's Square", "zipCode": "SW1Y 4JH"}
    ],
}


@pytest.fixture
def load(tmp_path: Path) -> Import:
    """Imports these lines (objects, or bytes as they are) and returns the refused ones."""

    def run(*lines: Any, said: str = "") -> list[dict[str, Any]]:
        file, rejects = tmp_path / "users.jsonl", tmp_path / "users.rejects.jsonl"
        file.write_bytes(b"\n".join(x if isinstance(x, bytes) else json.dumps(x).encode() for x in lines))
        out, error = io.StringIO(), None
        try:
            call_command("import_users", str(file), stdout=out, stderr=io.StringIO())
        except CommandError as raised:
            error = raised
        refused = [json.loads(line) for line in rejects.read_text().splitlines()] if rejects.exists() else []
        assert bool(refused) == bool(error) == rejects.exists()
        assert error is None or (error.returncode == 1 and str(rejects) in str(error))
        assert said in out.getvalue()
        return refused

    return run


def one_reason(refused: list[dict[str, Any]]) -> str:
    (row,) = refused
    return str(row["reason"])


def test_an_imported_user_has_every_field(
    load: Import, shop: MiniProgram, shop_server: MerchantServer, container: Callable[[User], Container]
) -> None:
    assert load(ADA, said="Users made: 1, updated: 0. Lines refused: 0.") == []
    ada = User.objects.get(external_id="h-1")
    scopes = ["auth_user", "PLAINTEXT_USER_LOGIN_ID", "USER_CONTACTINFO", "PLAINTEXT_MOBILE_PHONE", "USER_ADDRESS"]
    pair = shop_server.exchange(container(ada).code("shop", scopes))
    info = shop_server.user_info(pair["accessToken"])["userInfo"]
    del info["userId"]
    assert info == {
        "status": "ACTIVE",
        "nickName": "Ada",
        "userName": {"fullName": "Ada King", "firstName": "Ada", "middleName": "Byron", "lastName": "King"},
        "gender": "F",
        "birthDate": "1985-12-10",
        "nationality": "GB",
        "loginIdInfos": [
            {"loginIdType": "MOBILE_PHONE", "loginId": "44-7700900123", "maskLoginId": "44-7****0123"},
            {"loginIdType": "EMAIL", "loginId": "ada@example.org", "maskLoginId": "a****@example.org"},
        ],
        "contactInfos": [
            {"contactType": "MOBILE_PHONE", "contactNo": "44-7700900123"},
            {"contactType": "EMAIL", "contactNo": "ada@example.org"},
        ],
        "userAddresses": [
            {
                "label": "Home",
                "region": "GB",
                "city": "London",
                "address1": "12 St James's Square",
                "zipCode": "SW1Y 4JH",
            }
        ],
    }


def test_the_external_id_alone_is_enough(load: Import) -> None:
    assert load({"externalId": "h-2"}) == []
    user = User.objects.get(external_id="h-2")
    assert (user.username, user.status, user.extra) == ("h-2", "ACTIVE", {})
    assert not user.has_usable_password()


def test_the_same_file_again_changes_nothing(load: Import) -> None:
    def rows() -> list[Any]:
        return [list(model.objects.order_by("pk").values()) for model in (User, LoginId, Contact, Address)]

    load(ADA)
    before = rows()
    assert load(ADA, said="Users made: 0, updated: 1.") == []
    assert rows() == before


def test_absent_and_null_leave_what_is_stored_and_empty_empties(load: Import) -> None:
    load(ADA)
    load({"externalId": "h-1", "nickName": "Countess", "gender": None, "contactInfos": None, "birthDate": ""})
    ada = User.objects.get()
    assert (ada.nickname, ada.gender, ada.birth_date, ada.username) == ("Countess", "F", None, "ada")
    assert ada.contacts.count() == 2
    load({"externalId": "h-1", "contactInfos": [], "userName": {"middleName": ""}})
    ada.refresh_from_db()
    assert ada.contacts.count() == 0
    assert (ada.middle_name, ada.last_name, ada.login_ids.count()) == ("", "King", 2)


def test_a_list_replaces_the_stored_one(load: Import) -> None:
    load(ADA)
    load({"externalId": "h-1", "loginIdInfos": [{"loginIdType": "OTHER", "loginId": "countess"}]})
    assert list(LoginId.objects.values_list("type", "value")) == [("OTHER", "countess")]


def test_the_user_id_of_a_person_survives_an_import(load: Import) -> None:
    load(ADA)
    uuid = User.objects.get().uuid
    load({**ADA, "login": "lovelace", "status": "FROZEN"})
    assert User.objects.get().uuid == uuid


def test_the_later_line_of_a_person_wins(load: Import) -> None:
    refused = load(
        {"externalId": "h-1", "nickName": "First", "gender": "F"},
        {"externalId": "h-1", "nickName": "Second"},
        {"externalId": "h-1", "nickName": "Third", "gender": "X"},
    )
    assert [row["line"] for row in refused] == [3]
    ada = User.objects.get()
    assert (ada.nickname, ada.gender) == ("Second", "F")


def test_v1_birthday_is_understood(load: Import) -> None:
    load({"externalId": "h-1", "birthday": "1985-12-10"})
    assert str(User.objects.get().birth_date) == "1985-12-10"


def test_an_imported_user_signs_in(load: Import) -> None:
    load({**ADA, "password": "analytical engine"}, {"externalId": "h-2", "login": "bob"})
    assert Client().login(username="+44 7700 900123", password="analytical engine")
    assert not Client().login(username="bob", password="")
    load({**ADA, "nickName": "still the same password"})
    assert Client().login(username="ada", password="analytical engine")


@pytest.mark.trust(7)
def test_no_password_stands_among_the_refused(load: Import, tmp_path: Path) -> None:
    load(
        {"externalId": "h-1", "password": "hunter-2", "gender": "X"},
        {"externalId": "h-2", "passwort": "hunter-2"},
        b'{"externalId": "h-3", "password": "hunter-2"',
        {"externalId": "h-4", "login": "x", "password": "hunter-2"},
        {"externalId": "h-5", "login": "x", "password": "hunter-2"},
    )
    text = (tmp_path / "users.rejects.jsonl").read_text()
    assert len(text.splitlines()) == 4
    assert "hunter" not in text


def test_the_refused_are_readable_by_their_owner_only(load: Import, tmp_path: Path) -> None:
    load({"externalId": ""})
    assert stat.S_IMODE((tmp_path / "users.rejects.jsonl").stat().st_mode) == 0o600


def test_a_stale_list_of_refused_lines_goes(load: Import) -> None:
    assert load({"externalId": ""})
    assert load(ADA) == []


def test_avatars_are_ignored_and_said_so_once(load: Import) -> None:
    load(ADA, {"externalId": "h-2", "avatar": "x"}, said="avatar was ignored on 2 lines")
    assert not User.objects.exclude(avatar="").exists()


def test_host_defined_fields_are_kept(load: Import, tmp_path: Path, settings: Any) -> None:
    file = tmp_path / "scopes.toml"
    file.write_text('[scopes.KYC_INFO]\nlabel = "Identity"\nfields = ["kycLevel", "kycPapers"]\n')
    settings.SCOPES_FILE = str(file)
    load({"externalId": "h-1", "kycLevel": "2", "kycPapers": [{"kind": "passport"}]})
    load({"externalId": "h-1", "kycLevel": "3"})
    assert User.objects.get().extra == {"kycLevel": "3", "kycPapers": [{"kind": "passport"}]}
    refused = load({"externalId": "h-1", "kycPapers": json.loads("[" * 9 + "]" * 9)}, {"externalId": "h-1", "kyc": 1})
    assert "kycPapers: it is nested deeper than 8 levels" in refused[0]["reason"]
    assert refused[1]["reason"].startswith(
        "kyc: no such field. Remove it, or open it in SCOPES_FILE. Known: externalId"
    )


def test_a_host_field_takes_no_infinite_number(load: Import, tmp_path: Path, settings: Any) -> None:
    file = tmp_path / "scopes.toml"
    file.write_text('[scopes.RANK]\nlabel = "Rank"\nfields = ["rank"]\n')
    settings.SCOPES_FILE = str(file)
    assert "rank: " in one_reason(load(b'{"externalId": "h-1", "rank": 1e999}'))


@pytest.mark.trust(36)
@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "The line is not valid JSON"),
        (b"[]", "The line is no JSON object"),
        (b"null", "The line is no JSON object"),
        (b"\xff{}", "Byte 1 is not UTF-8"),
        (b"[" * 60000, "nested too deeply"),
        (b'{"externalId": "h", "nickName": "' + b"x" * 70000 + b'"}', "longer than 64 kB"),
        (b'{"externalId": "h", "externalId": "i"}', "externalId: it stands twice"),
        (b'{"externalId": "h", "nickName": NaN}', "NaN is no JSON value"),
        (b'{"externalId": ' + b"9" * 5000 + b"}", "not valid JSON"),
        (b'{"externalId": "h", "nickName": "a\\u0000b"}', "nickName: it holds a NUL"),
        (b'{"externalId": "h", "nickName": "\\ud83d"}', "nickName: it holds a NUL character or half a surrogate"),
        (b'{"externalId": "h", "userAddresses": [{"city": "\\udc00"}]}', "userAddresses[0].city: it holds"),
        (b'{"externalId": "h", "\\udc00": 1}', "a key in the line: it holds"),
        ({"nickName": "Nobody"}, "externalId: it is missing"),
        ({"externalId": 7}, "externalId: it must be a string. Put it in quotes"),
        ({"externalId": "x" * 129, "login": "x"}, "externalId: it has 129 characters; 128 is the most"),
        ({"externalId": "h 1"}, "externalId: 'h 1' is no login"),
        ({"externalId": "h", "login": "a b"}, "login: 'a b' is no login"),
        ({"externalId": "h", "login": ""}, "login: '' is no login"),
        ({"externalId": "h", "login": "x" * 151}, "login: it has 151 characters; 150 is the most"),
        ({"externalId": "h", "login": "\ufdfa" * 100}, "login: "),  # one character that normalises to eighteen
        ({"externalId": "h", "userId": "1"}, "userId: no such field"),
        ({"externalId": "h", "password": 1}, "password: it must be a string"),
        ({"externalId": "h", "password": ""}, "password: it must be a string that is not empty"),
        ({"externalId": "h", "status": "GONE"}, "status: 'GONE' is unknown. Use one of ACTIVE, FROZEN, INACTIVE"),
        ({"externalId": "h", "nickName": "x" * 257}, "nickName: it has 257 characters; 256 is the most"),
        ({"externalId": "h", "nickName": ["x"]}, "nickName: it must be a string"),
        ({"externalId": "h", "userName": "Ada"}, "userName: it must be an object with fullName"),
        ({"externalId": "h", "userName": {"firstName": "x" * 33}}, "userName.firstName: it has 33 characters"),
        ({"externalId": "h", "userName": {"given": "x"}}, "userName.given: there is no such field"),
        ({"externalId": "h", "gender": "female"}, "gender: 'female' is unknown. Use one of M, F"),
        ({"externalId": "h", "birthDate": "10/12/1985"}, "birthDate: '10/12/1985' is no date. Write it like"),
        ({"externalId": "h", "birthDate": "2999-01-01"}, "birthDate: 2999-01-01 lies in the future"),
        ({"externalId": "h", "birthDate": "1985-12-10", "birthday": "1985-12-11"}, "birthDate and birthday differ"),
        ({"externalId": "h", "nationality": "Britain"}, "nationality: 'BRITAIN' is no country"),
        ({"externalId": "h", "loginIdInfos": {}}, "loginIdInfos: it must be a list of objects"),
        ({"externalId": "h", "loginIdInfos": [1]}, "loginIdInfos[0]: it must be an object"),
        ({"externalId": "h", "loginIdInfos": [{}]}, "loginIdInfos[0].loginIdType: '' is unknown"),
        (
            {"externalId": "h", "loginIdInfos": [{"loginIdType": "OTHER", "loginId": "x" * 65}]},
            "loginIdInfos[0].loginId: it has 65 characters; 64 is the most",
        ),
        (
            {"externalId": "h", "loginIdInfos": [{"loginIdType": "OTHER"}]},
            "loginIdInfos[0].loginId: This may not be empty",
        ),
        (
            {"externalId": "h", "contactInfos": [{"contactType": "MOBILE_PHONE", "contactNo": "12"}]},
            "contactInfos[0].contactNo: 12 is not a phone number. Write it with its country code",
        ),
        (
            {"externalId": "h", "contactInfos": [{"contactType": "EMAIL", "contactNo": "ada"}]},
            "contactInfos[0].contactNo: Enter a valid email address",
        ),
        (
            {"externalId": "h", "contactInfos": [{"contactType": "PIGEON", "contactNo": "1"}]},
            "contactInfos[0].contactType: 'PIGEON' is unknown. Use one of MOBILE_PHONE, TELEPHONE, EMAIL",
        ),
        ({"externalId": "h", "contactInfos": [{}] * 51}, "contactInfos: it has 51 entries; 50 is the most"),
        ({"externalId": "h", "userAddresses": [{"region": "GB"}]}, "userAddresses[0].address1: it is missing"),
        ({"externalId": "h", "userAddresses": [{"address1": "x"}]}, "userAddresses[0].region: it is missing"),
        (
            {"externalId": "h", "userAddresses": [{"region": "XX", "address1": "x"}]},
            "userAddresses[0].region: 'XX' is no country",
        ),
    ],
)
def test_a_bad_line_is_named_and_costs_no_other(load: Import, line: Any, reason: str) -> None:
    refused = load({"externalId": "before"}, line, b"", {"externalId": "after"})
    assert [row["line"] for row in refused] == [2]
    assert reason in refused[0]["reason"]
    assert set(User.objects.values_list("external_id", flat=True)) == {"before", "after"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*ADA, "loginId", "city"]), inner),
    max_leaves=12,
)


@pytest.mark.trust(36)
@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(st.fixed_dictionaries(dict.fromkeys(ADA, json_values)) | json_values | st.binary(), max_size=5))
def test_no_line_breaks_the_import(load: Import, lines: list[Any]) -> None:
    load({"externalId": "good"}, *[json.dumps(x).encode() if not isinstance(x, bytes) else x for x in lines])
    assert User.objects.filter(external_id="good").exists()


@pytest.mark.parametrize(
    ("taken", "reason"),
    [
        ({"login": "ada"}, "login: somebody else signs in with 'ada' already"),
        ({"login": "ada@example.org"}, "login: somebody else signs in with 'ada@example.org' already"),
        ({"externalId": "ada"}, "externalId (as login): somebody else signs in with 'ada' already"),
        (
            {"loginIdInfos": [{"loginIdType": "EMAIL", "loginId": "ADA@example.org"}]},
            "loginIdInfos: somebody else signs in with 'ada@example.org' already",
        ),
        (
            {"loginIdInfos": [{"loginIdType": "OTHER", "loginId": "ada"}]},
            "loginIdInfos: somebody else signs in with 'ada' already",
        ),
    ],
)
@pytest.mark.parametrize("in_one_file", [True, False])
def test_names_of_another_are_refused(load: Import, taken: dict[str, Any], reason: str, in_one_file: bool) -> None:
    lines = [{"externalId": "h-0"}, {"externalId": "h-9", **taken}, {"externalId": "h-10"}]
    if in_one_file:
        refused = load(ADA, *lines)
    else:
        load(ADA)
        refused = load(*lines)
    assert reason in one_reason(refused)
    assert refused[0]["record"] == lines[1]
    assert set(User.objects.values_list("external_id", flat=True)) == {"h-1", "h-0", "h-10"}
    assert LoginId.objects.count() == 2


def test_a_name_given_up_can_be_taken_by_a_later_line(load: Import) -> None:
    phone = [{"loginIdType": "MOBILE_PHONE", "loginId": "+447700900123"}]
    load(ADA, {"externalId": "h-2", "login": "bob"})
    assert (
        load(
            {"externalId": "h-1", "login": "lovelace", "loginIdInfos": []},
            {"externalId": "h-2", "login": "ada", "loginIdInfos": phone},
            {"externalId": "h-3", "login": "bob"},
        )
        == []
    )
    assert User.objects.get(username="ada").login_ids.get().value == "+447700900123"
    assert User.objects.get(username="bob").external_id == "h-3"


def test_people_who_swap_names_in_the_wrong_order_are_told(load: Import) -> None:
    load({"externalId": "h-1", "login": "ada"}, {"externalId": "h-2", "login": "bob"})
    refused = load({"externalId": "h-1", "login": "bob"}, {"externalId": "h-2", "login": "ada"})
    assert [row["line"] for row in refused] == [1, 2]


def test_an_account_the_host_did_not_make_is_not_taken_over(load: Import, olga: User) -> None:
    assert "login: somebody else" in one_reason(load({"externalId": "h-1", "login": "olga", "password": "mine now"}))
    olga.refresh_from_db()
    assert olga.external_id is None
    assert not olga.check_password("mine now")


def test_what_only_the_database_sees_costs_only_its_own_line(load: Import) -> None:
    """As a name that somebody takes while the batch is written; here an index that the import knows nothing of."""
    load({"externalId": "h-0"})
    with connection.cursor() as cursor:
        cursor.execute("CREATE UNIQUE INDEX only_one_frozen ON portal_user (status) WHERE status = 'FROZEN'")
    refused = load(*({"externalId": f"h-{n}", "status": "FROZEN" if n in (3, 8) else "ACTIVE"} for n in range(12)))
    assert [row["line"] for row in refused] == [9]
    assert "The database refused it" in refused[0]["reason"]
    assert User.objects.count() == 11


def test_two_thousand_users_take_few_statements(load: Import) -> None:
    lines = [
        {
            "externalId": f"h-{n}",
            "nickName": f"Nick {n}",
            "loginIdInfos": [{"loginIdType": "MOBILE_PHONE", "loginId": f"+63917{n:07d}"}],
            "contactInfos": [{"contactType": "EMAIL", "contactNo": f"u{n}@example.org"}],
            "userAddresses": [{"region": "PH", "address1": f"{n} Mabini Street"}],
        }
        for n in range(2000)
    ]
    with CaptureQueriesContext(connection) as captured:
        assert load(*lines) == []
    # SQLite takes 999 values a statement: of User that is 45 rows, of Address 124.
    assert len(captured) < 500
    assert [User.objects.count(), LoginId.objects.count(), Contact.objects.count(), Address.objects.count()] == [
        2000
    ] * 4
    with CaptureQueriesContext(connection) as captured:
        assert load(*lines) == []
    assert len(captured) < 80


def test_a_byte_order_mark_and_windows_line_ends_are_fine(load: Import) -> None:
    assert load(b'\xef\xbb\xbf{"externalId": "h-1"}\r\n\r\n{"externalId": "h-2"}\r\n') == []
    assert User.objects.count() == 2


def test_a_missing_file_is_said_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"nowhere\.jsonl: No such file or directory\. Give a JSON Lines file"):
        call_command("import_users", str(tmp_path / "nowhere.jsonl"))
    with pytest.raises(CommandError, match="Is a directory"):
        call_command("import_users", str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_fine(load: Import) -> None:
    assert load(said="Users made: 0, updated: 0.") == []


@pytest.mark.parametrize("terminal", [True, False])
def test_a_progress_bar_shows_on_a_terminal_only(
    load: Import, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, terminal: bool
) -> None:
    reader, writer = os.openpty() if terminal else os.pipe()
    if terminal:
        termios.tcsetwinsize(writer, (24, 80))
    with os.fdopen(writer, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        load({"externalId": "h-1"})
        stderr.write("end")
        stderr.flush()
        shown = ""
        while not shown.endswith("end"):
            shown += os.read(reader, 10000).decode()
    os.close(reader)
    assert ("100%" in shown) == terminal
    assert terminal or shown == "end"
