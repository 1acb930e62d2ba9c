"""What a run was made on, for whoever compares its figures with others."""

import json
import os
import platform
import re
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench import plan

PACKAGES = ("Django", "django-oauth-toolkit", "djangorestframework", "granian", "psycopg", "cryptography")


def description(postgres: Path) -> str:
    """Two lines of prose; `postgres` is the folder of its programs."""
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d} on {os.cpu_count()} cores ({cpu_model()}) and "
        f"{memory_gigabytes():.0f} GB, {system_name()}; everything on the same cores: {plan.WORKERS} worker processes "
        f"a server, {plan.CONNECTIONS} connections, PostgreSQL with its default durability.\n"
        f"{', '.join(versions(postgres))}."
    )


def versions(postgres: Path) -> list[str]:
    found = [f"Python {platform.python_version()}", f"PostgreSQL {number(str(postgres / 'postgres'), '--version')}"]
    found += [f"{name} {version(name)}" for name in PACKAGES]
    if shutil.which("node"):
        wanted = json.loads((plan.HERE / "peers" / "oidc_provider" / "package.json").read_text())["dependencies"]
        found += [f"node {number('node', '--version')}", *(f"{name} {wanted[name]}" for name in wanted)]
    return [*found, f"wrk {number('wrk', '-v')}"]


def number(program: str, option: str) -> str:
    """The version in what the program says of itself."""
    said = subprocess.run([program, option], capture_output=True, text=True, check=False, timeout=20).stdout
    match = re.search(r"\d+(\.\d+)+", said)
    return match[0] if match else "of unknown version"


def cpu_model() -> str:
    match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return match[1] if match else platform.machine()


def memory_gigabytes() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def system_name() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()
