"""A connection that a web process's pool opens."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.db import connection, connections

from portal import wsgi
from portal.db import PreparedConnection, open_connection
from portal.db.connection import _KEPT_BY_DJANGO

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite reads its definitions in no time"),
]

READ = "SELECT ident FROM pg_backend_memory_contexts WHERE name = 'index info'"


@contextlib.contextmanager
def open_one(kind: type[psycopg.Connection[Any]], **changes: object) -> Iterator[psycopg.Connection[Any]]:
    parameters: dict[str, Any] = connection.get_connection_params()
    given = {name: value for name, value in parameters.items() if name not in _KEPT_BY_DJANGO}
    with contextlib.closing(kind.connect(**given | changes, autocommit=True)) as opened:
        yield opened


def list_read(kind: type[psycopg.Connection[Any]]) -> set[str]:
    """The indexes of which the server's process has read what they are."""
    with open_one(kind) as opened:
        return {name for (name,) in opened.execute(READ).fetchall()}


def test_it_has_read_what_a_form_is_written_to():
    needed = {"request_queue", "search_entry_by_words", "event_by_verb", "change_by_row"}
    assert needed <= list_read(PreparedConnection)
    assert not needed & list_read(psycopg.Connection), "so does any other"


def test_it_is_of_use_where_the_tables_are_not_there_yet():
    with open_one(PreparedConnection, dbname="template1") as opened:
        assert opened.execute("SELECT 1").fetchone() == (1,)
        assert opened.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_it_waits_for_no_migration(transactional_db):
    with open_connection() as migration, migration.transaction(), ThreadPoolExecutor() as pool:
        migration.execute("LOCK TABLE portal_event")
        opened = pool.submit(open_one(PreparedConnection, options="-c lock_timeout=0").__enter__)
        try:
            opened.result(timeout=30).close()
        finally:
            migration.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted")


def test_a_web_process_has_such_ones():
    assert callable(wsgi.application)
    assert connections.settings["default"]["OPTIONS"]["pool"]["connection_class"] is PreparedConnection
