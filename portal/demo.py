"""The demo's cast: people, operators, merchants and mini-programs that `seed_demo` makes."""

from dataclasses import dataclass, field
from typing import Any

from portal.demo_purposes import ORDERS, Words
from portal.scopes import BUILT_IN

ALL_SCOPES = tuple(scope.name for scope in BUILT_IN)


@dataclass(frozen=True)
class Person:
    """A demo account; `profile` are fields of User, the lists are (type, value) rows."""

    login: str
    profile: dict[str, Any] = field(default_factory=dict)
    login_ids: tuple[tuple[str, str], ...] = ()
    contacts: tuple[tuple[str, str], ...] = ()
    addresses: tuple[dict[str, str], ...] = ()
    role: str = ""
    colour: str = ""


@dataclass(frozen=True)
class Program:
    """A demo mini-program and the merchant that owns it."""

    app_id: str
    name: str
    client_id: str
    merchant: str
    colour: str
    scopes: tuple[str, ...] = ALL_SCOPES
    required: tuple[str, ...] = ()
    status: str = "ACTIVE"
    page: str = "/"  # below the example merchant's origin
    verified: bool = True  # the merchant
    purposes: dict[str, Words] = field(default_factory=lambda: ORDERS)
    max_days: dict[str, int] = field(default_factory=dict)


PEOPLE = (
    Person(
        "alice",
        {
            "nickname": "Alice",
            "first_name": "Alice",
            "middle_name": "Reyes",
            "last_name": "Santos",
            "gender": "F",
            "birth_date": "1994-03-12",
            "nationality": "PH",
        },
        (("MOBILE_PHONE", "+639171234567"), ("EMAIL", "alice@example.org")),
        (
            ("MOBILE_PHONE", "+639171234567"),
            ("TELEPHONE", "+63285551234"),
            ("EMAIL", "alice@example.org"),
        ),
        (
            {
                "label": "Home",
                "region": "PH",
                "state": "Metro Manila",
                "city": "Quezon City",
                "address1": "12 Mabini Street",
                "address2": "Unit 4B",
                "zip_code": "1100",
            },
        ),
        colour="#8a4b9e",
    ),
    Person(
        "bob",
        {
            "nickname": "Bob",
            "first_name": "Bob",
            "middle_name": "van der",
            "last_name": "Merwe",
            "gender": "M",
            "birth_date": "1988-11-02",
            "nationality": "ZA",
        },
        (("MOBILE_PHONE", "+27609000084"), ("EMAIL", "bob@example.org"), ("OTHER", "bobby88")),
        (("MOBILE_PHONE", "+27609000084"), ("TELEPHONE", "+27215550123"), ("EMAIL", "bob@example.org")),
        (
            {
                "label": "Work",
                "region": "ZA",
                "state": "Western Cape",
                "city": "Cape Town",
                "address1": "5 Long Street",
                "address2": "3rd floor",
                "zip_code": "8001",
            },
        ),
        colour="#1f6f8b",
    ),
    Person("carol"),
    Person(
        "dave",
        {"nickname": "Dave", "status": "FROZEN"},
        (("MOBILE_PHONE", "+6281234567890"),),
        (("MOBILE_PHONE", "+6281234567890"),),
    ),
    Person("olga", {"nickname": "Olga"}, role="manager"),
    Person("sam", {"nickname": "Sam"}, role="support"),
    Person("audrey", {"nickname": "Audrey"}, role="auditor"),
    Person("adam", {"nickname": "Adam"}, role="administrator"),
)

PROGRAMS = (
    Program("coffee", "Coffee Corner", "MERCHANT_COFFEE", "Bean Brothers Ltd", "#7a4a21"),
    Program(
        "coffee2",
        "Coffee Beans to Go",
        "MERCHANT_COFFEE",
        "Bean Brothers Ltd",
        "#a5652b",
        ("auth_base", "USER_NICKNAME", "USER_ADDRESS", "PLAINTEXT_MOBILE_PHONE"),
        required=("USER_NICKNAME",),
        page="/seed",
        max_days={"PLAINTEXT_MOBILE_PHONE": 30},
    ),
    Program(
        "cafe",
        "Café Central",
        "MERCHANT_CAFE",
        "Central Cafés PLC",
        "#0f7c74",
        ("auth_base", "auth_user", "USER_NICKNAME"),
        page="/null",
        verified=False,
    ),
    Program("gone", "Gone Games", "MERCHANT_GONE", "Gone Games Inc.", "#5b3df0", status="SUSPENDED", verified=False),
)
