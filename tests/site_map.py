"""Every page a person can meet, in each state worth looking at: what the tests of all pages walk through.

A page is a line of PAGES: the name of its URL, how to get there, what state it is in. NO_PAGE names the addresses that
are none. `test_site_map.py` fails when an address of the portal stands in neither.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path as url

from portal import urls
from portal.models import ConsentDecision, MiniProgram, MiniProgramGrant, User
from tests import conftest  # which imports us: its names are there when a page is opened
from tests.pages import fields

LONG_NAME = "Donaudampfschifffahrtsgesellschaftskapitänsmützenverleih & Söhne"


class Visitor:
    """Alice in her browser, a stranger in another, and what there is to see: made when a page needs it."""

    def __init__(self, alice: User, shop: MiniProgram, cafe: MiniProgram) -> None:
        self.alice, self.shop, self.cafe = alice, shop, cafe
        self.browser, self.stranger = Client(raise_request_exception=False), Client()
        self.forger = Client(enforce_csrf_checks=True)
        self.browser.force_login(alice)

    @cached_property
    def grant(self) -> MiniProgramGrant:
        """What Shop has of Alice: everything, but one thing was withdrawn again."""
        grant = MiniProgramGrant.give(self.alice, self.shop, conftest.EVERY_SCOPE)
        grant.revoke(by=self.alice, scopes=["USER_GENDER"])
        return grant

    @cached_property
    def ended(self) -> MiniProgramGrant:
        grant = MiniProgramGrant.give(self.alice, self.cafe, ["auth_base", "USER_NICKNAME"])
        grant.revoke(by=self.alice)
        return grant

    @property
    def decision(self) -> ConsentDecision:
        """By which she gave Shop everything."""
        return ConsentDecision.objects.get(grant=self.grant, act=ConsentDecision.Act.GIVEN)

    def genuine_receipt(self) -> dict[str, str]:
        return {"receipt": self.browser.get(f"/receipts/{self.decision.pk}/receipt.json").content.decode()}

    @cached_property
    def many(self) -> None:
        """More mini-programs than a page of Permissions holds, one with a name as long as they get."""
        for number in range(21):
            program = conftest.make_program(f"program{number:02}", ["auth_base", "USER_NICKNAME"], self.shop.merchant)
            MiniProgram.objects.filter(pk=program.pk).update(name=LONG_NAME if number == 20 else f"Program {number}")
            MiniProgramGrant.give(self.alice, program, ["auth_base", "USER_NICKNAME"])

    @cached_property
    def consent(self) -> str:
        """Shop asks for everything, and cannot do without her name."""
        self.shop.scope_approvals.filter(scope="USER_NAME").update(required=True)
        return self.ask("shop", *conftest.EVERY_SCOPE)

    @cached_property
    def answered(self) -> str:
        """Cafe asked for two things and got one."""
        consent = self.ask("cafe", "auth_user", "USER_NICKNAME")
        self.browser.post(f"/consent/{consent}/", {"decision": "allow", "scopes": "USER_NICKNAME"})
        return consent

    def ask(self, app_id: str, *scopes: str) -> str:
        """The id of the consent that Alice is asked for when this mini-program wants these scopes."""
        body = {"appId": app_id, "scopes": scopes}
        answer = self.browser.post("/v1/authorizations/getAuthCode", body, "application/json").json()
        return str(answer["consentId"])

    def stolen_password(self) -> dict[str, str]:
        return {"username": "alice", "password": "guessed"}

    def spoilt_profile(self) -> dict[str, str]:
        """Her profile form with something wrong in each kind of field."""
        form = fields(self.browser.get("/profile/"))
        wrong = {"birth_date": "yesterday", "contacts-0-value": "nobody@", "addresses-0-city": "x" * 500}
        return {**form, **{name: value for name, value in wrong.items() if name in form}}


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
    urlconf: str = "portal.urls"

    def __str__(self) -> str:
        return f"{self.url} {self.state}".strip()

    def open(self, visitor: Visitor, language: str = "en") -> HttpResponse:
        """What the portal answers this visitor's browser in this language."""
        for need in self.needs.split():
            getattr(visitor, need)
        client: Client = getattr(visitor, self.by)
        how = {"headers": {"Accept-Language": language, **self.headers}}
        address = self.path.format(visitor)
        with override_settings(ROOT_URLCONF=self.urlconf):
            if self.form:
                return client.post(address, self.form(visitor), **how)  # type: ignore[return-value, arg-type]
            return client.get(address, **how)  # type: ignore[return-value, arg-type]


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("the detail of it")


def forbidden(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


urlpatterns = [*urls.urlpatterns, url("broken/", broken), url("forbidden/", forbidden)]

IN_A_FRAME = {"Sec-Fetch-Dest": "iframe"}
PAGES = [
    SitePage("login", "/accounts/login/", by="stranger"),
    SitePage("login", "/accounts/login/", "refused", by="stranger", form=Visitor.stolen_password),
    SitePage("home", "/"),
    SitePage("home", "/", "full", needs="many grant"),
    SitePage("profile", "/profile/"),
    SitePage("profile", "/profile/", "refused", form=Visitor.spoilt_profile),
    SitePage("permissions", "/permissions/", "empty"),
    SitePage("permissions", "/permissions/", "full", needs="many grant"),
    SitePage("permissions", "/permissions/?show=ended", "ended", needs="ended"),
    SitePage("permission_detail", "/permissions/{0.grant.pk}/"),
    SitePage("permission_detail", "/permissions/{0.ended.pk}/", "ended"),
    SitePage("consent", "/consent/{0.consent}/"),
    SitePage("consent", "/consent/{0.consent}/", "in the container", headers=IN_A_FRAME),
    SitePage("consent", "/consent/{0.consent}/", "unanswered", form=lambda v: {"scopes": "USER_NICKNAME"}),
    SitePage("consent_done", "/consent/{0.answered}/done/"),
    SitePage("receipt", "/receipts/{0.decision.pk}/"),
    SitePage("verify_receipt", "/receipts/verify/", by="stranger"),
    SitePage("verify_receipt", "/receipts/verify/", "genuine", by="stranger", form=Visitor.genuine_receipt),
    SitePage("verify_receipt", "/receipts/verify/", "forged", by="stranger", form=lambda v: {"receipt": "e30.e30.AA"}),
    SitePage("container", "/mini/shop/"),
    SitePage("400", "/", headers={"Host": "evil.example"}),
    SitePage("403", "/forbidden/", urlconf=__name__),
    SitePage("403_csrf", "/accounts/logout/", by="forger", form=lambda v: {}),
    SitePage("404", "/nowhere/"),
    SitePage("500", "/broken/", urlconf=__name__),
]
NO_PAGE = {
    "logout": "POST, then the sign-in page",
    "withdraw": "POST, then the page it was pressed on",
    "receipt_json": "a file",
    "schema": "the API's description in YAML",
    "api_docs": "the API's reference for developers, drawn by Swagger UI",
    "healthz": "a probe",
    "readyz": "a probe",
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
