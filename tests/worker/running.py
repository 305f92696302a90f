"""A worker that runs in a thread of the test, waiting for what it does, and a table that cannot be used meanwhile."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection

from portal.worker import process


@contextmanager
def run_worker(*, senders: int = 1) -> Iterator[process.Process]:
    worker = process.Process(sender_count=senders)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop()
        thread.join(60)
    assert not thread.is_alive()


def await_that(is_so: Callable[[], bool]) -> None:
    """Return once it is; fail where that would take a minute."""
    pause = threading.Event()
    for _ in range(6_000):
        if is_so():
            return
        pause.wait(0.01)
    raise AssertionError("it never came to be")


def await_row(query) -> None:
    await_that(query.exists)


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
