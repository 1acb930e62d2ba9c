"""Log lines: for people, or one JSON object each (LOG_FORMAT=json); neither holds what looks like a secret (trust 7).

`portal` and Django are not imported here: granian's own main process formats its lines with this, too.
"""

import logging
import re
import traceback
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.json import JsonFormatter

# What a line of JSON may say beside time, level, logger, trace_id and message; whatever else a record holds is left
# out, such as the request that Django adds to its own lines.
FIELDS = ("method", "endpoint", "status", "code", "ms", "client_id", "app_id")
DOTS = "•••"
_SECRETS = re.compile(
    r"-----BEGIN [A-Z ]+-----.*?(?:-----END [A-Z ]+-----|\Z)"  # a key
    r"|(?<=://)[^/@\s]+(?=@)"  # the name and password of a URL
    r"|(?i:(?<=bearer )|(?<=signature=))\S+"
    r"|(?=[A-Za-z0-9+/=]*[a-z])(?=[A-Za-z0-9+/=]*[A-Z])[A-Za-z0-9+/=]{40,}"  # base64
    r"|(?=[\w%-]*[a-z])(?=[\w%-]*[A-Z0-9])[\w%-]{32,}"  # a code, a token
    r"|(?<![\w.:-])\+?\d{10,15}(?![\w.:-])"  # a phone number
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    re.DOTALL | re.ASCII,
)


def masked(text: str) -> str:
    """This text without anything that looks like a code, a token, a key, a phone number or an e-mail address."""
    return _SECRETS.sub(DOTS, text)


def trace(error: BaseException) -> str:
    """An exception with its causes as Python prints them. Frames hold code and no values; messages are masked."""
    whole = traceback.TracebackException.from_exception(error)
    return "".join(line if line.startswith("  File ") else masked(line) for line in whole.format(chain=True))


class LineFormatter(logging.Formatter):
    """The line for people."""

    def format(self, record: logging.LogRecord) -> str:
        text = masked(record.getMessage())
        made = f"{self.formatTime(record)} {record.levelname} {record.name} trace={_trace_id(record)} {text}"
        error = record.exc_info[1] if record.exc_info else None
        return f"{made}\n{trace(error).rstrip()}" if error else made


class JsonLineFormatter(JsonFormatter):
    """One JSON object a line: time, level, logger, trace_id, message, FIELDS, and `exception` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        made: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "trace_id": _trace_id(record),
            "message": masked(record.getMessage()),
        }
        made |= {name: value for name in FIELDS if (value := getattr(record, name, None)) not in (None, "")}
        if record.exc_info and record.exc_info[1]:
            made["exception"] = trace(record.exc_info[1])
        return str(self.serialize_log_record(made))


def _trace_id(record: logging.LogRecord) -> str:
    return str(getattr(record, "trace_id", "-"))
