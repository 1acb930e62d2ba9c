"""Drive the portal with the official Python SDK (global-open-sdk-python), run by the interpreter of .venv-sdk.

Reads one JSON object on stdin:

    base_url             "http://127.0.0.1:8000": where the portal listens
    client_id            the merchant's client
    private_key          the merchant's PKCS#8 RSA key, PEM or bare base64
    platform_public_key  the portal's public key, PEM or bare base64
    call                 "applyToken", "revoke" or "inquiryUserInfo"
    params               {"grantType": ..., ...} by their names on the wire
    key_version          optional, the SDK's default is "1"
    sandbox              optional: puts SANDBOX_ before the client id, from which the SDK infers the sandbox
    path                 optional: another path or version. The params are then sent as they stand, because the SDK's
                         own request classes know only the fields of v1

and prints one:

    {"ok": true, "response": {the fields of the SDK's response object}, "body": "the verified answer as received"}
    {"ok": false, "exception": "AlipayApiException", "message": "..."}

The SDK signs, sends, verifies and parses with its own code. It always connects over TLS to port 443, so the connection
class alone is replaced. What it writes is what it writes in production: `POST https://host/ams/api/... HTTP/1.1`.
"""

import json
import re
import sys
from http.client import HTTPConnection
from types import SimpleNamespace
from urllib.parse import urlsplit

from com.alipay.ams.api.default_alipay_client import DefaultAlipayClient
from com.alipay.ams.api.net import default_http_rpc
from com.alipay.ams.api.request.alipay_request import AlipayRequest
from com.alipay.ams.api.request.auth.alipay_auth_apply_token_request import AlipayAuthApplyTokenRequest
from com.alipay.ams.api.request.auth.alipay_auth_revoke_token_request import AlipayAuthRevokeTokenRequest
from com.alipay.ams.api.response.alipay_response import AlipayResponse
from com.alipay.ams.api.response.auth.alipay_auth_apply_token_response import AlipayAuthApplyTokenResponse
from com.alipay.ams.api.response.auth.alipay_auth_revoke_token_response import AlipayAuthRevokeTokenResponse


class PlainRequest(AlipayRequest):
    """A request for which the SDK has no class: its base class, and the body serialised as its subclasses do."""

    def __init__(self, path, params):
        super().__init__(path)
        self.params = params

    def to_ams_json(self):
        return json.dumps(self.params, indent=3)


class InquiryUserInfoResponse(AlipayResponse):
    """The SDK's AlipayUserQueryInfo* classes are of an older API: no path (the constructor raises) and no userInfo."""

    def __init__(self, rsp_body):
        super().__init__()
        self.user_info = self.parse_rsp_body(rsp_body).get("userInfo")

    def to_ams_dict(self):
        fields = {"result": self.result, "userInfo": self.user_info}
        return {name: value for name, value in fields.items() if value is not None}


CALLS = {
    "applyToken": (AlipayAuthApplyTokenRequest, AlipayAuthApplyTokenResponse),
    "revoke": (AlipayAuthRevokeTokenRequest, AlipayAuthRevokeTokenResponse),
    "inquiryUserInfo": (lambda: PlainRequest("/ams/api/v1/users/inquiryUserInfo", {}), InquiryUserInfoResponse),
}


def build_request(make_request, params, path):
    request = make_request()
    if path or isinstance(request, PlainRequest):
        return PlainRequest(path or request.path, params)
    for name, value in params.items():
        attribute = re.sub(r"([A-Z])", r"_\1", name).lower()
        if not hasattr(request, attribute):
            raise SystemExit(f"{type(request).__name__} has no field {name}: give a path to send it all the same")
        setattr(request, attribute, value)
    return request


def bare(key):
    """The SDK expects base64 without the PEM markers, as the key is shown in the vendors' consoles."""
    return re.sub(r"-----[A-Z ]+-----|\s", "", key)


def main():
    job = json.load(sys.stdin)
    portal = urlsplit(job["base_url"])
    default_http_rpc.http_client = SimpleNamespace(
        HTTPSConnection=lambda host, port, timeout, context: HTTPConnection(host, portal.port or 80, timeout=timeout)
    )
    client_id = job["client_id"]
    if job.get("sandbox") and not client_id.startswith("SANDBOX_"):
        client_id = "SANDBOX_" + client_id
    client = DefaultAlipayClient(
        "https://" + portal.netloc, client_id, bare(job["private_key"]), bare(job["platform_public_key"])
    )
    make_request, parse = CALLS[job["call"]]
    request = build_request(make_request, job["params"], job.get("path"))
    request.key_version = job.get("key_version")
    try:
        body = client.execute(request)
        response = parse(body).to_ams_dict()
    except Exception as error:  # noqa: BLE001  (whatever it is, it is the answer)
        answer = {"ok": False, "exception": type(error).__name__, "message": str(error)}
    else:
        answer = {"ok": True, "response": response, "body": body}
    print(json.dumps(answer, default=lambda part: part.to_ams_dict()))


if __name__ == "__main__":
    main()
