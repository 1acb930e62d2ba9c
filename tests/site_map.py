"""Every page a person can meet, in each state worth looking at: what the tests of all pages walk through.

A page is a line of PAGES: the name of its URL, how to get there, what state it is in. NO_PAGE names the addresses that
are none. `test_site_map.py` fails when an address of the portal stands in neither.
"""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path as url

from portal import urls
from tests.visitor import Visitor


@dataclass(frozen=True)
class SitePage:
    """One page in one state; `path` and `form` may use what the visitor has, `needs` names what is only made."""

    url: str
    path: str
    state: str = ""
    needs: str = ""
    by: str = "browser"
    form: Callable[[Visitor], dict[str, Any]] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    broken: bool = False  # one of the addresses below that only this portal has

    def __str__(self) -> str:
        return f"{self.url} {self.state}".strip()

    def open(self, visitor: Visitor, language: str = "en") -> HttpResponse:
        """What the portal answers this visitor's browser in this language."""
        for need in self.needs.split():
            getattr(visitor, need)
        with override_settings(ROOT_URLCONF=__name__) if self.broken else nullcontext():
            return self._asked(visitor, {"Accept-Language": language, **self.headers})

    def _asked(self, visitor: Visitor, headers: dict[str, str]) -> HttpResponse:
        client: Client = getattr(visitor, self.by)
        address = self.path.format(visitor)
        if self.form:
            return client.post(address, self.form(visitor), headers=headers)  # type: ignore[return-value]
        return client.get(address, headers=headers)  # type: ignore[return-value]


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("the detail of it")


def forbidden(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


urlpatterns = [*urls.urlpatterns, url("broken/", broken), url("forbidden/", forbidden)]

IN_A_FRAME = {"Sec-Fetch-Dest": "iframe"}
PAGES = [
    SitePage("login", "/accounts/login/", by="stranger"),
    SitePage("login", "/accounts/login/", "refused", by="stranger", form=Visitor.guess),
    SitePage("home", "/"),
    SitePage("home", "/", "full", needs="many grant"),
    SitePage("profile", "/profile/"),
    SitePage("profile", "/profile/", "refused", form=Visitor.spoilt_profile),
    SitePage("my_data", "/profile/data/"),
    SitePage("my_data", "/profile/data/", "of who leaves", needs="leaving"),
    SitePage("my_data", "/profile/data/download/", "refused", form=Visitor.guess),
    SitePage("delete_account", "/profile/delete/", needs="grant"),
    SitePage("delete_account", "/profile/delete/", "refused", form=Visitor.guess),
    SitePage("delete_account", "/profile/delete/", "planned", needs="leaving"),
    SitePage("inbox", "/inbox/", "empty"),
    SitePage("inbox", "/inbox/", "full", needs="news"),
    SitePage("permissions", "/permissions/", "empty"),
    SitePage("permissions", "/permissions/", "full", needs="many grant"),
    SitePage("permissions", "/permissions/?q=cafe&show=paused", "paused and found", needs="paused"),
    SitePage("permissions", "/permissions/?show=expired", "expired and empty"),
    SitePage("permissions", "/permissions/?show=withdrawn", "withdrawn", needs="ended"),
    SitePage("permissions", "/permissions/?q=zzz", "not found", needs="grant"),
    SitePage("withdraw_all", "/permissions/all/withdraw/", needs="many paused"),
    SitePage("withdraw_all", "/permissions/all/withdraw/", "empty"),
    SitePage("permission_detail", "/permissions/{0.grant.pk}/"),
    SitePage("permission_detail", "/permissions/{0.used.pk}/", "used, and soon over"),
    SitePage("permission_detail", "/permissions/{0.paused.pk}/?history=2", "paused", needs="often"),
    SitePage("permission_detail", "/permissions/{0.ended.pk}/", "ended"),
    SitePage("permission_detail", "/permissions/{0.ended.pk}/", "deletion asked", needs="asked_to_delete"),
    SitePage("report", "/permissions/{0.grant.pk}/report/"),
    SitePage("report", "/permissions/{0.grant.pk}/report/", "refused", form=lambda v: {"words": "x" * 2001}),
    SitePage("consent", "/consent/{0.consent}/"),
    SitePage("consent", "/consent/{0.consent}/", "in the container", headers=IN_A_FRAME),
    SitePage("consent", "/consent/{0.consent}/", "unanswered", form=lambda v: {"scopes": "USER_NICKNAME"}),
    SitePage("consent", "/consent/{0.asked_anew}/", "anew"),
    SitePage("consent", "/consent/{0.asked_anew}/", "of who signed in long ago", form=Visitor.allow_mobile),
    SitePage("consent_add", "/consent/{0.asked_anew}/add/USER_ADDRESS/"),
    SitePage("consent_add", "/consent/{0.asked_anew}/add/USER_ADDRESS/", "refused", form=lambda v: {"region": "XX"}),
    SitePage("consent_done", "/consent/{0.answered}/done/"),
    SitePage("receipt", "/receipts/{0.decision.pk}/"),
    SitePage("verify_receipt", "/receipts/verify/", by="stranger"),
    SitePage("verify_receipt", "/receipts/verify/", "genuine", by="stranger", form=Visitor.genuine_receipt),
    SitePage("verify_receipt", "/receipts/verify/", "forged", by="stranger", form=lambda v: {"receipt": "e30.e30.AA"}),
    SitePage("container", "/mini/shop/"),
    SitePage("container", "/mini/shop/", "paused", needs="paused"),
    SitePage("400", "/", headers={"Host": "evil.example"}),
    SitePage("403", "/forbidden/", broken=True),
    SitePage("403_csrf", "/accounts/logout/", by="forger", form=lambda v: {}),
    SitePage("404", "/nowhere/"),
    SitePage("500", "/broken/", broken=True),
]
NO_PAGE = {
    "logout": "POST, then the sign-in page",
    "withdraw": "POST, then the page it was pressed on",
    "pause": "POST, then the page it was pressed on",
    "resume": "POST, then the page it was pressed on",
    "duration": "POST, then the page it was pressed on",
    "ask_deletion": "POST, then the page it was pressed on",
    "set_language": "POST, then the page it was pressed on",
    "keep_account": "POST, then My data",
    "my_data_json": "a file; a refused password is My data again",
    "receipt_json": "a file",
    "schema": "the API's description in YAML",
    "api_docs": "the API's reference for developers, drawn by Swagger UI",
    "healthz": "a probe",
    "readyz": "a probe",
    "metrics": "numbers for Prometheus",
    "admin": "the operators' console",
    "get_auth_code": "API",
    "consent_api": "API",
    "decision_api": "API",
    "report_error": "API",
    "my_js": "a script",
    "jwks": "JSON",
    "^media/": "pictures",
    "v(?P<version>": "API of the merchants, under every gateway's prefix",
    "api/": "API of the merchants: no such address",
    "^v[0-9]+": "API of the merchants: no such address",
}
