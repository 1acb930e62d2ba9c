"""getAuthCode with a consentId: the outcome of a sheet, its code handed out once (wire.md 2)."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from authapi.models import AuthCode, ErrorAudit
from portal.models import ConsentDecision, MiniProgram, MiniProgramGrant, User
from tests.conftest import Container
from tests.pages import press
from tests.test_consent_api import ask
from tests.test_races import crowd

Audited = Callable[..., ErrorAudit]


def answer_on_the_page(container: Container, consent_id: str, **form: Any) -> None:
    assert press(container.http, f"/consent/{consent_id}/", **form).status_code == 302


@pytest.mark.wire("2 calling getAuthCode with the consentId fetches the outcome")
def test_the_code_of_a_decision_on_the_page_is_fetched_once(
    alices: Container, shop: MiniProgram, audited: Audited
) -> None:
    consent_id = ask(alices, ["auth_base", "USER_NAME", "USER_GENDER"])
    answer_on_the_page(alices, consent_id, decision="allow", scopes=["USER_NAME"])
    answer = alices.get_auth_code("shop", consentId=consent_id)
    assert len(answer["authCode"]) == 32
    assert answer["authSuccessScopes"] == ["auth_base", "USER_NAME"]
    assert answer["authErrorScopes"] == {"USER_GENDER": "11"}
    again = alices.get_auth_code("shop", consentId=consent_id)
    assert again["error"] == 2
    assert "handed out before" in again["errorMessage"]
    assert AuthCode.objects.count() == 1
    audited("2", app_id="shop")


@pytest.mark.wire("2 one decision yields one code")
def test_a_decision_that_answered_with_its_code_has_none_left(
    alices: Container, shop: MiniProgram, audited: Audited
) -> None:
    consent_id = ask(alices, ["USER_NAME"])
    alices.decide(consent_id, ["USER_NAME"])
    assert alices.get_auth_code("shop", consentId=consent_id)["error"] == 2
    audited("2", app_id="shop")


@pytest.mark.wire("1 error 11: the user refused")
def test_a_refusal_on_the_page_is_11_however_often_it_is_fetched(
    alices: Container, alice: User, shop: MiniProgram, audited: Audited
) -> None:
    consent_id = ask(alices, ["auth_base", "USER_NAME"])
    answer_on_the_page(alices, consent_id, decision="refuse")
    for _ in range(2):
        answer = alices.get_auth_code("shop", consentId=consent_id)
        assert answer["error"] == 11
        assert answer["authErrorScopes"] == {"USER_NAME": "11"}
    audited("11", app_id="shop", user=alice, scopes=["USER_NAME"])


def test_an_open_consent_is_still_a_question(alices: Container, shop: MiniProgram) -> None:
    asked = alices.get_auth_code("shop", ["USER_NAME"])
    assert alices.get_auth_code("shop", ["USER_NAME"], consentId=asked["consentId"]) == asked


@pytest.mark.wire("2 a pending consent is bound to user, mini-program and scopes")
@pytest.mark.trust(20)
@pytest.mark.parametrize(("app_id", "scopes"), [("cafe", None), ("shop", ["USER_ADDRESS"]), ("shop", ["USER_NAME"])])
def test_a_consent_belongs_to_its_mini_program_and_scopes(
    alices: Container, shop: MiniProgram, cafe: MiniProgram, audited: Audited, app_id: str, scopes: Any
) -> None:
    consent_id = ask(alices, ["auth_base", "USER_NAME"])
    answer_on_the_page(alices, consent_id, decision="allow", scopes=["USER_NAME"])
    assert alices.get_auth_code(app_id, scopes, consentId=consent_id)["error"] == 2
    assert not AuthCode.objects.exists()
    audited("2", app_id=app_id)
    assert "authCode" in alices.get_auth_code("shop", ["auth_base", "USER_NAME"], consentId=consent_id)


@pytest.mark.trust(10)
@pytest.mark.parametrize("scopes", [None, ["USER_NAME"]])
def test_what_was_withdrawn_before_the_code_was_fetched_is_not_in_it(
    alices: Container, alice: User, shop: MiniProgram, audited: Audited, scopes: list[str] | None
) -> None:
    consent_id = ask(alices, ["auth_base", "USER_NAME"])
    answer_on_the_page(alices, consent_id, decision="allow", scopes=["USER_NAME"])
    MiniProgramGrant.objects.get().revoke(by=alice, scopes=scopes)
    answer = alices.get_auth_code("shop", consentId=consent_id)
    if scopes:
        assert answer["authSuccessScopes"] == ["auth_base"]
        assert answer["authErrorScopes"] == {"USER_NAME": "11"}
    else:
        assert answer["error"] == 11
        assert not AuthCode.objects.exists()
        audited("11", app_id="shop")


@pytest.mark.trust(10)
def test_a_suspension_before_the_code_is_fetched_stops_it(
    alices: Container, shop: MiniProgram, audited: Audited
) -> None:
    consent_id = ask(alices, ["USER_NAME"])
    answer_on_the_page(alices, consent_id, decision="allow", scopes=["USER_NAME"])
    MiniProgram.objects.update(status="SUSPENDED")
    assert alices.get_auth_code("shop", consentId=consent_id)["error"] == 2
    assert not AuthCode.objects.exists()
    audited("2", app_id="shop")


# --- Many at once ---------------------------------------------------------------------------------------------


@pytest.mark.wire("2 one decision yields one code")
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("call", ["decide", "collect"])
def test_of_many_callers_at_once_one_gets_the_code(
    alices: Container, alice: User, shop: MiniProgram, call: str
) -> None:
    consent_id = ask(alices, ["USER_NAME", "USER_GENDER"])
    with crowd() as callers:
        if call == "decide":
            answers = callers.free([lambda: Container(alice).decide(consent_id, ["USER_NAME"])] * 10)
        else:
            answer_on_the_page(alices, consent_id, decision="allow", scopes=["USER_NAME"])
            answers = callers.free([lambda: Container(alice).get_auth_code("shop", consentId=consent_id)] * 10)
    assert Counter(answer.get("error") for answer in answers) == {None: 1, 2: 9}
    assert AuthCode.objects.count() == 1
    assert ConsentDecision.objects.count() == 1


@pytest.mark.trust(21)
def test_a_scope_withdrawn_while_another_sheet_is_open_does_not_come_back_unasked(
    alices: Container, alice: User, shop: MiniProgram
) -> None:
    alices.code("shop", ["auth_base", "USER_NICKNAME"])
    asked = alices.get_auth_code("shop", ["auth_base", "USER_NICKNAME", "USER_GENDER"])
    grant = MiniProgramGrant.objects.get(user=alice)
    assert grant.revoke(by=alice, scopes=["USER_NICKNAME"])

    answer = alices.decide(asked["consentId"], ["USER_NICKNAME", "USER_GENDER"])
    assert answer["authSuccessScopes"] == ["auth_base", "USER_GENDER"]
    assert answer["authErrorScopes"] == {"USER_NICKNAME": "11"}
    grant.refresh_from_db()
    assert grant.names == ["auth_base", "USER_GENDER"]
    assert "consentId" in alices.get_auth_code("shop", ["USER_NICKNAME"])
