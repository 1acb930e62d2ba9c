"""A believable past for the demo's Alice: what `seed_demo --showcase` adds, for trying the pages and for pictures.

Every step is what the models do at that time, so the ledger holds it like any other history.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from portal import scopes, sheet, showcase_purposes, tending
from portal.demo import Program
from portal.models import AbuseReport, AccessCount, MiniProgram, MiniProgramGrant, PendingConsent, User
from portal.terms import Duration

BIRTHDAY = "USER_BIRTHDAY"
PHONE = "PLAINTEXT_MOBILE_PHONE"


def _asking(*names: str) -> tuple[str, ...]:
    return (scopes.DEFAULT, *names)


PROGRAMS = (
    Program(
        "rides",
        "Habal Rides",
        "MERCHANT_RIDES",
        "Habal Mobility Corp.",
        "#1d5fb8",
        _asking("USER_NICKNAME", PHONE),
        purposes=showcase_purposes.RIDES,
        page="/null",
    ),
    Program(
        "market",
        "Palengke Market",
        "MERCHANT_MARKET",
        "Sariwa Foods Inc.",
        "#2f7d32",
        _asking("USER_NAME", "USER_ADDRESS"),
        purposes=showcase_purposes.MARKET,
        page="/null",
    ),
    Program(
        "fitness",
        "Takbo Fitness",
        "MERCHANT_FITNESS",
        "Takbo Labs",
        "#b3261e",
        _asking("USER_NICKNAME", "USER_GENDER", BIRTHDAY),
        purposes=showcase_purposes.FITNESS,
        page="/null",
        verified=False,
    ),
    Program(
        "cinema",
        "Sine Pasay",
        "MERCHANT_CINEMA",
        "Sine Pasay Theaters",
        "#8e2a6b",
        _asking("USER_NAME", BIRTHDAY),
        purposes=showcase_purposes.CINEMA,
        page="/null",
    ),
    Program(
        "loans",
        "Sulit Loans",
        "MERCHANT_LOANS",
        "Sulit Credit Ltd",
        "#66591b",
        _asking("USER_CONTACTINFO", "USER_ADDRESS"),
        purposes=showcase_purposes.LOANS,
        page="/null",
        verified=False,
    ),
)


@contextmanager
def on(moment: datetime) -> Iterator[None]:
    """Let it be this moment for all who ask Django for the time, as models do: for a demo's past and nothing else."""
    real = vars(timezone)["datetime"]
    vars(timezone)["datetime"] = type("Then", (real,), {"now": classmethod(lambda cls, tz=None: moment)})
    try:
        yield
    finally:
        vars(timezone)["datetime"] = real


def live_through() -> bool:
    """Let everything of STORY happen at its time; False when Alice has a past already, which stays."""
    cast = {user.username: user for user in User.objects.filter(username__in=("alice", "bob", "olga", "sam"))}
    if cast["alice"].consent_decisions.exists():
        return False
    now = timezone.now()
    User.objects.filter(pk=cast["alice"].pk).update(date_joined=now - timedelta(days=400))
    for days, act, login, app_id, *rest in sorted(STORY, key=lambda step: -step[0]):
        with on(now - timedelta(days=days)):
            act(cast[login], MiniProgram.objects.select_related("merchant").get(client_id=app_id), *rest)
    return True


def _grant(program: MiniProgram) -> MiniProgramGrant:
    return program.grants.get(user__username="alice", ended_at=None)


# --- What happens -----------------------------------------------------------------------------------------------


def _answer(
    user: User,
    program: MiniProgram,
    ticked: Sequence[str],
    duration: Duration = Duration.ALWAYS,
    refused: Sequence[str] = (),
) -> None:
    """She answers a sheet."""
    asked = [*ticked, *refused]
    consent = PendingConsent.ask(user, program, [scopes.DEFAULT, *asked], asked=asked, errors={})
    consent.decide(ticked, shown=sheet.of(consent).consent_text(), duration=duration)


def _use(user: User, program: MiniProgram, times: dict[str, int]) -> None:
    """It reads these scopes so many times, the last time now."""
    grant = _grant(program)
    grant.touch()
    AccessCount.add({(grant.pk, scope): (count, timezone.now()) for scope, count in times.items()})


def _take(user: User, program: MiniProgram, names: Sequence[str] | None = None, reason: str = "") -> None:
    """She withdraws, or an operator revokes; without names all of it."""
    _grant(program).revoke(by=user, scopes=names, reason=reason)


def _pause(user: User, program: MiniProgram) -> None:
    _grant(program).pause(by=user)


def _resume(user: User, program: MiniProgram) -> None:
    _grant(program).resume(by=user)


def _ask_deletion(user: User, program: MiniProgram) -> None:
    """The merchant heard of it then."""
    program.grants.get(user=user).ask_deletion()
    program.merchant.notices.update(state="SENT", attempts=1)


def _retime(user: User, program: MiniProgram, duration: Duration) -> None:
    _grant(program).retime(duration, by=user)


def _let_run(user: User, program: MiniProgram, status: str) -> None:
    MiniProgram.objects.filter(pk=program.pk).update(status=status)


def _say_first(user: User, program: MiniProgram, scope: str, words: dict[str, str]) -> None:
    """Before anybody agreed to anything, its purpose was this."""
    texts = dict(words)
    purpose = texts.pop(settings.LANGUAGE_CODE)
    program.scope_approvals.filter(scope=scope).update(purpose=purpose, purposes=texts)


def _reword(user: User, program: MiniProgram, scope: str, words: dict[str, str]) -> None:
    """An operator lets it ask for something else."""
    texts = dict(words)
    purpose = texts.pop(settings.LANGUAGE_CODE)
    program.scope_approvals.get(scope=scope).reword(purpose, texts, by=user)


def _tend(user: User, program: MiniProgram) -> None:
    """What `tend_grants` finds to do at that time."""
    tending.tidy()
    tending.tend()


def _report(user: User, program: MiniProgram, kind: str, words: str) -> None:
    AbuseReport.objects.create(user=user, mini_program=program, kind=kind, words=words)


def _close_reports(user: User, program: MiniProgram) -> None:
    for report in program.reports.all():
        report.close(by=user)


# Days ago, what, by whom, with which mini-program, and what it needs.
STORY: tuple[tuple[float, Callable[..., None], str, str, *tuple[Any, ...]], ...] = (
    (399, _say_first, "olga", "fitness", BIRTHDAY, showcase_purposes.FITNESS_BEFORE),
    (399, _let_run, "olga", "gone", "ACTIVE"),
    # Palengke Market: for a year, and not used for 94 days.
    (301, _answer, "alice", "market", ("USER_NAME", "USER_ADDRESS"), Duration.YEAR),
    (94, _use, "alice", "market", {"auth_base": 61, "USER_NAME": 58, "USER_ADDRESS": 57}),
    (3.9, _tend, "alice", "market"),
    # Coffee Corner: until she withdraws, more of it later, used every day.
    (212.1, _answer, "alice", "coffee", ("USER_NICKNAME", "USER_NAME", "USER_AVATAR"), Duration.ALWAYS, (BIRTHDAY,)),
    (141.4, _take, "alice", "coffee", ("USER_AVATAR",)),
    (40.2, _answer, "alice", "coffee", ("USER_ADDRESS", "SEND_MESSAGE"), Duration.YEAR, (PHONE,)),
    (20.1, _use, "alice", "coffee", {"auth_base": 383, "USER_NICKNAME": 363, "USER_NAME": 69, "USER_ADDRESS": 13}),
    (0.02, _use, "alice", "coffee", {"auth_base": 29, "USER_NICKNAME": 25, "USER_NAME": 2, "USER_ADDRESS": 10}),
    # Coffee Beans to Go: 30 days, of which five are left.
    (25.3, _answer, "alice", "coffee2", ("USER_NICKNAME", "USER_ADDRESS", PHONE), Duration.MONTH),
    (2.2, _use, "alice", "coffee2", {"auth_base": 9, "USER_NICKNAME": 9, "USER_ADDRESS": 4, PHONE: 1}),
    # Habal Rides: paused before, and again.
    (122.6, _answer, "alice", "rides", ("USER_NICKNAME", PHONE), Duration.YEAR),
    (80.1, _pause, "alice", "rides"),
    (66.8, _resume, "alice", "rides"),
    (60.3, _use, "alice", "rides", {"auth_base": 21, "USER_NICKNAME": 21, PHONE: 18}),
    (8.5, _use, "alice", "rides", {"auth_base": 13, "USER_NICKNAME": 13, PHONE: 13}),
    (6.2, _pause, "alice", "rides"),
    # Takbo Fitness: what it asks her birthday for has changed.
    (83.7, _answer, "alice", "fitness", ("USER_NICKNAME", BIRTHDAY), Duration.YEAR, ("USER_GENDER",)),
    (31.3, _retime, "alice", "fitness", Duration.ALWAYS),
    (5.1, _use, "alice", "fitness", {"auth_base": 19, "USER_NICKNAME": 19, BIRTHDAY: 12}),
    (2.6, _reword, "olga", "fitness", BIRTHDAY, showcase_purposes.FITNESS[BIRTHDAY]),
    (2.5, _tend, "alice", "fitness"),
    # Café Central: 30 days, which are over.
    (47.2, _answer, "alice", "cafe", ("USER_NICKNAME",), Duration.MONTH),
    (33.4, _use, "alice", "cafe", {"auth_base": 6, "USER_NICKNAME": 6}),
    (17.2, _tend, "alice", "cafe"),
    # Sine Pasay: she ended it herself, and wants nothing of hers to stay there.
    (160.5, _answer, "alice", "cinema", ("USER_NAME", BIRTHDAY)),
    (88.3, _use, "alice", "cinema", {"auth_base": 11, "USER_NAME": 11, BIRTHDAY: 2}),
    (20.4, _take, "alice", "cinema"),
    (20.3, _ask_deletion, "alice", "cinema"),
    # Gone Games: she reported it, and operators ended it for everybody.
    (130.9, _answer, "alice", "gone", ("USER_NICKNAME", "USER_CONTACTINFO")),
    (70.5, _use, "alice", "gone", {"auth_base": 44, "USER_NICKNAME": 40, "USER_CONTACTINFO": 40}),
    (63.2, _report, "alice", "gone", "misuse", "I get calls from advertisers since I play it."),
    (61.9, _take, "olga", "gone", None, "It passed contacts on to advertisers."),
    (61.8, _let_run, "olga", "gone", "SUSPENDED"),
    (61.7, _close_reports, "sam", "gone"),
    # Sulit Loans: she said no.
    (10.6, _answer, "alice", "loans", (), Duration.ALWAYS, ("USER_CONTACTINFO", "USER_ADDRESS")),
    (10.5, _report, "alice", "loans", "too_much", "Why does a loan calculator need my address?"),
    (1.4, _report, "bob", "loans", "spam", ""),
)
