"""`second_factor`: stands in for the phone of an operator of the demo."""

import argparse
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal import auth, second_factor


class Command(BaseCommand):
    help = (
        "Print the code that this operator's authenticator app shows at this moment; when it was used already, the "
        "next one, which works as well. Never on a public host."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("login")

    def handle(self, *, login: str, **options: Any) -> None:
        if settings.PUBLIC:
            raise CommandError("ALLOWED_HOSTS names a public host: there only an operator's phone has it.")
        user = auth.find(login)
        code, wait = second_factor.current_code(user) if user else ("", 0)
        if not code:
            raise CommandError(f"{login} has no authenticator app. seed_demo gives one to the demo's operators.")
        if wait:
            raise CommandError(f"The codes of this moment were used: each works once. Try again in {wait} seconds.")
        self.stdout.write(code)
