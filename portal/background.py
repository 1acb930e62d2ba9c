"""Background work: how it is declared, promised in a transaction, and done by `manage.py work`.

    @background.task
    def forget_person(user_id: int) -> background.Progress | None: ...

    with transaction.atomic():
        user.close()
        forget_person.enqueue(user_id=user.pk)      # promised if, and only if, this commits

A task is called again until it returns None: each call is one step, and `Progress` says there is more. A step runs in
one transaction with the row that counts it, so a worker killed at any moment leaves it done once or not at all. With
`atomic=False` a step is on its own: for what takes long or reaches outside, and does no harm when repeated.
"""

import logging
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import timedelta
from threading import Event
from traceback import format_tb
from typing import Any, overload

import django_tasks
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from portal import masking, queues
from portal.models import Job, Worker
from portal.models.jobs import LostError

logger = logging.getLogger(__name__)

SLICE = 5.0  # seconds of one job before others get their turn
UNHEARD = timedelta(seconds=30)  # after which a number that was sent, and that nobody brought, is sent again
GONE = timedelta(days=1)  # for so long a worker that was killed is shown

State = Job.State


@dataclass(frozen=True)
class Progress:
    """There is more to do; `total` where it is known."""

    done: int
    total: int | None = None


Step = Callable[..., Progress | None]


@dataclass(frozen=True)
class Task:
    """A function that workers may call by its dotted name."""

    function: Step
    queue: str = "default"
    atomic: bool = True

    @property
    def name(self) -> str:
        return f"{self.function.__module__}.{self.function.__qualname__}"

    def __call__(self, **arguments: Any) -> Progress | None:
        """One step, here and now."""
        return self.function(**arguments)

    def enqueue(self, **arguments: Any) -> Job:
        """Promise it in the caller's transaction. Arguments are JSON: numbers of rows, never a secret."""
        with transaction.atomic():
            now = timezone.now()
            job = Job.objects.create(task=self.name, arguments=arguments, queue=self.queue, due_at=now, sent_at=now)
            queues.send(bring, job.pk, job.queue)
        return job


@overload
def task(function: Step) -> Task: ...


@overload
def task(*, queue: str = "default", atomic: bool = True) -> Callable[[Step], Task]: ...


def task(function: Step | None = None, *, queue: str = "default", atomic: bool = True) -> Any:
    """Declares a function of a module as a task; `queue` is one of settings.TASK_QUEUES."""
    if queue not in settings.TASK_QUEUES:
        raise ImproperlyConfigured(f"{queue!r} is not one of TASK_QUEUES.")
    return Task(function) if function else lambda step: Task(step, queue, atomic)


def named(name: str) -> Task:
    """The task of this dotted name. Raises LookupError: a row can name nothing else."""
    try:
        found = import_string(name)
    except ImportError as error:
        raise LookupError(f"There is no {name}") from error
    if not isinstance(found, Task):
        raise LookupError(f"{name} is no task")
    return found


def enqueue(name: str, /, **arguments: Any) -> Job:
    """Promise a task that is known by name only: the portal does not import the API. Raises LookupError."""
    return named(name).enqueue(**arguments)


# --- Done by a worker ----------------------------------------------------------------------------------------------


@dataclass
class Hand:
    """Who works in this process: its name, what it is at, and whether it was asked to stop after the step."""

    worker: str
    stopped: Event
    doing: str = ""


hand: Hand | None = None  # set by portal.workers


@django_tasks.task()
def bring(number: int) -> None:
    """What the library's queue carries: do this job, if it still waits. Never raises: the job's row says it all."""
    if hand is None:
        raise RuntimeError("Only `manage.py work` does background work.")
    try:
        if job := Job.objects.take(number, hand.worker):
            hand.doing = str(job)
            perform(job, hand.stopped)
    except (OperationalError, InterfaceError):
        logger.exception("the database cannot be reached")
        connection.close()  # the worker takes its job back when it can, see Job.reclaim
    finally:
        hand.doing = ""


def perform(job: Job, stopped: Event) -> None:
    """Step by step, until it is done, others are due, or `stopped`."""
    until = time.monotonic() + SLICE
    try:
        while _step(job):
            if stopped.is_set() or time.monotonic() >= until:
                _give_way(job)
                return
    except LostError:
        logger.warning("%s is no longer ours", job)
    except Exception as error:  # noqa: BLE001  (a task may raise anything)
        _fail(job, error)


def _step(job: Job) -> bool:
    """One call of its function; whether there is more."""
    task = named(job.task)
    with transaction.atomic() if task.atomic else nullcontext():
        if task.atomic:
            job.hold()
        progress = task(**job.arguments)
        if progress is None:
            job.finish()
        else:
            job.advance(progress.done, progress.total)
    return progress is not None


@transaction.atomic
def _give_way(job: Job) -> None:
    job.give_way()
    queues.send(bring, job.pk, job.queue)


def _fail(job: Job, error: Exception) -> None:
    """The row says what went wrong; the log where, without the words of the error, which may hold anything."""
    words = masking.error(error)
    logger.error("%s failed: %s\n%s", job, words, "".join(format_tb(error.__traceback__)))
    with suppress(LostError):
        job.fail(words)


# --- Between two jobs ----------------------------------------------------------------------------------------------


def resend(*, idle: bool) -> int:
    """Tell the queue of jobs whose time has come and that it was not told of; how many those were.

    When the queue brings nothing more, those it was told of a while ago were lost on the way: they are sent again.
    """
    due = Job.objects.due().filter(sent_at=None)
    if idle:
        due |= Job.objects.due().filter(sent_at__lt=timezone.now() - UNHEARD)
    jobs = list(due[:100])
    for job in jobs:
        with transaction.atomic():
            if Job.objects.filter(pk=job.pk, state=State.WAITING, sent_at=job.sent_at).update(sent_at=timezone.now()):
                queues.send(bring, job.pk, job.queue)
    return len(jobs)


def forget() -> dict[str, int]:
    """Delete what is done and older than settings.RETENTION, who worked, and what the library's queue remembers."""
    before = timezone.now() - settings.RETENTION
    Worker.objects.filter(seen_at__lt=timezone.now() - GONE).delete()
    done, _models = Job.objects.filter(state__in=(State.DONE, State.GIVEN_UP), finished_at__lt=before).delete()
    return {"jobs forgotten": done, "messages forgotten": queues.forget()}
