"""The portal's side of a run, as a program of its own: fills its database and writes its signed requests.

    DATABASE_URL=… python -m bench.portal_data setup SMALL FOLDER
    DATABASE_URL=… python -m bench.portal_data stock OPERATION COUNT FOLDER PORT FILE

People and mini-programs are made through the models; grants, codes and tokens are copied, as authapi writes them.
"""

import argparse
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
django.setup()

from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: E402
from django.contrib.auth.hashers import make_password  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402
from oauth2_provider.models import AccessToken, RefreshToken  # noqa: E402

from authapi import codes, families  # noqa: E402
from authapi.models import AuthCode  # noqa: E402
from bench import plan, portal_requests  # noqa: E402
from bench.portal_requests import Pair  # noqa: E402
from portal.copying import copy, next_id  # noqa: E402
from portal.models import (  # noqa: E402
    Contact,
    LoginId,
    Merchant,
    MiniProgram,
    MiniProgramGrant,
    ScopeApproval,
    Sector,
    User,
)

DAY = timedelta(days=1)
SCOPE = " ".join(plan.SCOPES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("act", choices=["setup", "stock", "expired"])
    parser.add_argument("words", nargs="+")
    options = parser.parse_args()
    {"setup": setup, "stock": stock, "expired": expired}[options.act](*options.words)


def setup(size: str, folder: str) -> None:
    """An empty database becomes one of `plan.SMALL` or `plan.BIG`."""
    rows: plan.Size = getattr(plan, size)
    call_command("migrate", verbosity=0)
    programs = make_programs(rows, Path(folder))
    make_people(rows.users)
    pairs = [Pair(n, user, program, "setup") for n, (user, program) in enumerate(crossed(programs))]
    copy_grants(pairs)
    copy_tokens(pairs)
    copy_codes(pairs[::5], used=True)  # of the others the retention is over
    analyse()


def make_programs(rows: plan.Size, folder: Path) -> list[int]:
    """Mini-programs of several merchants, each merchant with a key in `folder`; gives their primary keys."""
    made = []
    for number in range(rows.merchants):
        sector = Sector.objects.create(name=f"sector {number}")
        merchant = Merchant.objects.create(client_id=f"MERCHANT_{number}", name=f"Merchant {number}", sector=sector)
        merchant.keys.create(version=1, public_key=new_key(folder / f"{merchant.client_id}.pem"))
        for place in range(number, rows.programs, rows.merchants):
            program = MiniProgram(client_id=f"program-{place}", name=f"Program {place}", merchant=merchant)
            program.save()
            made.append(program)
    approved = ScopeApproval.State.APPROVED
    ScopeApproval.objects.bulk_create(
        ScopeApproval(mini_program=program, scope=scope, purpose="To be fast", state=approved)
        for program in made
        for scope in plan.SCOPES
    )
    return [program.pk for program in made]


def new_key(file: Path) -> str:
    """Writes an RSA-2048 key, gives its public half as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file.write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    return key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def make_people(number: int) -> None:
    """With everything the scopes open, and what a person has beside."""
    unusable = make_password(None)
    people = User.objects.bulk_create(
        (
            User(
                username=f"user{n}",
                password=unusable,
                nickname=f"Nick {n}",
                first_name="Maria",
                middle_name="Reyes",
                last_name=f"Santos {n}",
                birth_date="1994-03-12",
            )
            for n in range(number)
        ),
        batch_size=2000,
    )
    for model in (LoginId, Contact):
        model.objects.bulk_create(
            (
                model(user=user, type=kind, value=value)
                for n, user in enumerate(people)
                for kind, value in (("MOBILE_PHONE", f"+63917{n:07}"), ("EMAIL", f"user{n}@example.org"))
            ),
            batch_size=2000,
        )


def crossed(programs: list[int]) -> Iterator[tuple[int, int]]:
    """Every person with every mini-program."""
    for user in User.objects.order_by("pk").values_list("pk", flat=True):
        for program in programs:
            yield user, program


def copy_grants(pairs: list[Pair]) -> None:
    """As if used just now, throughout the run.

    Otherwise the first use of each would be written (once in five minutes): by every request on big tables, and by
    hardly one on small ones, where each grant has its turn at once. What is compared is the size of the tables.
    """
    now = timezone.now()
    scopes = "{" + ", ".join(f'"{name}": "{now.isoformat()}"' for name in plan.SCOPES) + "}"
    columns = ("id", "user_id", "mini_program_id", "scopes")
    rows = ((pair.grant, pair.user, pair.program, scopes) for pair in pairs)
    copy(MiniProgramGrant, columns, rows, since=now.isoformat(), last_used_at=(now + DAY).isoformat())


def copy_tokens(pairs: list[Pair], *, expired: bool = False) -> None:
    """An access and a refresh token for each; `expired` ones are of a year ago, and came one of the other."""
    now = timezone.now() - 365 * DAY if expired else timezone.now()
    ends, begun, revoked = (now + DAY).isoformat(), now.isoformat(), now.isoformat() if expired else None
    access, refresh = next_id(AccessToken), next_id(RefreshToken)
    same = {"token": "", "created": begun, "updated": begun}
    access_rows = (
        (access + n, p.user, p.program, codes.digest(p.access_token), refresh + n - 1 if expired and n else None)
        for n, p in enumerate(pairs)
    )
    columns = ("id", "user_id", "application_id", "token_checksum", "source_refresh_token_id")
    copy(AccessToken, columns, access_rows, expires=ends, scope=SCOPE, **same)
    refresh_rows = (
        (refresh + n, p.user, p.program, codes.digest(p.refresh_token), access + n, families.new())
        for n, p in enumerate(pairs)
    )
    columns = ("id", "user_id", "application_id", "token_checksum", "access_token_id", "token_family")
    copy(RefreshToken, columns, refresh_rows, revoked=revoked, **same)


def copy_codes(pairs: list[Pair], *, used: bool = False) -> None:
    """A code for each, of a pair that has a grant; `used` ones belong to no family any more."""
    now = timezone.now()
    copy(
        AuthCode,
        ("user_id", "application_id", "grant_id", "code"),
        ((pair.user, pair.program, pair.grant, codes.digest(pair.code)) for pair in pairs),
        scope=SCOPE,
        expires=(now + DAY).isoformat(),
        created=now.isoformat(),
        updated=now.isoformat(),
        used_at=now.isoformat() if used else None,
    )


def copy_first_party_tokens(pairs: list[Pair]) -> None:
    now = timezone.now()
    copy(
        AccessToken,
        ("user_id", "token_checksum"),
        ((pair.user, codes.digest(pair.access_token)) for pair in pairs),
        token="",
        scope="container",
        expires=(now + DAY).isoformat(),
        created=now.isoformat(),
        updated=now.isoformat(),
    )


STOCKS = {
    "applyToken_code": copy_codes,
    "applyToken_refresh": copy_tokens,
    "inquiryUserInfo": lambda pairs: None,  # reads the tokens of the set-up
    "getAuthCode_silent": copy_first_party_tokens,
}


def stock(operation: str, count: str, folder: str, port: str, file: str) -> None:
    """Pre-load what so many requests need, each for a pair drawn at random, and write the requests."""
    pairs = portal_requests.drawn(operation, int(count))
    STOCKS[operation](pairs)
    analyse()
    portal_requests.write(operation, pairs, Path(folder), int(port), Path(file))


def expired(count: str) -> None:
    """So many expired pairs, spread over the grants."""
    copy_tokens(portal_requests.drawn("applyToken_refresh", int(count)), expired=True)
    analyse()


def analyse() -> None:
    """As autovacuum does, but now: what was loaded would otherwise be planned for as if it were not there."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


if __name__ == "__main__":
    main()
