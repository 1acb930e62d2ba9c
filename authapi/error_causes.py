"""Whether two errors are the same: their cause, which is the reason without what differs each time; and where."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import NamedTuple

from authapi import urls, views

UNKNOWN = "(unknown)"  # in place of a name that a caller made up: a million of them are one group
ELSEWHERE = views.NoSuchApi.wire_name
OTHERS = "(one of many other causes)"
CONSENTS = "/v1/authorizations/consents/"  # and an id, and perhaps /decision
DECISION = views.Decision.wire_name
OF_CONSENTS = (views.Consent.wire_name, DECISION)
# The addresses of the container's API that are no pattern.
CONTAINER = {
    f"/{urls.GET_AUTH_CODE}": views.GetAuthCode.wire_name,
    "/v1/authorizations/reportError": views.ReportError.wire_name,
}

# Reasons that hold words of the caller's own, and what is left of them.
_THEIRS = (
    (re.compile(r"(no merchant has the Client-Id) .*", re.DOTALL), r"\1 [id]"),
    (re.compile(r"authClientId .* (did not sign)", re.DOTALL), r"authClientId [id] \1"),
    (re.compile(r".* is not (\S+)", re.DOTALL), r"[id] is not \1"),
    (re.compile(r"(.*: )?.{1,64}(: it stands twice in one object\.)", re.DOTALL), r"[name]\2"),
    (re.compile(r"(grantedScopes:) .* (was not asked\.)", re.DOTALL), r"\1 [value] \2"),
    (re.compile(r"(: it was not issued for) .*", re.DOTALL), r"\1 [id]"),
)
_UNKNOWN_SCOPE = re.compile(r"[^(;]+: unknown(?=[;)])")
_DIFFERING = (
    (re.compile(r"“[^”]*”|\"[^\"]*\"|(?<!\w)'[^']*'(?!\w)"), "[value]"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?"), "[time]"),
    (re.compile(r"(\d+ days?, )?\b\d{1,2}:\d\d:\d\d(\.\d+)?"), "[time]"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE), "[id]"),
    (re.compile(r"(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{16,}"), "[id]"),
    (re.compile(r"(?<![\w.])(?<![A-Za-z]-)\d+(\.\d+)*(?!\w)"), "[n]"),
)


class Place(NamedTuple):
    """What makes a group: the code, where, who, and why."""

    code: str
    endpoint: str
    app_id: str
    client_id: str
    cause: str

    @property
    def kind(self) -> tuple[str, ...]:
        """All but the cause."""
        return self[:4]

    def fingerprint(self) -> str:
        """128 bits, hexadecimal."""
        return hashlib.sha256(json.dumps(self).encode()).hexdigest()[:32]


@lru_cache(maxsize=4096)
def cause(reason: str) -> str:
    """The reason without numbers, ids, times, and what callers wrote."""
    for pattern, kept in _THEIRS:
        if pattern.fullmatch(reason):
            reason = pattern.sub(kept, reason, count=1)
            break
    if reason.startswith("scopes: none is usable ("):
        reason = reason[:24] + _UNKNOWN_SCOPE.sub("[name]: unknown", reason[24:])
    for pattern, kept in _DIFFERING:
        reason = pattern.sub(kept, reason)
    return reason[:500]


@cache
def _names() -> Mapping[str, str]:
    """{path: name} of every address that is no pattern, under every gateway prefix."""
    merchants = {
        path: view.wire_name
        for start in urls.starts()
        for versions, rest, view in urls.MERCHANT_API
        for version in versions
        for path in (f"/{start}v{version}/{rest}", f"/{start}v{version}/{rest}.htm")
    }
    return merchants | CONTAINER


def endpoint(path: str) -> str:
    """The wire's name of this address, as metrics and logs give it; noSuchApi for none of ours."""
    if path.startswith(CONSENTS):
        return OF_CONSENTS[path.endswith("/decision")]
    return _names().get(path, ELSEWHERE)


def endpoints() -> list[str]:
    """Every name that `endpoint` gives."""
    return sorted({*_names().values(), *OF_CONSENTS, ELSEWHERE})


def paths(name: str) -> list[str]:
    """The addresses with this name that are no pattern."""
    return sorted(path for path, known in _names().items() if known == name)


def named(sent: str, known: Iterable[str]) -> str:
    """The name that was sent, if somebody has it; "" if none was sent."""
    return sent if not sent or sent in known else UNKNOWN
