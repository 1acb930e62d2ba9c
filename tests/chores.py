"""Background tasks for tests: each says what it did in rows that can be counted."""

import time
from typing import Any

from django.contrib.auth.models import Group

from portal import background
from portal.background import Progress

calls: list[Any] = []


def note(name: str) -> None:
    Group.objects.create(name=name)


@background.task
def once(name: str) -> None:
    """One step."""
    note(name)


@background.task
def count(name: str, upto: int, pause: float = 0, dead_at: int = -1) -> Progress | None:
    """A row a step, each in the transaction of its step; slow enough to be killed in the middle of one."""
    done = Group.objects.filter(name__startswith=f"{name}-").count()
    note(f"{name}-{done}")
    time.sleep(pause)
    return Progress(done + 1, upto) if done + 1 < upto else None


@background.task(atomic=False)
def outside(name: str) -> None:
    """Reaches outside the database: nothing of it is taken back."""
    calls.append(name)


@background.task
def fail(words: str) -> None:
    """Fails after it wrote something."""
    note("half done")
    raise ValueError(words)


def no_task() -> None:
    """A function that no row may name."""


def sweep(stopped: Any) -> dict[str, int]:
    """Comes again and again."""
    assert not stopped.is_set()
    return {"swept": 3, "lost": 0}
