"""`manage.py work`: a worker."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from portal.db import places
from portal.services.audit import protection, seals
from portal.services.key import credentials, database_moved
from portal.services.reports import configuration
from portal.services.runtime import workers
from portal.worker import process, watchdog

# As many as the team may have calls in flight: one that is idle costs nothing but its stack.
DEFAULT_SENDERS = min(settings.PORTAL_CALLS_IN_FLIGHT, 256)


class Command(BaseCommand):
    """Sends requests to the provider and does the jobs, until SIGTERM; then finishes its calls and ends.

    Ends with status 1 where a thread of it hangs: whoever started it starts it again.
    """

    help = "Send requests to the provider and keep what it answers, until SIGTERM."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--threads", type=int, default=DEFAULT_SENDERS)

    def handle(self, *args: Any, **options: Any) -> None:
        if faults := protection.find_faults():
            raise CommandError(f"{faults[0]} `manage.py migrate` puts the triggers of the audit log back.")
        if fault := seals.find_fault():
            raise CommandError(fault)
        configuration.note_settings()
        workers.prune_workers()
        database_moved.check_database()
        for warning in [*places.find_warnings(), *credentials.find_warnings()]:
            self.stderr.write(self.style.WARNING(warning))
        worker = process.Process(sender_count=options["threads"])
        worker.stop_on_signals()
        try:
            worker.run()
        except watchdog.Stuck as error:
            raise CommandError(str(error)) from None
