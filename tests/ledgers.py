"""The ledger, the error audit and the operators' log as the tests fill them, seal them, and tamper with them."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.db import connection, models, transaction

from authapi import sealing
from authapi.models import ErrorAudit
from portal.models import ConsentDecision, MiniProgram, MiniProgramGrant, Seal, User
from tests.merchants import MerchantServer

LEDGER, AUDIT, LOG = "portal.ConsentDecision", "authapi.ErrorAudit", "admin.LogEntry"
MODELS: dict[str, type[models.Model]] = {LEDGER: ConsentDecision, AUDIT: ErrorAudit, LOG: LogEntry}
WITH_MAC = (LEDGER, AUDIT)


def sql(statement: str, *values: Any) -> None:
    """As somebody with a database prompt would."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def seal() -> list[str]:
    """What seal_ledger says, a line a chain."""
    out = io.StringIO()
    call_command("seal_ledger", stdout=out)
    return out.getvalue().splitlines()


def verify(*arguments: str) -> list[str]:
    """What verify_ledger says is wrong; [] when it ended well. Seals nothing."""
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
    """Put a row in again, perhaps with columns changed, under the next number if `id` is not among them."""
    before = set(pks(chain))
    names = [field.column for field in MODELS[chain]._meta.concrete_fields if field.column != "id" or "id" in changed]
    chosen = ", ".join("%s" if name in changed else name for name in names)
    values = [changed[name] for name in names if name in changed]
    columns = f"INSERT INTO {table(chain)} ({', '.join(names)})"
    sql(f"{columns} SELECT {chosen} FROM {table(chain)} WHERE id = %s", *values, pk)
    (number,) = set(pks(chain)) - before
    return number


@contextmanager
def undone() -> Iterator[None]:
    """What happens inside did not happen."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture
def written(
    alices: Any, bobs: Any, olga: User, shop: MiniProgram, cafe: MiniProgram, shop_server: MerchantServer
) -> None:
    """Eight rows in each table, as use leaves them."""
    for program in ("shop", "cafe"):
        alices.code(program, ["auth_base"])
        alices.code(program, ["USER_NICKNAME"])
        bobs.code(program, ["auth_base"])
    for grant in MiniProgramGrant.objects.filter(user__username="bob"):
        grant.revoke(by=olga, reason="breach")
    for number in range(8):
        shop_server.exchange(f"no-such-code-{number}")
        LogEntry.objects.log_actions(olga.pk, [shop], 2, f"act {number}", single_object=True)
    assert {len(pks(chain)) for chain in MODELS} == {8}


@pytest.fixture
def small_seals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rows a seal."""
    monkeypatch.setattr(sealing, "BATCH", 3)


@pytest.fixture
def sealed(written: None, small_seals: None) -> None:
    """The eight rows of each table under three seals: 3, 3 and 2."""
    seal()
    assert Seal.objects.count() == 9
    assert verify() == []
