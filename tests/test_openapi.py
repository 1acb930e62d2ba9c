"""GET /api/schema/ and /api/docs/: the description is valid, complete, and what we really answer fits it."""

import json
import re
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from jsonschema import Draft202012Validator
from playwright.sync_api import expect, sync_playwright

from authapi import results
from authapi.urls import MERCHANT_API
from portal.models import MiniProgram, User
from tests import servers
from tests.conftest import Container
from tests.machine import CHROMIUM, need
from tests.merchants import MerchantServer

Json = dict[str, Any]
CONTAINER_PATHS = {
    "/v1/authorizations/getAuthCode",
    "/v1/authorizations/consents/{consent_id}",
    "/v1/authorizations/consents/{consent_id}/decision",
    "/v1/authorizations/reportError",
}


@pytest.fixture(scope="module")
def schema() -> Json:
    parsed: Json = Client().get("/api/schema/?format=json").json()
    return parsed


def operations(schema: Json) -> Iterator[tuple[str, Json]]:
    for path, methods in schema["paths"].items():
        for operation in methods.values():
            yield path, operation


def content(schema: Json, path: str, status: int = 200) -> Json:
    (operation,) = schema["paths"][path].values()
    found: Json = operation["responses"][str(status)]["content"]["application/json"]
    return found


def problems(schema: Json, shape: Json, value: Any) -> list[str]:
    validator = Draft202012Validator(
        {**shape, "components": schema["components"]}, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    return [error.message for error in validator.iter_errors(value)]


# --- The description ------------------------------------------------------------------------------------------


def test_the_description_is_valid_openapi_3_1_without_a_warning() -> None:
    out, err = StringIO(), StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out, stderr=err)
    assert out.getvalue().startswith("openapi: 3.1.0\n")
    assert err.getvalue() == ""


@pytest.mark.parametrize(
    ("query", "accept", "kind"),
    [
        ("?format=json", "*/*", "application/vnd.oai.openapi+json"),
        ("", "application/json", "application/json"),
        ("", "application/yaml", "application/yaml; charset=utf-8"),
        ("", "*/*", "application/vnd.oai.openapi; charset=utf-8"),
    ],
)
def test_the_description_comes_as_json_and_as_yaml(
    client: Client, schema: Json, query: str, accept: str, kind: str
) -> None:
    response = client.get(f"/api/schema/{query}", headers={"Accept": accept})
    assert response.status_code == 200
    assert response["Content-Type"] == kind
    assert yaml.safe_load(response.content)["paths"].keys() == schema["paths"].keys()


def test_each_endpoint_stands_there_once_without_gateway_prefix(schema: Json) -> None:
    merchant = {f"/v{version}/{rest}" for versions, rest, _view in MERCHANT_API for version in versions}
    assert set(schema["paths"]) == CONTAINER_PATHS | merchant | {"/.well-known/jwks.json"}
    ids = [operation["operationId"] for _path, operation in operations(schema)]
    assert len(ids) == len(set(ids))


def test_the_text_tells_how_to_sign_and_the_gateway_prefixes(schema: Json) -> None:
    text = schema["info"]["description"]
    assert r"`POST <path with query, no host>\n<Client-Id>.<Request-Time>.<body>`" in text
    assert len(re.findall(r"^\d+\. ", text, re.MULTILINE)) == 10
    for prefix in ("/ams/api", "/ams/sandbox/api", "/aps/api", "/api/open", "/miniprogram/api"):
        assert f"`{prefix}`" in text


def test_merchant_endpoints_take_the_signed_headers_and_container_endpoints_a_user(schema: Json) -> None:
    schemes = schema["components"]["securitySchemes"]
    assert schemes["sessionCookie"]["name"] == "sessionid"
    assert schemes["csrfToken"]["name"] == "X-CSRFToken"
    assert schemes["firstPartyToken"]["scheme"] == "bearer"
    for path, operation in operations(schema):
        headers = {p["name"] for p in operation.get("parameters", []) if p["in"] == "header"}
        if path in CONTAINER_PATHS:
            assert operation["security"] == [{"firstPartyToken": []}, {"sessionCookie": [], "csrfToken": []}]
            assert headers == set()
        elif path != "/.well-known/jwks.json":
            assert operation["security"] == [{"merchantSignature": []}]
            assert headers == {"Client-Id", "Request-Time", "Signature"}
            answer = operation["responses"]["200"]["headers"]
            assert set(answer) == {"client-id", "response-time", "signature", "Trace-Id", "Retry-After"}


def test_every_example_fits_its_own_schema(schema: Json) -> None:
    checked = 0
    for path, operation in operations(schema):
        bodies = [*operation["responses"].values(), operation.get("requestBody", {})]
        for media in (body.get("content", {}).get("application/json", {}) for body in bodies):
            for name, example in media.get("examples", {}).items():
                assert problems(schema, media["schema"], example["value"]) == [], (path, name)
                checked += 1
    assert checked > 150


def test_every_result_code_we_can_utter_has_an_example(schema: Json) -> None:
    uttered = {
        (example["value"]["result"]["resultCode"], example["value"]["result"]["resultStatus"])
        for path in schema["paths"]
        if path not in CONTAINER_PATHS
        for example in content(schema, path).get("examples", {}).values()
    }
    for refusal in results.MerchantRefusal.__subclasses__():
        for version in (1, 2):
            assert (refusal().code_on(version), refusal().status_on(version)) in uttered


@pytest.mark.wire("5.1 codes")
@pytest.mark.parametrize(
    ("path", "codes"),
    [
        ("/v1/authorizations/applyToken", {"INVALID_CODE", "USED_CODE", "REFERENCE_CLIENT_ID_NOT_MATCH"}),
        ("/v2/authorizations/applyToken", {"INVALID_AUTHCODE", "USED_AUTHCODE"}),
    ],
)
def test_codes_are_those_of_the_version(schema: Json, path: str, codes: set[str]) -> None:
    shown = {e["value"]["result"]["resultCode"] for e in content(schema, path)["examples"].values()}
    assert codes <= shown
    assert ("REFERENCE_CLIENT_ID_NOT_MATCH" in shown) == ("/v1/" in path)
    assert not {"INVALID_CODE", "INVALID_AUTHCODE"} <= shown


@pytest.mark.wire("2 outcomes")
def test_every_outcome_of_get_auth_code_has_an_example(schema: Json) -> None:
    values = [e["value"] for e in content(schema, "/v1/authorizations/getAuthCode")["examples"].values()]
    assert {value.get("error") for value in values} == {None, 2001, 2, 3, 11}
    scope_codes = {code for value in values for code in value["authErrorScopes"].values()}
    assert scope_codes == {"10001", "40006", "11", "3"}


# --- What we really answer ------------------------------------------------------------------------------------


def test_answers_to_the_container_fit(
    schema: Json, alices: Container, container: Callable[[User | None], Container], shop: MiniProgram
) -> None:
    def fits(path: str, answer: Any, names: set[str]) -> Json:
        shape = content(schema, path, answer.status_code)["schema"]
        assert problems(schema, shape, answer.json()) == []
        assert names <= answer.json().keys()
        parsed: Json = answer.json()
        return parsed

    start = "/v1/authorizations"
    get_auth_code, consents = f"{start}/getAuthCode", f"{start}/consents/{{consent_id}}"
    fits(get_auth_code, alices.post(get_auth_code, {"appId": "shop"}), {"authCode"})
    asked = fits(get_auth_code, alices.post(get_auth_code, {"appId": "shop", "scopes": ["auth_user"]}), {"consentId"})
    fits(get_auth_code, alices.post(get_auth_code, {}), {"error"})
    fits(get_auth_code, container(None).post(get_auth_code, {}), {"error"})
    fits(get_auth_code, alices.http.post(get_auth_code, {}, content_type="application/json"), {"error"})
    fits(consents, alices.http.get(f"{start}/consents/{asked['consentId']}"), {"scopes"})
    fits(consents, alices.http.get(f"{start}/consents/none"), {"error"})
    decision = f"{start}/consents/{asked['consentId']}/decision"
    fits(f"{consents}/decision", alices.post(decision, {"grantedScopes": ["auth_user"]}), {"authSuccessScopes"})
    fits(f"{consents}/decision", alices.post(decision, {"grantedScopes": []}), {"error"})
    report = f"{start}/reportError"
    fits(report, alices.post(report, {"appId": "shop", "error": 10}), {"reported"})
    fits(report, alices.post(report, {}), {"error"})


def test_answers_to_merchants_fit(
    schema: Json, alices: Container, shop: MiniProgram, shop_server: MerchantServer
) -> None:
    everything = list(shop.approvals())
    seen = set()

    def fits(path: str, status: str, **fields: Any) -> Json:
        answer = shop_server.post(path, **fields)
        assert problems(schema, content(schema, path)["schema"], answer) == []
        assert answer["result"]["resultStatus"] == status, answer
        seen.add((path, status))
        return answer

    for version in (1, 2):
        apply_token = f"/v{version}/authorizations/applyToken"
        whom = {"grantType": "AUTHORIZATION_CODE", "appId": "shop", "authClientId": "shop-client"}
        pair = fits(apply_token, "S", authCode=alices.code("shop", everything), **whom)
        fits(apply_token, "F", authCode="none", **whom)
        token = {"accessToken": pair["accessToken"], "appId": "shop", "authClientId": "shop-client"}
        for path in schema["paths"]:
            if path.startswith(f"/v{version}/") and "UserInfo" in path:
                info = fits(path, "S", **token)["userInfo"]
                assert ("birthday" if version == 1 else "birthDate") in info
                fits(path, "F", accessToken="none", appId="shop", authClientId="shop-client")
        if version == 1:
            fits("/v1/authorizations/query", "S", **token)
            fits("/v1/authorizations/query", "F", accessToken="none")
            fits("/v1/authorizations/cancelToken", "S", **token)
            fits("/v1/authorizations/cancelToken", "F", accessToken="none")
        fits(f"/v{version}/authorizations/revoke", "S", **token)
        fits(f"/v{version}/authorizations/revoke", "F", **{**token, "accessToken": "none"})
    fits("/v1/tools/verifySignature", "S")
    paths = {path for path in schema["paths"] if path not in CONTAINER_PATHS and "/v" in path}
    assert paths - {path for path, status in seen if status == "S"} == set()


def test_a_signature_verdict_fits_in_either_case(schema: Json, shop_server: MerchantServer) -> None:
    path = "/v1/tools/verifySignature"
    for headers in ({}, {"Signature": "signature=AAAA"}):
        answer = shop_server.send(path, b'{"any": ["body"]}', **headers).json()
        assert problems(schema, content(schema, path)["schema"], answer) == []
        assert answer["signatureValid"] == ("false" if headers else "true")


# --- The page -------------------------------------------------------------------------------------------------


def test_the_docs_come_from_our_own_files_under_the_strict_policy(client: Client) -> None:
    page = client.get("/api/docs/")
    assert page.status_code == 200
    html = page.content.decode()
    assert "unsafe" not in page["Content-Security-Policy"]
    assert "script-src 'self'" in page["Content-Security-Policy"]
    assert not re.search(r"<style|<script>|style=|https?://", html)
    for address in re.findall(r'(?:src|href)="([^"]+)"', html):
        assert client.get(address).status_code == 200, address
    assert "/api/schema/" in client.get("/api/docs/?script=").content.decode()


def test_the_docs_need_no_file_of_another_host() -> None:
    template = Path(__file__).parent.parent / "templates" / "portal" / "api_docs.html"
    assert "//" not in template.read_text()


@pytest.mark.browser
@pytest.mark.process
def test_the_docs_render_in_a_browser_without_a_complaint(tmp_path: Path) -> None:
    program = need(*CHROMIUM, package="chromium")
    complaints: list[str] = []
    hosts: set[str] = set()
    with servers.running(tmp_path) as portal, sync_playwright() as playwright:
        flags = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
        page = playwright.chromium.launch(executable_path=program, args=flags.split()).new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        page.goto(f"{portal.base_url}/api/docs/")
        page.locator("#operations-Merchant-v2_authorizations_applyToken").click()
        expect(page.get_by_text("algorithm=RSA256, keyVersion=1, signature=<urlEncode(base64)>")).to_be_visible(
            timeout=20_000
        )
        examples = page.locator(".response .examples-select-element").first
        examples.select_option(label="USED_AUTHCODE")
        expect(page.locator(".response .example").first).to_contain_text("it was used before", timeout=20_000)
        assert hosts - {""} == {urlsplit(portal.base_url).netloc}
    assert complaints == []


def test_the_description_holds_no_secret(schema: Json, settings: Any) -> None:
    text = json.dumps(schema)
    assert settings.SECRET_KEY not in text
    assert "PRIVATE KEY" not in text
