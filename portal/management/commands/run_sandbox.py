"""`manage.py run_sandbox`: the imitation of the provider, for rehearsal."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal.sandbox import server


class Command(BaseCommand):
    help = "Serve the sandbox, an imitation of the provider, until SIGTERM or SIGINT."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        server.add_options(parser)

    def handle(
        self, *, host: str, port: int, connections_port: int, data: Path | None, lifetime: float, **_options: Any
    ) -> None:
        path = data or settings.DATA_DIR / "sandbox.sqlite3"
        try:
            server.serve(host=host, port=port, connections_port=connections_port, data=path, lifetime=lifetime)
        except server.CannotServe as error:
            raise CommandError(str(error)) from None
