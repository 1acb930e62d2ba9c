"""Background work at the console: what waits and is stuck, who works, and trying again or giving up with a reason."""

from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.utils import timezone

from portal import periodic, workers
from portal.models import Job, Merchant, MerchantNotice, MiniProgram, PeriodicRun, Worker
from tests import chores
from tests.operators import Desk, in_role, last_log

LIST = "/admin/portal/job/"


@pytest.fixture
def manager(db: None) -> Desk:
    return Desk(in_role("manager"))


@pytest.fixture
def stuck(db: None) -> Job:
    return Job.objects.create(
        task="tests.chores.once",
        arguments={"name": "late"},
        state="STUCK",
        failures=8,
        takes=8,
        error="ValueError: no",
    )


def url(job: Job, end: str = "change") -> str:
    return f"{LIST}{job.pk}/{end}/"


def test_the_page_says_what_is_stuck_and_why(manager: Desk, stuck: Job) -> None:
    page = manager.page(LIST)
    assert url(stuck) in page
    assert "ValueError: no" in page
    assert f'<a href="{LIST}?state__exact=STUCK">Jobs, stuck</a>' in page
    assert "They failed again and again" in page
    assert "ValueError: no" in manager.page(url(stuck))


def test_nobody_at_work_is_said(manager: Desk) -> None:
    assert "Nobody works: start manage.py work." in manager.page(LIST)
    Worker.objects.beat("machine:1:abc", "tests.chores.once #1", "default, bulk")
    page = manager.page(LIST)
    assert "Nobody works" not in page
    assert "machine:1:abc" in page
    assert "tests.chores.once #1" in page
    Worker.objects.update(seen_at=timezone.now() - timedelta(minutes=2))
    page = manager.page(LIST)
    assert "Gone without a word" in page
    assert "Nobody works" in page


def test_notices_and_unsealed_rows_are_told(manager: Desk, shop: MiniProgram) -> None:
    merchant = Merchant.objects.get(pk=shop.merchant_id)
    MerchantNotice.objects.create(merchant=merchant, body={}, state="PARKED")
    apps.get_model("authapi", "ErrorAudit").objects.write(endpoint="/", code="X", reason="x", trace_id="0" * 32)
    page = manager.page(LIST)
    assert "These merchants could not be reached for a day." in page
    row = page[page.index("Error audit, not sealed") :]
    assert "<td>1</td>" in row[: row.index("</tr>")]


def test_what_comes_again_and_again_is_told(manager: Desk, settings: Any, django_assert_num_queries: Any) -> None:
    settings.PERIODIC_WORK = {"tests.chores.sweep": 60, "tests.chores.note": 3600}
    periodic.run_due("w", Event())
    page = manager.page(LIST)
    assert "swept: 3" in page
    assert "TypeError" in page
    row = PeriodicRun.objects.get(name="tests.chores.sweep")
    assert (row.worker, row.error, row.said) == ("", "", "swept: 3")
    assert row.due_at - timezone.now() > timedelta(seconds=50)
    with django_assert_num_queries(1):  # asked twice a second
        periodic.run_due("w", Event())
    assert PeriodicRun.objects.get(name="tests.chores.sweep").ended_at == row.ended_at


def test_a_periodic_function_is_run_by_one_worker_at_a_time(db: None) -> None:
    every = timedelta(0)
    for name in ("first", "second"):
        Worker.objects.beat(name)
    assert PeriodicRun.take("x", "first", every)
    assert not PeriodicRun.take("x", "second", every)
    assert PeriodicRun.take("x", "first", every)  # it failed to say that it ended
    PeriodicRun.end("x", "first", error="KeyError")
    assert PeriodicRun.take("x", "second", every)
    Worker.objects.filter(name="second").update(seen_at=timezone.now() - timedelta(minutes=1))
    assert PeriodicRun.take("x", "first", every)  # the second one died with it
    assert PeriodicRun.objects.get().succeeded_at is None


@pytest.mark.trust(30)
def test_trying_again_leaves_who_and_why(manager: Desk, stuck: Job) -> None:
    response = manager.post(url(stuck, "act/try_again"), {"reason": "the server is back"})
    assert response["Location"] == url(stuck)
    stuck.refresh_from_db()
    assert (stuck.state, stuck.failures) == ("WAITING", 0)
    assert last_log() == ("the-manager", str(stuck.pk), "Tried again. Why: the server is back")
    workers.work_off()
    stuck.refresh_from_db()
    assert stuck.state == "DONE"
    assert url(stuck, "act/try_again") not in manager.page(url(stuck))


@pytest.mark.trust(30)
def test_giving_up_leaves_who_and_why_and_can_be_taken_back(manager: Desk, stuck: Job) -> None:
    manager.post(url(stuck, "act/give_up"), {"reason": "not needed"})
    stuck.refresh_from_db()
    assert stuck.state == "GIVEN_UP"
    assert last_log() == ("the-manager", str(stuck.pk), "Given up. Why: not needed")
    assert workers.work_off() == 0
    manager.post(url(stuck, "act/try_again"), {"reason": "needed"})
    workers.work_off()
    stuck.refresh_from_db()
    assert stuck.state == "DONE"


def test_what_is_given_up_while_it_runs_ends_after_the_step(manager: Desk) -> None:
    job = chores.once.enqueue(name="x")
    mine = Job.objects.take(job.pk, "w")
    assert mine
    manager.post(url(job, "act/give_up"), {"reason": "not needed"})
    from portal import background

    background.perform(mine, Event())
    job.refresh_from_db()
    assert job.state == "GIVEN_UP"


def test_what_is_done_is_neither_tried_again_nor_given_up(manager: Desk, stuck: Job) -> None:
    Job.objects.update(state="DONE")
    for act in ("try_again", "give_up"):
        response = manager.act(LIST, act, [stuck], reason="why not")
        assert response.status_code == 302
        stuck.refresh_from_db()
        assert stuck.state == "DONE"


@pytest.mark.trust(33)
@pytest.mark.parametrize("role", ["auditor", "support"])
def test_who_only_looks_cannot_act(role: str, stuck: Job) -> None:
    desk = Desk(in_role(role))
    assert url(stuck, "act/give_up") not in desk.page(url(stuck))
    for act in ("try_again", "give_up"):
        assert desk.post(url(stuck, f"act/{act}"), {"reason": "x"}).status_code == 403
        assert desk.act(LIST, act, [stuck], reason="x").status_code == 403
    stuck.refresh_from_db()
    assert stuck.state == "STUCK"


def test_the_librarys_own_rows_have_no_page() -> None:
    labels = {model._meta.label for model in admin.site._registry}
    assert not {label for label in labels if label.startswith(("django_tasks", "django_rq"))}


def test_the_page_takes_few_statements(manager: Desk, stuck: Job, django_assert_max_num_queries: Any) -> None:
    Job.objects.bulk_create(Job(task="tests.chores.once", state="DONE") for _ in range(60))
    Worker.objects.beat("machine:1:abc")
    with django_assert_max_num_queries(12):
        manager.page(LIST)
    with django_assert_max_num_queries(12):
        manager.page(f"{LIST}?state__exact=STUCK")
