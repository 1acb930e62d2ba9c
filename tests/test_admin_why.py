"""“Why?”: what getAuthCode would answer somebody now, and why, without doing it."""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from authapi import why
from portal import sheet
from portal.models import (
    Contact,
    MassRevocation,
    Merchant,
    MiniProgram,
    MiniProgramGrant,
    PendingConsent,
    ScopeApproval,
    User,
)
from portal.terms import Duration
from tests.conftest import EVERY_SCOPE, Container
from tests.operators import Desk, in_role, last_log

PATH = "/admin/why/"
NOT_TOLD = {"authCode", "consentId", "consentUrl", "consentExpiryTime"}


def database() -> list[Any]:
    """Every row of every table, but sessions: a page opened is a session used."""
    models = [model for model in apps.get_models() if model._meta.managed and model._meta.label != "sessions.Session"]
    return [list(model._default_manager.order_by("pk").values()) for model in models]


def told(user: User, app_id: str, scopes: Any) -> why.Explanation:
    """What Why says; it reads, and nothing else."""
    with CaptureQueriesContext(connection) as statements:
        found = why.explain(User.objects.get(pk=user.pk), app_id, scopes)
    assert [sql for row in statements if not (sql := row["sql"].strip()).startswith("SELECT")] == []
    assert len(statements) <= 12
    return found


def becomes(found: why.Explanation) -> dict[str, str]:
    return {line.scope: line.becomes for line in found.lines}


def because(found: why.Explanation, scope: str) -> str:
    return next(line.why for line in found.lines if line.scope == scope)


def really(container: Container, app_id: str, scopes: Any) -> tuple[int, dict[str, Any]]:
    """What the endpoint answers, without what only it can know."""
    body = {"appId": app_id} | ({} if scopes is None else {"scopes": scopes})
    response = container.post("/v1/authorizations/getAuthCode", body)
    answer = response.json()
    return response.status_code, {name: value for name, value in answer.items() if name not in NOT_TOLD}


# --- The words ------------------------------------------------------------------------------------------------


def test_what_is_silent_needs_nobody(alice: User, shop: MiniProgram) -> None:
    found = told(alice, "shop", None)
    assert found.headline == "A code for auth_base"
    assert becomes(found) == {"auth_base": "in the code"}
    assert "silent" in because(found, "auth_base")


def test_what_was_never_given_is_asked(alice: User, shop: MiniProgram) -> None:
    found = told(alice, "shop", ["auth_base", "USER_NAME"])
    assert found.headline == "Error 2001: the user would be asked for USER_NAME"
    assert because(found, "USER_NAME") == "Never given."
    assert found.lines[1].purpose == "shop needs USER_NAME"


def test_what_is_granted_says_since_when_and_until_when(alices: Container, alice: User, shop: MiniProgram) -> None:
    allow(alices, ["USER_NAME"], Duration.MONTH)
    found = told(alice, "shop", ["USER_NAME"])
    assert becomes(found) == {"USER_NAME": "in the code"}
    assert because(found, "USER_NAME").startswith("Granted on ")
    assert ", until " in because(found, "USER_NAME")


def allow(alices: Container, scopes: list[str], duration: Duration = Duration.ALWAYS) -> None:
    consent = PendingConsent.objects.get(pk=alices.get_auth_code("shop", scopes)["consentId"])
    consent.decide(consent.asked, shown=sheet.of(consent).consent_text(), duration=duration)


def refuse(alices: Container) -> None:
    alices.decide(alices.get_auth_code("shop", ["USER_NAME"])["consentId"], [])


def narrow(alices: Container) -> None:
    allow(alices, ["USER_NAME", "USER_GENDER"])
    grant = MiniProgramGrant.objects.get()
    grant.revoke(by=grant.user, scopes=["USER_NAME"], reason="too much")


def operator_revokes(alices: Container) -> None:
    allow(alices, ["USER_NAME"])
    MiniProgramGrant.objects.get().revoke(by=in_role("support"), reason="fraud case 7")


def let_time_run_out(alices: Container) -> None:
    allow(alices, ["USER_NAME", "USER_GENDER"], Duration.MONTH)
    past = (timezone.now() - timedelta(days=1)).isoformat()
    grant = MiniProgramGrant.objects.get()
    MiniProgramGrant.objects.update(terms={**grant.terms, "USER_NAME": {"until": past}})


def let_the_grant_run_out(alices: Container) -> None:
    allow(alices, ["USER_NAME"])
    MiniProgramGrant.objects.update(expires_at=timezone.now() - timedelta(days=1))


def allow_once(alices: Container) -> None:
    allow(alices, ["USER_NAME"], Duration.ONCE)


def change_the_purpose(alices: Container) -> None:
    allow(alices, ["USER_NAME"])
    ScopeApproval.objects.get(scope="USER_NAME").reword("For something else", {}, by=None)


def revoke_en_masse(alices: Container) -> None:
    allow(alices, ["USER_NAME", "USER_GENDER"])
    batch = MassRevocation.objects.create(
        mini_program=MiniProgram.objects.get(), scopes=["USER_NAME"], reason="leak", asked_by=in_role("support")
    )
    batch.approve(by=in_role("manager"))


@pytest.mark.parametrize(
    ("happened", "words"),
    [
        (refuse, "The user refused it on "),
        (narrow, "by the user (too much)"),
        (operator_revokes, "by the-support (fraud case 7)"),
        (let_time_run_out, "Its time ran out on "),
        (let_the_grant_run_out, "The grant's time ran out on "),
        (allow_once, "one time only"),
        (change_the_purpose, "the user agreed to version 1, and it is version 2 now"),
        (revoke_en_masse, "A mass revocation took it"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_scope_is_asked_for_a_reason(
    alices: Container, alice: User, shop: MiniProgram, happened: Callable[[Container], None], words: str
) -> None:
    happened(alices)
    found = told(alice, "shop", ["USER_NAME"])
    assert becomes(found) == {"USER_NAME": "asked"}
    assert words in because(found, "USER_NAME")


@pytest.mark.parametrize(
    ("scope", "state", "code", "words"),
    [
        ("USER_SHOE_SIZE", None, "10001", "No such scope exists."),
        ("user_nam", None, "10001", "Did they mean USER_NAME?"),
        ("USER_NAME", None, "40006", "never applied for it"),
        ("USER_NAME", "REQUESTED", "40006", "no operator has decided so far"),
        ("USER_NAME", "REFUSED", "40006", "An operator refused it to the mini-program on "),
    ],
)
def test_a_scope_fails_for_a_reason(
    alice: User, olga: User, cafe: MiniProgram, scope: str, state: Any, code: str, words: str
) -> None:
    if state:
        cafe.scope_approvals.create(scope=scope).decide(state, by=olga)
    found = told(alice, "cafe", ["auth_base", scope])
    assert becomes(found)[scope] == f"fails with {code}"
    assert words in because(found, scope)
    alone = told(alice, "cafe", [scope])
    assert alone.headline.startswith("Error 2: Invalid parameters: scopes: none is usable")
    assert words in because(alone, scope)


def test_a_value_that_cannot_be_read_is_said_to_be_our_fault(alice: User, shop: MiniProgram) -> None:
    Contact.objects.filter(user=alice, type="MOBILE_PHONE").update(value="broken")
    found = told(alice, "shop", ["PLAINTEXT_MOBILE_PHONE", "auth_base"])
    assert becomes(found)["PLAINTEXT_MOBILE_PHONE"] == "fails with 3"
    assert "our fault" in because(found, "PLAINTEXT_MOBILE_PHONE")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lambda: MiniProgram.objects.update(status="SUSPENDED"), "The mini-program shop is suspended."),
        (lambda: Merchant.objects.update(status="DISABLED"), "Its merchant shop Ltd is disabled."),
        (lambda: MiniProgram.objects.update(features=[]), "lacks the feature App_User_Authorization"),
        (lambda: User.objects.filter(username="alice").update(status="FROZEN"), "The user is frozen."),
        (lambda: User.objects.filter(username="alice").update(is_active=False), "is_active is off"),
        (lambda: MiniProgram.objects.update(client_id="Shop"), "no such mini-program. Did they mean Shop?"),
        (lambda: MiniProgram.objects.update(features=7), "Our fault: TypeError"),
        (lambda: pause(), "The user paused this mini-program on "),
    ],
    ids=["program", "merchant", "feature", "frozen", "closed", "unknown", "fault", "paused"],
)
def test_what_stops_every_scope_is_said_precisely(
    alices: Container, alice: User, shop: MiniProgram, broken: Callable[[], Any], words: str
) -> None:
    alices.code("shop", ["USER_NICKNAME"])
    broken()
    found = told(alice, "shop", ["USER_NICKNAME"])
    assert words in " ".join(found.reasons)
    assert found.headline.startswith(("Error ", "HTTP 401"))
    assert (found.status, found.answer) == really(alices, "shop", ["USER_NICKNAME"])


def pause() -> None:
    grant = MiniProgramGrant.objects.get()
    grant.pause(by=grant.user)


# --- The same as the real thing -------------------------------------------------------------------------------


class Chance:
    """Alice, Shop and what is between them, in a state drawn by lot."""

    def __init__(self, seed: int, alice: User, shop: MiniProgram) -> None:
        self.dice, self.alice, self.shop = random.Random(seed), alice, shop

    def often(self, chance: float) -> bool:
        return self.dice.random() < chance

    def some(self, names: list[str]) -> list[str]:
        return self.dice.sample(names, self.dice.randint(1, min(4, len(names))))

    def set_up(self) -> None:
        approvals = list(self.shop.scope_approvals.all())
        for approval in approvals:
            approval.state = self.dice.choice(["APPROVED"] * 8 + ["REFUSED", "REQUESTED"])
            approval.purpose_version = self.dice.choice([1] * 7 + [2])
        ScopeApproval.objects.bulk_update(approvals, ["state", "purpose_version"])
        for _ in range(self.dice.randint(0, 2)):
            self._grant()
        if self.often(0.15):
            Contact.objects.filter(user=self.alice).update(value="broken")
        self._stop()

    def _grant(self) -> None:
        """Ends the one before, unless that is over."""
        for grant in MiniProgramGrant.objects.filter(ended_at=None):
            grant.revoke(by=self.alice)
        grant = MiniProgramGrant.give(self.alice, self.shop, {"auth_base", *self.some(EVERY_SCOPE)})
        grant.terms = {name: self._terms() for name in grant.scopes if self.often(0.2)}
        grant.expires_at = self.dice.choice([None, None, None, self._moment()])
        grant.paused_at = timezone.now() if self.often(0.1) else None
        grant.save()
        if self.often(0.15):
            self._cut(grant)

    def _moment(self) -> Any:
        return timezone.now() + timedelta(days=self.dice.choice([-3, 3]))

    def _terms(self) -> dict[str, Any]:
        term: dict[str, Any] = {"purpose": 2} if self.often(0.3) else {}
        if self.often(0.5):
            term["until"] = self._moment().isoformat()
        return term | ({"once": True} if self.often(0.2) else {})

    def _cut(self, grant: MiniProgramGrant) -> None:
        asker, second = (User.objects.create(username=f"m{self.dice.random()}") for _ in range(2))
        named = self.dice.choice([[], [next(iter(grant.scopes))]])
        MassRevocation.objects.create(mini_program=self.shop, scopes=named, reason="leak", asked_by=asker).approve(
            by=second
        )

    def _stop(self) -> None:
        users, programs = User.objects.filter(pk=self.alice.pk), MiniProgram.objects.filter(pk=self.shop.pk)
        stops: list[Callable[[], Any]] = [
            lambda: users.update(status=self.dice.choice(["FROZEN", "INACTIVE"])),
            lambda: users.update(is_active=False),
            lambda: programs.update(status="SUSPENDED"),
            lambda: programs.update(features=["Send_Message"]),
            lambda: Merchant.objects.update(status="DISABLED"),
        ]
        if self.often(0.15):
            self.dice.choice(stops)()

    def call(self) -> tuple[str, Any]:
        app_id = self.dice.choice(["shop"] * 40 + ["SHOP", "", "x" * 129])
        last = MiniProgramGrant.objects.order_by("since").last()
        granted = list(last.scopes) if last and self.often(0.6) else EVERY_SCOPE
        names = self.some([*granted, "auth_base"]) + self.some(["USER_SHOE_SIZE", "user_name"]) * self.often(0.1)
        return app_id, self.dice.choice([names] * 8 + [None, [], [*names, names[0]], ["x" * 65]])


@pytest.mark.parametrize("seed", range(30))
def test_why_answers_what_the_endpoint_answers(alices: Container, alice: User, shop: MiniProgram, seed: int) -> None:
    chance = Chance(seed, alice, shop)
    chance.set_up()
    for _ in range(8):  # a call that gives something changes what the next one finds
        app_id, scopes = chance.call()
        found = told(alice, app_id, scopes)
        assert (found.status, found.answer) == really(alices, app_id, scopes), (app_id, scopes)
        assert all(line.why for line in found.lines)
        if found.answer.get("error") == 2001:
            assert "asked" in becomes(found).values()


# --- The page -------------------------------------------------------------------------------------------------


@pytest.fixture
def auditor(db: None) -> Desk:
    return Desk(in_role("auditor"))


def asked(desk: Desk, **fields: Any) -> str:
    response = desk.post(PATH, fields)
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    return str(response.content.decode())


@pytest.mark.trust(30)
@pytest.mark.parametrize("name", ["alice", "0917 123 4567", "Alice@example.org", "#PK", "ext-1"])
def test_an_auditor_asks_why_and_that_is_in_the_log(auditor: Desk, alice: User, shop: MiniProgram, name: str) -> None:
    User.objects.filter(pk=alice.pk).update(external_id="ext-1")
    page = asked(
        auditor,
        user=name.replace("PK", str(alice.pk)),
        app_id="shop",
        scopes=["USER_NAME"],
        others="SHOE_SIZE, auth_base",
    )
    for text in ("the user would be asked for USER_NAME", "Never given.", "fails with 10001", f"(#{alice.pk})"):
        assert text in page
    words = "Looked at what getAuthCode would answer in shop for USER_NAME, auth_base"
    assert last_log() == ("the-auditor", str(alice.pk), words)


def test_asking_why_changes_nothing_but_the_log(
    auditor: Desk, alices: Container, alice: User, shop: MiniProgram
) -> None:
    alices.code("shop", ["USER_NAME"])

    def rows() -> dict[str, Any]:
        models = [model for model in apps.get_models() if model._meta.managed]
        return {model._meta.label: list(model._default_manager.order_by("pk").values()) for model in models}

    before = rows()
    for scopes in (["USER_NAME"], ["USER_GENDER"], [], ["USER_NAME", "USER_ID"]):
        asked(auditor, user="alice", app_id="shop", scopes=scopes)
    after = rows()
    changed = {label for label in before if before[label] != after[label]}
    assert changed == {"admin.LogEntry"}
    assert len(after["admin.LogEntry"]) == len(before["admin.LogEntry"]) + 4


def test_a_link_fills_the_form_in_and_looks_at_nobody(auditor: Desk, alice: User, shop: MiniProgram) -> None:
    page = auditor.page(f"{PATH}?user=%23{alice.pk}&program=shop&scope=USER_NAME")
    assert f'value="#{alice.pk}"' in page
    assert page.count(" checked") == 1
    assert not LogEntry.objects.exists()


@pytest.mark.trust(32)
@pytest.mark.parametrize("name", ["", "ali", "917123", "#", "%"])
def test_half_a_name_is_nobodys(auditor: Desk, alice: User, shop: MiniProgram, name: str) -> None:
    page = asked(auditor, user=name, app_id="shop")
    assert "Please correct the errors below." in page
    assert not LogEntry.objects.exists()


@pytest.mark.trust(32)
def test_no_value_of_a_person_is_shown_or_logged(auditor: Desk, alice: User, shop: MiniProgram) -> None:
    page = asked(auditor, user=f"#{alice.pk}", app_id="shop", scopes=EVERY_SCOPE, others="alice@example.org")
    for value in ("9171234567", "Mabini", "Santos", "1994"):
        assert value not in page
    assert "alice@example.org" not in last_log()[2]


@pytest.mark.trust(35)
def test_without_the_log_line_nothing_is_told(auditor: Desk, alice: User, shop: MiniProgram, monkeypatch: Any) -> None:
    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(type(LogEntry.objects), "create", full)
    with pytest.raises(OSError, match="disk full"):
        auditor.post(PATH, {"user": "alice", "app_id": "shop"})


@pytest.mark.trust(33)
def test_whoever_may_not_read_errors_may_not_ask(db: None, alices: Container) -> None:
    nobody = User.objects.create_user("new-here", is_staff=True)
    assert Desk(nobody).get(PATH).status_code == 403
    assert PATH not in Desk(nobody).page("/admin/password_change/")
    assert alices.http.get(PATH).status_code == 302


def test_the_page_is_in_the_navigation_and_takes_few_statements(
    auditor: Desk, alices: Container, shop: MiniProgram, django_assert_max_num_queries: Any
) -> None:
    alices.code("shop", ["USER_NAME"])
    assert f'href="{PATH}"' in auditor.page("/admin/portal/user/")
    with django_assert_max_num_queries(20):  # of which the decision itself 12 at most, see `told`
        asked(auditor, user="alice", app_id="shop", scopes=["USER_NAME", "USER_GENDER"])
