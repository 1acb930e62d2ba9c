"""The toolkit's side of a run, as a program of its own: fills its database and writes its requests.

DATABASE_URL=… python -m bench.toolkit_data setup
DATABASE_URL=… python -m bench.toolkit_data stock OPERATION COUNT PORT FILE
"""

import os
import random
import secrets
import sys
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "bench.peers.toolkit.settings"
django.setup()

from django.contrib.auth.hashers import make_password  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402
from oauth2_provider.models import AccessToken, Application, Grant, RefreshToken  # noqa: E402

from bench import load, plan, standard  # noqa: E402
from portal.copying import copy, next_id  # noqa: E402

DAY = timedelta(days=1)


def setup() -> None:
    """Tables, people, one client whose secret is not hashed, and tokens for userinfo."""
    call_command("migrate", verbosity=0)
    Application.objects.create(
        name="bench",
        client_id=standard.CLIENT_ID,
        client_secret=standard.CLIENT_SECRET,
        hash_client_secret=False,
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        redirect_uris=standard.REDIRECT_URI,
        algorithm=Application.RS256_ALGORITHM,
        skip_authorization=True,
    )
    unusable = make_password(None)
    User.objects.bulk_create(
        User(
            username=f"user{n}",
            password=unusable,
            first_name="Maria",
            last_name=f"Santos {n}",
            email=f"user{n}@example.org",
        )
        for n in range(plan.SMALL.users)
    )
    copy_tokens([f"setup-{n}" for n in range(plan.SMALL.pairs)])
    analyse()


def analyse() -> None:
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def people(count: int) -> list[int]:
    """So many primary keys, at random."""
    return random.choices(User.objects.values_list("pk", flat=True), k=count)


def times(**more: str) -> dict[str, str]:
    now = timezone.now()
    return {"created": now.isoformat(), "updated": now.isoformat(), **more}


def end() -> str:
    return (timezone.now() + DAY).isoformat()


def copy_codes(names: list[str]) -> None:
    application = Application.objects.get().pk
    rows = zip(people(len(names)), names, strict=True)
    same = {"application_id": application, "redirect_uri": standard.REDIRECT_URI, "scope": standard.SCOPE}
    copy(Grant, ("user_id", "code"), rows, expires=end(), **same, **times())


def copy_tokens(names: list[str]) -> None:
    """Pairs; the toolkit stores them in clear, beside a checksum."""
    application, access, refresh = Application.objects.get().pk, next_id(AccessToken), next_id(RefreshToken)
    users = [user for user, _ in zip(people(len(names)), names, strict=True)]
    rows = [
        (n, user, f"access-{name}", f"refresh-{name}") for n, (user, name) in enumerate(zip(users, names, strict=True))
    ]
    copy(
        AccessToken,
        ("id", "user_id", "token", "token_checksum"),
        ((access + n, user, token, sha256(token.encode()).hexdigest()) for n, user, token, _ in rows),
        application_id=application, expires=end(), scope=standard.SCOPE, **times(),
    )  # fmt: skip
    copy(
        RefreshToken,
        ("id", "user_id", "access_token_id", "token", "token_checksum", "token_family"),
        (
            (refresh + n, user, access + n, token, sha256(token.encode()).hexdigest(), standard.uuid())
            for n, user, _, token in rows
        ),
        application_id=application, **times(),
    )  # fmt: skip


def stock(operation: str, count: str, port: str, file: str) -> None:
    seed = secrets.token_hex(12)
    names = [f"{seed}-{n}" for n in range(int(count))]
    if operation == "inquiryUserInfo":
        names = [f"setup-{random.randrange(plan.SMALL.pairs)}" for _ in names]
    elif operation == "applyToken_code":
        copy_codes(names)
    else:
        copy_tokens(names)
    analyse()
    load.write_requests(Path(file), standard.requests(operation, names, int(port), "/o/token/", "/o/userinfo/"))


if __name__ == "__main__":
    {"setup": setup, "stock": stock}[sys.argv[1]](*sys.argv[2:])
