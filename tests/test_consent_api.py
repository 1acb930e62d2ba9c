"""The consents API of a container that draws its own sheet, and collecting by consentId (wire.md 2)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from authapi.models import AuthCode, ErrorAudit
from portal.models import ConsentDecision, Contact, MiniProgram, MiniProgramGrant, PendingConsent, User
from tests.conftest import Container
from tests.merchants import MerchantServer
from tests.test_container_callers import bearer

Audited = Callable[..., ErrorAudit]
CONSENTS = "/v1/authorizations/consents"


def ask(container: Container, scopes: list[str], app_id: str = "shop") -> str:
    """The consentId of a sheet for these scopes."""
    return str(container.get_auth_code(app_id, scopes)["consentId"])


# --- What to show ---------------------------------------------------------------------------------------------


@pytest.mark.wire("2 GET consents")
@pytest.mark.trust(22)
def test_a_consent_tells_who_asks_for_what_and_why(alices: Container, shop: MiniProgram) -> None:
    alices.code("shop", ["USER_NICKNAME"])
    shop.logo.save("shop.png", SimpleUploadedFile("shop.png", b"png"))
    shop.scope_approvals.filter(scope="USER_NAME").update(required=True)
    consent_id = ask(alices, ["auth_base", "USER_NICKNAME", "PLAINTEXT_MOBILE_PHONE", "USER_NAME"])
    response = alices.http.get(f"{CONSENTS}/{consent_id}")
    consent = PendingConsent.objects.get(pk=consent_id)
    assert response.json() == {
        "consentId": consent_id,
        "consentExpiryTime": consent.expires_at.isoformat(timespec="seconds"),
        "miniProgram": {
            "appId": "shop",
            "name": "Shop",
            "logo": "http://testserver/media/logos/shop.png",
            "developer": "shop Ltd",
            "verified": False,
            "privacyPolicyUrl": "https://shop.example/privacy",
        },
        "scopes": [
            {
                "scope": "PLAINTEXT_MOBILE_PHONE",
                "label": "Mobile number",
                "description": "Your mobile phone number in full.",
                "purpose": "shop needs PLAINTEXT_MOBILE_PHONE",
                "required": False,
                "preview": ["+63 ••• ••• 4567"],
                "hasValue": True,
                "sensitive": True,
                "changed": False,
                "previousPurpose": None,
                "maxDays": None,
            },
            {
                "scope": "USER_NAME",
                "label": "Name",
                "description": "Your first, middle and last name.",
                "purpose": "shop needs USER_NAME",
                "required": True,
                "preview": ["Ali•••"],
                "hasValue": True,
                "sensitive": False,
                "changed": False,
                "previousPurpose": None,
                "maxDays": None,
            },
        ],
        "durations": [
            {"value": "once", "label": "this time only"},
            {"value": "30d", "label": "30 days"},
            {"value": "1y", "label": "1 year"},
            {"value": "always", "label": "until I withdraw it"},
        ],
        "alreadyGranted": ["Nickname"],
    }
    assert "no-store" in response["Cache-Control"]


def test_a_preview_never_holds_the_value(alices: Container, shop: MiniProgram) -> None:
    consent_id = ask(alices, ["auth_user", "USER_CONTACTINFO", "USER_ADDRESS", "PLAINTEXT_USER_LOGIN_ID"])
    shown = alices.http.get(f"{CONSENTS}/{consent_id}").content.decode()
    for value in ("9171234567", "285551234", "alice@example.org", "Santos", "1994", "Mabini", '"Alice"'):
        assert value not in shown


@pytest.mark.trust(25)
@pytest.mark.parametrize("call", ["show", "decide"])
def test_bob_cannot_tell_alices_consent_from_none(
    alices: Container, bobs: Container, bob: User, shop: MiniProgram, audited: Audited, call: str
) -> None:
    answers = []
    for consent_id in (ask(alices, ["USER_NAME"]), "nosuchconsent"):
        path = f"{CONSENTS}/{consent_id}"
        if call == "show":
            response = bobs.http.get(path)
        else:
            response = bobs.post(f"{path}/decision", {"grantedScopes": ["USER_NAME"]})
        assert response.status_code == 404
        answers.append(response.json())
        audited("404", user=bob)
    assert answers[0] == answers[1]
    assert PendingConsent.objects.get().is_open


@pytest.mark.trust(25)
def test_bob_cannot_collect_alices_code(
    alices: Container, bobs: Container, bob: User, shop: MiniProgram, audited: Audited
) -> None:
    consent_id = ask(alices, ["USER_NAME"])
    theirs = bobs.get_auth_code("shop", consentId=consent_id)
    none = bobs.get_auth_code("shop", consentId="nosuchconsent")
    assert theirs == none
    assert theirs["error"] == 2
    audited("2", user=bob, app_id="shop")


@pytest.mark.wire("2 no user: HTTP 401")
@pytest.mark.trust(17)
@pytest.mark.parametrize("call", ["show", "decide"])
def test_nobody_signed_in_is_401(
    alices: Container, container: Callable[..., Container], shop: MiniProgram, audited: Audited, call: str
) -> None:
    path = f"{CONSENTS}/{ask(alices, ['USER_NAME'])}"
    nobody = container(None)
    response = nobody.http.get(path) if call == "show" else nobody.post(f"{path}/decision", {"grantedScopes": []})
    assert response.status_code == 401
    assert PendingConsent.objects.get().is_open
    audited("401")


@pytest.mark.wire("2 missing CSRF token: HTTP 403")
@pytest.mark.trust(17)
def test_a_decision_without_csrf_token_is_403(alices: Container, shop: MiniProgram, audited: Audited) -> None:
    path = f"{CONSENTS}/{ask(alices, ['USER_NAME'])}/decision"
    response = alices.http.post(path, {"grantedScopes": ["USER_NAME"]}, content_type="application/json")
    assert response.status_code == 403
    assert PendingConsent.objects.get().is_open
    audited("403")


@pytest.mark.wire("2 a user who is not ACTIVE: error 3")
@pytest.mark.parametrize("call", ["show", "decide", "collect"])
def test_a_frozen_user_is_error_3(
    alices: Container, alice: User, shop: MiniProgram, audited: Audited, call: str
) -> None:
    consent_id = ask(alices, ["USER_NAME"])
    User.objects.update(status="FROZEN")
    if call == "show":
        answer = alices.http.get(f"{CONSENTS}/{consent_id}").json()
    elif call == "decide":
        answer = alices.decide(consent_id, ["USER_NAME"])
    else:
        answer = alices.get_auth_code("shop", consentId=consent_id)
    assert answer["error"] == 3
    assert "frozen" in answer["errorMessage"]
    assert PendingConsent.objects.get().decided_at is None
    audited("3", user=alice)


def test_the_native_app_draws_its_own_sheet(alice: User, alices: Container, shop: MiniProgram) -> None:
    consent_id = ask(alices, ["USER_NAME"])
    headers = {"Authorization": f"Bearer {bearer(alice)}"}
    alices.http.logout()
    assert alices.http.get(f"{CONSENTS}/{consent_id}", headers=headers).json()["consentId"] == consent_id
    answer = alices.http.post(
        f"{CONSENTS}/{consent_id}/decision",
        {"grantedScopes": ["USER_NAME"]},
        content_type="application/json",
        headers=headers,
    )
    assert answer.json()["authSuccessScopes"] == ["USER_NAME"]


# --- Deciding -------------------------------------------------------------------------------------------------


@pytest.mark.wire("1 a partial grant is a success that carries both lists")
@pytest.mark.wire("1 scope code 11")
def test_a_refused_scope_is_11_beside_the_granted_ones(alices: Container, shop: MiniProgram) -> None:
    answer = alices.decide(ask(alices, ["auth_base", "USER_NAME", "USER_GENDER", "NO_SUCH"]), ["USER_GENDER"])
    assert set(answer) == {"authCode", "authSuccessScopes", "authErrorScopes"}
    assert answer["authSuccessScopes"] == ["auth_base", "USER_GENDER"]
    assert answer["authErrorScopes"] == {"USER_NAME": "11", "NO_SUCH": "10001"}
    assert list(MiniProgramGrant.objects.get().scopes) == ["auth_base", "USER_GENDER"]


@pytest.mark.wire("1 error 11: refused, even when silent scopes were asked along")
@pytest.mark.wire("1 error 11")
def test_refusing_the_whole_sheet_fails_with_11_in_spite_of_silent_scopes(
    alices: Container, alice: User, shop: MiniProgram, audited: Audited
) -> None:
    answer = alices.decide(ask(alices, ["auth_base", "USER_NAME", "NO_SUCH"]), [])
    assert answer == {
        "error": 11,
        "errorMessage": "User's authorization is cancelled",
        "authErrorScopes": {"USER_NAME": "11", "NO_SUCH": "10001"},
        "authSuccessScopes": [],
    }
    assert not MiniProgramGrant.objects.exists()
    assert not AuthCode.objects.exists()
    audited("11", app_id="shop", user=alice, scopes=["NO_SUCH", "USER_NAME"])


@pytest.mark.wire("2 refusal leaves existing grants untouched")
def test_a_refusal_leaves_the_grant_as_it_was(
    alices: Container, shop: MiniProgram, shop_server: MerchantServer
) -> None:
    pair = shop_server.exchange(alices.code("shop", ["USER_NICKNAME"]))
    before = MiniProgramGrant.objects.values().get()
    alices.decide(ask(alices, ["USER_NICKNAME", "USER_NAME"]), [])
    assert MiniProgramGrant.objects.values().get() == {**before, "last_used_at": before["last_used_at"]}
    assert shop_server.user_info(pair["accessToken"])["userInfo"]["nickName"] == "Alice"
    row = ConsentDecision.objects.first()
    assert row is not None
    assert (row.act, row.scopes_before, row.scopes_after) == ("refused", ["USER_NICKNAME"], ["USER_NICKNAME"])


@pytest.mark.trust(28)
@pytest.mark.parametrize(("granted", "act"), [(["USER_NAME"], "given"), ([], "refused")])
def test_every_decision_keeps_the_words_that_were_shown(
    alices: Container, alice: User, shop: MiniProgram, granted: list[str], act: str
) -> None:
    alices.decide(ask(alices, ["USER_NAME"]), granted)
    row = ConsentDecision.objects.select_related("shown").get()
    assert (row.act, row.actor, row.user) == (act, alice, alice)
    assert len(row.trace_id) == 32
    assert row.shown is not None
    assert (row.shown.version, row.shown.language, len(row.shown.hash)) == ("1", "en", 64)
    assert row.shown.text["miniProgram"] == "Shop"
    assert row.shown.text["lines"][0]["purpose"] == "shop needs USER_NAME"
    assert "Ali" not in str(row.shown.text)  # the words, not the values


@pytest.mark.wire("2 a pending consent cannot be widened by the client")
@pytest.mark.trust(20)
@pytest.mark.parametrize("granted", [["USER_NAME", "USER_ADDRESS"], ["USER_ADDRESS"], ["NO_SUCH"]])
def test_a_decision_cannot_grant_what_was_not_asked(
    alices: Container, shop: MiniProgram, audited: Audited, granted: list[str]
) -> None:
    answer = alices.decide(ask(alices, ["auth_base", "USER_NAME", "NO_SUCH"]), granted)
    assert answer["error"] == 2
    assert answer["errorMessage"].startswith("Invalid parameters: grantedScopes: ")
    assert granted[-1] in answer["errorMessage"]
    assert PendingConsent.objects.get().is_open
    assert not MiniProgramGrant.objects.exists()
    audited("2", app_id="shop")


@pytest.mark.wire("1 error 11: refused, even when silent scopes were asked along")
def test_naming_only_the_silent_scopes_is_a_refusal(alices: Container, shop: MiniProgram, audited: Audited) -> None:
    assert alices.decide(ask(alices, ["auth_base", "USER_NAME"]), ["auth_base"])["error"] == 11
    assert not MiniProgramGrant.objects.exists()
    audited("11", app_id="shop")


@pytest.mark.trust(20)
def test_hidden_fields_change_neither_user_nor_mini_program_nor_scopes(
    alices: Container, alice: User, bob: User, shop: MiniProgram, cafe: MiniProgram
) -> None:
    consent_id = ask(alices, ["USER_NAME"])
    body = {"grantedScopes": ["USER_NAME"], "appId": "cafe", "user": bob.pk, "scopes": ["USER_ADDRESS"]}
    answer = alices.post(f"{CONSENTS}/{consent_id}/decision", body).json()
    assert answer["authSuccessScopes"] == ["USER_NAME"]
    grant = MiniProgramGrant.objects.get()
    assert (grant.user, grant.mini_program, list(grant.scopes)) == (alice, shop, ["USER_NAME"])


@pytest.mark.wire("2 decision: arguments of the wrong type")
@pytest.mark.parametrize(
    "body",
    [{}, {"grantedScopes": None}, {"grantedScopes": "USER_NAME"}, {"grantedScopes": [7]}, {"grantedScopes": {}}],
    ids=str,
)
def test_a_malformed_decision_decides_nothing(
    alices: Container, shop: MiniProgram, audited: Audited, body: dict[str, Any]
) -> None:
    answer = alices.post(f"{CONSENTS}/{ask(alices, ['USER_NAME'])}/decision", body).json()
    assert answer["error"] == 2
    assert "grantedScopes" in answer["errorMessage"]
    assert PendingConsent.objects.get().is_open
    audited("2")


@pytest.mark.trust(23)
def test_a_required_scope_cannot_be_left_out_of_a_yes(alices: Container, shop: MiniProgram, audited: Audited) -> None:
    shop.scope_approvals.filter(scope="USER_NAME").update(required=True)
    consent_id = ask(alices, ["USER_NAME", "USER_GENDER"])
    answer = alices.decide(consent_id, ["USER_GENDER"])
    assert answer["error"] == 2
    assert "USER_NAME is required" in answer["errorMessage"]
    audited("2", app_id="shop")
    assert alices.decide(consent_id, ["USER_NAME"])["authErrorScopes"] == {"USER_GENDER": "11"}


@pytest.mark.wire("2 one decision yields one code")
def test_a_second_decision_is_error_2_and_changes_nothing(
    alices: Container, shop: MiniProgram, audited: Audited
) -> None:
    consent_id = ask(alices, ["USER_NAME", "USER_GENDER"])
    alices.decide(consent_id, ["USER_NAME"])
    again = alices.decide(consent_id, ["USER_NAME", "USER_GENDER"])
    assert (again["error"], again["errorMessage"]) == (2, "Invalid parameters: consentId: it was answered before.")
    assert list(MiniProgramGrant.objects.get().scopes) == ["USER_NAME"]
    assert AuthCode.objects.count() == 1
    audited("2", app_id="shop")


@pytest.mark.wire("2 a pending consent expires (10 minutes)")
@pytest.mark.parametrize("call", ["decide", "collect"])
def test_an_expired_consent_is_error_2(alices: Container, shop: MiniProgram, audited: Audited, call: str) -> None:
    consent_id = ask(alices, ["USER_NAME"])
    consent = PendingConsent.objects.get()
    assert timedelta(seconds=599) < consent.expires_at - consent.created <= timedelta(seconds=601)
    PendingConsent.objects.update(expires_at=timezone.now())
    if call == "decide":
        answer = alices.decide(consent_id, ["USER_NAME"])
    else:
        answer = alices.get_auth_code("shop", consentId=consent_id)
    assert answer["error"] == 2
    assert "its time ran out" in answer["errorMessage"]
    assert not MiniProgramGrant.objects.exists()
    audited("2", app_id="shop")


@pytest.mark.trust(10)
@pytest.mark.parametrize("what", ["program", "merchant"])
def test_a_suspension_while_the_sheet_is_open_stops_the_decision(
    alices: Container, shop: MiniProgram, audited: Audited, what: str
) -> None:
    consent_id = ask(alices, ["USER_NAME"])
    if what == "program":
        MiniProgram.objects.update(status="SUSPENDED")
    else:
        type(shop.merchant).objects.update(status="DISABLED")
    assert alices.decide(consent_id, ["USER_NAME"])["error"] == 2
    assert not MiniProgramGrant.objects.exists()
    audited("2", app_id="shop")


@pytest.mark.trust(10)
@pytest.mark.parametrize("who", ["program", "merchant", "user"])
def test_a_suspension_while_the_sheet_is_open_stops_the_page_too(
    alices: Container, shop: MiniProgram, who: str
) -> None:
    path = f"/consent/{ask(alices, ['USER_NAME'])}/"
    if who == "program":
        MiniProgram.objects.update(status="SUSPENDED")
    elif who == "merchant":
        type(shop.merchant).objects.update(status="DISABLED")
    else:
        User.objects.update(status="FROZEN")
    form = {"decision": "allow", "scopes": ["USER_NAME"], "csrfmiddlewaretoken": "x" * 32}
    assert alices.http.post(path, form)["Location"] == f"{path}done/"
    assert "Nothing was allowed" in alices.http.get(f"{path}done/").content.decode()
    assert not MiniProgramGrant.objects.exists()


@pytest.mark.trust(15)
def test_an_approval_taken_back_while_the_sheet_is_open_is_40006(alices: Container, shop: MiniProgram) -> None:
    consent_id = ask(alices, ["USER_NAME", "USER_GENDER"])
    shop.scope_approvals.filter(scope="USER_NAME").update(state="REFUSED")
    answer = alices.decide(consent_id, ["USER_NAME", "USER_GENDER"])
    assert answer["authSuccessScopes"] == ["USER_GENDER"]
    assert answer["authErrorScopes"] == {"USER_NAME": "40006"}


def test_a_value_that_breaks_while_the_sheet_is_open_is_shown_by_neither_sheet(
    alices: Container, alice: User, shop: MiniProgram
) -> None:
    consent_id = ask(alices, ["PLAINTEXT_MOBILE_PHONE"])
    Contact.objects.filter(user=alice).update(value="broken")
    assert alices.http.get(f"{CONSENTS}/{consent_id}").json()["scopes"][0]["preview"] == []
    page = alices.http.get(f"/consent/{consent_id}/")
    assert page.status_code == 200
    assert "broken" not in page.content.decode()


@pytest.mark.trust(17)
def test_no_answer_opens_cors(alices: Container, shop: MiniProgram) -> None:
    path = f"{CONSENTS}/{ask(alices, ['USER_NAME'])}"
    for response in (alices.http.get(path, headers={"Origin": "http://shop.localhost:9000"}),):
        assert not [name for name in response.headers if name.lower().startswith("access-control-")]
