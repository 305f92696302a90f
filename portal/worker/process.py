"""A worker process: the sending threads, the watcher and the duties, from start to drained stop."""

import logging
import os
import queue
import signal
import socket
import time

from django.conf import settings
from django.db import connection

import portal
from portal import agentstation
from portal.worker import duties, releases, threads, watch

logger = logging.getLogger(__name__)


def make_client() -> agentstation.Client:
    """The client with the team's key and the configured times."""
    return agentstation.Client(
        base_url=settings.AGENTSTATION_BASE_URL,
        api_key=settings.AGENTSTATION_API_KEY,
        connect_timeout=settings.AGENTSTATION_CONNECT_TIMEOUT,
        total_timeout=settings.AGENTSTATION_TOTAL_TIMEOUT,
        user_agent=f"workstation-portal/{portal.__version__}",
    )


class Process:
    """One worker. `run` blocks until `stop` is called or SIGTERM or SIGINT arrives, then drains."""

    def __init__(self, *, thread_count: int) -> None:
        # The time makes the name of a restarted process, or of one in another container, a new one.
        self.name = f"{socket.gethostname()}:{os.getpid()}:{int(time.time())}"
        # Not an Event: its lock could be held by the very thread that a signal interrupts.
        self._end: queue.SimpleQueue[None] = queue.SimpleQueue()
        client = make_client()
        self._crew = threads.Crew(threads=thread_count, name=self.name, client=client)
        self._releases = releases.ReleaseSender(client=client)
        self._watcher = watch.Watcher(ring=self._wake)
        self._roster = duties.Roster(name=self.name, duties=duties.list_duties(client=client))

    def _wake(self) -> None:
        """There may be work: for a sender, or for the one of releases."""
        self._crew.bell.ring()
        self._releases.wake()

    def stop(self) -> None:
        """Claim nothing more; `run` returns when the calls in flight have been recorded."""
        self._crew.finish()
        self._releases.finish()
        self._end.put(None)

    def run(self) -> None:
        """Work until asked to stop."""
        logger.info("Worker %s has started.", self.name)
        try:
            self._work()
        finally:
            connection.close()
        logger.info("Worker %s has stopped.", self.name)

    def _work(self) -> None:
        self._roster.start()
        self._crew.start()
        self._releases.start()
        self._watcher.start()
        self._await_end()
        logger.info("Worker %s finishes its calls in flight.", self.name)
        self._watcher.stop()
        self._crew.join()
        self._releases.join()
        self._roster.stop()

    def _await_end(self) -> None:
        # In steps: a signal may be taken by another thread, and its handler runs only when this one wakes up.
        while True:
            try:
                return self._end.get(timeout=0.5)
            except queue.Empty:
                continue

    def stop_on_signals(self) -> None:
        """Let SIGTERM and SIGINT ask for the end. Only for the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
