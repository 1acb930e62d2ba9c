"""What is measured, on what, and what it should reach: every number that somebody may want to change."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "bench"
RESULTS = ROOT / "var" / "bench"  # the table of the last run, and the peers' packages; ignored by git

HOST = "127.0.0.1"
WORKERS = 2
CONNECTIONS = 8
# As the README's Deploy section and run_demo have it. The toolkit gets the same.
GRANIAN = f"--interface wsgi --workers {WORKERS} --blocking-threads 2 --no-ws --log-level warning".split()

# Rounds of some seconds each, systems taking turns, after one warm-up that also says how much to pre-load.
ROUNDS, SECONDS = 3, 7
WARM_UP_SECONDS, WARM_UP_REQUESTS = 3, 4000
START_SECONDS = 60  # until a server answers
SETUP_SECONDS = 600  # until a database is loaded

OPERATIONS = ("applyToken_code", "applyToken_refresh", "inquiryUserInfo", "getAuthCode_silent")
SCOPES = ("auth_base", "USER_NICKNAME", "USER_NAME", "USER_BIRTHDAY", "PLAINTEXT_MOBILE_PHONE")


# `cleanup` on the big tables, beside user info at a part of the speed that 8 connections reach without a pause.
EXPIRED_PAIRS = 500_000  # 1,000,000 tokens
CLEANUP_LOAD = 0.5
CLEANUP_REQUESTS, CLEANUP_BASE_SECONDS = 20_000, 15


@dataclass(frozen=True)
class Size:
    """How many rows a database starts with: a grant, an access and a refresh token for each person and program."""

    users: int
    programs: int
    merchants: int

    @property
    def pairs(self) -> int:
        return self.users * self.programs


SMALL = Size(users=1000, programs=5, merchants=2)
BIG = Size(users=20_000, programs=50, merchants=10)  # 1,000,000 grants, 2,000,000 tokens

# Our requests a second by theirs, at least.
TARGETS = {
    "applyToken_code": {"vs_toolkit": 8.0, "vs_oidc_provider": 1.3},
    "applyToken_refresh": {"vs_toolkit": 6.0, "vs_oidc_provider": 0.9},
    "inquiryUserInfo": {"vs_toolkit": 3.0, "vs_oidc_provider": 0.7},
}
MOST_CODE_COST = 1.5  # silent getAuthCode, in inquiryUserInfos
MOST_WORKER_MB = 120
LEAST_BIG_TABLES = 0.8  # of the speed on small ones
MOST_CLEANUP_SECONDS = 60
MOST_CLEANUP_SLOWDOWN = 2.0  # p99 of user info during it by that before it
