"""What is done again and again: the functions of settings.PERIODIC_WORK, each by one worker at a time.

A function takes nothing, or `stopped`, an Event that is set when its process was asked to end; it gives how many of
what (a dictionary), one number, or nothing. It must do no harm when it is run twice.
"""

import inspect
import logging
from collections.abc import Callable
from datetime import timedelta
from threading import Event
from traceback import format_tb
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils.module_loading import import_string

from portal import masking
from portal.models import PeriodicRun

logger = logging.getLogger(__name__)


def run_due(worker: str, stopped: Event) -> None:
    """Everything that is due, one after the other. A failure is written down, and the others go on."""
    later = PeriodicRun.later()
    for name, seconds in settings.PERIODIC_WORK.items():
        if name not in later and not stopped.is_set() and PeriodicRun.take(name, worker, timedelta(seconds=seconds)):
            run(name, worker, stopped)


def run(name: str, worker: str, stopped: Event) -> None:
    """One run. Raises OperationalError or InterfaceError when the database is away."""
    try:
        said = _told(_call(import_string(name), stopped))
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001  (it may raise anything)
        words = masking.error(error)
        logger.error("%s failed: %s\n%s", name, words, "".join(format_tb(error.__traceback__)))
        PeriodicRun.end(name, worker, error=words)
    else:
        PeriodicRun.end(name, worker, said=said)


def _call(function: Callable[..., Any], stopped: Event) -> Any:
    if "stopped" in inspect.signature(function).parameters:
        return function(stopped=stopped)
    return function()


def _told(counts: Any) -> str:
    """In words, without what was none."""
    if not isinstance(counts, dict):
        return "" if counts is None else str(counts)
    return ", ".join(f"{what}: {number}" for what, number in counts.items() if number)
