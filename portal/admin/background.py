"""Background work in the operator's console: what waits, runs and is stuck, who works, what comes again and again."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

import django_tasks_db.admin  # noqa: F401  registers the library's rows, which nobody needs to see
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from portal.admin.pages import ReadOnlyAdmin
from portal.dashboard import heaps, queues
from portal.dashboard.heaps import Heap
from portal.models import ConsentDecision, Job, MerchantNotice, PeriodicRun, Worker

admin.site.unregister(DBTaskResult)

State = Job.State
LATE = timedelta(minutes=10)


class Line(NamedTuple):
    """One number of the health of the queues."""

    name: str
    heap: Heap
    url: str = ""
    is_bad: bool = False
    hint: str = ""


class QueueFilter(admin.SimpleListFilter):
    """By one of the settings' queues: nobody looks through all jobs for them."""

    title, parameter_name = "queue", "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(name, name) for name in settings.TASK_QUEUES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(queue=self.value()) if self.value() else queryset


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    """Every job with its last error, below the health of it all."""

    list_display = ("__str__", "state", "created", "takes", "failures", "due_at", "error", "progress")
    list_filter = ("state", QueueFilter)
    search_fields = ("task__exact",)
    search_help_text = "The function's name, in full."
    ordering = ("-pk",)
    is_long = False  # one job stands for a whole batch of rows
    actions = ("try_again", "give_up")
    harmless_acts = ("try_again",)
    fields = (
        *("task", "arguments", "queue", "state", "created", "takes", "failures", "due_at", "error"),
        *("progress", "worker", "finished_at"),
    )
    readonly_fields = ("progress",)

    @admin.display(description="progress")
    def progress(self, job: Job) -> str:
        if job.done is None:
            return ""
        return f"{job.done:,} of {job.total:,}" if job.total is not None else f"{job.done:,}"

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """The list, with the health of it all above."""
        return super().changelist_view(request, {**health(), **(extra_context or {})})

    # --- Acts --------------------------------------------------------------------------------------------------

    def has_tend_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("portal.tend_job"))

    def applies(self, action: str, row: Job) -> bool:
        return row.state in (Job.OPEN if action == "give_up" else Job.CAN_WAIT)

    def described(self, action: str, row: Job) -> list[str]:
        return [words for words in (row.get_state_display(), row.error) if words]

    @admin.action(permissions=["tend"], description="Try again")
    def try_again(self, request: HttpRequest, rows: QuerySet[Job]) -> HttpResponse | None:
        """Now, with all its tries ahead."""

        def do(job: Job, answers: dict[str, Any]) -> str:
            return "Tried again" if job.try_again() else ""

        return self.act(request, rows, "try_again", do, warning="They are due at once. What runs or is done stays.")

    @admin.action(permissions=["tend"], description="Give up")
    def give_up(self, request: HttpRequest, rows: QuerySet[Job]) -> HttpResponse | None:
        """Nobody does what is left of it."""

        def do(job: Job, answers: dict[str, Any]) -> str:
            return "Given up" if job.give_up() else ""

        warning = "What is left of it is not done, until somebody tries it again. What was done is not taken back."
        return self.act(request, rows, "give_up", do, warning=warning)


# --- The health of it all --------------------------------------------------------------------------------------------


def health() -> dict[str, Any]:
    """For the top of the list: numbers, workers, and what is done again and again. Three statements."""
    workers = list(Worker.objects.order_by("-seen_at")[:50])
    lines = _lines(heaps.count(_heaps()))
    if not any(worker.is_alive for worker in workers):
        lines.insert(0, Line("Workers", Heap(), is_bad=True, hint="Nobody works: start manage.py work."))
    return {"lines": lines, "workers": workers, "periodic": _periodic(), "late": timezone.now() - LATE}


def _heaps() -> dict[str, tuple[QuerySet[Any, Any], str]]:
    jobs, notices = Job.objects.order_by(), MerchantNotice.objects.order_by("due_at")
    return {
        "stuck": (jobs.filter(state=State.STUCK), "created"),
        "waiting": (jobs.filter(state=State.WAITING), "due_at"),
        "running": (jobs.filter(state=State.RUNNING), "created"),
        "notices": (notices.filter(state="WAITING"), "created"),
        "parked": (notices.filter(state="PARKED"), "created"),
        **{f"unsealed{number}": (queues.unsealed(model), at) for number, (_name, model, at) in enumerate(_chains())},
    }


def _chains() -> list[tuple[str, Any, str]]:
    """Name, model, and its time; the API's by name, for the portal does not import it."""
    return [
        ("Ledger, not sealed", ConsentDecision, "at"),
        ("Error audit, not sealed", apps.get_model("authapi", "ErrorAudit"), "at"),
        ("Operators' log, not sealed", LogEntry, "action_time"),
    ]


def _lines(found: Mapping[str, Heap]) -> list[Line]:
    before = timezone.now() - LATE
    lines = []
    for key, (name, model, state, hint) in NAMES.items():
        heap = found[key]
        is_late = bool(heap.oldest and heap.oldest < before)
        is_bad = heap.count > 0 if key in ("stuck", "parked") else is_late and key != "running"
        lines.append(Line(name, heap, _listed(model, state), is_bad, hint if is_bad else ""))
    for number, (name, _model, _at) in enumerate(_chains()):
        heap = found[f"unsealed{number}"]
        is_bad = bool(heap.oldest and heap.oldest < before)
        lines.append(Line(name, heap, is_bad=is_bad, hint="Nobody seals, or a row cannot be read." if is_bad else ""))
    return lines


# Name, list, state, and the hint where it is bad.
NAMES = {
    "stuck": ("Jobs, stuck", "job", State.STUCK, "They failed again and again: look at the error, then try again."),
    "waiting": ("Jobs, waiting", "job", State.WAITING, "They are due: are there enough workers?"),
    "running": ("Jobs, running", "job", State.RUNNING, ""),
    "notices": ("Notices, waiting", "merchantnotice", "WAITING", "Nobody delivers, or a merchant does not answer."),
    "parked": ("Notices, parked", "merchantnotice", "PARKED", "These merchants could not be reached for a day."),
}


def _listed(model: str, state: str) -> str:
    return f"{reverse(f'admin:portal_{model}_changelist')}?state__exact={state}"


def _periodic() -> list[dict[str, Any]]:
    """Each function of settings.PERIODIC_WORK with its last run, those that never ran too."""
    rows, now = PeriodicRun.objects.in_bulk(), timezone.now()
    lines = []
    for name, seconds in settings.PERIODIC_WORK.items():
        row, every = rows.get(name), timedelta(seconds=seconds)
        last = row.succeeded_at if row else None
        is_late = last is None or now - last > max(2 * every, LATE)
        lines.append(
            {"name": name, "every": _every(seconds), "row": row, "is_bad": is_late or bool(row and row.error)}
        )
    return lines


def _every(seconds: float) -> str:
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length and seconds % length == 0:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
