"""A person's page: everything about them in one place, masked until somebody says why they must see it in full."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.utils import timezone

from portal import erasure
from portal.models import AbuseReport, MiniProgram, MiniProgramGrant, PendingConsent, User
from tests.conftest import Container
from tests.merchants import MerchantServer
from tests.operators import ROLES, Desk, everything, in_role, last_log

LIST = "/admin/portal/user/"
SECRETS = ("9171234567", "alice@example.org", "85551234", "Mabini", "Quezon City", "Santos", "Reyes", "1994-03-12")


@pytest.fixture
def support(db: None) -> Desk:
    return Desk(in_role("support"))


@pytest.fixture
def lived_in(
    alices: Container, alice: User, shop: MiniProgram, cafe: MiniProgram, shop_server: MerchantServer
) -> MiniProgramGrant:
    """Alice let Shop see something, and used it; withdrew from Cafe; reported Cafe; an error, a sheet, a deletion."""
    alices.code("cafe", ["USER_NICKNAME"])
    MiniProgramGrant.objects.get().revoke(by=alice, reason="not any more")
    code = alices.code("shop", ["auth_base", "USER_NICKNAME"])
    shop_server.exchange(code)
    alices.get_auth_code("shop", ["USER_SHOE_SIZE"])
    alices.get_auth_code("shop", ["USER_NAME"])
    AbuseReport.objects.create(user=alice, mini_program=cafe, kind="spam", words="every day at 7")
    erasure.ask(alice)
    return MiniProgramGrant.objects.get(mini_program=shop)


def url(user: User, end: str = "change") -> str:
    return f"{LIST}{user.pk}/{end}/"


def test_everything_about_a_person_stands_on_one_page(support: Desk, alice: User, lived_in: MiniProgramGrant) -> None:
    page = support.page(url(alice))
    for text in (
        *("1 live", "0 paused", "1 ended", "1 access", "1 refresh", "1, of which 1 open", "not any more"),
        *("Given", "Withdrawn", "none is usable", "auth_base, USER_NICKNAME", "To be deleted", "Active"),
        f"/admin/portal/miniprogramgrant/{quote(lived_in.pk)}/change/",
    ):
        assert text in page, text
    due = User.objects.get(pk=alice.pk).deletion_due_at
    assert due
    assert str(due.year) in page
    assert "every day at 7" not in page
    assert PendingConsent.objects.filter(decided_at=None).count() == 1


def test_each_count_leads_to_its_list(support: Desk, alice: User, lived_in: MiniProgramGrant) -> None:
    page = support.page(url(alice))
    for state in ("live", "paused", "ended", "expired"):
        link = f"/admin/portal/miniprogramgrant/?user__id__exact={alice.pk}&amp;state={state}"
        assert link in page
    links = {
        "portal/consentdecision": f"user__id__exact={alice.pk}",
        "portal/abusereport": f"user__id__exact={alice.pk}",
        "authapi/erroraudit": f"user__id__exact={alice.pk}",
        "oauth2_provider/accesstoken": f"q=%23{alice.pk}",
        "oauth2_provider/refreshtoken": f"q=%23{alice.pk}",
        "authapi/authcode": f"q=%23{alice.pk}",
        "admin/logentry": f"q={alice.pk}",
    }
    for path, query in links.items():
        assert f"/admin/{path}/?{query}" in page
        assert support.page(f"/admin/{path}/?{query}")
    assert support.page(f"/admin/portal/miniprogramgrant/?user__id__exact={alice.pk}&state=live").count("/change/")


@pytest.mark.trust(32)
@pytest.mark.parametrize("role", ROLES)
def test_personal_data_is_masked_for_every_role(role: str, alice: User, lived_in: MiniProgramGrant) -> None:
    page = Desk(in_role(role)).page(url(alice))
    for value in SECRETS:
        assert value not in page, value
    for shown in ("+63 ••• ••• 4567", "a•••@example.org", "12 •••", "Que•••", "Ali•••", "Philippines"):
        assert shown in page, shown


@pytest.mark.trust(32)
@pytest.mark.trust(30)
@pytest.mark.parametrize(
    ("group", "label", "shown"),
    [
        ("contacts", "Login ids and contacts", ["+639171234567", "alice@example.org", "+63285551234"]),
        ("names", "Names", ["Santos", "Reyes"]),
        ("addresses", "Addresses", ["Home, 12 Mabini Street, Quezon City, Philippines"]),
        ("birth_date", "Birthday", ["1994-03-12"]),
        ("extra", "Fields of this deployment&#x27;s own", ["gold"]),
    ],
)
def test_what_is_revealed_is_what_was_asked_for_and_in_the_log(
    support: Desk, alice: User, group: str, label: str, shown: list[str]
) -> None:
    alice.extra = {"tier": "gold"}
    alice.save()
    path = url(alice, "reveal")
    assert f'href="{path}"' in support.page(url(alice))
    assert not LogEntry.objects.exists()
    response = support.post(path, {"groups": [group], "reason": "she calls about ticket 12"})
    page = response.content.decode()
    for value in shown:
        assert value in page
    for value in SECRETS:
        assert (value in page) == any(value in text for text in shown), value
    assert "no-store" in response["Cache-Control"]
    words = f"Saw in full: {label.replace('&#x27;', chr(39))}. Why: she calls about ticket 12"
    assert last_log() == ("the-support", str(alice.pk), words)


@pytest.mark.trust(32)
def test_what_was_revealed_is_shown_once(support: Desk, alice: User) -> None:
    path = url(alice, "reveal")
    support.post(path, {"groups": ["contacts", "names"], "reason": "ticket"})
    stored = str(dict(support.session))
    for page in (support.page(path), support.page(url(alice)), support.page(LIST), stored):
        assert "9171234567" not in page
    assert LogEntry.objects.count() == 1


@pytest.mark.trust(30)
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"groups": ["names"], "reason": ""}, "Say why"),
        ({"groups": ["names"], "reason": " \n"}, "Say why"),
        ({"groups": [], "reason": "x"}, "Tick what you need to see."),
        ({"groups": ["password"], "reason": "x"}, "is not one of"),
    ],
)
def test_nothing_is_revealed_without_a_reason_and_a_choice(
    support: Desk, alice: User, fields: dict[str, Any], words: str
) -> None:
    page = support.post(url(alice, "reveal"), fields).content.decode()
    assert words in page
    assert "Santos" not in page
    assert not LogEntry.objects.exists()


@pytest.mark.trust(35)
def test_without_the_log_line_nothing_is_revealed(support: Desk, alice: User, monkeypatch: Any) -> None:
    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(type(LogEntry.objects), "create", full)
    with pytest.raises(OSError, match="disk full"):
        support.post(url(alice, "reveal"), {"groups": ["names"], "reason": "ticket"})


@pytest.mark.trust(33)
@pytest.mark.parametrize("role", ["auditor", "administrator"])
def test_who_may_not_reveal_is_neither_offered_it_nor_let_in(role: str, alice: User) -> None:
    desk, before = Desk(in_role(role)), everything()
    assert "/reveal/" not in desk.page(url(alice))
    for response in (
        desk.get(url(alice, "reveal")),
        desk.post(url(alice, "reveal"), {"groups": ["names"], "reason": "curious"}),
    ):
        assert response.status_code == 403
        assert "Santos" not in response.content.decode()
    assert everything() == before


@pytest.mark.trust(34)
def test_revealing_asks_for_a_recent_sign_in(alice: User) -> None:
    desk = Desk(in_role("manager"), ago=3600)
    page = desk.post(url(alice, "reveal"), {"groups": ["names"], "reason": "ticket"}).content.decode()
    assert "Is it still you?" in page
    assert "Santos" not in page
    assert not LogEntry.objects.exists()


def test_nobody_is_a_404(support: Desk) -> None:
    assert support.get(f"{LIST}999999/reveal/").status_code == 404


def test_a_value_that_cannot_be_decrypted_spoils_no_page(support: Desk, alice: User, settings: Any) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        for table, column in (("portal_contact", "value"), ("portal_address", "city"), ("portal_user", "nickname")):
            cursor.execute(f"UPDATE {table} SET {column} = '00000000:AAAA'")
    assert support.page(url(alice)).count("cannot be read: our fault") >= 3
    page = support.post(url(alice, "reveal"), {"groups": ["contacts"], "reason": "ticket"}).content.decode()
    assert "cannot be read: our fault" in page


@pytest.mark.parametrize("role", ["auditor", "support", "manager"])
def test_the_page_takes_at_most_twelve_statements(
    role: str, alice: User, lived_in: MiniProgramGrant, django_assert_max_num_queries: Any
) -> None:
    desk = Desk(in_role(role))
    past = timezone.now()
    for n in range(12):
        program = MiniProgram.objects.create(
            client_id=f"app{n}", name=f"App {n}", merchant=lived_in.mini_program.merchant
        )
        MiniProgramGrant.objects.create(user=alice, mini_program=program, scopes={"auth_base": past.isoformat()})
    desk.page(url(alice))
    with django_assert_max_num_queries(12):
        page = desk.page(url(alice))
    assert "13 live" in page


def test_the_page_links_to_why(support: Desk, alice: User) -> None:
    assert f"/admin/why/?user=%23{alice.pk}" in support.page(url(alice))
