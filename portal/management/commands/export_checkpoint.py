"""`manage.py export_checkpoint`: the newest seal, to be kept elsewhere."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.services.audit import seals


class Command(BaseCommand):
    help = "Print the newest seal of the audit log as JSON, to be kept where nobody who works on the portal can write."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            checkpoint = seals.describe_newest()
        except seals.NoSeal as error:
            raise CommandError(str(error)) from None
        self.stdout.write(json.dumps(checkpoint, indent=2))
