"""`rotate_signing_key`: a new key of our own, that signs from now or from a day to come (wire.md 4)."""

import argparse
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, transaction
from django.utils import timezone

from authapi import platform, signing
from portal import keys, moments
from portal.models import PlatformKey
from portal.models.merchants import rsa_public_key


class Command(BaseCommand):
    help = (
        "Make a new signing key with the next keyVersion. It signs at once, unless --active-from names a later time. "
        "JWKS shows it from now on, and the old ones for --retire-after-days. Merchants who verify with a key they "
        "configured by hand, rather than with /.well-known/jwks.json, need time to add the new one: give them some "
        "weeks with --active-from. Running processes follow within ten seconds."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--active-from", type=moments.to_come, metavar="ISO-DATE", help="sign with it from then on; publish it now"
        )
        parser.add_argument(
            "--retire-after-days", type=int, default=30, metavar="N", help="how long JWKS goes on showing the old (30)"
        )
        parser.add_argument("--list", action="store_true", help="only show the keys: version, state and thumbprint")

    def handle(self, *, active_from: datetime | None, retire_after_days: int, **options: Any) -> None:
        if options["list"]:
            self.stdout.write("\n".join(listed()))
            return
        if not 0 <= retire_after_days <= 3650:
            raise CommandError("--retire-after-days must be from 0 to 3650.")
        row = new_key(active_from or timezone.now())
        until = row.active_from + timedelta(days=retire_after_days)
        try:
            save(row, until)
        except IntegrityError as error:
            raise CommandError(
                f"Somebody else made keyVersion {row.version} at this moment; theirs stands. Look with --list."
            ) from error
        when = f"from {row.active_from.isoformat(timespec='minutes')}" if active_from else "from now"
        self.stdout.write(f"keyVersion {row.version} ({shown(row.public_key)}) signs {when}, and JWKS shows it.")
        self.stdout.write(f"JWKS shows those before it until {until.isoformat(timespec='minutes')} at the latest.")


def new_key(active_from: datetime) -> PlatformKey:
    """A fresh key with the next version, endorsed by the one that signs now; not saved."""
    platform.forget()
    newest = PlatformKey.objects.order_by("-version").first()
    known = platform.ring()
    if not known.environment[1].isdecimal():
        raise CommandError("PLATFORM_KEY_VERSION is no number. Make it one, then rotate.")
    version = max(int(known.environment[1]), newest.version if newest else 0) + 1
    pem = keys.new_private_key()
    row = PlatformKey(version=version, private_key=pem, public_key=keys.public_key_of(pem), active_from=active_from)
    row.endorsed_by = known.version
    row.endorsement = signing.sign(known.private_key, row.endorsed_message())
    return row


def save(row: PlatformKey, until: datetime) -> None:
    """The new key, and the end of the earlier ones. IntegrityError when its version was given meanwhile."""
    pem, version = platform.ring().environment
    with transaction.atomic():
        row.save(force_insert=True)
        PlatformKey.objects.get_or_create(
            version=int(version),
            defaults={"public_key": keys.public_key_of(pem), "active_from": timezone.now()},
        )
        PlatformKey.objects.filter(version__lt=row.version, retired_at=None).update(retired_at=until)
    platform.forget()


def listed() -> Iterator[str]:
    """One line a key, oldest first; nothing private."""
    platform.forget()
    known = platform.ring()
    rows = {str(row.version): row for row in PlatformKey.objects.order_by("version")}
    for version in sorted({*known.public_keys, *rows}, key=platform.number):
        if key := known.public_keys.get(version):
            yield f"{version}  {state(version, known, rows.get(version))}  {platform.thumbprint(key)}"
        else:
            yield f"{version}  IGNORED: no earlier key of ours endorses it  {shown(rows[version].public_key)}"


def state(version: str, known: platform.Ring, row: PlatformKey | None) -> str:
    """What this key is for, in words."""
    if version == known.version:
        return "signs"
    if row and row.active_from > timezone.now():
        return f"signs from {row.active_from.isoformat(timespec='minutes')}"
    until = known.retired_at[version]
    if until is None or until > timezone.now():
        return f"published until {until.isoformat(timespec='minutes') if until else 'further notice'}"
    return f"retired {until.isoformat(timespec='minutes')}"


def shown(public_pem: str) -> str:
    """A public key's thumbprint."""
    return platform.thumbprint(rsa_public_key(public_pem))
