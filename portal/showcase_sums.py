"""Sums of three months for the dashboard of `seed_demo --showcase`, as if a city used the demo's mini-programs."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

from django.apps import apps
from django.db import transaction
from django.utils import timezone

from portal import scopes, tallying
from portal.models import DecisionDay, MiniProgram
from portal.models.tallies import Key

DAYS = 90
# Sheets answered on a usual day, and which share of a scope is refused.
PROGRAMS = {
    "coffee": (420, 0.06),
    "coffee2": (130, 0.09),
    "cafe": (90, 0.05),
    "rides": (610, 0.11),
    "market": (240, 0.08),
    "fitness": (75, 0.31),
    "cinema": (50, 0.14),
    "loans": (160, 0.58),
}
SHY = {"PLAINTEXT_MOBILE_PHONE": 2.2, "USER_ADDRESS": 1.8, "USER_CONTACTINFO": 2.0, "USER_BIRTHDAY": 1.5}
# An hour's calls, and of a hundred of them how many take up to each of EndpointHour's bounds.
ENDPOINTS = {
    "getAuthCode": (900, (0, 2, 40, 44, 11, 2, 1)),
    "decision": (110, (0, 0, 6, 48, 36, 8, 2)),
    "applyToken": (760, (0, 4, 61, 28, 5, 1, 1)),
    "inquiryUserInfo": (2400, (1, 38, 52, 7, 1, 1)),
    "query": (60, (2, 60, 34, 4)),
    "cancelToken": (25, (0, 3, 50, 41, 6)),
    "consent": (140, (0, 0, 0, 12, 55, 27, 5, 1)),
    "permissions": (48, (0, 0, 0, 2, 38, 44, 12, 3, 1)),
    "my_data": (4, (0, 0, 0, 0, 6, 40, 30, 18, 6)),
    "home": (95, (0, 0, 1, 30, 52, 14, 3)),
}
# Code, path, appId, cause, and how often on a usual day.
ERRORS = (
    ("INVALID_SIGNATURE", "/v2/authorizations/applyToken", "loans", "keyVersion 1 does not verify the request", 190),
    ("INVALID_ACCESS_TOKEN", "/v2/users/inquiryUserInfo", "rides", "the access token is unknown", 120),
    ("EXPIRED_AUTHCODE", "/v2/authorizations/applyToken", "coffee", "the code's time ran out", 80),
    ("USED_AUTHCODE", "/v2/authorizations/applyToken", "market", "the code was used before", 45),
    ("11", "/v1/authorizations/getAuthCode", "fitness", "the user said no", 60),
    ("PARAM_ILLEGAL", "/v2/authorizations/applyToken", "cinema", "grantType: the field is missing", 25),
    ("KEY_NOT_FOUND", "/v2/users/inquiryUserInfo", "cafe", "no active key with keyVersion=2", 9),
    ("401", "/v1/authorizations/getAuthCode", "", "nobody is signed in", 30),
)
MILLISECONDS = (0.8, 1.5, 3.5, 7, 14, 33, 70, 140, 310)  # a usual call of each bucket


@transaction.atomic
def fill() -> None:
    """Put the sums there, beside those of what did happen. The same numbers whenever it is called on one day."""
    tallying.tally()
    dice, today = Random(11), timezone.localdate()  # noqa: S311  (no secret)
    programs = MiniProgram.objects.filter(client_id__in=PROGRAMS).prefetch_related("scope_approvals")
    counted = Counter[Key]()
    for back in reversed(range(DAYS)):
        day = today - timedelta(days=back)
        for program in programs:
            counted.update(_day(dice, day, program, 1 - back / DAYS / 2))
    DecisionDay.add(counted)
    hours: Any = apps.get_model("authapi", "EndpointHour")
    hours.add(dict(_hours(dice)))
    _fill_errors(dice)


def _day(dice: Random, day: date, program: MiniProgram, growth: float) -> Counter[Key]:
    """What people answered one mini-program on one day: more at the week's end, and more from month to month."""
    usual, shy = PROGRAMS[program.client_id]
    sheets = int(usual * growth * (1.3 if day.weekday() > 4 else 1) * dice.uniform(0.85, 1.15))
    refused, withdrawn = int(sheets * shy * 0.7), int(sheets * 0.04 * dice.uniform(0.5, 1.5))
    counted = Counter[Key]()
    for act, number in (("given", sheets - refused), ("refused", refused), ("withdrawn", withdrawn)):
        counted[day, program.pk, act, ""] = number
    for approval in program.scope_approvals.all():
        if approval.scope not in scopes.silent([approval.scope]):
            no = int(sheets * min(0.9, shy * SHY.get(approval.scope, 0.8)))
            counted[day, program.pk, "refused", approval.scope] = no
            counted[day, program.pk, "given", approval.scope] = sheets - no
    return +counted  # without what is zero


def _hours(dice: Random) -> Iterator[tuple[tuple[int, str], list[int]]]:
    """Hour for hour: little at night, most in the evening."""
    now = int(timezone.now().timestamp()) // 3600
    for hour in range(now - DAYS * 24, now):
        for endpoint, (usual, hundred) in ENDPOINTS.items():
            calls = int(usual * (0.25 + abs((hour + 16) % 24 - 12) / 12) * dice.uniform(0.8, 1.2))
            buckets = [calls * share // 100 for share in hundred]
            buckets += [0] * (13 - len(buckets))
            took = sum(number * time for number, time in zip(buckets, MILLISECONDS, strict=False))
            yield (hour, endpoint), [sum(buckets), int(took * 1000), *buckets]


def _fill_errors(dice: Random) -> None:
    """Groups and their hours, as if such errors had been gathered; the audit has no such rows."""
    groups: Any = apps.get_model("authapi", "ErrorGroup")
    hours: Any = apps.get_model("authapi", "ErrorHour")
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    for code, endpoint, app_id, cause, usual in ERRORS:
        counted = {now - timedelta(hours=back): int(usual / 24 * dice.uniform(0, 2.2)) for back in range(DAYS * 24)}
        group = groups.objects.create(
            fingerprint=f"showcase {code}",
            code=code,
            endpoint=endpoint,
            app_id=app_id,
            cause=cause,
            sample_reason=cause,
            first_at=min(counted),
            last_at=now,
            count=sum(counted.values()),
            state=groups.State.USUAL,
        )
        hours.add({(group.pk, hour): count for hour, count in counted.items() if count})
