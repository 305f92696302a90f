"""`manage.py export_audit`: the whole audit log as JSON lines, for whoever verifies it elsewhere."""

import json
from typing import Any

from django.core.management.base import BaseCommand

from portal.services.audit import export


class Command(BaseCommand):
    help = "Print the audit log as JSON lines: tombstones, then events, each seal behind its own."

    def handle(self, *args: Any, **options: Any) -> None:
        for line in export.walk_log():
            self.stdout.write(json.dumps(line))
