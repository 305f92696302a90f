"""A database's clock of the test's own: it can be set forward and back, for this thread's connection alone."""

from datetime import UTC, datetime, timedelta

from django.db import connection


class DatabaseClock:
    """Stands before the database's own function, so that every statement of the connection reads it."""

    def __init__(self) -> None:
        self._ahead = timedelta()
        connection.ensure_connection()
        if connection.vendor == "sqlite":
            connection.connection.create_function("strftime", 2, self._read)
        else:
            self.step(seconds=0)
            with connection.cursor() as cursor:
                cursor.execute("CREATE SCHEMA IF NOT EXISTS own_clock")
                cursor.execute(
                    "CREATE OR REPLACE FUNCTION own_clock.statement_timestamp() RETURNS timestamptz LANGUAGE sql AS "
                    "'SELECT pg_catalog.statement_timestamp() + pg_catalog.current_setting(''own.ahead'')::interval'"
                )
                cursor.execute("SET search_path = own_clock, pg_catalog, public")

    def step(self, *, seconds: float) -> None:
        """Set it forward, or back."""
        self._ahead += timedelta(seconds=seconds)
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('own.ahead', %s, false)", [f"{self._ahead.total_seconds()} seconds"])

    def remove(self) -> None:
        """Give the connection its database's clock back."""
        if connection.vendor == "postgresql" and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SET search_path TO DEFAULT")
                cursor.execute("DROP SCHEMA own_clock CASCADE")
        connection.close()

    def _read(self, form: str, moment: str) -> str:
        assert (form, moment) == ("%Y-%m-%d %H:%M:%f", "NOW")
        return f"{datetime.now(UTC) + self._ahead:%Y-%m-%d %H:%M:%S.%f}"[:-3]
