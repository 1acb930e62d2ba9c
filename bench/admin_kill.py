"""The kill switch on a filled database, as a program of its own: how soon it is in effect, how fast the rows follow.

    DATABASE_URL=… python -m bench.admin_kill

Everybody gets a grant of one more mini-program, with a live token pair. One manager asks, another approves, a worker
(`manage.py work`) ends the rows. Meanwhile signed calls go on: with a token of that mini-program, to see when it is
refused, and of another, to see what the live traffic feels. Prints one JSON object.
"""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterable
from datetime import timedelta
from statistics import quantiles
from threading import Event, Thread

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
django.setup()

from django.db import connection  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402
from django.utils import timezone  # noqa: E402
from oauth2_provider.models import AccessToken, RefreshToken  # noqa: E402

from authapi import codes, families  # noqa: E402
from portal import mass_revocations  # noqa: E402
from portal.copying import copy, next_id  # noqa: E402
from portal.models import MassRevocation, MiniProgram, MiniProgramGrant, User  # noqa: E402
from tests.conftest import make_program  # noqa: E402
from tests.merchants import MerchantServer  # noqa: E402
from tests.operators import in_role  # noqa: E402

SCOPES = ("auth_base", "USER_NICKNAME")
BASE_SECONDS = 10.0  # of traffic before it
PATIENCE = 1800.0
PAUSE = 0.005  # between two calls


class Traffic(Thread):
    """Signed calls one after the other until `over`: with the token of the doomed mini-program and of a bystander."""

    def __init__(self, doomed: str, bystander: str) -> None:
        super().__init__(daemon=True)
        self.tokens = (doomed, bystander)
        self.over = Event()
        self.refused_at = 0.0
        self.calls: list[tuple[float, float]] = []  # of the bystander: when, and how many seconds

    def run(self) -> None:
        doomed, bystander = MerchantServer("kill-client"), MerchantServer("calm-client")
        while not self.over.is_set():
            if not self.refused_at and _code(doomed, self.tokens[0]) == "INVALID_ACCESS_TOKEN":
                self.refused_at = time.monotonic()
            begun = time.monotonic()
            code = _code(bystander, self.tokens[1])
            assert code == "SUCCESS", code
            self.calls.append((begun, time.monotonic() - begun))
            time.sleep(PAUSE)

    def p99(self, since: float, until: float) -> float:
        """Milliseconds."""
        found = [seconds * 1000 for begun, seconds in self.calls if since <= begun < until]
        return quantiles(found, n=100)[-1]


def _code(server: MerchantServer, token: str) -> str:
    return str(server.user_info(token)["result"]["resultCode"])


def main() -> None:
    setup_test_environment()
    kill, calm = make_program("kill", SCOPES), make_program("calm", SCOPES)
    people = list(User.objects.filter(is_staff=False).order_by("pk").values_list("pk", flat=True))
    token, other = give(kill, people), give(calm, people[:1])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # as autovacuum does a minute later: plans are made from what it says
    traffic = Traffic(token, other)
    traffic.start()
    time.sleep(BASE_SECONDS)
    found = measure(kill, traffic)
    traffic.over.set()
    traffic.join()
    print(json.dumps(found))


def measure(kill: MiniProgram, traffic: Traffic) -> dict[str, float]:
    """Ask, approve, and wait until the rows have followed."""
    first, second = in_role("manager"), User.objects.create_user("second", is_staff=True)
    begun = time.monotonic()
    counted = mass_revocations.count(mass_revocations.about([kill], [], None, None), [kill], [])
    dry_run = time.monotonic() - begun
    batch = MassRevocation.objects.create(mini_program=kill, asked_by=first, reason="bench", counted=counted)
    approved = time.monotonic()
    batch.approve(by=second)
    mass_revocations.follow.enqueue(key=batch.pk)
    with subprocess.Popen([sys.executable, "manage.py", "work", "--no-periodic"]) as worker:
        while batch.state != MassRevocation.State.DONE and time.monotonic() - approved < PATIENCE:
            time.sleep(0.5)
            batch.refresh_from_db(fields=["state", "grants_ended"])
        done = time.monotonic()
        worker.terminate()
    return {
        "grants": batch.grants_ended,
        "kill_switch_dry_run_s": round(dry_run, 3),
        "kill_switch_effective_s": round(traffic.refused_at - approved, 3),
        "kill_switch_rows_s": round(done - approved, 1),
        "traffic_p99_ms_before": round(traffic.p99(0, approved), 1),
        "traffic_p99_ms_during": round(traffic.p99(approved, done), 1),
    }


def give(program: MiniProgram, people: Iterable[int]) -> str:
    """A grant and a token pair for each of these people; the first one's access token."""
    people, now = list(people), timezone.now()
    begun, ends = now.isoformat(), (now + timedelta(days=1)).isoformat()
    scopes = json.dumps(dict.fromkeys(SCOPES, begun))
    grants = ((secrets.token_urlsafe(24), user, program.pk, scopes) for user in people)
    copy(MiniProgramGrant, ("id", "user_id", "mini_program_id", "scopes"), grants, since=begun, last_used_at=begun)
    shown = secrets.token_urlsafe(32)
    access, refresh = next_id(AccessToken), next_id(RefreshToken)
    same = {"token": "", "created": begun, "updated": begun}
    pairs = [codes.digest(shown), *(secrets.token_hex(32) for _user in people[1:])]
    columns = ("id", "user_id", "application_id", "token_checksum")
    rows = ((access + n, user, program.pk, pairs[n]) for n, user in enumerate(people))
    copy(AccessToken, columns, rows, expires=ends, scope=" ".join(SCOPES), **same)
    columns = (*columns, "access_token_id", "token_family")
    others = (
        (refresh + n, user, program.pk, secrets.token_hex(32), access + n, families.new())
        for n, user in enumerate(people)
    )
    copy(RefreshToken, columns, others, **same)
    return shown


if __name__ == "__main__":
    main()
