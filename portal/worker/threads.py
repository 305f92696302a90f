"""The worker's threads: each claims, calls and records, one request at a time."""

import logging
import threading
from collections.abc import Callable

from django.db import Error as DatabaseError
from django.db import connection

from portal import agentstation
from portal.services import dispatch, record

logger = logging.getLogger(__name__)

_IDLE = 1.0  # seconds between looks for requests that become due by the clock alone
_PAUSE = 1.0  # seconds before the database is tried again


class Bell:
    """Wakes one sleeping thread per ring; a ring while nobody sleeps is kept for the next one."""

    def __init__(self) -> None:
        self._rung = threading.Semaphore(0)

    def ring(self) -> None:
        """Wake one thread."""
        self._rung.release()

    def wait(self, *, seconds: float) -> None:
        """Sleep until a ring, or for some seconds. Rings that had piled up count as one."""
        self._rung.acquire(timeout=seconds)
        while self._rung.acquire(blocking=False):
            pass


class Crew:
    """A number of threads that send requests until they are told to stop."""

    def __init__(self, *, threads: int, name: str, client: agentstation.Client) -> None:
        self.bell = Bell()
        self._name, self._client = name, client
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, name=f"sender-{number}") for number in range(threads)]

    def start(self) -> None:
        """Begin to claim."""
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Claim nothing more."""
        self._stopping.set()
        for _ in self._threads:
            self.bell.ring()

    def join(self) -> None:
        """Wait until the calls in flight have ended and are recorded."""
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                if not self._send_next() and not self._stopping.is_set():
                    self.bell.wait(seconds=_IDLE)
        finally:
            connection.close()

    def _send_next(self) -> bool:
        """One request, claimed and carried to its end. False where there was none, or no database to ask."""
        try:
            call = dispatch.claim_request(worker=self._name)
        except DatabaseError:
            logger.warning("The database cannot be used; looking again in a moment.")
            connection.close()
            self._stopping.wait(_PAUSE)
            return False
        if call is None:
            return False
        self.bell.ring()  # where there was one there may be more: wake the next thread before this one is busy
        result = dispatch.send_call(call=call, client=self._client)
        keep_trying(lambda: record.record_result(call=call, result=result))
        return True


def keep_trying(step: Callable[[], None]) -> None:
    """Record until the database takes it: what the provider answered must not be lost while this process lives."""
    while True:
        try:
            step()
        except DatabaseError:
            logger.warning("An answer cannot be recorded yet; the database is tried again in a moment.")
            connection.close()
            threading.Event().wait(_PAUSE)
        else:
            return
