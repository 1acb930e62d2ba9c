"""`load_fixture_scale`: a made-up super-app, small here, in which everything fits together."""

import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F, Max
from oauth2_provider.models import AccessToken, RefreshToken

from authapi.models import ErrorAudit
from portal import auth
from portal.models import ConsentDecision, LoginId, Merchant, MiniProgram, MiniProgramGrant, User
from portal.scale import people
from tests.operators import Desk
from tests.servers import ROOT

SMALL = {"users": 2000, "programs": 30, "merchants": 10}


def load(**options: Any) -> str:
    said = StringIO()
    call_command("load_fixture_scale", stdout=said, **{**SMALL, **options})
    return said.getvalue()


@pytest.fixture
def no_vacuum(monkeypatch: Any) -> None:
    """VACUUM cannot run in a test's transaction."""
    monkeypatch.setattr("portal.management.commands.load_fixture_scale._analyse", lambda: None)


def indexes() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'")
        return {definition for (definition,) in cursor.fetchall()}


@pytest.mark.postgres
def test_it_fills_every_table_and_the_console_reads_it(olga: User, no_vacuum: None) -> None:
    before = indexes()
    said = load(force=True)
    assert "10,000 grants, 20,000 decisions" in said
    counts = {model: model.objects.count() for model in (User, LoginId, MiniProgram, Merchant)}
    assert counts == {User: 2001, LoginId: 2000, MiniProgram: 30, Merchant: 10}
    assert MiniProgramGrant.objects.count() == ErrorAudit.objects.count() == 10_000
    assert 20_000 <= ConsentDecision.objects.count() <= 20_010
    assert AccessToken.objects.count() == RefreshToken.objects.count() == 200
    assert indexes() == before
    desk = Desk(olga)
    for model in ("portal/miniprogramgrant", "portal/consentdecision", "authapi/erroraudit", "portal/user"):
        for query in ("", "?p=last"):
            desk.page(f"/admin/{model}/{query}")


@pytest.mark.postgres
def test_people_are_found_by_login_and_phone(db: None, no_vacuum: None) -> None:
    load()
    key = User.objects.aggregate(last=Max("pk"))["last"]
    for name in (people.login(key), people.phone(key), f"0{people.phone(key)[3:]}"):
        found = auth.find(name)
        assert found, name
        assert found.pk == key
    assert User.objects.get(pk=key).nickname == f"Nick {key}"


@pytest.mark.postgres
def test_grants_are_in_every_state_and_tell_what_their_decisions_tell(db: None, no_vacuum: None) -> None:
    load()
    rows = MiniProgramGrant.objects
    live = rows.live().count()
    assert 4_000 < live < 9_000
    assert rows.usable().count() < live
    assert rows.filter(ended_at=None).count() > live  # some are past their time
    ended = ConsentDecision.objects.filter(act__in=["withdrawn", "revoked", "expired"])
    assert ended.count() == rows.exclude(ended_at=None).count() > 1_000
    assert not ended.filter(grant__ended_at=None).exists()
    assert not ConsentDecision.objects.exclude(mini_program=F("grant__mini_program")).exists()
    head = MiniProgram.objects.get(client_id="scale-000")
    assert head.grants.count() > 1_000


@pytest.mark.postgres
@pytest.mark.parametrize("model", [ConsentDecision, ErrorAudit])
def test_rows_are_numbered_as_they_came(db: None, no_vacuum: None, model: Any) -> None:
    load()
    times = list(model.objects.order_by("pk").values_list("at", flat=True))
    assert times == sorted(times)


@pytest.mark.postgres
def test_it_refuses_a_database_that_has_users(alice: User) -> None:
    with pytest.raises(CommandError, match="There are users"):
        load()
    assert User.objects.count() == 1


@pytest.mark.postgres
def test_it_refuses_a_public_host(db: None, settings: Any) -> None:
    settings.PUBLIC = True
    with pytest.raises(CommandError, match="public host"):
        load()
    assert not User.objects.exists()


@pytest.mark.postgres
@pytest.mark.parametrize(
    "numbers", [{"users": 0}, {"merchants": 31}, {"users": 10_000_000}, {"grants": 20_000}, {"decisions": 10}]
)
def test_it_refuses_numbers_that_do_not_fit_together(db: None, numbers: dict[str, int]) -> None:
    with pytest.raises(CommandError):
        load(**numbers)
    assert not User.objects.exists()


def test_it_refuses_sqlite(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    command = [sys.executable, "manage.py", "load_fixture_scale", "--users", "1000"]
    environment["VAR_DIR"] = str(tmp_path)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "This needs PostgreSQL" in done.stderr
