"""GET /my.js: the bridge at its stable address, for pages of any origin."""

from django.test import Client


def test_it_is_script_for_any_origin_and_carries_no_cookie(client: Client) -> None:
    answer = client.get("/my.js", headers={"Origin": "https://shop.example"})
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert answer["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert not answer.cookies
    assert b"window.my" in answer.content


def test_an_unchanged_bridge_is_not_sent_again(client: Client) -> None:
    tag = client.get("/my.js")["ETag"]
    again = client.get("/my.js", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
