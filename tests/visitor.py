"""Alice in her browser, and what there is for her to see: who walks through the site map."""

from datetime import timedelta
from functools import cached_property

from django.test import Client
from django.utils import timezone

from portal import erasure
from portal.models import AccessCount, ConsentDecision, InboxNotice, MiniProgram, MiniProgramGrant, User
from portal.terms import Duration
from tests import conftest  # which imports us: its names are there when a page is opened
from tests.pages import fields, press

NOTICES = {
    "purpose": {"scope": "USER_NICKNAME"},
    "unused": {"days": 90},
    "deletion": {"due": "2026-12-24T12:00:00+00:00"},
    "report": {},
}
LONG_NAME = "Donaudampfschifffahrtsgesellschaftskapitänsmützenverleih & Söhne"


class Visitor:
    """Alice in her browser, a stranger in another, and what there is to see: made when a page needs it."""

    def __init__(self, alice: User, olga: User, shop: MiniProgram, cafe: MiniProgram) -> None:
        self.alice, self.olga, self.shop, self.cafe = alice, olga, shop, cafe
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

    @cached_property
    def used(self) -> MiniProgramGrant:
        """What Shop has of Alice for a month: read, partly for another purpose now, and partly not passed on."""
        self.grant.retime(Duration.MONTH, by=self.alice)
        AccessCount.add({(self.grant.pk, "USER_NICKNAME"): (14, timezone.now() - timedelta(hours=2))})
        self.shop.scope_approvals.get(scope="USER_NICKNAME").reword("To write it on the cup", {}, by=None)
        self.shop.scope_approvals.filter(scope="USER_AVATAR").update(max_days=7, state="REFUSED")
        return self.grant

    @cached_property
    def paused(self) -> MiniProgramGrant:
        grant = MiniProgramGrant.give(self.alice, self.cafe, ["auth_base", "USER_NICKNAME"])
        grant.pause(by=self.alice)
        return grant

    @cached_property
    def often(self) -> None:
        """More decisions about Cafe than a page of its history holds."""
        for _ in range(11):
            self.paused.resume(by=self.alice)
            self.paused.pause(by=self.alice)

    @cached_property
    def asked_to_delete(self) -> None:
        type(self.cafe.merchant).objects.update(notify_url="https://cafe.example/notify")
        self.ended.ask_deletion()

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
        press(self.browser, f"/consent/{consent}/", decision="allow", scopes="USER_NICKNAME", duration="30d")
        return consent

    @cached_property
    def asked_anew(self) -> str:
        """What a nickname is for has changed, and an address is asked for that she never gave."""
        conftest.sign_in(self.browser, self.alice, ago=3600)
        MiniProgramGrant.give(self.alice, self.shop, ["auth_base", "USER_NICKNAME"])
        self.shop.scope_approvals.get(scope="USER_NICKNAME").reword("To write it on the cup", {}, by=None)
        self.shop.scope_approvals.filter(scope="USER_GENDER").update(max_days=30)
        type(self.shop.merchant).objects.update(verified=True)
        self.alice.addresses.all().delete()
        return self.ask("shop", "USER_NICKNAME", "PLAINTEXT_MOBILE_PHONE", "USER_ADDRESS", "USER_GENDER")

    def allow_mobile(self) -> dict[str, str]:
        """Long after she signed in."""
        form = fields(self.browser.get(f"/consent/{self.asked_anew}/"))
        return {**form, "decision": "allow", "scopes": "PLAINTEXT_MOBILE_PHONE", "password": "guessed"}

    @property
    def news(self) -> None:
        """A notice of each kind in her inbox, not read yet."""
        self.many  # noqa: B018
        self.grant.revoke(by=self.olga, reason="Its licence ran out.")
        for kind, facts in NOTICES.items():
            InboxNotice.objects.update_or_create(
                user=self.alice, mini_program=self.shop, kind=kind, defaults={"facts": facts, "read_at": None}
            )
        InboxNotice.objects.filter(user=self.alice, decision__act="revoked").update(read_at=None)

    @cached_property
    def leaving(self) -> None:
        """She asked for the end of her account."""
        erasure.ask(self.alice)

    def ask(self, app_id: str, *scopes: str) -> str:
        """The id of the consent that Alice is asked for when this mini-program wants these scopes."""
        body = {"appId": app_id, "scopes": scopes}
        answer = self.browser.post("/v1/authorizations/getAuthCode", body, "application/json").json()
        return str(answer["consentId"])

    def guess(self) -> dict[str, str]:
        """A wrong password, wherever one is asked for."""
        return {"username": "alice", "password": "guessed"}

    def spoilt_profile(self) -> dict[str, str]:
        """Her profile form with something wrong in each kind of field."""
        form = fields(self.browser.get("/profile/"))
        wrong = {"birth_date": "yesterday", "contacts-0-value": "nobody@", "addresses-0-city": "x" * 500}
        return {**form, **{name: value for name, value in wrong.items() if name in form}}
