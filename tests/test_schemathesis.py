"""Every operation of our own OpenAPI description against a real server, with what Schemathesis makes of it (trust 36).

Merchant calls are really signed, over the bytes that go out, or not at all. Bounded, and the same examples every time.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import schemathesis
from drf_spectacular.generators import SchemaGenerator
from requests.auth import AuthBase
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests import servers
from tests.killable import RemoteMerchant
from tests.servers import PortalServer

pytestmark = [pytest.mark.process, pytest.mark.trust(36)]
CONFORMANCE: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
REAL = {"appId": "coffee", "authClientId": "MERCHANT_COFFEE", "referenceClientId": "coffee"}


DESCRIPTION = SchemaGenerator().get_schema(public=True)


def described(*phases: str, examples: int) -> Any:
    """Our description, tried in these phases: `coverage` takes each limit of each field once, `fuzzing` draws."""
    others = {name: {"enabled": name in phases} for name in ("examples", "coverage", "fuzzing", "stateful")}
    others["coverage"]["unexpected-methods"] = []  # type: ignore[assignment]  # test_merchant_conventions has them
    generation = {"max-examples": examples, "deterministic": True, "database": "none"}
    config = SchemathesisConfig.from_dict({"seed": 36, "generation": generation, "phases": others})
    return schemathesis.openapi.from_dict(DESCRIPTION, config=config)


thorough = described("examples", "coverage", "fuzzing", examples=6)
brief = described("fuzzing", examples=6)


# With a parameter, the operation stands in the id of each test. Without, pytest 9.2 gives all operations one id, and
# xdist runs one of them.
@pytest.fixture(scope="module", params=["granian"])
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalServer]:
    with pytest.MonkeyPatch.context() as environment:
        for name in ("CLIENT", "ADDRESS", "SECRET"):  # nobody is told to wait here: test_limits is about that
            environment.setenv(f"LIMIT_{name}_PER_MINUTE", "1000000")
        with servers.running(tmp_path_factory.mktemp("schemathesis")) as server:
            yield server


@pytest.fixture(scope="module")
def merchant(portal: PortalServer) -> RemoteMerchant:
    return RemoteMerchant(portal, portal.program("coffee"))


class Witness:
    """Sends what Schemathesis made, and counts the rows of every table before and after."""

    def __init__(self, portal: PortalServer) -> None:
        self.portal = portal
        names = portal.sql("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        tables = [name for (name,) in names if name != "authapi_erroraudit"]
        self.others = " UNION ALL ".join(f"SELECT '{name}', count(*) FROM {name}" for name in tables)

    def rows(self) -> list[Any]:
        return self.portal.sql(self.others)

    def refusals(self) -> int:
        return int(self.portal.sql("SELECT count(*) FROM authapi_erroraudit")[0][0])

    def call(
        self, case: Case, http: requests.Session, is_refused: Callable[[requests.Response], bool], **more: Any
    ) -> requests.Response:
        """The answer fits the description. A refusal leaves one row in the error audit, and nothing anywhere else.

        Two calls write by design: reportError puts a row there, a user's refusal of a sheet one in the ledger.
        """
        rows, refusals = self.rows(), self.refusals()
        arguments = {**case.as_transport_kwargs(base_url=self.portal.base_url), "timeout": 10, **more}
        response = http.request(**arguments)
        assert "Traceback" not in response.text, response.text
        refused = is_refused(response)
        assert self.refusals() == refusals + (refused or '"reported"' in response.text)
        assert not refused or self.rows() == rows or '"error": 11,' in response.text
        case.validate_response(response, checks=CONFORMANCE)
        return response


@pytest.fixture(scope="module")
def witness(portal: PortalServer) -> Witness:
    return Witness(portal)


# --- The merchant API -----------------------------------------------------------------------------------------


class Signed(AuthBase):
    """Signs what goes out, byte for byte."""

    def __init__(self, merchant: RemoteMerchant) -> None:
        self.merchant = merchant

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body or b""
        raw = body.encode() if isinstance(body, str) else body
        request.headers.update(self.merchant.headers(request.path_url, raw))
        return request


def is_merchant_refusal(response: requests.Response) -> bool:
    """Whether it is F. U would be our fault, and anything but HTTP 200 is read by no client."""
    assert response.status_code == 200, (response.status_code, response.text)
    result = response.json()["result"]
    assert result["resultStatus"] in ("S", "F"), result
    return bool(result["resultStatus"] == "F")


def merchant_calls(api: Any) -> Any:
    return api.include(tag="Merchant").exclude(method="GET").parametrize()


@merchant_calls(thorough)
def test_signed_calls_get_what_the_description_says(case: Case, witness: Witness, merchant: RemoteMerchant) -> None:
    response = witness.call(case, merchant.session, is_merchant_refusal, auth=Signed(merchant))
    merchant.verify(response.request.path_url, response)
    assert response.json()["result"]["resultCode"] not in ("INVALID_SIGNATURE", "INVALID_CLIENT", "KEY_NOT_FOUND")


@merchant_calls(brief)
def test_signed_calls_with_what_exists_get_what_the_description_says(
    case: Case, portal: PortalServer, witness: Witness, merchant: RemoteMerchant
) -> None:
    """A living token and our own names in the fields that take them, so that the calls come further."""
    if isinstance(case.body, dict):
        if "accessToken" in case.body:
            code = portal.code("alice", "coffee", ["auth_user", "USER_ADDRESS"])
            case.body["accessToken"] = merchant.exchange(code)["accessToken"]
        if "authCode" in case.body:
            case.body |= {"authCode": portal.code("alice", "coffee", ["auth_base"]), "grantType": "AUTHORIZATION_CODE"}
        case.body |= {name: real for name, real in REAL.items() if name in case.body}
    response = witness.call(case, merchant.session, is_merchant_refusal, auth=Signed(merchant))
    merchant.verify(response.request.path_url, response)


@merchant_calls(brief)
def test_unsigned_calls_get_what_the_description_says(case: Case, witness: Witness, portal: PortalServer) -> None:
    """With the headers that Schemathesis made up, or without."""
    response = witness.call(case, requests.Session(), is_merchant_refusal)
    verifies = "verifySignature" in case.path and response.json()["result"]["resultCode"] == "SUCCESS"
    assert verifies or is_merchant_refusal(response)


# --- The container's API ---------------------------------------------------------------------------------------


def is_container_refusal(response: requests.Response) -> bool:
    """Whether it is a JSAPI error or an HTTP refusal; 3 with HTTP 200 would be our fault, 2001 is no refusal."""
    error = response.json().get("error")
    assert response.status_code in (200, 401, 403, 404), (response.status_code, response.text)
    assert (error == 3) == (response.status_code != 200), response.text
    return error not in (None, 2001)


def container_calls(api: Any) -> Any:
    return api.include(tag="Container").parametrize()


def drop_credentials(case: Case) -> None:
    """What Schemathesis made up would stand in the way of the real ones."""
    for name in ("Authorization", "X-CSRFToken", "Cookie"):
        case.headers.pop(name, None)
    case.cookies.clear()


@container_calls(thorough)
def test_container_calls_of_a_user_get_what_the_description_says(
    case: Case, portal: PortalServer, witness: Witness
) -> None:
    drop_credentials(case)
    response = witness.call(case, portal.signed_in("bob"), is_container_refusal)
    assert response.status_code in (200, 404)


@container_calls(brief)
def test_container_calls_with_what_exists_get_what_the_description_says(
    case: Case, portal: PortalServer, witness: Witness
) -> None:
    http = portal.signed_in("carol")
    drop_credentials(case)
    if "consent_id" in case.path_parameters:
        url = f"{portal.base_url}/v1/authorizations/getAuthCode"
        asked = http.post(url, json={"appId": "coffee", "scopes": ["USER_GENDER"]}, timeout=10).json()
        case.path_parameters["consent_id"] = asked.get("consentId", "none")
    if isinstance(case.body, dict):
        case.body |= {name: real for name, real in REAL.items() if name in case.body}
    witness.call(case, http, is_container_refusal)


@container_calls(brief)
def test_container_calls_of_strangers_get_what_the_description_says(case: Case, witness: Witness) -> None:
    """With the cookies and tokens that Schemathesis made up, or without."""
    assert witness.call(case, requests.Session(), is_container_refusal).status_code in (401, 403)
