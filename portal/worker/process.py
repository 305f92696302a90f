"""A worker process: dispatcher, listener and jobs, from start to drained stop; and the listener itself."""

import logging
import queue
import signal
import sqlite3
import time
from collections.abc import Callable

import psycopg
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from portal.db import describe_failure, open_connection, release_connection
from portal.services.runtime import clients, workers
from portal.worker import dispatcher, releases, scheduler, watchdog

logger = logging.getLogger(__name__)

_WATCH_EVERY = 0.5  # seconds
_LOOK_EVERY = 0.025  # seconds between looks at SQLite's counter of changes
_LISTEN_FOR = 0.5  # seconds until the listener looks whether it is to stop
_PAUSE = 1.0  # seconds before a lost connection is made anew
_LISTENER_DEADLINE = 120.0  # seconds without progress; opening a connection takes up to ten


class Process:
    """One worker. `run` blocks until `stop` is called or SIGTERM or SIGINT arrives, then drains."""

    def __init__(self, *, sender_count: int) -> None:
        self.name = workers.make_name()
        # Not an Event: its lock could be held by the very thread that a signal interrupts.
        self._end: queue.SimpleQueue[None] = queue.SimpleQueue()
        client = clients.make_client()
        self._dispatcher = dispatcher.Dispatcher(name=self.name, size=sender_count, client=client)
        self._scheduler = scheduler.Scheduler(name=self.name, jobs=scheduler.list_jobs(client=client))
        self._releases = releases.ReleaseSender(client=client)
        self._listener = Listener(wake=self._wake)
        self._parts = (self._scheduler, self._dispatcher, self._releases, self._listener)
        self._watchdog = watchdog.Watchdog(threads=[thread for part in self._parts for thread in part.threads])

    def _wake(self, work: str) -> None:
        if work != workers.Work.RELEASES:
            self._dispatcher.wake(is_notified=work == workers.Work.REQUESTS)
        if work != workers.Work.REQUESTS:
            self._releases.wake()

    def stop(self) -> None:
        self._end.put(None)

    def stop_on_signals(self) -> None:
        """Let SIGTERM and SIGINT ask for the end. Only for the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())

    def run(self) -> None:
        """Work until asked to stop. Raises Stuck where a thread hangs, once what the others bring is recorded."""
        logger.info("Worker %s has started.", self.name)
        release_connection()  # this thread only watches from now on
        for part in self._parts:
            part.start()
        faulty = self._await_end()
        for thread in faulty:
            logger.critical("Thread %s makes no progress. It stands here:\n%s", thread.name, thread.describe())
        self._drain()
        faulty = faulty or self._watchdog.find_stuck()
        self._note_stopped()
        if faulty:
            names = ", ".join(thread.name for thread in faulty)
            raise watchdog.Stuck(f"Worker {self.name} ends, because these threads made no progress: {names}.")
        logger.info("Worker %s has stopped.", self.name)

    def _await_end(self) -> list[watchdog.WatchedThread]:
        """Until asked to stop (then none), or until threads are faulty."""
        # In steps: a signal may be taken by another thread, and its handler runs only when this one wakes up.
        while True:
            try:
                self._end.get(timeout=_WATCH_EVERY)
            except queue.Empty:
                if faulty := self._watchdog.find_faulty():
                    return faulty
            else:
                return []

    def _drain(self) -> None:
        self._dispatcher.stop()
        self._releases.stop()
        self._listener.stop()
        logger.info("Worker %s finishes its calls in flight.", self.name)
        # The last: it waits for its jobs, while the others go on to record.
        self._scheduler.stop()
        while not (self._dispatcher.has_ended() and self._releases.has_ended()):
            # Marks what hangs, which counts as ended, so that this ends too.
            self._watchdog.find_stuck()
            time.sleep(_WATCH_EVERY / 10)

    def _note_stopped(self) -> None:
        try:
            workers.note_stopped(name=self.name)
        except DatabaseError as error:
            logger.warning("%s That this worker has stopped is not noted.", describe_failure(error))
        connection.close()


class Listener(watchdog.Part):
    """Calls `wake` when work may have been queued: by LISTEN past the pool, or on SQLite by `data_version`."""

    def __init__(self, *, wake: Callable[[str], None]) -> None:
        self._wake = wake
        self._thread = watchdog.WatchedThread(name="listener", target=self._run, deadline=_LISTENER_DEADLINE)
        super().__init__([self._thread])

    def _run(self, thread: watchdog.WatchedThread) -> None:
        listen = self._listen if workers.can_notify() else self._look
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
