"""Who works in the background, and when what is due again and again was done last (see portal.workers)."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class WorkerQuerySet(models.QuerySet["Worker"]):
    """Who is there."""

    def alive(self) -> "WorkerQuerySet":
        """Those who were seen within the lease."""
        return self.filter(seen_at__gt=timezone.now() - settings.WORKER_LEASE)

    def beat(self, name: str, doing: str = "", queues: str = "") -> None:
        """This worker is there."""
        seen = {"seen_at": timezone.now(), "doing": doing[:200], "queues": queues[:200]}
        self.update_or_create(name=name, defaults=seen)


class Worker(models.Model):
    """One process of `manage.py work`. Its row goes when it ends in good order; one that was killed leaves it."""

    name = models.CharField(max_length=64, primary_key=True)
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    queues = models.CharField(max_length=200, blank=True)
    doing = models.CharField(max_length=200, blank=True)

    objects = WorkerQuerySet.as_manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name

    @property
    def is_alive(self) -> bool:
        return self.seen_at > timezone.now() - settings.WORKER_LEASE


class PeriodicRun(models.Model):
    """The last run of one periodic function, and who has it in hand now."""

    name = models.CharField(max_length=200, primary_key=True)
    due_at = models.DateTimeField(default=timezone.now)
    worker = models.CharField(max_length=64, blank=True)  # empty: nobody is at it
    begun_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    succeeded_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)
    said = models.CharField(max_length=300, blank=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name

    @classmethod
    def later(cls) -> set[str]:
        """The names of those that are not due yet: asked of all at once, since there is seldom anything to take."""
        return set(cls.objects.filter(due_at__gt=timezone.now()).values_list("name", flat=True))

    @classmethod
    def take(cls, name: str, worker: str, every: timedelta) -> bool:
        """Whether this worker runs it now: it is due, and nobody who is alive is at it."""
        cls.objects.get_or_create(name=name)
        now = timezone.now()
        free = Q(worker__in=("", worker)) | ~Q(worker__in=Worker.objects.alive().values("name"))
        due = cls.objects.filter(free, name=name, due_at__lte=now)
        return bool(due.update(worker=worker, begun_at=now, due_at=now + every))

    @classmethod
    def end(cls, name: str, worker: str, *, said: str = "", error: str = "") -> None:
        """It was done, or failed with this error."""
        now = timezone.now()
        succeeded: dict[str, datetime | str] = {} if error else {"succeeded_at": now, "said": said[:300]}
        row = cls.objects.filter(name=name, worker=worker)
        row.update(worker="", ended_at=now, error=error[:300], **succeeded)
