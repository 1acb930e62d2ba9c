"""`register_mini_program`: a merchant, its key, its mini-program and approved scopes, made or brought up to date."""

import argparse
import re
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import models, transaction
from django.db.models import F
from django.utils import timezone

from portal import moments, registering, scopes
from portal.models import Merchant, MerchantKey, MiniProgram, ScopeApproval, Sector

CLIENT_ID = re.compile(r"[\x21-\x7e]{1,128}")  # it travels in a header
LAST_KEY_VERSION = 999_999_999
# Which argument a model's field came from.
ARGUMENTS = {
    "client_id": "--app-id",
    "name": "--name",
    "page_url": "--page-url",
    "public_key": "--public-key",
    "version": "--key-version",
}


def text(value: str) -> str:
    """An argument that a database can keep: not empty, UTF-8."""
    value = value.strip()
    if not value or "\0" in value:
        raise argparse.ArgumentTypeError("it is empty or holds a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise argparse.ArgumentTypeError("it is not UTF-8") from error
    return value


class Command(BaseCommand):
    help = (
        "Make a mini-program, its merchant and the merchant's key, or bring them up to date. "
        "Exactly the listed scopes are approved. Idempotent."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--app-id", required=True, type=text, help="the mini-program's appId, at most 32")
        parser.add_argument("--client-id", required=True, type=text, help="the merchant's Client-Id")
        parser.add_argument("--name", required=True, type=text, help="what users read; names a new merchant too")
        parser.add_argument("--public-key", required=True, type=Path, metavar="FILE", help="RSA, PEM or base64")
        parser.add_argument("--key-version", type=int, default=1, help="the key's keyVersion (1)")
        parser.add_argument(
            "--retire-others",
            type=moments.to_come,
            metavar="ISO-DATE",
            help="its other keys work until then",
        )
        parser.add_argument("--scopes", required=True, metavar="A,B", help="the scopes it may ask for")
        parser.add_argument(
            "--purpose",
            action="append",
            default=[],
            type=registering.purpose,
            metavar="SCOPE=TEXT",
            help="what it asks this scope for; SCOPE[id]=TEXT in Indonesian, and so on; repeatable; absent: as it is",
        )
        parser.add_argument(
            "--max-days",
            action="append",
            default=[],
            type=registering.max_days,
            metavar="SCOPE=DAYS",
            help="nobody can allow this scope for longer; repeatable; absent: as it is",
        )
        parser.add_argument("--verified", action="store_true", help="people see a badge beside its merchant")
        parser.add_argument("--page-url", type=text, help="where its page is; absent: as it is")
        parser.add_argument(
            "--sector",
            type=text,
            help="of a new merchant; those of one sector see the same userIds (its Client-Id)",
        )

    def handle(self, *, app_id: str, client_id: str, name: str, scopes: str, **options: Any) -> None:
        wanted, days = known_scopes(scopes), dict(options["max_days"])
        registering.check_named("--purpose", {purpose.scope for purpose in options["purpose"]}, wanted)
        registering.check_named("--max-days", set(days), wanted)
        key = key_text(options["public_key"])
        with transaction.atomic():
            merchant = the_merchant(client_id, name, options["sector"])
            if options["verified"]:
                Merchant.objects.filter(pk=merchant.pk).update(verified=True)
            set_key(merchant, options["key_version"], key)
            if until := options["retire_others"]:
                merchant.keys.exclude(version=options["key_version"]).filter(retired_at=None).update(retired_at=until)
            program, made = the_program(app_id, merchant, name, options["page_url"])
            approve(program, wanted, options["purpose"])
            registering.describe(program.approvals(), options["purpose"], days)
        self.stdout.write(
            f"{'Made' if made else 'Updated'} {app_id} of {client_id} (sector {merchant.sector}), "
            f"keyVersion {options['key_version']}, {program.status}, approved: {', '.join(wanted)}"
        )


def known_scopes(listed: str) -> list[str]:
    """The names of `A,B`, each once. CommandError for one that is not in the catalogue."""
    names = list(dict.fromkeys(filter(None, (name.strip() for name in listed.split(",")))))
    known = scopes.catalogue()
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        wrong = f"there is no scope {', '.join(map(repr, unknown))}" if unknown else "it names no scope"
        raise CommandError(f"--scopes: {wrong}. There are: {', '.join(known)}.")
    return names


def key_text(path: Path) -> str:
    """The public key in this file; whether it is a usable one, MerchantKey.clean says."""
    try:
        found = path.read_text(encoding="ascii")
    except OSError as error:
        raise CommandError(f"--public-key: {path}: {error.strerror}. Give the path of a PEM file.") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"--public-key: {path} is neither PEM nor base64. Convert it to PEM.") from error
    if "PRIVATE KEY" in found:
        raise CommandError(
            f"--public-key: {path} holds a private key. It stays with the merchant; give the public half "
            "(openssl pkey -pubout)."
        )
    return found.strip()


def the_merchant(client_id: str, name: str, sector: str | None) -> Merchant:
    """The merchant with this Client-Id, made when new. CommandError if its sector would change or be a stranger's."""
    if not CLIENT_ID.fullmatch(client_id):
        raise CommandError("--client-id: at most 128 printable ASCII characters without blanks.")
    merchant = Merchant.objects.select_related("sector").filter(client_id=client_id).first()
    if merchant is None:
        merchant = Merchant(client_id=client_id, name=name, sector=new_sector(client_id, sector))
        saved(merchant, client_id="--client-id", sector="--sector")
    elif sector and sector != merchant.sector.name:
        raise CommandError(
            f"--sector: {client_id} belongs to the sector {merchant.sector}. Another one would change every userId it "
            "knows; leave --sector out."
        )
    return merchant


def new_sector(client_id: str, name: str | None) -> Sector:
    """The named sector, or one of the merchant's own, which nobody shares unasked."""
    if name is None and Merchant.objects.filter(sector__name=client_id).exists():
        raise CommandError(f"--sector: the sector {client_id} belongs to other merchants. Name one with --sector.")
    sector = Sector.objects.filter(name=name or client_id).first() or Sector(name=name or client_id)
    saved(sector, name="--sector")
    return sector


def set_key(merchant: Merchant, version: int, public_key: str) -> None:
    """This merchant's key of this version. CommandError when it is unusable, or was retired."""
    if not 1 <= version <= LAST_KEY_VERSION:
        raise CommandError(f"--key-version must be from 1 to {LAST_KEY_VERSION}.")
    key = merchant.keys.filter(version=version).first() or MerchantKey(merchant=merchant, version=version)
    if key.retired_at and key.retired_at <= timezone.now():
        raise CommandError(f"--key-version: version {version} was retired. Give the new key a new version.")
    key.public_key = public_key
    saved(key)


def the_program(app_id: str, merchant: Merchant, name: str, page_url: str | None) -> tuple[MiniProgram, bool]:
    """The mini-program, and whether it is new. CommandError when it is another merchant's or a field is bad."""
    program = MiniProgram.objects.filter(client_id=app_id).first() or MiniProgram(client_id=app_id)
    made = program.pk is None
    if not made and program.merchant_id != merchant.pk:
        raise CommandError(f"--app-id: {app_id} belongs to another merchant. Choose another.")
    program.merchant, program.name = merchant, name
    program.developer = program.developer or merchant.name
    program.page_url = page_url or program.page_url
    saved(program)
    return program, made


def approve(program: MiniProgram, names: list[str], purposes: list[registering.Purpose]) -> None:
    """Exactly these scopes, from now on: what was asked for beside them is refused."""
    state, now = ScopeApproval.State, timezone.now()
    others = program.scope_approvals.exclude(scope__in=names).exclude(state=state.REFUSED)
    others.filter(state=state.APPROVED).update(approved_version=F("purpose_version"))
    others.update(state=state.REFUSED, decided_at=now, decided_by=None, draft=None, draft_state="")
    for name in names:
        approval = program.scope_approvals.filter(scope=name).first()
        if approval is None or approval.state != state.APPROVED:
            approval = approval or registering.asked(program, name, purposes)
            approval.state, approval.decided_at, approval.decided_by = state.APPROVED, now, None
            saved(approval, scope="--scopes")


def saved(row: models.Model, **arguments: str) -> None:
    """Check the row, then save it. CommandError names the argument at fault."""
    try:
        row.full_clean()
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        argument = {**ARGUMENTS, **arguments}.get(field, field)
        raise CommandError(f"{argument}: {messages[0]}") from error
    row.save()
