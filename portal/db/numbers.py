"""Numbers that the database gives: to events, and after it was put back to all that must not have a number twice."""

from datetime import datetime

from django.db import connection

from portal.db import clock
from portal.db.connection import execute

_LOCK = 0x706F7274616C  # of PostgreSQL's advisory locks: shared by whoever has taken a number and not committed yet
_NOW = clock.NOW["sqlite"].replace("%", "%%")
_TAKE = {
    "sqlite": "INSERT INTO portal_eventnumber (id, last) VALUES (1, %s)"  # noqa: S608 (our own words)
    f" ON CONFLICT (id) DO UPDATE SET last = last + excluded.last RETURNING last, {_NOW}",
    # First the lock, then the number. A sequence knows no block: each number is taken by itself, in one statement.
    "postgresql": f"WITH locked AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared({_LOCK}))"  # noqa: S608
    " SELECT array_agg(nextval(pg_get_serial_sequence('portal_event', 'id'))), statement_timestamp()"
    " FROM locked, generate_series(1, %s)",
}

_GIVEN = {
    "sqlite": "SELECT max(last) FROM portal_eventnumber",
    "postgresql": "SELECT pg_sequence_last_value(pg_get_serial_sequence('portal_event', 'id'))",
}


def take_event_numbers(*, count: int) -> tuple[list[int], datetime]:
    """The numbers of the next events, in ascending order, and the time by the database.

    On SQLite under its write lock; on PostgreSQL a number is used up whether or not the transaction commits.
    """
    [[taken, at]] = execute(_TAKE[connection.vendor], [count])  # SQLite writes when all has been read
    found = range(taken - count + 1, taken + 1) if connection.vendor == "sqlite" else sorted(taken)
    return list(found), clock.parse_time(at)


def find_settled(*, within: str) -> int:
    """The number that was given last, where whoever has taken one up to it has committed or never will.

    In the caller's transaction, until whose end nobody else takes one. Raises OperationalError where somebody is still
    writing after that time. On SQLite one writer follows the other.
    """
    if connection.vendor == "postgresql":
        execute("SELECT set_config('lock_timeout', %s, true)", [within])
        execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    [[given]] = execute(_GIVEN[connection.vendor])
    return int(given or 0)


def skip_numbers(*, table: str, count: int) -> None:
    """Let the next row of the table have an id that is higher by so many."""
    if connection.vendor == "sqlite":
        execute("UPDATE sqlite_sequence SET seq = seq + %s WHERE name = %s", [count, table])
    else:
        # A sequence is no part of the transaction: numbers that were left out once are left out for good. One by one,
        # because whoever may set a sequence may set it back.
        execute("SELECT max(nextval(pg_get_serial_sequence(%s, 'id'))) FROM generate_series(1, %s)", [table, count])
