"""A database in which something cannot be recorded."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def unusable_table(table: str) -> Iterator[None]:
    """On PostgreSQL the table is away; SQLite is locked as a whole by somebody else."""
    if connection.vendor == "sqlite":
        other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("COMMIT")
        other.close()
    else:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} RENAME TO elsewhere")
            yield
            cursor.execute(f"ALTER TABLE elsewhere RENAME TO {table}")
