"""The story, read first: a mini-program signs a user in, and the user and the operator stay in control."""

from collections.abc import Callable
from typing import Any

from portal.models import ConsentDecision, MiniProgram, MiniProgramGrant, User
from tests.conftest import Container
from tests.merchants import MerchantServer


def test_alice_lets_shop_in_and_takes_it_back(
    alices: Container, alice: User, shop: MiniProgram, shop_server: MerchantServer, audited: Callable[..., Any]
) -> None:
    # Shop's page calls my.getAuthCode; the container asks for Alice, and is told to show a sheet.
    asked = alices.get_auth_code("shop", ["auth_base", "USER_NICKNAME", "PLAINTEXT_MOBILE_PHONE"])
    assert asked["error"] == 2001
    assert asked["consentUrl"] == f"http://testserver/consent/{asked['consentId']}/"

    # She allows her nickname and not her number: a success that says so.
    answer = alices.decide(asked["consentId"], ["USER_NICKNAME"])
    assert answer["authSuccessScopes"] == ["auth_base", "USER_NICKNAME"]
    assert answer["authErrorScopes"] == {"PLAINTEXT_MOBILE_PHONE": "11"}

    # Shop's server swaps the code for tokens and greets her by name.
    pair = shop_server.exchange(answer["authCode"])
    assert pair["result"] == {"resultStatus": "S", "resultCode": "SUCCESS", "resultMessage": "success"}
    info = shop_server.user_info(pair["accessToken"])["userInfo"]
    assert info == {"userId": pair["customerId"], "nickName": "Alice"}

    # The next time nothing is asked.
    assert "authCode" in alices.get_auth_code("shop", ["USER_NICKNAME"])

    # She withdraws everything on her permissions page, and Shop is refused at once.
    grant = MiniProgramGrant.objects.get(user=alice)
    alices.http.post(f"/permissions/{grant.pk}/withdraw/", {"csrfmiddlewaretoken": "x" * 32})
    refused = shop_server.user_info(pair["accessToken"])
    assert refused["result"]["resultCode"] == "INVALID_ACCESS_TOKEN"
    audited("INVALID_ACCESS_TOKEN", app_id="shop", user=alice)

    # The ledger tells it all.
    acts = ConsentDecision.objects.order_by("id").values_list("act", flat=True)
    assert list(acts) == ["given", "withdrawn"]
