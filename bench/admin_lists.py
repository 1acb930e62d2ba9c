"""The console's lists as operators open them, as a program of its own beside the database that was filled.

    DATABASE_URL=… python -m bench.admin_lists

Every list: its first, second and last page; each filter with each of its values, or with samples of common, rare and
unknown ones, from both ends; each thing that can be searched for. Prints one JSON line a page.
"""

import html
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from urllib.parse import urlencode

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
django.setup()

from django.contrib import admin  # noqa: E402
from django.contrib.auth.models import Group  # noqa: E402
from django.db import connection  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.urls import reverse  # noqa: E402

from authapi.models import ErrorAudit  # noqa: E402
from portal.models import ConsentDecision, MiniProgram, MiniProgramGrant, User  # noqa: E402
from portal.scale import people  # noqa: E402
from tests.operators import Desk  # noqa: E402

LAST = "p=last"
SEATS = ("manager", "auditor", "administrator", "superuser")  # who may look first opens the list
LINK = re.compile(r'<a\s[^>]*?href="(\?[^"]*)"')


@dataclass(frozen=True)
class Opened:
    """One page: who opened what, how long it took, in how many statements, and what it said of the number of rows."""

    role: str
    list: str
    query: str
    seconds: float
    statements: int
    rows: str


def main() -> None:
    desks = {role: desk(role) for role in SEATS}
    samples = Samples()
    for model, page in admin.site._registry.items():
        path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        role = next(role for role, seat in desks.items() if seat.get(path).status_code == 200)
        for query in queries(desks[role], path, page, samples):
            print(json.dumps(asdict(opened(desks[role], role, path, query))), flush=True)


def desk(role: str) -> Desk:
    """An operator in this role, at the console."""
    user = User.objects.create_user(f"bench-{role}", is_staff=True, is_superuser=role == "superuser")
    user.groups.set(Group.objects.filter(name=role))
    seat = Desk(user)
    seat.defaults["HTTP_HOST"] = "localhost"
    return seat


class Samples:
    """What somebody would type, of what is common, rare and unknown."""

    def __init__(self) -> None:
        programs = list(MiniProgram.objects.order_by("pk").select_related("merchant"))
        some = [programs[0], programs[len(programs) // 2], programs[-1], max(programs, key=lambda row: row.created)]
        apps = [*dict.fromkeys(row.client_id for row in some), "unknown"]
        merchants = [*dict.fromkeys(row.merchant.client_id for row in some), "unknown"]
        newest = MiniProgramGrant.objects.order_by("-since").first()
        oldest = MiniProgramGrant.objects.order_by("since").first()
        assert newest
        assert oldest
        self.typed = {
            "program": apps,
            "merchant": merchants,
            "client": merchants,
            "address": ["203.0.113.7", "198.18.1.1", "192.0.2.1"],
        }
        self.days = [oldest.since.date().isoformat(), newest.since.date().isoformat()]
        user = newest.user_id
        persons = [people.login(user), people.phone(user), f"#{user}", "nobody@example.org"]
        rows = [ConsentDecision.objects.order_by("-at").first(), ErrorAudit.objects.order_by("-at").first()]
        traces = [row.trace_id for row in rows if row]
        self.terms = [*apps, *merchants[:2], *persons, newest.pk, oldest.pk, *traces, "=1"]
        self.user = str(user)


def queries(seat: Desk, path: str, page: admin.ModelAdmin, samples: Samples) -> Iterator[str]:
    """Every query string of one list that is worth a look."""
    first = seat.page(path)
    yield ""
    ends = [query for query in links(first) if query.split("=")[0] == "p"]
    yield from ends
    for query in filters(first, page, samples):
        yield query
        if ends:
            yield f"{query}&{LAST}"
    yield from sorted(query for query in links(first) if query.startswith("o="))
    if page.search_fields:
        yield from (urlencode({"q": term}) for term in samples.terms)
    for lookup in getattr(page, "link_lookups", ()):
        if lookup == "user__id__exact":
            yield urlencode({lookup: samples.user})


def filters(first: str, page: admin.ModelAdmin, samples: Samples) -> Iterator[str]:
    """The links that the page shows, and samples for the boxes to type into."""
    names = {str(getattr(item, "parameter_name", item)) for item in page.list_filter}
    yield from (query for query in links(first) if query.split("=")[0].removesuffix("__exact") in names)
    for name in sorted(names & samples.typed.keys()):
        yield from (urlencode({name: value}) for value in samples.typed[name])
    if "from" in names:
        oldest, newest = samples.days
        yield from (urlencode({"from": newest}), urlencode({"until": oldest}))
        yield urlencode({"from": oldest, "until": newest})


def links(page: str) -> list[str]:
    """The query strings that a page links to, without their question mark."""
    return list(dict.fromkeys(html.unescape(found)[1:] for found in LINK.findall(page) if len(found) > 1))


def opened(seat: Desk, role: str, path: str, query: str) -> Opened:
    begun = time.monotonic()
    with CaptureQueriesContext(connection) as captured:
        page = seat.page(f"{path}?{query}")
    seconds = time.monotonic() - begun
    said = re.search(r'<p class="paginator">(.*?)</p>', page, re.DOTALL)
    words = " ".join(re.sub(r"<[^>]*>.*?</[^>]*>", " ", said[1]).split()) if said else ""
    return Opened(role, path.removeprefix("/admin/"), query, round(seconds, 3), len(captured), words)


if __name__ == "__main__":
    main()
