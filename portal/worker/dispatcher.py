"""The dispatcher: the one thread of a worker that claims requests for its senders and records what they bring."""

import logging
import queue
import threading
import time
from collections import deque
from dataclasses import dataclass

from django.db import DataError, IntegrityError, connection
from django.db import Error as DatabaseError

from portal import agentstation
from portal.db import describe_failure, release_connection
from portal.services import dispatch, record
from portal.worker import senders, watchdog

logger = logging.getLogger(__name__)

_IDLE = 1.0  # seconds between looks for requests that become due by the clock alone
_PAUSE = 1.0  # seconds before the database is tried again
_DEADLINE = 120.0  # seconds without progress; one try at a database that does not answer takes up to half a minute


@dataclass(kw_only=True)
class _Delivery:
    """What a sender has brought. `is_stubborn`: no way of recording it has worked."""

    call: dispatch.Call
    result: dispatch.Result
    is_stubborn: bool = False


class Dispatcher:
    """Claims for as many senders as are idle. Once stopped it claims nothing more, and ends when all is recorded."""

    def __init__(self, *, name: str, size: int, client: agentstation.Client) -> None:
        self._name = name
        self._senders = senders.SenderPool(size=size, client=client, deliver=self._take_delivery)
        self._size = self._idle = size
        self._brought: queue.SimpleQueue[_Delivery] = queue.SimpleQueue()
        self._unrecorded: deque[_Delivery] = deque()
        self._stopping, self._wake_up = threading.Event(), threading.Event()
        self._thread = watchdog.WatchedThread(name="dispatcher", target=self._run, deadline=_DEADLINE)
        self.threads = [self._thread, *self._senders.threads]

    def start(self) -> None:
        """Begin to claim."""
        self._senders.start()
        self._thread.start()

    def wake(self) -> None:
        """Look for requests now."""
        self._wake_up.set()

    def stop(self) -> None:
        """Claim nothing more."""
        self._stopping.set()
        self._wake_up.set()

    def has_ended(self) -> bool:
        """Whether all that can be recorded is, after `stop`; also where nothing can be recorded any more."""
        return self._thread.is_stuck or not self._thread.is_alive()

    def _take_delivery(self, call: dispatch.Call, result: dispatch.Result) -> None:
        self._brought.put(_Delivery(call=call, result=result))
        self._wake_up.set()

    def _run(self, thread: watchdog.WatchedThread) -> None:
        while not self._is_drained():
            thread.advance()
            self._try_to_work()
            release_connection()
            self._wake_up.wait(_IDLE)
            self._wake_up.clear()
        self._senders.stop()

    def _is_drained(self) -> bool:
        """Whether it was stopped and nothing more can be expected from its senders."""
        is_quiet = self._idle + self._senders.count_stuck() >= self._size and self._brought.empty()
        return self._stopping.is_set() and is_quiet and all(delivery.is_stubborn for delivery in self._unrecorded)

    def _try_to_work(self) -> None:
        try:
            self._work()
        except DatabaseError as error:
            logger.warning("%s What is sent and recorded waits; tried again in a moment.", describe_failure(error))
            self._recover()
        except Exception:
            logger.exception("The dispatcher failed; it tries again in a moment.")
            self._recover()

    def _recover(self) -> None:
        connection.close()
        time.sleep(_PAUSE)

    def _work(self) -> None:
        """Record first: that frees senders, and what the team may have in flight."""
        self._record_brought()
        while not self._stopping.is_set() and self._idle and self._claim():
            self._record_brought()

    def _claim(self) -> bool:
        call = dispatch.claim_request(worker=self._name)
        if call is None:
            return False
        self._idle -= 1
        self._senders.send(call=call)
        return True

    def _record_brought(self) -> None:
        """Record each result in a transaction of its own. Raises DatabaseError where the database cannot do it now."""
        while not self._brought.empty():
            self._unrecorded.append(self._brought.get())
            self._idle += 1
        for _ in range(len(self._unrecorded)):
            delivery = self._unrecorded[0]
            self._unrecorded.rotate(-1)  # whatever becomes of it, the others are tried before it is tried again
            self._thread.advance()
            if self._record(delivery):
                self._unrecorded.pop()

    def _record(self, delivery: _Delivery) -> bool:
        """False where our own code cannot record it, not even as unreadable.

        Tried twice as it is: another connection may just have written the same row.
        """
        for act in (record.record_result, record.record_result, record.record_unreadable):
            try:
                act(call=delivery.call, result=delivery.result)
            except Exception as error:
                if _is_database_unable(error):
                    raise
                if not delivery.is_stubborn:  # said once, and not each second
                    logger.exception("The answer for attempt %d could not be recorded.", delivery.call.attempt_id)
            else:
                return True
        delivery.is_stubborn = True
        return False


def _is_database_unable(error: Exception) -> bool:
    """Whether the database could not do it now, whatever was asked of it: away, full, locked, aborted."""
    return isinstance(error, DatabaseError) and not isinstance(error, DataError | IntegrityError)
