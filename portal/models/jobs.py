"""What was promised to be done later, and how far it is (see portal.background)."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone

from .workers import Worker

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
TRIES = 8  # 1, 2, 4 ... 60 minutes between them, then a person has to look
FORGIVEN = 2  # so often in a row a worker may be killed in the middle before the pauses begin


class LostError(Exception):
    """Somebody else has the job now, or an operator gave it up: what this worker did for it does not count."""


class JobQuerySet(models.QuerySet["Job"]):
    """Chains for what waits, and how a worker takes it."""

    def due(self) -> "JobQuerySet":
        """Waiting, and its time has come; the longest due first."""
        return self.filter(state=Job.State.WAITING, due_at__lte=timezone.now()).order_by("due_at", "pk")

    def take(self, pk: int, worker: str) -> "Job | None":
        """This job, for this worker alone; None when it does not wait, or another was first."""
        if self.due().filter(pk=pk).order_by().update(state=Job.State.RUNNING, worker=worker, takes=F("takes") + 1):
            return self.filter(pk=pk, state=Job.State.RUNNING, worker=worker).first()
        return None

    @transaction.atomic
    def reclaim(self, me: str) -> list["Job"]:
        """Take those back whose worker is dead, and those that `me`, between two jobs, has left; a step that is in its
        transaction still holds its own.

        Who is alive is asked in the same statement: a worker says so before it takes a job, so that one which began
        this moment is never taken for dead.
        """
        others = Worker.objects.alive().exclude(name=me)
        lost = self.filter(state=Job.State.RUNNING).exclude(worker__in=others.values("name"))
        jobs = list(lost.select_for_update(skip_locked=True))
        for job in jobs:
            job.lost()
        return jobs


class Job(models.Model):
    """One piece of background work: a function's dotted name and its arguments, written in the transaction of what it
    belongs to. The queue only carries its number; this row is the truth."""

    class State(models.TextChoices):
        WAITING = "WAITING", "Waiting"
        RUNNING = "RUNNING", "Running"
        DONE = "DONE", "Done"
        STUCK = "STUCK", "Stuck"
        GIVEN_UP = "GIVEN_UP", "Given up"

    task = models.CharField(max_length=200)
    arguments = models.JSONField(default=dict)  # ids, never a secret or personal data
    queue = models.CharField(max_length=32, default="default")
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    created = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField("next try", default=timezone.now)
    sent_at = models.DateTimeField(null=True)  # when the queue was told of it; empty: it has to be
    worker = models.CharField(max_length=64, blank=True)  # who has it, or had it last
    takes = models.PositiveIntegerField("attempts", default=0)
    failures = models.PositiveIntegerField("failures in a row", default=0)
    error = models.CharField("last error", max_length=300, blank=True)
    done = models.PositiveBigIntegerField(null=True)
    total = models.PositiveBigIntegerField(null=True)
    finished_at = models.DateTimeField("finished", null=True)

    OPEN = (State.WAITING, State.RUNNING, State.STUCK)  # not over
    CAN_WAIT = (State.WAITING, State.STUCK, State.GIVEN_UP)  # could be tried, and nobody is at it

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        verbose_name = "background work"
        verbose_name_plural = "background work"
        permissions = (("tend_job", "Can try background work again, and give it up"),)
        indexes = (
            models.Index(fields=["due_at"], condition=Q(state="WAITING"), name="jobs_due"),
            models.Index(fields=["worker"], condition=Q(state="RUNNING"), name="jobs_running"),
            models.Index(fields=["state", "-id"], name="jobs_by_state"),
        )

    def __str__(self) -> str:
        return f"{self.task} #{self.pk}"

    # --- By the worker who has it; each raises LostError when that is somebody else by now ---------------------

    def hold(self) -> None:
        """Keep it ours until this transaction ends."""
        if not self._mine().select_for_update().exists():
            raise LostError

    def advance(self, done: int, total: int | None) -> None:
        """A step went well and there is more."""
        self._set(done=done, total=total, failures=0, error="")

    def finish(self) -> None:
        """That was all."""
        self._set(state=self.State.DONE, finished_at=timezone.now(), failures=0, error="")

    def give_way(self) -> None:
        """Others wait too: it goes on when it is its turn again. The caller tells the queue."""
        now = timezone.now()
        self._set(state=self.State.WAITING, due_at=now, sent_at=now)

    def fail(self, error: str) -> None:
        """Try again after a pause that doubles up to LONGEST_PAUSE; after TRIES in a row it is stuck."""
        self._fail(error, self.pause)

    def lost(self) -> None:
        """Its worker is gone: others go on at once, unless it kills every one."""
        pause = timedelta() if self.failures < FORGIVEN else self.pause
        self._fail("Its worker was gone in the middle.", pause)

    @property
    def pause(self) -> timedelta:
        """How long to wait after one failure more: 1, 2, 4 ... 60 minutes."""
        return min(FIRST_PAUSE * (1 << min(self.failures, 10)), LONGEST_PAUSE)

    def _fail(self, error: str, pause: timedelta) -> None:
        over = self.failures + 1 >= TRIES
        state = self.State.STUCK if over else self.State.WAITING
        due = timezone.now() + pause
        self._set(state=state, failures=self.failures + 1, error=error[:300], due_at=due, sent_at=None)

    def _mine(self) -> JobQuerySet:
        return Job.objects.filter(pk=self.pk, state=self.State.RUNNING, worker=self.worker, takes=self.takes)

    def _set(self, **values: Any) -> None:
        if not self._mine().update(**values):
            raise LostError
        for name, value in values.items():
            setattr(self, name, value)

    # --- By an operator ------------------------------------------------------------------------------------------

    def try_again(self) -> bool:
        """Now, and with all tries ahead; False when there is nothing to try."""
        values = {"state": self.State.WAITING, "failures": 0, "due_at": timezone.now(), "sent_at": None}
        return self._change(self.CAN_WAIT, **values, finished_at=None)

    def give_up(self) -> bool:
        """Never again; a worker that has it notices after its step. False when it was over."""
        return self._change(self.OPEN, state=self.State.GIVEN_UP, finished_at=timezone.now())

    def _change(self, states: Iterable[str], **values: Any) -> bool:
        return bool(Job.objects.filter(pk=self.pk, state__in=list(states)).update(**values))
