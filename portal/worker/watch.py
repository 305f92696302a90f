"""Watches the database for new work and rings the bell: LISTEN on PostgreSQL, `data_version` on SQLite."""

import logging
import sqlite3
import threading
from collections.abc import Callable

import psycopg
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from portal.services import wake

logger = logging.getLogger(__name__)

_LOOK_EVERY = 0.01  # seconds between looks at SQLite's counter of changes; it costs about 1% of a core
_LISTEN_FOR = 0.5  # seconds until the watcher looks whether it is to stop
_PAUSE = 1.0  # seconds before a lost connection is made anew


def _connect() -> psycopg.Connection[tuple[object, ...]]:
    """A connection of its own, outside Django's pool: it is kept for as long as the worker lives."""
    if settings.PORTAL_LISTEN_URL:
        return psycopg.connect(settings.PORTAL_LISTEN_URL, autocommit=True)
    parameters = connection.get_connection_params()
    for name in ("pool", "cursor_factory", "context", "prepare_threshold"):
        parameters.pop(name, None)
    return psycopg.connect(**parameters, autocommit=True)


class Watcher:
    """A thread that calls `ring` whenever another connection may have put a request into the queue."""

    def __init__(self, *, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher")

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        watch = self._listen if connection.vendor == "postgresql" else self._look
        while not self._stopping.is_set():
            try:
                watch()
            except (DatabaseError, psycopg.Error, sqlite3.Error):
                logger.warning("The queue cannot be watched; workers look once a second until it can.")
                self._stopping.wait(_PAUSE)

    def _listen(self) -> None:
        with _connect() as listener:
            listener.execute(f"LISTEN {wake.CHANNEL}")
            self._ring()  # for what came before anybody listened
            while not self._stopping.is_set():
                for _ in listener.notifies(timeout=_LISTEN_FOR, stop_after=1):
                    self._ring()

    def _look(self) -> None:
        try:
            with connection.cursor() as cursor:
                seen = None
                while not self._stopping.is_set():
                    cursor.execute("PRAGMA data_version")
                    version = cursor.fetchone()[0]
                    if version != seen:
                        seen = version
                        self._ring()
                    self._stopping.wait(_LOOK_EVERY)
        finally:
            connection.close()
