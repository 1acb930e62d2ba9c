"""`issue_first_party_token`: a bearer token for the super-app's own native client (wire.md 2)."""

import argparse
import secrets
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from oauth2_provider.models import AccessToken

from authapi import codes
from authapi.container_api import FIRST_PARTY_SCOPE
from portal import auth

LONGEST = timedelta(days=365)


class Command(BaseCommand):
    help = "Print a bearer token with which the super-app's own client calls the container's API as this user."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        lifetime = int(settings.ACCESS_TOKEN_LIFETIME.total_seconds())
        parser.add_argument("--login", required=True, help="the user's login, e-mail or phone number")
        parser.add_argument("--seconds", type=int, default=lifetime, help=f"how long it lives ({lifetime})")

    def handle(self, *, login: str, seconds: int, **options: Any) -> None:
        longest = int(LONGEST.total_seconds())
        if not 1 <= seconds <= longest:
            raise CommandError(f"--seconds must be from 1 to {longest}.")
        user = auth.find(login)
        if user is None:
            raise CommandError(f"--login: nobody signs in with {login!r}. Give a login, an e-mail or a phone number.")
        if not user.is_active:
            raise CommandError(f"--login: the account {login!r} is deactivated.")
        token = secrets.token_urlsafe(32)
        AccessToken.objects.create(
            user=user,
            application=None,
            token="",
            token_checksum=codes.digest(token),
            expires=timezone.now() + timedelta(seconds=seconds),
            scope=FIRST_PARTY_SCOPE,
        )
        self.stdout.write(token)
