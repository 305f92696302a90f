"""A database's clock of the test's own, set forward and back. On SQLite for this thread's connection alone."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.backends.signals import connection_created

from tests import pool


class DatabaseClock:
    """Stands before the database's own function, so that every statement reads it."""

    def __init__(self) -> None:
        self._ahead, self._thread = timedelta(), threading.get_ident()
        if connection.vendor == "sqlite":
            connection.ensure_connection()
            self._stand_before()
            connection_created.connect(self._stand_before)  # where the connection was closed, by an error as well
        else:
            _execute("CREATE SCHEMA own_clock")
            _execute("CREATE TABLE own_clock.ahead AS SELECT interval '0' AS ahead")
            _execute(
                "CREATE FUNCTION own_clock.statement_timestamp() RETURNS timestamptz LANGUAGE sql AS "
                "'SELECT pg_catalog.statement_timestamp() + ahead FROM own_clock.ahead'"
            )
            _execute(f"ALTER DATABASE {_name()} SET search_path = own_clock, pg_catalog, public")
            _close()  # new sessions have the new path

    def step(self, *, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)
        if connection.vendor == "postgresql":
            _execute("UPDATE own_clock.ahead SET ahead = %s", [self._ahead])

    def remove(self) -> None:
        if connection.vendor == "sqlite":
            connection_created.disconnect(self._stand_before)
            connection.close()
        else:
            _execute(f"ALTER DATABASE {_name()} RESET search_path")
            _execute("DROP SCHEMA own_clock CASCADE")
            _close()

    def _stand_before(self, **_: Any) -> None:
        if threading.get_ident() == self._thread:
            connection.connection.create_function("strftime", 2, self._read)

    def _read(self, form: str, moment: str) -> str:
        assert (form, moment) == ("%Y-%m-%d %H:%M:%f", "NOW")
        return f"{datetime.now(UTC) + self._ahead:%Y-%m-%d %H:%M:%S.%f}"[:-3]


def _read_own(*values: str) -> str:
    with closing(sqlite3.connect(":memory:")) as own:
        return own.execute("SELECT strftime(?, ?)", values).fetchone()[0]


@contextmanager
def standing(*, at: datetime) -> Iterator[None]:
    """This connection's clock stands, until the test's transaction ends."""
    if connection.vendor == "sqlite":
        connection.connection.create_function("strftime", 2, lambda *_: f"{at:%Y-%m-%d %H:%M:%S.%f}"[:-3])
        yield
        # SQLite's own function does not come back to a connection.
        connection.connection.create_function("strftime", 2, _read_own)
        return
    _execute("CREATE SCHEMA own_clock")
    time = f"timestamptz '{at.isoformat()}'"
    body = f"LANGUAGE sql STABLE RETURN {time}"
    _execute(f"CREATE FUNCTION own_clock.statement_timestamp() RETURNS timestamptz {body}")
    _execute("SET LOCAL search_path = own_clock, pg_catalog, public")
    yield


def _execute(sql: str, values: list[Any] | None = None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


def _name() -> str:
    return connection.ops.quote_name(str(connection.settings_dict["NAME"]))


def _close() -> None:
    connection.close()
    pool.close()
