"""`manage.py api`: serves programs at /v1."""

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    """Becomes gunicorn with its ASGI worker: one process, in which those that wait hold no thread."""

    help = "Serve people's programs at /v1, until SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        address = f"{settings.PORTAL_BIND}:{settings.PORTAL_API_PORT}"
        parser.add_argument("--bind", default=address, help="Where it listens; fd://3 is an open socket.")

    def handle(self, *args: Any, **options: Any) -> None:
        words = ["gunicorn", "--config", f"{settings.BASE_DIR}/gunicorn.conf.py", "--chdir", str(settings.BASE_DIR)]
        words += ["--worker-class", "portal.api.worker.Worker", "--workers", "1", "--threads", "1"]
        words += ["--keep-alive", "75"]  # seconds; longer than programs and proxies keep a connection that is idle
        words += ["--bind", options["bind"], "portal.asgi"]
        os.execv(sys.executable, [sys.executable, "-m", *words])  # noqa: S606 (our own words)
