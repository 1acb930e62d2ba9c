"""`cleanup`: forgets what is dead for longer than RETENTION."""

import argparse
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, models, transaction
from django.db.models import Q
from django.db.models.expressions import RawSQL
from django.utils import timezone
from oauth2_provider.models import AccessToken, RefreshToken

from authapi import families
from authapi.models import AuthCode, EndpointHour, ErrorHour
from portal.models import PendingConsent, PlatformKey

CONSENT_RETENTION = timedelta(days=1)
TIMES_RETENTION = timedelta(days=100)  # the dashboard looks back 90


class Command(BaseCommand):
    help = (
        "Delete dead codes and tokens RETENTION_DAYS after their end, unanswered consents a day after theirs, expired "
        "sessions, private signing keys that JWKS shows no more, and how long calls took and how many errors an hour "
        "there were more than 100 days ago. The ledger and the error audit stay. Run it daily."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--batch", type=int, default=1000, help="rows a transaction (1000)")

    def handle(self, *, batch: int, **options: Any) -> None:
        if not 1 <= batch <= 10000:
            raise CommandError("--batch must be from 1 to 10000.")
        read_serially()
        now = timezone.now()
        cut = now - settings.RETENTION
        consents = PendingConsent.objects.filter(expires_at__lt=now - CONSENT_RETENTION)
        # Refresh tokens first: what is left without one afterwards is the first party's.
        self._tell("Auth codes deleted", delete(AuthCode.objects.filter(expires__lt=cut), batch))
        self._tell("Token pairs deleted", delete_pairs(cut, batch))
        self._tell("First-party tokens deleted", delete(lone_access_tokens(cut), batch))
        self._tell("Consents deleted", delete(consents, batch))
        self._tell("Signing keys erased", PlatformKey.objects.erase_retired())
        old = EndpointHour.objects.filter(hour__lt=now - TIMES_RETENTION)
        self._tell("Times of endpoints deleted", delete(old, batch))
        old_errors = ErrorHour.objects.filter(hour__lt=now - TIMES_RETENTION)
        self._tell("Hours of error groups deleted", delete(old_errors, batch))
        self._tell("Sessions deleted", delete(Session.objects.filter(expire_date__lt=now), batch))

    def _tell(self, what: str, number: int) -> None:
        self.stdout.write(f"{what}: {number}")


def delete_pairs(cut: datetime, batch: int) -> int:
    """Refresh tokens whose end lies before `cut`, each with its access token: a refresh needs the scope of that."""
    pages = batches(dead_refresh_tokens(cut), batch, "access_token")
    return sum(delete_page([pair[0] for pair in page], [pair[1] for pair in page if pair[1]]) for page in pages)


@transaction.atomic
def delete_page(refresh: list[int], access: list[int]) -> int:
    """These tokens, by primary key; then whoever came of them forgets it: most of those are gone with them."""
    deleted = raw_delete(RefreshToken.objects.filter(pk__in=among(refresh)))
    raw_delete(AccessToken.objects.filter(pk__in=among(access)))
    AccessToken.objects.filter(source_refresh_token__in=among(refresh)).update(source_refresh_token=None)
    return deleted


def among(keys: list[int]) -> Any:
    """One parameter: writing a thousand of them into a statement takes longer than PostgreSQL takes to delete them."""
    if connection.vendor != "postgresql":
        return keys
    return RawSQL("SELECT unnest(%s::bigint[])", [keys])


def dead_refresh_tokens(cut: datetime) -> models.QuerySet[Any]:
    """Revoked, idle or of a family too old, all before `cut`; tokens.refresh_expires in SQL."""
    eldest = families.eldest(cut - settings.REFRESH_TOKEN_ABSOLUTE_LIFETIME)
    dead = Q(revoked__lt=cut) | Q(created__lt=cut - settings.REFRESH_TOKEN_IDLE_LIFETIME) | Q(token_family__lt=eldest)
    no_access = Q(access_token=None) | Q(access_token__expires__lt=cut)
    rows: models.QuerySet[Any] = RefreshToken.objects.filter(dead, no_access)
    return rows


def lone_access_tokens(cut: datetime) -> models.QuerySet[Any]:
    """Expired before `cut`, and no refresh token hangs on them: the first party's."""
    rows: models.QuerySet[Any] = AccessToken.objects.filter(refresh_token=None, expires__lt=cut)
    return rows


def delete(rows: models.QuerySet[Any], batch: int) -> int:
    """Delete these rows, `batch` a transaction. Nothing may point to them."""
    pages = batches(rows, batch)
    return sum(raw_delete(rows.model._default_manager.filter(pk__in=[key for (key,) in page])) for page in pages)


def raw_delete(rows: models.QuerySet[Any]) -> int:
    """One DELETE, without Django's search for what points to the rows."""
    return rows._raw_delete(using=rows.db)


def batches(rows: models.QuerySet[Any], size: int, *fields: str) -> Iterator[list[Any]]:
    """(primary key, *fields) of these rows, `size` at a time in the keys' order: every row is looked at once."""
    page = rows.order_by("pk").values_list("pk", *fields)
    found = list(page[:size])
    while found:
        yield found
        found = list(page.filter(pk__gt=found[-1][0])[:size]) if len(found) == size else []


def read_serially() -> None:
    """PostgreSQL would start parallel workers for every page of keys, which costs more than reading the page."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET max_parallel_workers_per_gather = 0")
