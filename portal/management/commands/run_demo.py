"""`run_demo`: what `make run` calls. Portal, example merchant and what works in the background, on this machine."""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from portal import demo
from portal.management.commands.seed_demo import key_path, password
from portal.models import Merchant, MiniProgram, PlatformKey, User

HOST = "127.0.0.1"
START_SECONDS = 30


class Command(BaseCommand):
    help = "Migrate, load the demo when the database is empty, and serve until Ctrl-C."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="the merchant gets the next one")

    def handle(self, *, port: int, **options: Any) -> None:
        if settings.PUBLIC:
            raise CommandError("ALLOWED_HOSTS names a public host: see the README's deploy notes.")
        for number in (port, port + 1):
            if not is_free(number):
                raise CommandError(f"Port {number} is taken. Choose another: make run PORT={port + 10}")
        call_command("migrate", verbosity=0)
        origin = f"http://{HOST}:{port + 1}"
        if not User.objects.exists():
            call_command("seed_demo", page_origin=origin, verbosity=0, stdout=open(os.devnull, "w"))  # noqa: SIM115
        self._move_pages(origin)
        processes = [start(command) for command in commands(port)]
        for number in (signal.SIGTERM, signal.SIGINT):  # SIGINT too: a shell's background job starts with it ignored
            signal.signal(number, signal.default_int_handler)
        try:
            self._wait_until_ready(port, processes)
            self.stdout.write(self._greeting(port))
            self._watch(processes)
        except KeyboardInterrupt:
            self.stdout.write("\nStopping.")
        finally:
            stop(processes)

    def _move_pages(self, origin: str) -> None:
        """The demo's own pages follow the port; a mini-program that was given a real address stays."""
        for program in demo.PROGRAMS:
            row = MiniProgram.objects.filter(client_id=program.app_id).first()
            if row and urlsplit(row.page_url).hostname in ("127.0.0.1", "localhost"):
                row.page_url, row.privacy_policy_url = origin + program.page, f"{origin}/privacy"
                row.save(update_fields=["page_url", "privacy_policy_url"])
                Merchant.objects.filter(pk=row.merchant_id).update(notify_url=f"{origin}/notify")

    def _wait_until_ready(self, port: int, processes: list[subprocess.Popen[bytes]]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if any(process.poll() is not None for process in processes):
                raise CommandError("A part ended before it was ready; its message stands above.")
            try:
                with urllib.request.urlopen(f"http://{HOST}:{port}/readyz", timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        raise CommandError(f"The portal was not ready within {START_SECONDS} seconds.")

    def _watch(self, processes: list[subprocess.Popen[bytes]]) -> None:
        while all(process.poll() is None for process in processes):
            time.sleep(0.5)
        raise CommandError("A part ended by itself; its message stands above.")

    def _greeting(self, port: int) -> str:
        return f"""
  Portal           http://{HOST}:{port}/          sign in as alice or bob
  Coffee Corner    http://{HOST}:{port}/mini/coffee/
  Permissions      http://{HOST}:{port}/permissions/
  Operators        http://{HOST}:{port}/admin/    olga (manager), sam (support), audrey (auditor), adam (administrator)
                   their second step: {sys.executable} manage.py second_factor olga
  API              http://{HOST}:{port}/api/docs/
  Password of all  {password()}

  Ctrl-C stops it. Data lives in {settings.VAR_DIR}.
"""


def commands(port: int) -> list[list[str]]:
    """What runs beside each other: the portal, the example merchant, and who works in the background."""
    public = settings.VAR_DIR / "keys" / "platform-public.pem"
    public.write_text(PlatformKey.objects.public_pem())
    python, base = sys.executable, Path(settings.BASE_DIR)
    portal = [python, "-m", "granian", "--interface", "wsgi", "--host", HOST, "--port", str(port)]
    portal += ["--workers", "2", "--blocking-threads", "4", "--no-ws", "--log-level", "warning"]
    merchant = [python, str(base / "examples/coffee/server.py"), "--port", str(port + 1)]
    merchant += ["--portal", f"http://{HOST}:{port}", "--client-id", "MERCHANT_COFFEE", "--app-id", "coffee"]
    merchant += ["--key", str(key_path("MERCHANT_COFFEE")), "--platform-key", str(public)]
    return [
        [*portal, "portal.wsgi:application"],
        merchant,
        [python, str(base / "manage.py"), "work"],
    ]


def is_free(port: int) -> bool:
    """Whether nothing listens there yet."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def start(command: list[str]) -> subprocess.Popen[bytes]:
    """In a session of its own: Ctrl-C reaches us alone, and each part is asked to end once, by us."""
    environment = {"TEND_SECONDS": "10", **os.environ}  # nobody waits a minute at a demo
    return subprocess.Popen(command, env=environment, start_new_session=True)  # noqa: S603  (our own words)


def stop(processes: list[subprocess.Popen[bytes]]) -> None:
    """Ask each to end; after ten seconds, and for whatever it left behind, do not ask."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
