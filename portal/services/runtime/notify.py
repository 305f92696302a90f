"""Tells waiting workers that there may be work."""

from django.db import connection

CHANNEL = "portal_queue"


def wake_workers() -> None:
    """On PostgreSQL, notify the workers when the transaction commits; on SQLite they see the change by themselves."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"NOTIFY {CHANNEL}")
