"""`manage.py restore`: run once after a backup was put back, before web and workers start."""

from typing import Any

from django.core.management.base import BaseCommand

from portal.services.reconciliation import restore


class Command(BaseCommand):
    """Waiting requests may have been sent after the backup was made: they are settled before they are sent again."""

    help = "After a backup was put back: settle every waiting request before it is sent."

    def handle(self, *args: Any, **options: Any) -> None:
        count = restore.restore_requests()
        self.stdout.write(f"{count} waiting requests are settled from the provider's lists before anything is sent.")
