"""The console's pages that are no lists, on a filled database, as a program of its own.

    DATABASE_URL=… python -m bench.admin_pages

The dashboard over each of its periods, the search, Why?, and the page of one row of each big table. Prints one JSON
line a page.
"""

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
django.setup()

from django.contrib.admin.utils import quote  # noqa: E402
from django.db import connection  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.urls import reverse  # noqa: E402

from authapi.models import ErrorAudit, ErrorGroup  # noqa: E402
from bench.admin_lists import Samples, desk  # noqa: E402
from portal.dashboard.periods import CHOICES  # noqa: E402
from portal.models import ConsentDecision, MiniProgram, MiniProgramGrant  # noqa: E402
from tests.operators import Desk  # noqa: E402


def main() -> None:
    seat = desk("support")
    for name, path, form in pages(Samples()):
        print(json.dumps(opened(seat, name, path, form)), flush=True)


def pages(samples: Samples) -> Iterator[tuple[str, str, dict[str, Any] | None]]:
    """(what it is, its path with its query, the form that is sent, if one is) of each."""
    home, find = reverse("admin:index"), reverse("admin:find")
    yield from (("dashboard", f"{home}?range={period}", None) for period in CHOICES)
    yield from (("search", find, {"q": term}) for term in samples.terms)
    program = MiniProgram.objects.order_by("pk").select_related("merchant")[0]
    for row in (*newest(), program, program.merchant):
        path = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[quote(row.pk)])
        yield f"one {row._meta.verbose_name}", path, None
    yield "one user", reverse("admin:portal_user_change", args=[samples.user]), None
    asked = {"user": f"#{samples.user}", "app_id": program.client_id, "scopes": ["auth_base", "USER_NICKNAME"]}
    yield "Why?", reverse("admin:why"), asked


def newest() -> Iterator[Any]:
    """Of each big table a row, and the group of most errors."""
    yield MiniProgramGrant.objects.latest("since")
    yield ConsentDecision.objects.latest("pk")
    yield ErrorAudit.objects.latest("pk")
    yield ErrorGroup.objects.latest("count")


def opened(seat: Desk, name: str, path: str, form: dict[str, Any] | None) -> dict[str, Any]:
    """How long it took, and in how many statements. Where a search leads, with one thing found, is not followed."""
    begun = time.monotonic()
    with CaptureQueriesContext(connection) as captured:
        response = seat.get(path) if form is None else seat.post(path, form)
    seconds = time.monotonic() - begun
    assert response.status_code in (200, 302), (path, response.status_code)
    return {"page": name, "seconds": round(seconds, 3), "statements": len(captured)}


if __name__ == "__main__":
    main()
