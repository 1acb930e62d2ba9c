"""Who may open each page of the operators' console, and do each act: what its tests of roles walk through.

`test_console_map.py` fails when a page, an act or a model of the console stands in neither table, and tries each of
them as every role. A new page is a line of PAGES; a new model or act a line of MODELS.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.test import RequestFactory
from django.urls import URLPattern, get_resolver

from portal.models import User

Roles = frozenset[str]
NOBODY: Roles = frozenset()
MANAGER = frozenset({"manager"})
ADMINISTRATOR = frozenset({"administrator"})
FROM_SUPPORT = frozenset({"support", "manager"})  # each of these three has what the one before it has
WHO_FREEZE = MANAGER | ADMINISTRATOR
WHO_EXPORT = frozenset({"auditor", "manager", "administrator"})
EVERYBODY = frozenset({"auditor", "support", "manager", "administrator"})


@dataclass(frozen=True)
class Table:
    """Who may look at the rows of one model, add one, save one, and do which act to one."""

    view: Roles = EVERYBODY
    add: Roles = NOBODY
    change: Roles = NOBODY
    acts: dict[str, Roles] = field(default_factory=dict)
    one_by_one: bool = False  # its acts are on the row's own page alone
    export: Roles = NOBODY
    leads_elsewhere: bool = False  # who opens a row comes to another page


@dataclass(frozen=True)
class Page:
    """Who may open an address that no ModelAdmin of Django's makes, and who may send its form, if it is for some.

    `arguments` fill what is not the id of a row.
    """

    roles: Roles = EVERYBODY
    sends: Roles | None = None
    arguments: dict[str, Any] = field(default_factory=dict)


MODELS = {
    "admin.LogEntry": Table(export=WHO_EXPORT),
    "auth.Group": Table(),
    "authapi.AuthCode": Table(),
    "authapi.ErrorAudit": Table(export=WHO_EXPORT),
    "authapi.ErrorGroup": Table(acts={"mark": FROM_SUPPORT, "unmark": FROM_SUPPORT}, export=WHO_EXPORT),
    "authapi.LedgerCheck": Table(),
    "oauth2_provider.AccessToken": Table(),
    "oauth2_provider.RefreshToken": Table(),
    "portal.AbuseReport": Table(acts=dict.fromkeys(("take", "release", "close"), FROM_SUPPORT)),
    "portal.ConsentDecision": Table(export=WHO_EXPORT),
    "portal.Job": Table(acts={"try_again": WHO_FREEZE, "give_up": WHO_FREEZE}),
    "portal.MassRevocation": Table(add=MANAGER, acts={"approve": MANAGER, "refuse": MANAGER}, one_by_one=True),
    "portal.Merchant": Table(add=MANAGER, change=MANAGER),
    "portal.MerchantNotice": Table(acts={"send_again": MANAGER}),
    "portal.MiniProgram": Table(
        add=MANAGER,
        change=MANAGER,
        acts={"approve": MANAGER, "refuse": MANAGER, "suspend": MANAGER, "restore": MANAGER},
    ),
    "portal.MiniProgramGrant": Table(acts={"revoke": FROM_SUPPORT}, export=WHO_EXPORT),
    "portal.ScopeApproval": Table(leads_elsewhere=True),
    "portal.Sector": Table(add=MANAGER),
    "portal.User": Table(
        change=ADMINISTRATOR,
        acts={"freeze": WHO_FREEZE, "unfreeze": WHO_FREEZE, "reset_second_factor": ADMINISTRATOR},
    ),
}
# Whatever else is below /admin/, by its pattern.
PAGES = {
    "": Page(),
    "find/": Page(),
    "signature/": Page(),
    "why/": Page(),
    "login/": Page(),
    "logout/": Page(),
    "password_change/": Page(),
    "password_change/done/": Page(),
    "jsi18n/": Page(),
    "autocomplete/": Page(NOBODY),  # no form uses it
    "r/<path:content_type_id>/<path:object_id>/": Page(arguments={"path:content_type_id": 1, "path:object_id": 1}),
    "second-factor/": Page(),
    "second-factor/show/": Page(),
    "second-factor/app/": Page(),
    "second-factor/passkey/": Page(),
    "second-factor/codes/": Page(),
    "second-factor/<int:pk>/remove/": Page(arguments={"int:pk": 0}),
    "authapi/ledgercheck/verify/": Page(),
    "portal/user/<int:pk>/reveal/": Page(FROM_SUPPORT, FROM_SUPPORT, {"int:pk": 1}),
    "portal/miniprogram/register/": Page(MANAGER, MANAGER),
    "portal/miniprogram/<path:object_id>/words/": Page(MANAGER, MANAGER),
    "portal/miniprogram/<path:object_id>/review/": Page(EVERYBODY, MANAGER),
    "portal/merchant/<int:merchant>/keys/<int:version>/test/": Page(MANAGER, MANAGER, {"int:version": 1}),
    "portal/merchant/<int:merchant>/keys/<int:version>/retire/": Page(MANAGER, MANAGER, {"int:version": 1}),
    "^(?P<app_label>APPS)/$": Page(arguments={"^(?P<app_label>APPS)/$": "portal/"}),
    "(?P<url>.*)$": Page(arguments={"(?P<url>.*)$": "no/such/page/"}),
}
# The pages that every ModelAdmin has, below its own address: who opens them.
OF_A_MODEL = {
    "": lambda table: table.view,
    "add/": lambda table: table.add,
    "export/": lambda table: table.export,
    "<path:object_id>/": lambda table: table.view,
    "<path:object_id>/change/": lambda table: table.view,
    "<path:object_id>/history/": lambda table: table.view,
    "<path:object_id>/delete/": lambda table: NOBODY,
    "<path:object_id>/act/<slug:action>/": lambda table: NOBODY,  # each act is tried by itself
}


def patterns() -> list[str]:
    """Of every page below /admin/, as its URLconf writes it; the list of apps in one of them is left out."""
    get_resolver().url_patterns  # noqa: B018  so that everything is registered
    apps = "|".join(dict.fromkeys(model._meta.app_label for model in admin.site._registry))
    return [found.replace(apps, "APPS") for found in _walked(admin.site.get_urls())]


def _walked(found: Any, start: str = "") -> Iterator[str]:
    for one in found:
        pattern = start + str(one.pattern)
        if isinstance(one, URLPattern):
            yield pattern
        else:
            yield from _walked(one.url_patterns, pattern)


def prefixes() -> dict[str, str]:
    """Where each model's pages begin."""
    return {model._meta.label: f"{model._meta.label_lower.replace('.', '/')}/" for model in admin.site._registry}


def acts() -> Iterator[tuple[str, str]]:
    """(model, act): every action that a superuser is offered somewhere."""
    request = RequestFactory().get("/admin/")
    request.user = User(is_superuser=True, is_staff=True, is_active=True)
    for model, page in admin.site._registry.items():
        yield from ((model._meta.label, name) for name in page.get_actions(request))


def addresses() -> Iterator[tuple[str, Roles]]:
    """(address, who may open it) of every page, with the first row of its model where it is about one."""
    for pattern in patterns():
        yield f"/admin/{filled(pattern)}", roles_of(pattern)


def roles_of(pattern: str) -> Roles:
    if pattern in PAGES:
        return PAGES[pattern].roles
    model, rest = _split(pattern)
    return OF_A_MODEL[rest](MODELS[model])


def is_known(pattern: str) -> bool:
    return pattern in PAGES or _split(pattern)[1] in OF_A_MODEL


def filled(pattern: str) -> str:
    """The pattern as a path."""
    page = PAGES.get(pattern, Page())
    for name, value in page.arguments.items():
        pattern = pattern.replace(name if name in pattern and "?P" in name else f"<{name}>", str(value))
    for name in ("<path:object_id>", "<int:merchant>"):
        if name in pattern:
            pattern = pattern.replace(name, key_of(_split(pattern)[0]))
    return pattern.replace("<slug:action>", "none")


def key_of(label: str) -> str:
    """Of the first row of this model that is nobody's who acts: the stage must have one."""
    model = next(model for model in admin.site._registry if model._meta.label == label)
    row = model._default_manager.order_by("pk").first()
    assert row is not None, f"the stage has no row of {label}"
    return str(quote(row.pk))


def _split(pattern: str) -> tuple[str, str]:
    found = [(label, start) for label, start in prefixes().items() if pattern.startswith(start)]
    assert len(found) == 1, f"{pattern} is a page of no model: give it a line in PAGES of tests/console_map.py"
    return found[0][0], pattern.removeprefix(found[0][1])
