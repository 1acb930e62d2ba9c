"""A mini-program is registered and reviewed scope by scope; nobody approves their own words."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from portal.admin.word_changes import marked
from portal.models import ConsentDecision, MiniProgram, ScopeApproval, User
from tests.conftest import Container, make_program
from tests.operators import Desk, counted, everything, in_role, last_log
from tests.pages import words as text_of

LIST = "/admin/portal/miniprogram/"
QUEUE = "/admin/portal/scopeapproval/"
NICKNAME = "USER_NICKNAME"


@pytest.fixture
def manager(db: None) -> Desk:
    """Mona, who enters."""
    return Desk(in_role("manager"))


@pytest.fixture
def reviewer(db: None) -> Desk:
    """Rita, a manager too, who reads what others entered."""
    user = User.objects.create_user("rita", is_staff=True)
    user.groups.set([Group.objects.get(name="manager")])
    return Desk(user)


def nickname(program: MiniProgram) -> ScopeApproval:
    return program.scope_approvals.get(scope=NICKNAME)


def review(desk: Desk, row: ScopeApproval, choice: str, **changes: Any) -> Any:
    """Press one of the buttons of this scope's card, having read it as it is."""
    row.refresh_from_db()
    form = {"approval": row.pk, "read": row.fingerprint(), "decision": choice, "reason": "read it", **changes}
    return desk.post(f"{LIST}{row.mini_program_id}/review/", form)


def enter(desk: Desk, program: MiniProgram, **purposes: str) -> Any:
    """Hand in another purpose for these scopes, the rest as it is."""
    rows = list(program.scope_approvals.all())
    form: dict[str, Any] = {"reason": "they wrote to us", **counted("words", len(rows))}
    for number, row in enumerate(rows):
        proposed = row.proposed()
        form |= {f"words-{number}-id": row.pk, f"words-{number}-purpose": purposes.get(row.scope, proposed["purpose"])}
        form |= {f"words-{number}-purposes_{code}": text for code, text in proposed["purposes"].items()}
    return desk.post(f"{LIST}{program.pk}/words/", form)


# --- From the first form to the first consent ---------------------------------------------------------------------


def registered(desk: Desk, **changes: Any) -> Any:
    form = {
        "owner": "shop-client",
        "client_id": "teas",
        "name": "Teas",
        "developer": "Tea Ltd",
        "page_url": "https://teas.example/",
        "wanted": ["auth_base", NICKNAME],
        "reason": "contract 7",
    }
    return desk.post(f"{LIST}register/", {**form, **changes})


@pytest.mark.trust(15)
@pytest.mark.trust(30)
def test_a_mini_program_is_registered_written_and_reviewed(
    manager: Desk, reviewer: Desk, alices: Container, shop: MiniProgram
) -> None:
    assert "Register step by step" in manager.page(LIST)
    answer = registered(manager)
    teas = MiniProgram.objects.get(client_id="teas")
    assert answer["Location"] == f"{LIST}{teas.pk}/words/"
    assert (teas.merchant, teas.scope_approvals.filter(state="REQUESTED").count()) == (shop.merchant, 2)
    words = "Registered for shop-client; wants auth_base, USER_NICKNAME. Why: contract 7"
    assert last_log() == ("the-manager", str(teas.pk), words)

    page = manager.page(f"{LIST}{teas.pk}/words/")
    assert page.count("Bahasa Indonesia") == 2
    assert enter(manager, teas, **{NICKNAME: "To write it on your cup"})["Location"] == f"{LIST}{teas.pk}/review/"
    assert last_log()[2] == (
        "Proposed: USER_NICKNAME (before: “”, optional, no longest time; "
        "after: “To write it on your cup”, optional, no longest time). Why: they wrote to us"
    )
    assert alices.get_auth_code("teas", [NICKNAME])["error"] == 2
    for row in teas.scope_approvals.all():
        assert review(reviewer, row, "APPROVED").status_code == 302
    assert nickname(teas).purpose_version == 1  # nobody agreed to anything before
    assert alices.get_auth_code("teas", [NICKNAME])["error"] == 2001


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("owner", "nobody", "There is no active merchant with this Client-Id."),
        ("client_id", "shop", "already exists"),
        ("page_url", "http://127.0.0.1/", "own origin"),
        ("wanted", "EVERYTHING", "Select a valid choice"),
        ("reason", " ", "Say why: the reason goes into the record."),
    ],
)
def test_what_cannot_be_registered_is_told(
    manager: Desk, shop: MiniProgram, field: str, value: str, said: str
) -> None:
    before = everything()
    answer = registered(manager, **{field: value})
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert everything() == before


def test_a_disabled_merchant_gets_no_mini_program(manager: Desk, shop: MiniProgram) -> None:
    type(shop.merchant).objects.update(status="DISABLED")
    assert "There is no active merchant" in registered(manager).content.decode()


def test_no_list_of_all_merchants_is_sent(manager: Desk, shop: MiniProgram) -> None:
    assert "shop Ltd" not in manager.page(f"{LIST}register/")


# --- Scope by scope -----------------------------------------------------------------------------------------------


def test_a_card_says_what_it_opens_and_how_it_looks_in_every_language(manager: Desk, cafe: MiniProgram) -> None:
    nickname(cafe).reword("to greet you", {"id": "Untuk menyapa Anda"}, by=None)
    ScopeApproval.objects.filter(scope=NICKNAME).update(required=True, max_days=30)
    page = text_of(manager.get(f"{LIST}{cafe.pk}/review/"))
    for said in ("nickName", "What you like to be called.", "at most 30 days", "Earlier versions (1)"):
        assert said in page
    assert "Bahasa Indonesia Untuk menyapa Anda Nama panggilan Wajib Untuk menyapa Anda" in page
    assert "Not translated." in page


@pytest.mark.trust(30)
def test_a_refused_scope_keeps_the_reason_for_whoever_edits_it_next(
    manager: Desk, reviewer: Desk, cafe: MiniProgram
) -> None:
    row = cafe.scope_approvals.create(scope="USER_AVATAR", purpose="to show it")
    assert review(reviewer, row, "REFUSED", reason="no picture on a cup").status_code == 302
    row.refresh_from_db()
    assert (row.state, row.note, row.decided_by and row.decided_by.username) == (
        "REFUSED",
        "no picture on a cup",
        "rita",
    )
    words = "Refused: USER_AVATAR (Waiting → Refused; “to show it”, optional, no longest time)"
    assert last_log() == ("rita", str(cafe.pk), f"{words}. Why: no picture on a cup")
    assert "rita wrote: no picture on a cup" in text_of(manager.get(f"{LIST}{cafe.pk}/words/"))


@pytest.mark.trust(30)
def test_better_words_are_asked_for_entered_and_approved(
    manager: Desk, reviewer: Desk, alices: Container, cafe: MiniProgram
) -> None:
    row = cafe.scope_approvals.create(scope="USER_AVATAR", purpose="for business purposes")
    review(reviewer, row, "REWORD", reason="say which business")
    row.refresh_from_db()
    assert (row.state, row.note) == ("REWORD", "say which business")
    assert alices.get_auth_code("cafe", ["USER_AVATAR"])["error"] == 2
    reviewer.page(LIST)  # reads the message
    assert "USER_AVATAR" not in reviewer.page(QUEUE)
    assert "USER_AVATAR" in reviewer.page(f"{QUEUE}?review=back")

    enter(manager, cafe, USER_AVATAR="to show it beside your order")
    row.refresh_from_db()
    assert (row.state, row.note) == ("REQUESTED", "say which business")
    review(reviewer, row, "APPROVED")
    row.refresh_from_db()
    assert (row.state, row.note, row.purpose_version) == ("APPROVED", "", 1)
    assert alices.get_auth_code("cafe", ["USER_AVATAR"])["error"] == 2001


@pytest.mark.trust(9)
def test_what_was_approved_stands_while_better_words_are_awaited(
    manager: Desk, reviewer: Desk, alices: Container, cafe: MiniProgram
) -> None:
    code = alices.code("cafe", [NICKNAME])
    assert code
    enter(manager, cafe, **{NICKNAME: "to sell it"})
    review(reviewer, nickname(cafe), "REWORD", reason="to whom?")
    row = nickname(cafe)
    assert (row.state, row.draft_state, row.purpose) == ("APPROVED", "REWORD", "cafe needs USER_NICKNAME")
    assert alices.get_auth_code("cafe", [NICKNAME])["authCode"]
    review(reviewer, row, "REFUSED", reason="not at all")
    row.refresh_from_db()
    assert (row.state, row.draft, row.draft_state, row.purpose_version) == ("APPROVED", None, "", 1)
    assert "proposed: “to sell it”" in last_log()[2]
    assert alices.get_auth_code("cafe", [NICKNAME])["authCode"]


def test_an_approval_is_taken_away_and_given_again(reviewer: Desk, alices: Container, cafe: MiniProgram) -> None:
    row = nickname(cafe)
    assert "Take the approval away" in reviewer.page(f"{LIST}{cafe.pk}/review/")
    review(reviewer, row, "REFUSED")
    assert alices.get_auth_code("cafe", [NICKNAME])["error"] == 2
    review(reviewer, row, "APPROVED")
    assert alices.get_auth_code("cafe", [NICKNAME])["error"] == 2001


@pytest.mark.trust(28)
def test_what_stood_once_is_kept_and_compared(manager: Desk, reviewer: Desk, cafe: MiniProgram) -> None:
    row = nickname(cafe)
    review(reviewer, row, "REFUSED", reason="stop")
    enter(manager, cafe, **{NICKNAME: "cafe likes USER_NICKNAME"})
    page = manager.page(f"{LIST}{cafe.pk}/review/")
    assert "cafe <del>needs</del><ins>likes</ins> USER_NICKNAME" in page
    assert row.earlier_purposes.get().purpose == "cafe needs USER_NICKNAME"


# --- The change reaches people ------------------------------------------------------------------------------------


@pytest.mark.trust(21)
@pytest.mark.trust(28)
def test_a_changed_purpose_is_reviewed_and_then_asked_anew_with_old_and_new_words(
    manager: Desk, reviewer: Desk, alices: Container, browser: Client, cafe: MiniProgram
) -> None:
    alices.code("cafe", ["auth_base", NICKNAME])
    enter(manager, cafe, **{NICKNAME: "cafe sells USER_NICKNAME"})
    assert alices.get_auth_code("cafe", [NICKNAME])["authCode"]  # not before it is approved

    page = reviewer.page(f"{LIST}{cafe.pk}/review/")
    assert "cafe <del>needs</del><ins>sells</ins> USER_NICKNAME" in page
    review(reviewer, nickname(cafe), "APPROVED", reason="they told their users")
    assert last_log() == (
        "rita",
        str(cafe.pk),
        "Approved: USER_NICKNAME (Approved; before: “cafe needs USER_NICKNAME”, optional, no longest time; "
        "after: “cafe sells USER_NICKNAME”, optional, no longest time). Why: they told their users",
    )
    old = nickname(cafe).earlier_purposes.get()
    assert (old.version, old.replaced_by and old.replaced_by.username) == (1, "the-manager")

    asked = alices.get_auth_code("cafe", [NICKNAME])
    assert asked["error"] == 2001
    sheet = text_of(browser.get(f"/consent/{asked['consentId']}/"))
    assert "cafe sells USER_NICKNAME Before: cafe needs USER_NICKNAME" in sheet
    assert alices.decide(asked["consentId"], [NICKNAME])["authCode"]
    decision = ConsentDecision.objects.latest("id")
    assert (decision.act, decision.terms) == ("renewed", {NICKNAME: {"purpose": 2}})
    assert alices.get_auth_code("cafe", [NICKNAME])["authCode"]


# --- Four eyes ----------------------------------------------------------------------------------------------------


@pytest.mark.trust(33)
def test_nobody_approves_words_they_entered(manager: Desk, cafe: MiniProgram) -> None:
    enter(manager, cafe, **{NICKNAME: "to sell it"})
    row, page = nickname(cafe), manager.page(f"{LIST}{cafe.pk}/review/")
    assert "You entered these words yourself. Another manager has to read and approve them." in page
    assert 'value="APPROVED"' not in page
    before = everything()
    answer = review(manager, row, "APPROVED")
    assert "You entered these words yourself." in answer.content.decode()
    manager.act(LIST, "approve", [cafe], reason="mine")
    assert everything() == before


@pytest.mark.trust(30)
def test_a_superuser_may_do_both_and_it_is_on_record(olga: User, cafe: MiniProgram) -> None:
    desk = Desk(olga)
    enter(desk, cafe, **{NICKNAME: "to sell it"})
    assert review(desk, nickname(cafe), "APPROVED").status_code == 302
    assert nickname(cafe).purpose == "to sell it"
    assert last_log()[0] == "olga"


def test_whoever_changes_the_words_of_another_is_their_author(
    manager: Desk, reviewer: Desk, cafe: MiniProgram
) -> None:
    enter(manager, cafe, **{NICKNAME: "to sell it"})
    enter(reviewer, cafe, **{NICKNAME: "to sell it on"})
    assert "You entered these words yourself" in review(reviewer, nickname(cafe), "APPROVED").content.decode()
    assert review(manager, nickname(cafe), "APPROVED").status_code == 302


def test_words_that_are_taken_back_wait_no_longer(manager: Desk, cafe: MiniProgram) -> None:
    enter(manager, cafe, **{NICKNAME: "to sell it"})
    enter(manager, cafe, **{NICKNAME: "cafe needs USER_NICKNAME"})
    row = nickname(cafe)
    assert (row.draft, row.draft_state, row.purpose_version) == (None, "", 1)
    before = everything()
    enter(manager, cafe)
    assert everything() == before


# --- What is refused ----------------------------------------------------------------------------------------------


def test_what_changed_while_it_was_read_is_read_again(manager: Desk, reviewer: Desk, cafe: MiniProgram) -> None:
    enter(manager, cafe, **{NICKNAME: "to greet you"})
    read = nickname(cafe).fingerprint()
    enter(manager, cafe, **{NICKNAME: "to sell it"})
    before = everything()
    answer = review(reviewer, nickname(cafe), "APPROVED", read=read)
    assert "This changed while you were reading." in answer.content.decode()
    assert everything() == before


@pytest.mark.parametrize("changes", [{"reason": " "}, {"decision": "MAYBE"}, {"approval": "x"}, {"approval": "0"}])
def test_half_a_decision_decides_nothing(reviewer: Desk, cafe: MiniProgram, changes: dict[str, str]) -> None:
    before = everything()
    assert review(reviewer, nickname(cafe), "REFUSED", **changes).status_code == 200
    assert everything() == before


def test_a_scope_of_another_mini_program_is_not_decided_on_this_page(
    reviewer: Desk, shop: MiniProgram, cafe: MiniProgram
) -> None:
    before, row = everything(), nickname(shop)
    form = {"approval": row.pk, "read": row.fingerprint(), "decision": "REFUSED", "reason": "x"}
    assert reviewer.post(f"{LIST}{cafe.pk}/review/", form).status_code == 200
    assert everything() == before


def test_a_scope_without_a_purpose_is_not_approved(reviewer: Desk, cafe: MiniProgram) -> None:
    row = cafe.scope_approvals.create(scope="USER_AVATAR")
    assert "It has no purpose yet." in review(reviewer, row, "APPROVED").content.decode()
    row.refresh_from_db()
    assert row.state == "REQUESTED"


@pytest.mark.trust(33)
@pytest.mark.parametrize("role", ["auditor", "support"])
def test_who_may_not_decide_reads_and_presses_nothing(role: str, cafe: MiniProgram) -> None:
    desk, before = Desk(in_role(role)), everything()
    page = desk.page(f"{LIST}{cafe.pk}/review/")
    assert "<button" not in page.split('id="content-main"')[1].split("</section>")[0]
    assert review(desk, nickname(cafe), "REFUSED").status_code == 403
    for path in (f"{LIST}register/", f"{LIST}{cafe.pk}/words/"):
        assert (desk.get(path).status_code, desk.post(path).status_code) == (403, 403)
    assert everything()[:-1] == before[:-1]


@pytest.mark.parametrize("key", ["0", "x", "9" * 30])
def test_a_mini_program_that_is_not_there_has_no_review(manager: Desk, key: str) -> None:
    for page in ("review", "words"):
        assert manager.get(f"{LIST}{key}/{page}/").status_code == 404


def test_words_are_shown_and_never_run(manager: Desk, cafe: MiniProgram) -> None:
    enter(manager, cafe, **{NICKNAME: "<script>alert(1)</script>"})
    assert "<script>alert" not in manager.page(f"{LIST}{cafe.pk}/review/")


# --- The queue ----------------------------------------------------------------------------------------------------


def test_the_queue_is_oldest_first_with_how_many_and_how_old(
    manager: Desk, reviewer: Desk, shop: MiniProgram, cafe: MiniProgram
) -> None:
    assert "No scope waits for review" in manager.page(QUEUE)
    enter(manager, shop, **{NICKNAME: "to sell it"})
    cafe.scope_approvals.create(scope="USER_AVATAR", purpose="to show it")
    page = reviewer.page(QUEUE)
    assert "2 scopes wait for review, the oldest for" in page
    first, second = f"{LIST}{shop.pk}/review/#scope-", f"{LIST}{cafe.pk}/review/#scope-"
    assert page.index(first) < page.index(second)
    assert "Approved, with a change" in page
    assert first not in reviewer.page(f"{QUEUE}?program=cafe")
    everyone = reviewer.page(f"{QUEUE}?review=all")
    assert everyone.count(first) == shop.scope_approvals.count()
    row = nickname(shop)
    assert reviewer.get(f"{QUEUE}{row.pk}/change/")["Location"] == f"{LIST}{shop.pk}/review/#scope-{row.pk}"


def test_the_pages_take_few_statements(
    manager: Desk, reviewer: Desk, shop: MiniProgram, django_assert_max_num_queries: Any
) -> None:
    for row in shop.scope_approvals.all():
        row.reword("to sell it", {}, by=User.objects.get(username="the-manager"))
    enter(manager, shop, **dict.fromkeys(shop.approvals(), "to sell it on"))
    for number in range(55):
        other = make_program(f"cafe{number}", [], merchant=shop.merchant)
        other.scope_approvals.create(scope="USER_AVATAR", purpose="to show it")
    for path in (QUEUE, f"{LIST}{shop.pk}/review/", f"{LIST}{shop.pk}/words/", f"{LIST}register/"):
        with django_assert_max_num_queries(12):
            (reviewer if path == QUEUE else manager).page(path)


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("To greet you", "To greet you", "To greet you"),
        ("To greet you", "To know you", "To <del>greet</del><ins>know</ins> you"),
        ("", "New", "<ins>New</ins>"),
        ("为了问候您", "为了出售您", "为了<del>问候</del><ins>出售</ins>您"),
        ("a & b", "a & c", "a &amp; <del>b</del><ins>c</ins>"),
    ],
)
def test_a_change_is_shown_word_by_word(old: str, new: str, shown: str) -> None:
    assert marked(old, new) == shown
    assert re.sub(r"<del>.*?</del>|</?ins>", "", marked(old, new)) == re.sub("&", "&amp;", new)
