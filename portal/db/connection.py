"""Connections: given back while a thread does something else, and opened outside the pool."""

from typing import Any

import psycopg
import psycopg_pool
from django.db import DataError, IntegrityError, connection
from django.db import Error as DatabaseError
from psycopg.conninfo import make_conninfo


def release_connection() -> None:
    """Give this thread's connection back to PostgreSQL's pool. SQLite's is kept: opening costs more than holding."""
    if connection.vendor == "postgresql":
        connection.close()


def execute(statement: str, values: Any = None) -> list[tuple[Any, ...]]:
    """Execute a statement of our own on this thread's connection; its rows, where it has any."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def open_connection(*, url: str = "") -> psycopg.Connection[tuple[Any, ...]]:
    """A connection to PostgreSQL outside the pool, by the settings or by a URL of its own."""
    return psycopg.connect(describe_connection(url=url), autocommit=True)


def describe_connection(*, url: str = "") -> str:
    """What libpq needs to open one."""
    if url:
        return url
    parameters = connection.get_connection_params()
    for name in ("pool", "cursor_factory", "context", "prepare_threshold"):  # what Django keeps
        parameters.pop(name, None)
    return make_conninfo(**parameters)


def is_pool_exhausted(error: BaseException) -> bool:
    """Whether all connections of this process were in use, though the database gives one to whoever asks for it.

    The pool's own timeout looks the same where the database is away.
    """
    if not isinstance(error.__cause__, psycopg_pool.PoolTimeout):
        return False
    try:
        open_connection().close()
    except psycopg.Error:
        return False
    return True


def is_unable(error: BaseException) -> bool:
    """Whether the database could not do it now, whatever was asked of it: away, full, locked, aborted."""
    return isinstance(error, DatabaseError) and not isinstance(error, DataError | IntegrityError)


def describe_failure(error: BaseException) -> str:
    """Whose fault it is that the database could not be used, and in its own words why; only the first line of them, for
    the others may have data."""
    if is_pool_exhausted(error):
        return "All of this process's own connections to the database are in use."
    lines = str(error).strip().splitlines()
    return f"The database cannot be used ({lines[0]})." if lines else "The database cannot be used."
