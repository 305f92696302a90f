"""The listener: hears of new work from the database and wakes who waits for it."""

import logging
import sqlite3
import time
from collections.abc import Callable

import psycopg
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from portal.db import open_connection
from portal.services.runtime import workers
from portal.worker import watchdog

logger = logging.getLogger(__name__)

_LOOK_EVERY = 0.025  # seconds between looks at SQLite's counter of changes: half of what an idle worker costs
_LISTEN_FOR = 0.5  # seconds until the listener looks whether it is to stop
_PAUSE = 1.0  # seconds before a lost connection is made anew
_DEADLINE = 120.0  # seconds without progress; opening a connection takes up to ten


class Listener(watchdog.Part):
    """Calls `wake` when work may have been queued: by LISTEN past the pool, or on SQLite by `data_version`."""

    def __init__(self, *, wake: Callable[[str], None]) -> None:
        self._wake = wake
        self._thread = watchdog.WatchedThread(name="listener", target=self._run, deadline=_DEADLINE)
        super().__init__([self._thread])

    def _run(self, thread: watchdog.WatchedThread) -> None:
        listen = self._listen if connection.vendor == "postgresql" else self._look
        while not self._stopping.is_set():
            try:
                listen()
            except (DatabaseError, psycopg.Error, sqlite3.Error):
                logger.warning("The queue cannot be watched; requests are looked for once a second until it can.")
                self._stopping.wait(_PAUSE)

    def _listen(self) -> None:
        self._thread.advance()
        with open_connection(url=settings.PORTAL_LISTEN_URL) as opened:
            opened.execute(f"LISTEN {workers.CHANNEL}")
            self._wake(workers.Work.ANY)  # for what came before anybody listened
            while not self._stopping.is_set():
                self._thread.advance()
                for notice in opened.notifies(timeout=_LISTEN_FOR, stop_after=1):
                    self._wake(notice.payload)

    def _look(self) -> None:
        try:
            connection.ensure_connection()
            # SQLite's own cursor: Django's wrappers would cost more than the look.
            cursor, seen = connection.connection.cursor(factory=sqlite3.Cursor), None
            while not self._stopping.is_set():
                self._thread.advance()
                [version] = cursor.execute("PRAGMA data_version").fetchone()
                if version != seen:
                    seen = version
                    self._wake(workers.Work.ANY)
                time.sleep(_LOOK_EVERY)
        finally:
            connection.close()
