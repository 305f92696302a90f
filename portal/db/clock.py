"""The database's clock: the one that all machines share."""

from datetime import UTC, datetime

from django.db import connection

from portal.db.connection import execute

# What gives the time in a statement. On SQLite with six digits, as models.clock has it.
NOW = {"sqlite": "STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW') || '001'", "postgresql": "statement_timestamp()"}


def read_clock() -> datetime:
    """The time by the database, read anew."""
    [[now]] = execute(f"SELECT {NOW[connection.vendor]}")
    return parse_time(now)


def parse_time(value: datetime | str) -> datetime:
    """What a statement has given as the time; SQLite knows it as text."""
    return value if isinstance(value, datetime) else datetime.fromisoformat(value).replace(tzinfo=UTC)
