"""The sender that is kept for releases: however many attempts are under way, a release goes out at once."""

import logging
import threading
from collections.abc import Callable

from django.db import Error as DatabaseError
from django.db import connection

from portal import agentstation
from portal.services import releases

logger = logging.getLogger(__name__)

_IDLE = 1.0  # seconds between looks for releases that become due by the clock alone
_PAUSE = 1.0  # seconds before the database is tried again


class ReleaseSender:
    """A thread that tells the provider of one release after the other until it is told to stop."""

    def __init__(self, *, client: agentstation.Client) -> None:
        self._client = client
        self._stopping = threading.Event()
        self._woken = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, name="release-sender")

    def start(self) -> None:
        """Begin to claim."""
        self._thread.start()

    def wake(self) -> None:
        """Look now: there may be a release."""
        self._woken.release()

    def finish(self) -> None:
        """Claim nothing more."""
        self._stopping.set()
        self.wake()

    def join(self) -> None:
        """Wait until the call in flight has ended and is recorded."""
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                if not self._send_next():
                    self._sleep()
        finally:
            connection.close()

    def _sleep(self) -> None:
        if connection.vendor == "postgresql":
            connection.close()  # an idle thread holds none
        self._woken.acquire(timeout=_IDLE)
        while self._woken.acquire(blocking=False):  # what had piled up counts as one
            pass

    def _send_next(self) -> bool:
        """One release, claimed and carried to its end. False where there was none, or something was in the way."""
        try:
            release = releases.claim_release()
            if release is None:
                return False
            result = releases.send_release(release=release, client=self._client)
            _keep_trying(lambda: releases.record_release(release=release, result=result))
        except DatabaseError:
            logger.warning("The database cannot be used; releases are looked for again in a moment.")
            connection.close()
        except Exception:
            logger.exception("A release failed; it is tried again past its deadline.")
        else:
            return True
        return False


def _keep_trying(step: Callable[[], None]) -> None:
    """Record until the database takes it, so that no end that was reached is asked for again."""
    while True:
        try:
            return step()
        except DatabaseError:
            logger.warning("A release cannot be recorded yet; the database is tried again in a moment.")
            connection.close()
            threading.Event().wait(_PAUSE)
