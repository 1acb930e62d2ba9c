"""Operators as the tests play them: someone in a role, at the console."""

from importlib import import_module
from time import time
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import generate_totp_secret
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client

from portal import recent_sign_in, second_factor
from portal.encryption import decrypt, encrypt
from portal.models import (
    AbuseReport,
    ConsentDecision,
    InboxNotice,
    Merchant,
    MerchantKey,
    MerchantNotice,
    MiniProgram,
    ScopeApproval,
    User,
)
from portal.models import MiniProgramGrant as Grant

ROLES = ("auditor", "support", "manager", "administrator")

ROLE_MIGRATIONS = (
    ("portal", "0002_roles", "make_roles"),
    ("portal", "0007_report_roles", "add_reports"),
    ("portal", "0009_mass_revocation_roles", "add_mass_revocations"),
    ("authapi", "0006_error_group_roles", "add_error_groups"),
    ("portal", "0014_export_roles", "add_exports"),
    ("portal", "0015_administrators", "add_administrators"),
    ("portal", "0017_background_roles", "add_background"),
    ("authapi", "0008_ledger_check_roles", "add_ledger_checks"),
    ("portal", "0019_reveal_roles", "add_reveals"),
)


def restore_roles() -> None:
    """Make the groups again as the migrations did: a transactional test leaves an empty database behind."""
    loader = MigrationExecutor(connection).loader
    for app, name, make in ROLE_MIGRATIONS:
        migration = import_module(f"{app}.migrations.{name}")
        getattr(migration, make)(loader.project_state((app, name)).apps, connection.schema_editor())


def in_role(role: str) -> User:
    """An operator who has this role and nothing else."""
    user = User.objects.create_user(f"the-{role}", is_staff=True)
    user.groups.set([Group.objects.get(name=role)])
    return user


def factor_of(user: User) -> Authenticator:
    """The operator's authenticator app; it is set up when there is none."""
    row, _made = Authenticator.objects.get_or_create(
        user=user, type=Authenticator.Type.TOTP, defaults={"data": {"secret": encrypt(generate_totp_secret())}}
    )
    return row


def code_of(user: User, ahead: int = 0) -> str:
    """What that app shows now, or so many half minutes later."""
    secret = decrypt(factor_of(user).data["secret"])
    return second_factor.code_of(secret, int(time()) // 30 + ahead)


def take_seat(client: Client, user: User, *, ago: float = 0) -> None:
    """As if this operator had signed in at the console so many seconds ago: password, then second factor."""
    client.force_login(user)
    session = client.session
    session[second_factor.KEY] = factor_of(user).pk
    session[recent_sign_in.KEY] = int(time() - ago)
    session.save()


class Desk(Client):
    """The console in an operator's browser, `ago` seconds after they signed in."""

    def __init__(self, user: User, *, ago: float = 0) -> None:
        super().__init__()
        take_seat(self, user, ago=ago)

    def page(self, path: str) -> str:
        response = self.get(path)
        assert response.status_code == 200, (path, response.status_code)
        return str(response.content.decode())

    def act(self, path: str, action: str, rows: list[Any], **fields: Any) -> Any:
        """An action of the list at `path`; with `reason=` the page in between is answered too."""
        return self.post(path, {"action": action, "_selected_action": [row.pk for row in rows], **fields})


def counted(prefix: str, there: int, new: int = 0) -> dict[str, Any]:
    """The hidden fields that say how many rows a table of a form has."""
    return {f"{prefix}-INITIAL_FORMS": there, f"{prefix}-TOTAL_FORMS": there + new}


def everything() -> list[Any]:
    """All that operators can change, to compare before and after a refusal."""
    models = (
        *(User, Merchant, MerchantKey, MerchantNotice, MiniProgram, ScopeApproval, Grant, ConsentDecision),
        *(AbuseReport, InboxNotice),
    )
    rows = [list(model.objects.order_by("pk").values()) for model in models]
    for user in rows[0]:
        user.pop("last_login")
    return [*rows, LogEntry.objects.count()]


def last_log() -> tuple[str, str, str]:
    """Who, on what, with which words: the newest line of the operators' log."""
    entry = LogEntry.objects.latest("id")
    return entry.user.username, entry.object_id or "", entry.get_change_message()
