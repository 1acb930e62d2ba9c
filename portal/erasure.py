"""Deleting an account: asked for, thought over for some days, then done for good (trust 29)."""

import logging
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from oauth2_provider.models import AccessToken

from portal import pictures, second_factor
from portal.models import InboxNotice, User

logger = logging.getLogger(__name__)
REASON = "the account was deleted"


def day_for(now: datetime) -> datetime:
    """When an account goes that somebody asks to delete now."""
    return now + timedelta(days=settings.ACCOUNT_DELETION_DAYS)


@transaction.atomic
def ask(user: User) -> bool:
    """Plan the deletion; False when it is planned already, or the account is an operator's."""
    now = timezone.now()
    due_at = day_for(now)
    free = User.objects.filter(pk=user.pk, deletion_due_at=None, is_staff=False)
    if not free.update(deletion_due_at=due_at):
        return False
    _tell(user, due=due_at.isoformat())
    return True


@transaction.atomic
def keep(user: User) -> bool:
    """Call the deletion off; False when none is planned."""
    planned = User.objects.filter(pk=user.pk, is_active=True).exclude(deletion_due_at=None)
    if not planned.update(deletion_due_at=None):
        return False
    _tell(user)
    return True


def _tell(user: User, **facts: str) -> None:
    """Their own act counts as read."""
    kind, now = InboxNotice.Kind.DELETION, timezone.now()
    InboxNotice.objects.create(user=user, kind=kind, facts=facts, created=now, read_at=now)


def due() -> "QuerySet[User]":
    """The accounts whose time has come. Operators lose their role first."""
    return User.objects.filter(deletion_due_at__lte=timezone.now(), is_staff=False)


def erase_due() -> int:
    """Erase what is due, each in a transaction of its own; how many. One that fails holds up no other."""
    done = 0
    for pk in due().order_by("deletion_due_at").values_list("pk", flat=True):
        try:
            done += _erase_if_due(pk)
        except Exception:
            logger.exception("user %s could not be erased; it stays due", pk)
    return done


@transaction.atomic
def _erase_if_due(pk: int) -> bool:
    """Whoever kept the account a moment ago keeps it."""
    user = due().select_for_update(no_key=True).filter(pk=pk).first()
    if user:
        erase(user)
    return user is not None


@transaction.atomic
def erase(user: User) -> None:
    """End every grant, tell the merchants, and keep nothing that names or reaches this person.

    The row stays, empty, with its uuid: the ledger points to it, and no userId made of it is ever given to another.
    """
    for grant in user.grants.filter(ended_at=None):
        grant.revoke(by=user, reason=REASON, notice="USER_DELETED")
    AccessToken.objects.filter(user=user, application=None).delete()  # the super-app's own client
    for rows in (user.login_ids, user.contacts, user.addresses, user.pending_consents, user.inbox):
        rows.all().delete()
    second_factor.reset(user)  # of who was an operator once
    user.reports.update(words="")
    if user.avatar:
        transaction.on_commit(lambda: pictures.drop(user.avatar))
    User.objects.filter(pk=user.pk).update(**nobody())


def nobody() -> dict[str, Any]:
    """The columns of an account that is nobody's; without password and inactive, all its sessions are over."""
    return {
        **dict.fromkeys(("nickname", "full_name", "first_name", "middle_name", "last_name"), ""),
        **dict.fromkeys(("avatar", "gender", "nationality"), ""),
        **dict.fromkeys(("birth_date", "external_id", "last_login", "deletion_due_at"), None),
        "extra": {},
        "username": f"deleted-{secrets.token_hex(16)}",
        "password": make_password(None),
        "status": User.Status.INACTIVE,
        "is_active": False,
    }
