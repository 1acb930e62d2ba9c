"""Everything about one person for their page in the console, in few statements; personal data masked (trust 32)."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.models import Count, F, IntegerField, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.http import urlencode
from oauth2_provider.models import AccessToken, RefreshToken

from portal import masking
from portal.admin import terms
from portal.encryption import UnreadableError
from portal.models import (
    AbuseReport,
    Address,
    Contact,
    InboxNotice,
    LoginId,
    MiniProgramGrant,
    PendingConsent,
    User,
)

SHOWN = 10
UNREADABLE = "cannot be read: our fault, the log says more"
KINDS = {**dict(Contact.Type.choices), **dict(LoginId.Type.choices)}


def page(person: User) -> dict[str, Any]:
    """What the template shows beside the fields of the account. Six statements."""
    return {
        "reaches": reaches(person),
        "addresses": [_masked_address(row) for row in person.addresses.all()],
        "counts": counts(person),
        "grants": grants(person),
        "decisions": person.consent_decisions.select_related("mini_program", "actor").order_by("-at", "-id")[:SHOWN],
        "failures": errors(person),
        "lists": lists(person),
    }


# --- How they are reached, masked -------------------------------------------------------------------------------


def masked(read: Callable[[], str]) -> str:
    """The beginning of a value and dots; "–" when there is none."""
    try:
        value = read()
    except UnreadableError:
        return UNREADABLE
    return masking.text(value) if value else "–"


def reaches(person: User) -> list[dict[str, str]]:
    """Login ids, then contacts: of what kind, what for, and the masked value."""
    logins = person.login_ids.order_by().annotate(use=Value("signs in with it"))
    contacts = person.contacts.order_by().annotate(use=Value("is reached by it"))
    columns = ("use", "type", "value")
    rows: Iterable[Any] = logins.values_list(*columns).union(contacts.values_list(*columns), all=True)
    found = [{"use": use, "kind": str(KINDS[kind]), "value": _masked_reach(kind, value)} for use, kind, value in rows]
    return sorted(found, key=lambda row: row["use"], reverse=True)


def _masked_reach(kind: str, value: Any) -> str:
    try:
        text = str(value)
    except UnreadableError:
        return UNREADABLE
    if kind == "EMAIL":
        return masking.email(text)
    return masking.phone(text) if text.startswith("+") else masking.text(text)


def _masked_address(row: Address) -> dict[str, str]:
    return {
        "label": masked(lambda: row.label),
        "region": row.region.name,
        "city": masked(lambda: row.city),
        "street": masked(lambda: row.address1),
    }


# --- How much there is ------------------------------------------------------------------------------------------


def _count(rows: QuerySet[Any]) -> Any:
    """How many of these rows, that are somebody's, as a part of a larger statement."""
    theirs = rows.filter(user=OuterRef("pk")).order_by().values("user").annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(theirs), 0, output_field=IntegerField())


def counts(person: User) -> dict[str, int]:
    """Grants by state, what is alive, what waits. One statement."""
    now, held, access = timezone.now(), MiniProgramGrant.objects, AccessToken.objects
    alive = access.filter(expires__gt=now)
    asked = {
        "live": held.usable(),
        "paused": held.live().exclude(paused_at=None),
        "ended": held.exclude(ended_at=None),
        "expired": held.filter(ended_at=None, expires_at__lte=now),
        "access_tokens": alive.exclude(application=None),
        "refresh_tokens": RefreshToken.objects.filter(revoked=None, created__gt=now - _idle()),
        "own_tokens": alive.filter(application=None),
        "consents": PendingConsent.objects.filter(decided_at=None, expires_at__gt=now),
        "open_reports": AbuseReport.objects.filter(state=AbuseReport.State.OPEN),
        "reports": AbuseReport.objects.all(),
        "notices": InboxNotice.objects.all(),
        "unread": InboxNotice.objects.unread(),
    }
    numbers = User.objects.filter(pk=person.pk).values_list(*map(_count, asked.values())).get()
    return dict(zip(asked, numbers, strict=True))


def _idle() -> timedelta:
    idle: timedelta = settings.REFRESH_TOKEN_IDLE_LIFETIME
    return idle


def grants(person: User) -> list[tuple[MiniProgramGrant, str]]:
    """The last ones with their state: what stands first, then what ended."""
    rows = MiniProgramGrant.objects.filter(user=person).select_related("mini_program")
    latest = rows.order_by(F("ended_at").desc(nulls_first=True), "-since")[:SHOWN]
    return [(grant, terms.state(grant)) for grant in latest]


def errors(person: User) -> QuerySet[Any]:
    """By string, like its URLs: the portal does not import the API."""
    return apps.get_model("authapi", "ErrorAudit").objects.filter(user=person.pk).order_by("-at", "-id")[:SHOWN]


def lists(person: User) -> dict[str, str]:
    """The console's lists, narrowed to this person."""
    by_user, by_number = {"user__id__exact": person.pk}, {"q": f"#{person.pk}"}
    states = {state: _list("portal_miniprogramgrant", by_user | {"state": state}) for state in _STATES}
    return states | {
        "grants": _list("portal_miniprogramgrant", by_user),
        "decisions": _list("portal_consentdecision", by_user),
        "reports": _list("portal_abusereport", by_user),
        "errors": _list("authapi_erroraudit", by_user),
        "access_tokens": _list("oauth2_provider_accesstoken", by_number),
        "refresh_tokens": _list("oauth2_provider_refreshtoken", by_number),
        "codes": _list("authapi_authcode", by_number),
        "log": _list("admin_logentry", {"q": str(person.pk)}),
    }


_STATES = ("live", "paused", "ended", "expired")


def _list(name: str, query: dict[str, Any]) -> str:
    return f"{reverse(f'admin:{name}_changelist')}?{urlencode(query)}"


def why_link(**query: Any) -> str:
    """The page that explains an answer, filled in; "" where the API brings none."""
    try:
        return f"{reverse('admin:why')}?{urlencode(query, doseq=True)}"
    except NoReverseMatch:
        return ""
