"""What both peers are asked in the same words: OAuth's token endpoint and OpenID Connect's userinfo."""

import uuid as uuids
from collections.abc import Iterable, Iterator
from urllib.parse import urlencode

from bench import load

CLIENT_ID, CLIENT_SECRET = "bench-client", "a-secret-of-forty-characters-for-a-bench"
REDIRECT_URI = "https://client.example/callback"
SCOPE = "openid profile email phone address"

uuid = uuids.uuid4


def requests(operation: str, names: Iterable[str], port: int, token_path: str, info_path: str) -> Iterator[bytes]:
    """One request for each name: of the code `<name>`, or of the tokens `access-<name>` and `refresh-<name>`."""
    for name in names:
        if operation == "inquiryUserInfo":
            yield load.http("GET", port, info_path, "", {"Authorization": f"Bearer access-{name}"})
        else:
            body = urlencode({**form(operation, name), "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET})
            yield load.http("POST", port, token_path, body, {"Content-Type": "application/x-www-form-urlencoded"})


def form(operation: str, name: str) -> dict[str, str]:
    if operation == "applyToken_code":
        return {"grant_type": "authorization_code", "code": name, "redirect_uri": REDIRECT_URI}
    return {"grant_type": "refresh_token", "refresh_token": f"refresh-{name}"}
