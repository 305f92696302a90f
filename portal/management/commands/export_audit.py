"""`manage.py export_audit`: the whole audit log as JSON lines, for whoever verifies it elsewhere."""

import json
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand

from portal.services.audit import reading, seals, signatures, tombstones


def walk_log() -> Iterator[dict[str, object]]:
    """Tombstones; what stayed of pruned seals; then each seal behind its events; then the events that no seal has."""
    yield from (signatures.describe_row(row=tombstone) for tombstone in tombstones.walk_tombstones())
    start = tombstones.find_start()
    number, after = start.number, reading.LOWEST
    while page := seals.read_seals(after=number, limit=100):
        for seal in page:
            yield from reading.walk_events(after=after, until=seal.last_id)
            yield signatures.describe_row(row=seal)
            number, after = seal.number, max(after, seal.last_id)
    yield from reading.walk_events(after=after)


class Command(BaseCommand):
    help = "Print the audit log as JSON lines: tombstones, then events, each seal behind its own."

    def handle(self, *args: Any, **options: Any) -> None:
        for line in walk_log():
            self.stdout.write(json.dumps(line))
