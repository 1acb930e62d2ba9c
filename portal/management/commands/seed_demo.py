"""`seed_demo`: the demo's people and mini-programs, made or brought back to how they were."""

import argparse
import io
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from allauth.mfa.totp.internal.auth import generate_totp_secret
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.files.base import ContentFile
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError, transaction
from django.db.models.fields.files import ImageFieldFile
from PIL import Image, ImageDraw, ImageFont

from portal import demo, keys, second_factor, showcase, showcase_sums
from portal.models import Address, Contact, LoginId, Merchant, MiniProgram, PlatformKey, ScopeApproval, Sector, User
from portal.models.mini_programs import all_features

DEMO_DIR = settings.VAR_DIR / "demo"
# What a person has who never filled in anything.
AS_NEW: dict[str, Any] = {
    **dict.fromkeys(("nickname", "full_name", "first_name", "middle_name", "last_name", "gender", "nationality"), ""),
    **dict.fromkeys(("birth_date", "deletion_due_at")),
    "status": User.Status.ACTIVE,
    "is_active": True,
    "is_superuser": False,
    "extra": {},
}
WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "hazel", "iris", "jade", "koala", "lotus")


class Command(BaseCommand):
    help = "Make the demo's users, operators and mini-programs. Idempotent. Never on a public host."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print sign-ins and keys as one JSON object")
        parser.add_argument(
            "--page-origin", default="http://127.0.0.1:8001", help="where the mini-programs' pages are served"
        )
        parser.add_argument(
            "--showcase", action="store_true", help="more mini-programs, and a past for Alice unless she has one"
        )

    def handle(self, *, json: bool, page_origin: str, **options: Any) -> None:
        if settings.PUBLIC:
            raise CommandError("ALLOWED_HOSTS names a public host: demo accounts have no place there.")
        programs = demo.PROGRAMS + (showcase.PROGRAMS if options["showcase"] else ())
        try:
            with transaction.atomic():
                for person in demo.PEOPLE:
                    self._person(person)
                for program in programs:
                    self._program(program, page_origin)
                if options["showcase"] and showcase.live_through():
                    showcase_sums.fill()
        except IntegrityError as error:
            raise CommandError(
                "Somebody else has a login id of the demo's cast (portal/demo.py). Remove it there, or use a database "
                "of the demo's own."
            ) from error
        report = self._report(programs)
        self.stdout.write(dumps(report) if json else self._words(report))

    def _person(self, person: demo.Person) -> None:
        user, made = User.objects.update_or_create(
            username=person.login, defaults={**AS_NEW, **person.profile, "is_staff": bool(person.role)}
        )
        if made or not user.check_password(password()):
            user.set_password(password())
            user.save(update_fields=["password"])
        user.groups.set(Group.objects.filter(name=person.role))
        if person.role:
            second_factor.set_up(user, totp_secret(person.login))
        if not person.colour:
            User.objects.filter(pk=user.pk).update(avatar="")
        elif not is_kept(user.avatar):
            user.avatar.save(f"{secrets.token_urlsafe(16)}.png", picture(person.login[0].upper(), person.colour))
        self._rows(user.login_ids, LoginId, person.login_ids)
        self._rows(user.contacts, Contact, person.contacts)
        user.addresses.all().delete()
        Address.objects.bulk_create(Address(user=user, **address) for address in person.addresses)

    def _rows(self, manager: Any, model: Callable[..., Any], pairs: tuple[tuple[str, str], ...]) -> None:
        user = manager.instance
        manager.all().delete()
        manager.bulk_create(model(user=user, type=kind, value=value) for kind, value in pairs)

    def _program(self, program: demo.Program, origin: str) -> None:
        sector, _ = Sector.objects.get_or_create(name=program.client_id)
        merchant, _ = Merchant.objects.update_or_create(
            client_id=program.client_id,
            defaults={
                "name": program.merchant,
                "sector": sector,
                "notify_url": f"{origin}/notify",
                "status": Merchant.Status.ACTIVE,
                "verified": program.verified,
            },
        )
        public = keys.public_key_of(private_key(program.client_id))
        merchant.keys.update_or_create(version=1, defaults={"public_key": public, "retired_at": None})
        row, _ = MiniProgram.objects.update_or_create(
            client_id=program.app_id,
            defaults={
                "name": program.name,
                "merchant": merchant,
                "developer": program.merchant,
                "page_url": origin + program.page,
                "privacy_policy_url": f"{origin}/privacy",
                "status": program.status,
                "features": all_features(),
            },
        )
        if not is_kept(row.logo):
            row.logo.save(f"{program.app_id}.png", picture(program.name[0], program.colour))
        self._approvals(row, program)

    def _approvals(self, row: MiniProgram, program: demo.Program) -> None:
        row.scope_approvals.exclude(scope__in=program.scopes).delete()
        for scope in program.scopes:
            texts = dict(program.purposes.get(scope, {}))
            purpose = texts.pop(settings.LANGUAGE_CODE, "")
            asked = {"required": scope in program.required, "max_days": program.max_days.get(scope)}
            approval, _ = row.scope_approvals.update_or_create(
                scope=scope,
                defaults={**asked, "state": ScopeApproval.State.APPROVED},
                create_defaults={
                    **asked,
                    "state": ScopeApproval.State.APPROVED,
                    "purpose": purpose,
                    "purposes": texts,
                },
            )
            approval.reword(purpose, texts, by=None)

    def _report(self, cast: tuple[demo.Program, ...]) -> dict[str, Any]:
        people = [{"login": person.login, "password": password()} for person in demo.PEOPLE if not person.role]
        operators = [
            {
                "login": person.login,
                "password": password(),
                "role": person.role,
                "totpSecret": totp_secret(person.login),
            }
            for person in demo.PEOPLE
            if person.role
        ]
        programs = [
            {
                "appId": program.app_id,
                "clientId": program.client_id,
                "keyVersion": "1",
                "privateKey": private_key(program.client_id),
                "scopes": list(program.scopes),
                "status": program.status,
            }
            for program in cast
        ]
        platform = {"publicKey": PlatformKey.objects.public_pem()}
        return {"users": people, "operators": operators, "miniPrograms": programs, "platform": platform}

    def _words(self, report: dict[str, Any]) -> str:
        people = ", ".join(person["login"] for person in report["users"])
        operators = ", ".join(f"{who['login']} ({who['role']})" for who in report["operators"])
        programs = ", ".join(program["appId"] for program in report["miniPrograms"])
        return (
            f"Users: {people}\nOperators: {operators}\nPassword of all: {password()}\n"
            f"Their second factor: manage.py second_factor LOGIN\nMini-programs: {programs}"
        )


dumps = json.dumps


def password() -> str:
    """One password for the whole cast, made at first use."""

    def new() -> str:
        return "-".join(secrets.choice(WORDS) for _ in range(3)) + f"-{secrets.randbelow(9000) + 1000}"

    return keys.kept(DEMO_DIR / "password", new)


def totp_secret(login: str) -> str:
    """What a demo operator's authenticator app would hold, made at first use."""
    return keys.kept(settings.VAR_DIR / "keys" / f"second_factor_{login}", generate_totp_secret)


def private_key(client_id: str) -> str:
    """A demo merchant's private key, PKCS8 PEM, made at first use."""
    return keys.kept(DEMO_DIR / f"{client_id.lower()}.pem", keys.new_private_key)


def is_kept(image: ImageFieldFile) -> bool:
    """Whether the row names a picture and the file is there."""
    return bool(image) and image.storage.exists(str(image.name))


def picture(letter: str, colour: str) -> "ContentFile[bytes]":
    """A square picture with one letter, for logos and avatars."""
    image = Image.new("RGB", (256, 256), colour)
    font = ImageFont.load_default(150)
    ImageDraw.Draw(image).text((128, 132), letter, fill="white", font=font, anchor="mm")
    out = io.BytesIO()
    image.save(out, "PNG")
    return ContentFile(out.getvalue())


def key_path(client_id: str) -> Path:
    """Where a demo merchant's server finds its private key."""
    private_key(client_id)
    return Path(DEMO_DIR / f"{client_id.lower()}.pem")
