"""What there is at the console for the tests of all its pages: something for every act, a row of every model."""

from typing import Any

import pytest

from authapi import error_groups
from authapi.models import LedgerCheck
from portal.models import AbuseReport, Job, MassRevocation, MerchantNotice, MiniProgram, MiniProgramGrant, User
from tests.merchants import MerchantServer
from tests.operators import Desk


@pytest.fixture
def scene(alices: Any, bobs: Any, shop: MiniProgram, shop_server: MerchantServer, cafe: MiniProgram) -> dict[str, Any]:
    """Two live grants, tokens, an error, a scope that waits, a parked notice: something for every act."""
    shop_server.exchange(alices.code("shop", ["auth_base", "USER_NICKNAME"]))
    bobs.code("cafe", ["auth_base", "USER_NICKNAME"])
    shop_server.exchange("no such code")
    waiting = cafe.scope_approvals.create(scope="USER_AVATAR", purpose="to show your picture")
    notice = MerchantNotice.objects.create(merchant=shop.merchant, body={}, state="PARKED")
    report = AbuseReport.objects.create(
        user=User.objects.get(username="bob"), mini_program=cafe, kind="spam", words="every day"
    )
    grants = MiniProgramGrant.objects.order_by("since")
    return {"shop": shop, "cafe": cafe, "waiting": waiting, "notice": notice, "report": report, "grants": list(grants)}


@pytest.fixture
def stage(scene: dict[str, Any]) -> dict[str, Any]:
    """A row of every model; the first person is Alice, and the log has a line."""
    root = User.objects.create_superuser("root", "correct horse battery staple")
    MassRevocation.objects.create(mini_program=scene["shop"], asked_by=root, counted={}, reason="breach")
    error_groups.gather()
    job = Job.objects.create(task="tests.chores.once", state="STUCK")
    LedgerCheck.objects.create(asked_by=root, job=job)
    desk = Desk(root)
    desk.act("/admin/portal/user/", "freeze", [User.objects.get(username="bob")], reason="because")
    return scene
