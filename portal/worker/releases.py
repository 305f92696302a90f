"""The sender that is kept for releases: however many attempts are under way, a release goes out at once."""

import logging
import threading
import time

from django.db import Error as DatabaseError
from django.db import connection

from portal import agentstation
from portal.db import describe_failure, release_connection
from portal.services.mirrors import releases
from portal.services.runtime import calls
from portal.worker import watchdog

logger = logging.getLogger(__name__)

IDLE = 2.0  # seconds between looks for releases that become due by the clock alone
_REST = 0.1  # seconds between looks at the least: whatever is written to the database wakes it
PAUSE = 1.0  # seconds before the database is tried again


class ReleaseSender(watchdog.Part):
    """A thread that sends one release after the other until it is stopped."""

    def __init__(self, *, client: agentstation.Client) -> None:
        self._client = client
        self._wake_up = threading.Event()
        deadline = calls.get_time_limit().total_seconds()
        self._thread = watchdog.WatchedThread(name="release-sender", target=self._run, deadline=deadline)
        super().__init__([self._thread])

    def wake(self) -> None:
        self._wake_up.set()

    def stop(self) -> None:
        super().stop()
        self._wake_up.set()

    def _run(self, thread: watchdog.WatchedThread) -> None:
        while not self._stopping.is_set():
            self._wake_up.clear()
            thread.advance()
            while self._try_to_send() and not self._stopping.is_set():
                thread.advance()
            release_connection()
            thread.rest()
            self._stopping.wait(_REST)
            self._wake_up.wait(IDLE)

    def _try_to_send(self) -> bool:
        """One release, claimed and carried to its end. False where there was none, or something was in the way."""
        try:
            release = releases.claim_release()
            if release is None:
                return False
            result = releases.send_release(release=release, client=self._client)
            # Until the database takes it: an end that was reached must not be asked for again.
            while not self._try_to_record(release, result):
                self._thread.advance()
                time.sleep(PAUSE)
        except DatabaseError as error:
            logger.warning("%s Releases are looked for again in a moment.", describe_failure(error))
            connection.close()
        except Exception:
            logger.exception("A release failed; it is tried again past its deadline.")
        else:
            return True
        return False

    def _try_to_record(self, release: releases.Release, result: releases.Result) -> bool:
        try:
            releases.record_release(release=release, result=result)
        except DatabaseError as error:
            logger.warning("%s A release is recorded in a moment.", describe_failure(error))
            connection.close()
            return False
        return True
