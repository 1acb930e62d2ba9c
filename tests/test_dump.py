"""What a stolen dump of the database tells: nothing that names, reaches or impersonates a person of the demo."""

import io
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.db import connection
from django.test import Client

from authapi.models import EndpointHour, ErrorAudit
from portal import demo
from portal.management.commands import seed_demo
from portal.models import ConsentText, MerchantNotice, User
from tests import merchants, postgres
from tests.conftest import EVERY_SCOPE, Container
from tests.merchants import MerchantServer
from tests.operators import Desk

pytestmark = [pytest.mark.trust(6), pytest.mark.django_db(transaction=True)]
REASON = "reported as stolen"
# Theirs after she changed her profile in the walk.
CHANGED = {"nickname": "Alicia-Nova", "login": "alicia.nova", "mail": "nova@example.com"}


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The demo is made and used over HTTP; what it handed out, and what second factors are made of."""
    monkeypatch.setattr(seed_demo, "DEMO_DIR", tmp_path / "demo")
    report = io.StringIO()
    call_command("seed_demo", json=True, page_origin="http://coffee.localhost:9000", stdout=report)
    seeded = json.loads(report.getvalue())
    browser = Client()
    password = seeded["users"][0]["password"]
    for login, word in (("0917 123 4567", "wrong"), ("alice@example.org", "wrong"), ("+63 917 123 4567", password)):
        signed_in = browser.post("/accounts/login/", {"username": login, "password": word})
    assert signed_in.status_code == 302
    program = seeded["miniPrograms"][0]
    key = load_pem_private_key(program["privateKey"].encode(), password=None)
    monkeypatch.setattr(merchants, "key_of", lambda name: key)
    found = [password, browser.cookies["sessionid"].value, *handed_out(MerchantServer(program["clientId"]))]
    change_profile(browser)
    operate()
    return [*found, *(operator["totpSecret"] for operator in seeded["operators"])]


def handed_out(server: MerchantServer) -> Iterator[str]:
    """Alice and Bob let Coffee see everything; it exchanges, reads, refreshes, and asks wrongly."""
    for login in ("alice", "bob"):
        container = Container(User.objects.get(username=login))
        code, unused = container.code("coffee", EVERY_SCOPE), container.code("coffee", ["auth_base"])
        first = server.exchange(code)
        assert server.user_info(first["accessToken"])["userInfo"]["contactInfos"]
        second = server.refresh(first["refreshToken"])
        yield from (code, unused, first["accessToken"], first["refreshToken"])
        yield from (second["accessToken"], second["refreshToken"])
        assert server.user_info(first["refreshToken"])["result"]["resultStatus"] == "F"
        assert server.exchange(second["accessToken"])["result"]["resultStatus"] == "F"


def change_profile(browser: Client) -> None:
    """Another nickname, login id and contact, through the page."""
    page = browser.get("/profile/").content.decode()
    fields = dict(re.findall(r'name="([\w-]+-(?:TOTAL_FORMS|INITIAL_FORMS|id))" value="(\d*)"', page))
    user = User.objects.get(username="alice")
    for name, rows in (("login_ids", user.login_ids), ("contacts", user.contacts), ("addresses", user.addresses)):
        for number, row in enumerate(rows.all()):
            values = ("type", "value") if name != "addresses" else ("label", "region", "city", "address1")
            fields |= {f"{name}-{number}-{value}": str(getattr(row, value)) for value in ("id", *values)}
    fields |= {"nickname": CHANGED["nickname"], "login_ids-1-type": "OTHER", "login_ids-1-value": CHANGED["login"]}
    fields |= {"contacts-2-value": CHANGED["mail"]}
    answer = browser.post("/profile/", fields)
    assert answer.status_code == 302, re.findall(r'class="error[^>]*>([^<]+)', answer.content.decode())
    assert User.objects.get(username="alice").nickname == CHANGED["nickname"]


def operate() -> None:
    """An operator looks for Bob and freezes him, and revokes what he gave."""
    desk, bob = Desk(User.objects.get(username="olga")), User.objects.get(username="bob")
    assert f"/user/{bob.pk}/" in desk.get("/admin/portal/user/", {"q": "bob@example.org"}).content.decode()
    desk.post(f"/admin/portal/user/{bob.pk}/act/freeze/", {"reason": REASON})
    grant = bob.grants.get()
    path = f"/admin/portal/miniprogramgrant/{grant.pk}/act/revoke/"
    desk.post(path, {"reason": REASON, "scopes": grant.names})
    assert LogEntry.objects.count() == 2


def personal() -> list[str]:
    """Every value of the demo's people that names or reaches them, in the usual spellings."""
    found = set(CHANGED.values())
    for person in demo.PEOPLE:
        found |= {person.login, *(str(value) for key, value in person.profile.items() if key not in PLAIN)}
        for _kind, value in (*person.login_ids, *person.contacts):
            found |= spellings(value) if value.startswith("+") else {value}
        for address in person.addresses:
            found |= {value for key, value in address.items() if key != "region"}
    return sorted(found)


PLAIN = ("gender", "nationality", "status")


def spellings(number: str) -> set[str]:
    """A number in E.164, as the wire has it, with its blanks, and without its country."""
    country = next(code for code in ("63", "27", "62") if number.startswith(f"+{code}"))
    national = number.removeprefix(f"+{country}")
    return {number, number[1:], f"{country}-{national}", national, f"0{national}", national[-7:]}


def dump() -> bytes:
    """Everything in the database: as SQL, and the very bytes of a SQLite file."""
    return as_sql() + (connection.connection.serialize() if connection.vendor == "sqlite" else b"")


def as_sql() -> bytes:
    """Every row there is."""
    if connection.vendor == "sqlite":
        return "\n".join(connection.connection.iterdump()).encode()
    settings = connection.settings_dict
    programs = postgres.programs()
    assert programs
    address = ["-h", settings["HOST"], "-p", str(settings["PORT"]), "-U", settings["USER"], settings["NAME"]]
    environment = {**os.environ, "PGPASSWORD": settings["PASSWORD"]}
    return subprocess.run([programs / "pg_dump", *address], env=environment, capture_output=True, check=True).stdout


def told(text: str, value: str) -> bool:
    """Whether `value` stands there, as a word: three letters may well occur inside of ciphertext.

    A postal code has to be the whole of a text: four digits are also part of an identifier now and then.
    """
    if value.isdigit() and len(value) < 6:
        return bool(re.search(rf"['\"\t]{value}['\"\t\n]", text))
    return bool(re.search(rf"(?<![A-Za-z0-9+=]){re.escape(value)}(?![A-Za-z0-9+=])", text))


def test_a_dump_tells_no_code_token_or_person(secrets: list[str]) -> None:
    EndpointHour.objects.all().delete()  # sums of microseconds, any of which may look like a postal code
    text = dump().decode(errors="replace")
    assert "Coffee Corner" in text
    assert [value for value in personal() if told(text, value)] == []
    assert [value for value in personal() if len(value) > 6 and value in text] == []
    assert [n for n, secret in enumerate(secrets) if secret in text] == []
    for model in (ConsentText, MerchantNotice, ErrorAudit, LogEntry, User):
        assert model._default_manager.exists(), model
