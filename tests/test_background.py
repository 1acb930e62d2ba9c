"""Background work: promised in a transaction, done once in effect, tried again after growing pauses, taken over."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from portal import background, masking, queues, workers
from portal.models import Job, Worker
from portal.models.jobs import LostError
from tests import chores
from tests.operators import ROLES

pytestmark = pytest.mark.django_db


def states() -> list[str]:
    return list(Job.objects.order_by("pk").values_list("state", flat=True))


def names() -> list[str]:
    return list(Group.objects.exclude(name__in=ROLES).values_list("name", flat=True))


def later(job: Job, **passed: float) -> None:
    """As if so much time had passed for this job."""
    by = timedelta(**passed)
    job.refresh_from_db()
    job.due_at, job.sent_at = job.due_at - by, job.sent_at and job.sent_at - by
    job.save()


def test_a_task_is_done_and_its_row_says_so() -> None:
    job = chores.once.enqueue(name="tidy")
    assert (job.task, job.arguments, job.state) == ("tests.chores.once", {"name": "tidy"}, "WAITING")
    assert workers.work_off() == 1
    job.refresh_from_db()
    assert (job.state, job.takes, job.failures) == ("DONE", 1, 0)
    assert job.finished_at
    assert names() == ["tidy"]
    assert workers.work_off() == 0


def test_what_is_rolled_back_is_not_promised() -> None:
    with transaction.atomic():
        chores.once.enqueue(name="tidy")
        transaction.set_rollback(True)
    assert (Job.objects.count(), DBTaskResult.objects.count()) == (0, 0)


def test_a_task_with_more_to_do_is_called_again() -> None:
    job = chores.count.enqueue(name="step", upto=5)
    workers.work_off()
    job.refresh_from_db()
    assert (job.state, job.done, job.total, job.takes) == ("DONE", 4, 5, 1)
    assert sorted(names()) == [f"step-{number}" for number in range(5)]


def test_a_long_task_gives_way_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "SLICE", 0)
    chores.count.enqueue(name="long", upto=3)
    chores.once.enqueue(name="short")
    assert workers.work_off() == 4
    assert names().index("short") < names().index("long-1")
    assert states() == ["DONE", "DONE"]


def test_a_worker_that_is_told_to_stop_ends_after_the_step() -> None:
    job = chores.count.enqueue(name="step", upto=5)
    background.hand = background.Hand("w", background.Event())
    background.hand.stopped.set()
    queues.bring(["default"], "w")
    background.hand = None
    job.refresh_from_db()
    assert (job.state, job.done, job.failures) == ("WAITING", 1, 0)
    workers.work_off()
    assert states() == ["DONE"]


def test_a_failed_step_leaves_nothing_behind_and_is_tried_again_after_growing_pauses() -> None:
    job = chores.fail.enqueue(words="no disk_left.now")
    pauses = []
    for _try in range(8):
        workers.work_off()
        job.refresh_from_db()
        if job.state == "WAITING":
            pauses.append(round((job.due_at - timezone.now()) / timedelta(minutes=1)))
            later(job, hours=2)
    assert pauses == [1, 2, 4, 8, 16, 32, 60]
    assert (job.state, job.failures, job.error) == ("STUCK", 8, "ValueError: no disk_left.now")
    assert names() == []
    later(job, hours=2)
    assert workers.work_off() == 0


@pytest.mark.trust(7)
def test_neither_the_row_nor_the_log_says_what_an_error_was_about(caplog: Any) -> None:
    secret = "'Alice Liddell' +639171234567 alice@example.org 9f8e7d6c5b4a39281706abcd"
    job = chores.fail.enqueue(words=f"bad value: {secret}\nDETAIL: Alice")
    with caplog.at_level(logging.DEBUG):
        workers.work_off()
    job.refresh_from_db()
    assert job.error == "ValueError: bad value: '•••' ••• ••• •••"
    assert "tests/chores.py" in caplog.text
    for word in ("Alice", "Liddell", "9171234567", "example.org", "9f8e7d6c"):
        assert word not in caplog.text + job.error + str(list(DBTaskResult.objects.values()))


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("no such table: portal_job", "no such table: portal_job"),
        ('relation "portal_job" does not exist', 'relation "portal_job" does not exist'),
        ("invalid literal for int() with base 10: 'Alice'", "invalid literal for int() with base 10: '•••'"),
        ("can't and won't", "can't and won't"),
    ],
)
def test_an_errors_words_stay_readable(words: str, shown: str) -> None:
    assert masking.error(ValueError(words)) == f"ValueError: {shown}"
    assert masking.error(ValueError()) == "ValueError"


def test_a_row_can_only_name_a_task() -> None:
    for name in ("tests.chores.no_task", "os.system", "tests.chores.absent", "nowhere"):
        with pytest.raises(LookupError):
            background.enqueue(name)
        job = Job.objects.create(task=name)
        workers.work_off()
        job.refresh_from_db()
        assert (job.state, job.failures) == ("WAITING", 1)
        assert job.error.startswith("LookupError")


def test_a_task_is_promised_by_name_too() -> None:
    background.enqueue("tests.chores.outside", name="by name")
    workers.work_off()
    assert chores.calls.pop() == "by name"
    with pytest.raises(ImproperlyConfigured):
        background.task(queue="nowhere")


def test_a_number_that_the_queue_lost_is_sent_again() -> None:
    job = chores.once.enqueue(name="lost")
    DBTaskResult.objects.all().delete()
    assert background.resend(idle=True) == 0  # it may still be on its way
    later(job, minutes=1)
    assert background.resend(idle=False) == 0  # others stand before it
    assert background.resend(idle=True) == 1
    assert background.resend(idle=True) == 0
    workers.work_off()
    assert states() == ["DONE"]


def test_a_number_that_the_queue_brings_twice_is_done_once() -> None:
    job = chores.once.enqueue(name="twice")
    queues.send(background.bring, job.pk, "default")
    assert workers.work_off() == 2
    assert names() == ["twice"]


def test_work_of_a_worker_that_is_gone_is_taken_over_after_the_lease() -> None:
    job = chores.once.enqueue(name="left")
    Worker.objects.beat("dead")
    assert Job.objects.take(job.pk, "dead")
    assert Job.objects.reclaim("another") == []
    Worker.objects.update(seen_at=timezone.now() - timedelta(minutes=1))
    assert Job.objects.reclaim("another") == [job]
    workers.work_off()
    job.refresh_from_db()
    assert (job.state, job.takes) == ("DONE", 2)


def test_a_worker_takes_back_what_it_left_itself() -> None:
    job = chores.once.enqueue(name="left")
    Worker.objects.beat("me")
    assert Job.objects.take(job.pk, "me")
    assert Job.objects.reclaim("another") == []
    assert Job.objects.reclaim("me") == [job]


def test_a_job_that_kills_its_workers_gets_pauses_and_is_stuck_in_the_end() -> None:
    job, pauses = chores.once.enqueue(name="killer"), []
    for number in range(8):
        assert Job.objects.take(job.pk, f"victim-{number}")
        Job.objects.reclaim("another")
        job.refresh_from_db()
        pauses.append(round((job.due_at - timezone.now()) / timedelta(minutes=1)))
        later(job, hours=2)
    assert pauses[:4] == [0, 0, 4, 8]
    assert (job.state, job.error) == ("STUCK", "Its worker was gone in the middle.")


def test_who_lost_a_job_changes_nothing_of_it() -> None:
    job = chores.once.enqueue(name="mine")
    slow = Job.objects.take(job.pk, "slow")
    assert slow
    Job.objects.reclaim("another")
    assert Job.objects.take(job.pk, "quick")
    background.perform(slow, background.Event())
    assert names() == []
    for late in (slow.hold, slow.finish, slow.give_way, slow.lost):
        with pytest.raises(LostError):
            late()
    job.refresh_from_db()
    assert (job.state, job.worker) == ("RUNNING", "quick")


def test_a_job_is_taken_once() -> None:
    job = chores.once.enqueue(name="one")
    assert Job.objects.take(job.pk, "first")
    assert Job.objects.take(job.pk, "second") is None


def test_the_library_alone_does_no_work() -> None:
    chores.once.enqueue(name="alone")
    queues.bring(["default"], "nobody")
    assert states() == ["WAITING"]
    assert names() == []


def test_old_work_is_forgotten() -> None:
    job = chores.once.enqueue(name="old")
    stuck = Job.objects.create(task="x", state="STUCK")
    workers.work_off()
    assert background.forget() == {"jobs forgotten": 0, "messages forgotten": 0}
    past = timezone.now() - timedelta(days=31)
    Job.objects.update(finished_at=past, created=past)
    DBTaskResult.objects.update(finished_at=past)
    assert background.forget() == {"jobs forgotten": 1, "messages forgotten": 1}
    assert list(Job.objects.values_list("pk", flat=True)) == [stuck.pk]
    assert job.pk != stuck.pk


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_step_in_its_transaction_is_not_taken_over_however_long_it_is_silent() -> None:
    job = Job.objects.create(task="tests.chores.once", arguments={"name": "slow"})
    slow = Job.objects.take(job.pk, "slow")
    assert slow

    def reclaim() -> list[Job]:
        try:
            return Job.objects.reclaim("another")
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            slow.hold()
            assert pool.submit(reclaim).result() == []
        assert pool.submit(reclaim).result() == [job]
    with pytest.raises(LostError), transaction.atomic():
        slow.hold()
