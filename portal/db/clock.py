"""The database's clock: the one that all machines share."""

from datetime import UTC, datetime

from django.db import connection

# Six digits, as models.clock has it.
_SQLITE = "STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW') || '001'"


def read_clock() -> datetime:
    """The time by the database, read anew."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_SQLITE}" if connection.vendor == "sqlite" else "SELECT statement_timestamp()")
        (now,) = cursor.fetchone()
    return now if isinstance(now, datetime) else datetime.fromisoformat(now).replace(tzinfo=UTC)
