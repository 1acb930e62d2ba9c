"""Grants at the console: found by an exact name, read, and revoked with a reason."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.utils import timezone
from django.utils.formats import date_format

from portal.models import AccessCount, ConsentDecision, Merchant, MerchantNotice, MiniProgram, MiniProgramGrant, User
from portal.terms import Duration
from tests.conftest import Container
from tests.merchants import MerchantServer
from tests.operators import Desk, everything, in_role, last_log
from tests.test_terms import allow

LIST = "/admin/portal/miniprogramgrant/"
ALL = ("live", "paused", "ended", "expired")
NONE = dict.fromkeys(ALL, False)


@pytest.fixture
def desk(db: None) -> Desk:
    return Desk(in_role("manager"))


@pytest.fixture
def grant(alices: Container, shop: MiniProgram) -> MiniProgramGrant:
    """What Alice lets Shop see."""
    alices.code("shop", ["auth_base", "USER_NICKNAME", "USER_ADDRESS"])
    return MiniProgramGrant.objects.get(mini_program=shop)


@pytest.fixture
def other(bobs: Container, cafe: MiniProgram) -> MiniProgramGrant:
    """What Bob lets Cafe see."""
    bobs.code("cafe", ["USER_NICKNAME"])
    return MiniProgramGrant.objects.get(mini_program=cafe)


def url(grant: MiniProgramGrant, end: str = "change") -> str:
    return f"{LIST}{quote(grant.pk)}/{end}/"  # the admin writes _ as _5F


def found(page: str, grant: MiniProgramGrant) -> bool:
    return url(grant) in page


@pytest.mark.parametrize(
    "term", ["ID", "alice", "+639171234567", "0917 123 4567", "alice@example.org", "shop", " shop "]
)
def test_a_grant_is_found_by_an_exact_name(
    desk: Desk, grant: MiniProgramGrant, other: MiniProgramGrant, term: str
) -> None:
    page = desk.get(LIST, {"q": grant.pk if term == "ID" else term}).content.decode()
    assert found(page, grant)
    assert not found(page, other)


@pytest.mark.trust(32)
@pytest.mark.parametrize("term", ["ali", "917123", "@example.org", "sho"])
def test_half_a_name_finds_no_grant(desk: Desk, grant: MiniProgramGrant, term: str) -> None:
    assert not found(desk.get(LIST, {"q": term}).content.decode(), grant)


def test_the_list_is_narrowed_by_state(desk: Desk, grant: MiniProgramGrant, other: MiniProgramGrant) -> None:
    def states() -> dict[str, bool]:
        return {state: found(desk.page(f"{LIST}?state={state}"), grant) for state in ALL}

    assert states() == {**NONE, "live": True}
    grant.pause(by=grant.user)
    assert states() == {**NONE, "paused": True}
    past = timezone.now() - timedelta(days=1)
    MiniProgramGrant.objects.filter(pk=grant.pk).update(expires_at=past, next_end_at=past)
    assert states() == {**NONE, "expired": True}
    MiniProgramGrant.objects.filter(pk=grant.pk).update(ended_at=past)
    assert states() == {**NONE, "ended": True}


def test_the_list_is_narrowed_by_scope_and_mini_program(
    desk: Desk, grant: MiniProgramGrant, other: MiniProgramGrant
) -> None:
    for query in (
        "scope=USER_ADDRESS",
        "program=shop",
        f"user__id__exact={grant.user_id}",
        "scope=USER_ADDRESS&program=shop",
    ):
        page = desk.page(f"{LIST}?{query}")
        assert found(page, grant), query
        assert not found(page, other), query
    # The box keeps the other filters.
    assert '<input type="hidden" name="scope" value="USER_ADDRESS">' in desk.page(f"{LIST}?scope=USER_ADDRESS")


def test_a_grant_whose_id_the_admin_must_quote_has_its_page(desk: Desk, alice: User, shop: MiniProgram) -> None:
    grant = MiniProgramGrant.objects.create(
        pk="_5F_-a", user=alice, mini_program=shop, scopes={"auth_base": "2026-01-01"}
    )
    assert "What they may see and do" in desk.page(url(grant))
    assert url(grant, "act/revoke") in desk.page(url(grant))
    response = desk.post(url(grant, "act/revoke"), {"reason": "why", "scopes": ["auth_base"]})
    assert response["Location"] == url(grant)
    assert not MiniProgramGrant.objects.live().exists()


def test_the_page_tells_all_about_a_grant(
    desk: Desk, alices: Container, alice: User, grant: MiniProgramGrant, shop_server: MerchantServer
) -> None:
    code = alices.code("shop", ["USER_NICKNAME"])
    shop_server.exchange(code)
    MiniProgramGrant.objects.get(pk=grant.pk).revoke(by=alice, scopes=["USER_ADDRESS"], reason="not any more")
    page = desk.page(url(grant))
    for text in ("USER_NICKNAME", "1 access, 1 refresh", "Live", "Given", "Narrowed", "not any more", "Nothing."):
        assert text in page, text
    shop_server.exchange(code)
    page = desk.page(url(grant))
    assert "USED_AUTHCODE" in page
    assert "0 access, 0 refresh" in page
    assert '<input type="submit"' not in page


def test_the_page_says_on_what_terms_and_what_ends_next(desk: Desk, alices: Container, shop: MiniProgram) -> None:
    allow(alices, ["USER_NICKNAME"], Duration.YEAR)
    allow(alices, ["USER_ADDRESS"], Duration.MONTH)
    grant = MiniProgramGrant.objects.get()
    grant.pause(by=grant.user)
    page = desk.page(url(grant))
    ends = [date_format(term.until, "DATETIME_FORMAT") for name in grant.names if (term := grant.term_of(name)).until]
    assert len(set(ends)) == 2
    for text in (*(f"until {end}" for end in ends), "Paused"):
        assert text in page, text
    assert grant.next_end_at
    assert page.count(date_format(grant.next_end_at, "DATETIME_FORMAT")) >= 2
    assert date_format(grant.next_end_at, "DATETIME_FORMAT") in desk.page(LIST)


def test_the_page_says_what_the_sheet_said_and_how_often_it_was_read(
    desk: Desk, alices: Container, grant: MiniProgramGrant
) -> None:
    approval = grant.mini_program.scope_approvals.get(scope="USER_NICKNAME")
    approval.reword("Something else altogether", {}, by=None)
    AccessCount.add({(grant.pk, "USER_NICKNAME"): (1234, timezone.now())})
    page = desk.page(url(grant))
    assert "shop needs USER_NICKNAME" in page
    assert "Something else altogether" not in page
    assert "1234" in page
    allow(alices, ["USER_NICKNAME"])
    assert "Something else altogether" in desk.page(url(grant))


def test_the_page_tells_what_opens_nothing_now(desk: Desk, grant: MiniProgramGrant) -> None:
    assert "opens nothing now" not in desk.page(url(grant))
    past = (timezone.now() - timedelta(days=1)).isoformat()
    MiniProgramGrant.objects.filter(pk=grant.pk).update(terms={"USER_ADDRESS": {"until": past}})
    assert desk.page(url(grant)).count("opens nothing now") == 1
    grant.pause(by=grant.user)
    assert desk.page(url(grant)).count("opens nothing now") == 3


def test_the_page_leads_to_person_merchant_and_why(desk: Desk, grant: MiniProgramGrant) -> None:
    page = desk.page(url(grant))
    for link in (
        f"/admin/portal/user/{grant.user_id}/change/",
        f"/admin/portal/miniprogram/{grant.mini_program_id}/change/",
        f"/admin/portal/merchant/{grant.mini_program.merchant_id}/change/",
        f"/admin/why/?user=%23{grant.user_id}&amp;program=shop&amp;scope=auth_base",
    ):
        assert link in page, link


def test_the_page_tells_what_the_merchant_was_told(
    desk: Desk, alices: Container, grant: MiniProgramGrant, other: MiniProgramGrant, shop_server: MerchantServer
) -> None:
    Merchant.objects.update(notify_url="https://shop.example/notify")
    shop_server.exchange(alices.code("shop", ["USER_NICKNAME"]))
    desk.post(url(grant, "act/revoke"), {"reason": "fraud case 7", "scopes": list(grant.scopes)})
    notice = MerchantNotice.objects.get()
    assert notice.grant_id == grant.pk
    page = desk.page(url(grant))
    for text in ("TOKEN_CANCELED OPERATOR_REVOKED", "Waiting", f"/admin/portal/merchantnotice/{notice.pk}/change/"):
        assert text in page, text
    assert "TOKEN_CANCELED" not in desk.page(url(other))


def test_a_long_history_has_pages(desk: Desk, grant: MiniProgramGrant) -> None:
    for _ in range(11):
        grant.pause(by=grant.user)
        grant.resume(by=grant.user)
    first, second = desk.page(url(grant)), desk.page(f"{url(grant)}?history=2")
    assert first.count("/admin/portal/consentdecision/") - second.count("/admin/portal/consentdecision/") == 17
    assert 'href="?history=2"' in first
    assert "Given" not in first
    assert "Given" in second
    assert 'href="?history=1"' in second
    for odd in ("0", "-1", "x", "²", "9" * 40):
        assert 'href="?history=2"' in desk.page(f"{url(grant)}?history={odd}")


def test_the_page_takes_at_most_twelve_statements(
    desk: Desk,
    alices: Container,
    grant: MiniProgramGrant,
    shop_server: MerchantServer,
    django_assert_max_num_queries: Any,
) -> None:
    shop_server.exchange(alices.code("shop", ["USER_NICKNAME"]))
    shop_server.exchange("no such code")
    desk.page(url(grant))
    with django_assert_max_num_queries(12):
        assert "1 access, 1 refresh" in desk.page(url(grant))


@pytest.mark.trust(10)
@pytest.mark.trust(30)
def test_a_revoked_grant_is_felt_at_the_next_call(
    desk: Desk,
    alices: Container,
    alice: User,
    grant: MiniProgramGrant,
    shop_server: MerchantServer,
    audited: Callable[..., Any],
) -> None:
    pair = shop_server.exchange(alices.code("shop", ["USER_NICKNAME"]))
    merchant = grant.mini_program.merchant
    merchant.notify_url = "https://shop.example/notify"
    merchant.save()
    asked = desk.page(url(grant, "act/revoke"))
    assert "Nickname (USER_NICKNAME)" in asked
    response = desk.post(
        url(grant, "act/revoke"), {"reason": "fraud case 7", "scopes": list(grant.scopes)}, follow=True
    )
    assert response.redirect_chain == [(url(grant), 302)]
    assert "Done: 1 of 1." in response.content.decode()

    row = ConsentDecision.objects.latest("id")
    assert (row.act, row.actor.username, row.reason, row.scopes_after) == (
        "revoked",
        "the-manager",
        "fraud case 7",
        [],
    )
    assert len(row.trace_id) == 32
    assert last_log() == ("the-manager", grant.pk, "Revoked. Why: fraud case 7")
    assert MerchantNotice.objects.get().body["reason"] == "OPERATOR_REVOKED"
    assert shop_server.user_info(pair["accessToken"])["result"]["resultCode"] == "INVALID_ACCESS_TOKEN"
    audited("INVALID_ACCESS_TOKEN", app_id="shop", user=alice)
    assert "/act/revoke/" not in desk.page(url(grant))


@pytest.mark.trust(10)
def test_some_scopes_can_be_taken_and_the_rest_stays(
    desk: Desk, alices: Container, grant: MiniProgramGrant, shop_server: MerchantServer
) -> None:
    pair = shop_server.exchange(alices.code("shop", ["USER_NICKNAME", "USER_ADDRESS"]))
    desk.act(LIST, "revoke", [grant], reason="no deliveries", scopes=["USER_ADDRESS"])
    assert set(shop_server.user_info(pair["accessToken"])["userInfo"]) == {"userId", "nickName"}
    row = ConsentDecision.objects.latest("id")
    assert (row.act, row.scopes_after, row.reason) == ("narrowed", ["auth_base", "USER_NICKNAME"], "no deliveries")
    assert last_log()[2] == "Took away USER_ADDRESS. Why: no deliveries"


@pytest.mark.trust(30)
@pytest.mark.parametrize("reason", ["", " \n "])
def test_revoking_needs_a_reason(desk: Desk, grant: MiniProgramGrant, reason: str) -> None:
    before = everything()
    path = url(grant, "act/revoke")
    for response in (
        desk.act(LIST, "revoke", [grant], reason=reason, scopes=["auth_base"]),
        desk.post(path, {"reason": reason, "scopes": ["auth_base"]}),
    ):
        assert "Say why: the reason goes into the record." in response.content.decode()
    assert everything() == before


@pytest.mark.parametrize(("scopes", "error"), [([], "Tick what to take away."), (["USER_NAME"], "is not one of")])
def test_revoking_nothing_or_what_was_not_given_is_an_error(
    desk: Desk, grant: MiniProgramGrant, scopes: list[str], error: str
) -> None:
    before = everything()
    response = desk.post(url(grant, "act/revoke"), {"reason": "why not", "scopes": scopes})
    assert error in response.content.decode()
    assert everything() == before


def test_many_are_revoked_at_once_after_a_page_in_between(
    desk: Desk, grant: MiniProgramGrant, other: MiniProgramGrant
) -> None:
    asked = desk.act(LIST, "revoke", [grant, other]).content.decode()
    assert "2 rows" in asked
    for row in (grant, other):
        assert f'<input type="hidden" name="_selected_action" value="{row.pk}">' in asked
    assert MiniProgramGrant.objects.live().count() == 2
    posted = {"action": "revoke", "_selected_action": [grant.pk, other.pk], "reason": "breach"}
    response = desk.post(LIST, posted, follow=True)
    assert "Done: 2 of 2." in response.content.decode()
    assert not MiniProgramGrant.objects.live().exists()
    assert LogEntry.objects.filter(change_message="Revoked. Why: breach").count() == 2
    assert ConsentDecision.objects.filter(act="revoked", reason="breach").count() == 2


def test_a_grant_that_is_over_is_not_revoked_again(desk: Desk, alice: User, grant: MiniProgramGrant) -> None:
    grant.revoke(by=alice)
    before = everything()
    response = desk.post(url(grant, "act/revoke"), {"reason": "late"}, follow=True)
    assert "Done: 0 of 1." in response.content.decode()
    assert everything() == before


@pytest.mark.trust(35)
def test_without_the_log_line_nothing_is_revoked(desk: Desk, grant: MiniProgramGrant, monkeypatch: Any) -> None:
    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(type(LogEntry.objects), "log_actions", full)
    before = everything()
    with pytest.raises(OSError, match="disk full"):
        desk.post(url(grant, "act/revoke"), {"reason": "why", "scopes": list(grant.scopes)})
    assert everything() == before


def test_an_unknown_grant_or_act_does_nothing(desk: Desk, grant: MiniProgramGrant) -> None:
    assert desk.get(f"{LIST}nothing/act/revoke/").status_code == 404
    assert desk.post(url(grant, "act/delete_selected"), {"reason": "x"}).status_code == 403


@pytest.mark.trust(33)
def test_support_cannot_revoke_many(grant: MiniProgramGrant, other: MiniProgramGrant) -> None:
    support, before = Desk(in_role("support")), everything()
    assert support.act(LIST, "revoke", [grant, other], reason="all of them").status_code == 403
    assert everything() == before


def test_fifty_grants_take_few_statements(desk: Desk, shop: MiniProgram, django_assert_max_num_queries: Any) -> None:
    people = User.objects.bulk_create(User(username=f"user{n}") for n in range(60))
    MiniProgramGrant.objects.bulk_create(MiniProgramGrant(user=user, mini_program=shop) for user in people)
    with django_assert_max_num_queries(12):
        assert desk.page(LIST).count('class="action-select"') == 50
