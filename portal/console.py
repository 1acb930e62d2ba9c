"""The operator's console: the admin site under our name; its pages are in `portal/admin/`, one file per noun."""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal import recent_sign_in, second_factor
from portal.dashboard import page as dashboard
from portal.models import User
from portal.sign_in import ConsoleSignInForm, NewPasswordForm, answered

# The index, in the order an operator thinks: who, what they let in, what failed. Models not named come last.
GROUPS: tuple[tuple[str, Any, tuple[str, ...]], ...] = (
    ("people", gettext_lazy("People and grants"), ("User", "MiniProgramGrant", "ConsentDecision", "MassRevocation")),
    ("errors", gettext_lazy("What went wrong"), ("AbuseReport", "ErrorGroup", "ErrorAudit", "MerchantNotice")),
    ("programs", gettext_lazy("Mini-programs"), ("MiniProgram", "ScopeApproval", "Merchant", "Sector")),
    ("tokens", gettext_lazy("Codes and tokens"), ("AuthCode", "AccessToken", "RefreshToken")),
    ("operators", gettext_lazy("Operators"), ("LogEntry", "LedgerCheck", "Job", "Group")),
)


class Page(NamedTuple):
    """A page of the console that is no list: in which of GROUPS it stands, and who may open it."""

    group: str
    name: str
    url: str  # its name in the console's URLs
    permission: str


PAGES: list[Page] = []
ADDRESSES: list[Any] = []  # of pages that belong to no list; each is guarded by `admin_view`


class Alarm(NamedTuple):
    """What every operator who opens the start page must see, and where to look at it."""

    words: str
    url: str


# Asked each time the start page opens; None when all is well, or where this operator may not look.
ALARMS: list[Callable[[HttpRequest], Alarm | None]] = []


class Console(admin.AdminSite):
    """The admin site under our name, in our order, for operators whose account is in order and who showed a factor."""

    index_title = gettext_lazy("Operations")
    empty_value_display = "–"
    login_form = ConsoleSignInForm

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """With the navigation: the lists, and the pages that are none."""
        context = super().each_context(request)
        nav = navigation(request, context["available_apps"]) if context["has_permission"] else []
        return {**context, "nav": nav, "index_url": reverse("admin:index")}

    @property
    def site_header(self) -> str:  # type: ignore[override]
        return _("%(brand)s operations") % {"brand": settings.BRAND_NAME}

    @property
    def site_title(self) -> str:  # type: ignore[override]
        return self.site_header

    def get_urls(self) -> list[Any]:
        """With the search, and the pages of the second factor, which stand before the guard."""
        from portal.admin import find, second_factor  # which register pages with this site

        return [*second_factor.urls(), *find.urls(), *ADDRESSES, *super().get_urls()]

    def index(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        """The dashboard, above the lists, and above all what is alarming."""
        alarms = {"alarms": [found for ask in ALARMS if (found := ask(request))]}
        return super().index(request, {**dashboard.context(request), **alarms, **(extra_context or {})})

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Limited like every sign-in (trust 19); whoever is signed in is led to the second step."""
        if request.method == "GET" and (step := self.step_due(request)):
            return step
        response = answered(super().login(request, extra_context))
        if response.status_code == 302 and request.method == "POST":
            recent_sign_in.remember(request)
        return response

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """As Django's, within the limits of signing in: an open console is no place to guess a password."""
        page = PasswordChangeView.as_view(
            form_class=NewPasswordForm,
            success_url=reverse("admin:password_change_done"),
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        return answered(page(request))

    def is_operator(self, request: HttpRequest) -> bool:
        """A frozen operator is no operator."""
        return super().has_permission(request) and getattr(request.user, "status", "") == User.Status.ACTIVE

    def has_permission(self, request: HttpRequest) -> bool:
        """Operators who showed their second factor in this session (trust 34)."""
        return self.is_operator(request) and second_factor.is_shown(request)

    def step_due(self, request: HttpRequest) -> HttpResponse | None:
        """Where an operator goes first who did not show a second factor, or has none; then they come back."""
        if not self.is_operator(request) or second_factor.is_shown(request):
            return None
        assert isinstance(request.user, User)
        page = "second_factor_show" if second_factor.is_enrolled(request.user) else "second_factor"
        came_for = request.GET.get("next", "") if request.path == reverse("admin:login") else request.get_full_path()
        query = {"next": came_for} if came_for and request.method == "GET" else {}
        return HttpResponseRedirect(f"{reverse(f'admin:{page}')}?{urlencode(query)}".rstrip("?"))

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """As ever, but first the second factor, and a NUL byte is a 400, where PostgreSQL would make it a 500."""

        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            _refuse_nul(request)
            return view(request, *args, **kwargs)

        inner = super().admin_view(checked, cacheable)

        @wraps(inner)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            return self.step_due(request) or inner(request, *args, **kwargs)

        return guarded

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """The lists in GROUPS' order; one app's own page is left as it is."""
        apps = super().get_app_list(request, app_label)
        if app_label:
            return apps
        left = {model["object_name"]: model for app in apps for model in app["models"]}
        groups = [
            (label, name, [left.pop(model) for model in names if model in left]) for label, name, names in GROUPS
        ]
        groups.append(("more", _("More"), list(left.values())))
        return [
            {
                "app_label": label,
                "name": name,
                "app_url": listed[0]["admin_url"],
                "has_module_perms": True,
                "models": listed,
            }
            for label, name, listed in groups
            if listed
        ]


def navigation(request: HttpRequest, apps: list[Any]) -> list[dict[str, Any]]:
    """Groups of {name, url, here}: what this operator may open, pages of PAGES before the lists of their group."""
    found: dict[str, list[dict[str, Any]]] = {}
    for page in PAGES:
        if request.user.has_perm(page.permission):
            found.setdefault(page.group, []).append(_linked(request, page.name, reverse(f"admin:{page.url}")))
    groups = []
    for app in apps:
        lists = [_linked(request, model["name"], model["admin_url"]) for model in app["models"] if model["admin_url"]]
        groups.append({"name": app["name"], "pages": [*found.get(app["app_label"], []), *lists]})
    return groups


def _linked(request: HttpRequest, name: str, url: str) -> dict[str, Any]:
    return {"name": str(name)[:1].upper() + str(name)[1:], "url": url, "here": request.path.startswith(url)}


def _refuse_nul(request: HttpRequest) -> None:
    """Trust 36."""
    if any("\0" in text for text in _sent(request)):
        raise SuspiciousOperation("a NUL byte in the request")


def _sent(request: HttpRequest) -> Iterator[str]:
    """Every text of the request that may reach a query."""
    yield request.path
    for data in (request.GET, request.POST):
        for key, values in data.lists():
            yield key
            yield from map(str, values)
