"""`manage.py run_sandbox`: the imitation of the provider, for rehearsal."""

import signal
import sqlite3
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal.sandbox import names, server


class Command(BaseCommand):
    """Serve the sandbox until SIGTERM or SIGINT."""

    help = "Serve the sandbox, an imitation of the provider, until SIGTERM or SIGINT."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where it listens, where it keeps its data, and how long its workstations live."""
        parser.add_argument("--host", default="127.0.0.1", help="A loopback address.")
        parser.add_argument("--port", type=int, default=names.DEFAULT_PORT)
        parser.add_argument("--data", type=Path, help="Its SQLite file; sandbox.sqlite3 beside the portal's data.")
        parser.add_argument("--lifetime", type=float, default=3600.0, help="Seconds that a workstation lives.")

    def handle(self, *, host: str, port: int, data: Path | None, lifetime: float, **_options: Any) -> None:
        """Serve, and finish the answers begun when told to stop."""
        path = data or settings.DATA_DIR / "sandbox.sqlite3"
        try:
            sandbox = server.Sandbox(host=host, port=port, path=path, lifetime=lifetime)
        except ValueError as error:
            raise CommandError(str(error)) from None
        except OverflowError:
            raise CommandError(f"{port} is no port: choose one from 0 to 65535.") from None
        except OSError as error:
            raise CommandError(f"The sandbox cannot use {host}:{port} with {path}: {error.strerror}.") from None
        except sqlite3.Error as error:
            raise CommandError(f"The sandbox cannot use its data in {path}: {error}.") from None
        stop = threading.Event()
        # SIGHUP too: a closed terminal is no reason to break off an answer.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: stop.set())
        with sandbox:
            self.stdout.write(f"The sandbox answers at {sandbox.base_url}")
            self.stdout.flush()
            # In steps: a signal may be taken by another thread, and its handler runs only when this one wakes up.
            while not stop.wait(0.5):
                pass
