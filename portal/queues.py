"""Carries the numbers of jobs to workers, through the library's queue: in the database by default, or in Redis.

The queue may lose a number (a worker killed with it, a Redis that forgets) or bring it twice: portal.background sends
it again, and a job's row is taken once. So nothing is kept in Redis that is not in the database.
"""

import logging
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django_tasks import TaskResultStatus
from django_tasks_db.management.commands.db_worker import Worker as DatabaseWorker
from django_tasks_db.models import DBTaskResult
from django_tasks_db.utils import exclusive_transaction

from portal.models import Job

logger = logging.getLogger(__name__)

BROUGHT, ABANDONED = timedelta(hours=1), timedelta(days=7)
IN_DATABASE = settings.TASKS_BACKEND == "database"


def send(message: Any, number: int, queue: str) -> None:
    """Put `number` on the queue for the library's task `message`, once the transaction is committed.

    In the database that is a row of the same transaction. Redis may be away: then it is told later.
    """
    message = message.using(queue_name=queue)
    if IN_DATABASE:
        message.enqueue(number)
    else:
        transaction.on_commit(partial(_push, message, number))


def _push(message: Any, number: int) -> None:
    """What belongs to it is committed: a queue that fails now must not make that look like a failure."""
    try:
        message.enqueue(number)
    except Exception as error:  # noqa: BLE001  (whatever the client raises)
        logger.error("the queue cannot be told of job %d (%s); it will be sent again", number, type(error).__name__)
        Job.objects.filter(pk=number).update(sent_at=None)


def bring(names: list[str], worker: str) -> bool:
    """Let the next number's task run here, in this thread; False when these queues are empty. Raises RedisError."""
    return (_from_database if IN_DATABASE else _from_redis)(names, worker)


def forget() -> int:
    """Delete the library's rows of numbers that were brought, and those that nobody will bring any more."""
    now = timezone.now()
    brought = Q(status__in=(TaskResultStatus.SUCCESSFUL, TaskResultStatus.FAILED), finished_at__lt=now - BROUGHT)
    return DBTaskResult.objects.filter(brought | Q(enqueued_at__lt=now - ABANDONED)).delete()[0]


def _from_database(names: list[str], worker: str) -> bool:
    """The library's worker, without its loop: ours does more, and tests run it in their transaction."""
    rows = DBTaskResult.objects.ready().filter(backend_name="default", queue_name__in=names)
    if not rows.exists():  # asked without a write lock
        return False
    with exclusive_transaction():
        row = rows.get_locked()
        if row is None:
            return False
        row.claim(worker)
    DatabaseWorker(
        queue_names=names,
        interval=0,
        batch=True,
        backend_name="default",
        startup_delay=False,
        max_tasks=1,
        worker_id=worker,
        excluded_queue_names=[],
    ).run_task(row)
    return True


def _from_redis(names: list[str], worker: str) -> bool:
    import django_rq
    from django_tasks_rq import Job as QueuedJob
    from rq import SimpleWorker

    class QuietWorker(SimpleWorker):
        """Signals and log lines are ours; it lives for one job."""

        def _install_signal_handlers(self) -> None:
            """Ours stay."""

        def bootstrap(self, *_log: Any) -> None:
            self.register_birth()  # type: ignore[no-untyped-call]

    queues = django_rq.queues.get_queues(*names, job_class=QueuedJob)  # type: ignore[no-untyped-call]
    if not any(queue.count for queue in queues):
        return False
    name = f"{worker}:{uuid4().hex[:8]}"
    return QuietWorker(
        queues, name=name, connection=queues[0].connection, job_class=QueuedJob, serializer=queues[0].serializer
    ).work(burst=True, max_jobs=1)
