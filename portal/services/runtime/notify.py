"""Wakes waiting workers where there may be work."""

from enum import StrEnum

from django.db import connection

CHANNEL = "portal_queue"


class Work(StrEnum):
    """What there may be to do."""

    ANY = ""
    REQUESTS = "requests"
    RELEASES = "releases"


def wake_workers(*, work: Work = Work.ANY) -> None:
    """On PostgreSQL, notify the workers when the transaction commits; on SQLite they see the change by themselves."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}, '{work}'")
