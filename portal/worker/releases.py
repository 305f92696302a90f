"""The senders that are kept for releases: however many attempts are under way, a release goes out at once."""

import logging
import threading
import time
from functools import partial

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
AT_ONCE = 4  # releases, as many as connections are opened at once


class ReleaseSender(watchdog.Part):
    """Threads that send one release after the other until they are stopped."""

    def __init__(self, *, client: agentstation.Client) -> None:
        self._client = client
        self._wake_up, self._more = threading.Event(), threading.Event()
        deadline = calls.get_time_limit().total_seconds()
        first = partial(self._run, wake_up=self._wake_up, idle=IDLE)
        further = partial(self._run, wake_up=self._more, idle=None)
        super().__init__(
            watchdog.WatchedThread(
                name=f"release-sender-{number}", target=further if number else first, deadline=deadline
            )
            for number in range(AT_ONCE)
        )

    def start(self) -> None:
        self._wake_up.set()  # for what is due already
        super().start()

    def wake(self) -> None:
        self._wake_up.set()

    def stop(self) -> None:
        super().stop()
        self._wake_up.set()
        self._more.set()

    def _run(self, thread: watchdog.WatchedThread, *, wake_up: threading.Event, idle: float | None) -> None:
        """Only the first looks by itself; the others once there was one, for there may be more."""
        while not self._stopping.is_set():
            wake_up.wait(idle)
            wake_up.clear()
            thread.advance()
            while not self._stopping.is_set() and self._try_to_send(thread):
                thread.advance()
            release_connection()
            thread.rest()
            self._stopping.wait(_REST)

    def _try_to_send(self, thread: watchdog.WatchedThread) -> bool:
        """One release, claimed and carried to its end. False where there was none, or something was in the way."""
        try:
            release = releases.claim_release()
            if release is None:
                return False
            self._more.set()
            result = releases.send_release(release=release, client=self._client)
            # Until the database takes it: an end that was reached must not be asked for again.
            while not self._try_to_record(release, result):
                thread.advance()
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
