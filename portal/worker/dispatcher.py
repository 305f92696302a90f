"""The dispatcher: a thread that claims requests, has its senders call the provider, and records what they bring."""

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Iterable

from django.db import Error as DatabaseError
from django.db import connection

from portal import agentstation
from portal.db import describe_failure, is_unable
from portal.services.requests import batch, dispatch, results
from portal.services.runtime import calls
from portal.worker import watchdog

logger = logging.getLogger(__name__)

_IDLE = 1.0  # seconds between looks for requests that become due by the clock alone
_PAUSE = 1.0  # seconds before the database is tried again
_LONGEST_REST = 0.1  # seconds between two batches: one may have taken long because others had the lock
_DEADLINE = 120.0  # seconds without progress; one try at a database that does not answer takes up to half a minute


class Dispatcher(watchdog.Part):
    """Claims for as many senders as are idle. Once stopped it claims nothing more, and ends when all is recorded."""

    def __init__(self, *, name: str, size: int, client: agentstation.Client) -> None:
        self._name, self._client = name, client
        self._idle = size
        # Never more than there are idle senders, so that no call waits here; None ends a sender.
        self._calls: queue.SimpleQueue[dispatch.Call | None] = queue.SimpleQueue()
        self._brought: queue.SimpleQueue[batch.Delivery] = queue.SimpleQueue()
        self._unrecorded: deque[batch.Delivery] = deque()
        self._apart: deque[batch.Delivery] = deque()  # to be recorded one by one
        self._stubborn: set[int] = set()  # the attempts of those for which no way of recording has worked
        self._unconfirmed: list[dispatch.Call] = []  # claimed, unless the commit that was not confirmed has failed
        self._wake_up = threading.Event()
        self._is_notified = False  # of a request that was queued just now
        self._last: batch.Batch | None = None  # unless it failed, or did not look, and claimed nothing
        self._thread = watchdog.WatchedThread(name="dispatcher", target=self._run, deadline=_DEADLINE)
        # A call is bounded by its total time, but for the resolution of the provider's name. Past its attempt's
        # deadline nobody waits for it any more.
        deadline = calls.get_time_limit().total_seconds()
        self._senders = [
            watchdog.WatchedThread(name=f"sender-{number}", target=self._make_calls, deadline=deadline)
            for number in range(size)
        ]
        super().__init__([*self._senders, self._thread])

    def wake(self, *, is_notified: bool) -> None:
        """Look for requests now, or claim at once where one was just queued."""
        self._is_notified |= is_notified
        self._wake_up.set()

    def stop(self) -> None:
        super().stop()
        self._wake_up.set()

    def has_ended(self) -> bool:
        """Whether all that can be recorded is, after `stop`; also where nothing can be recorded any more."""
        return self._thread.is_stuck or not self._thread.is_alive()

    def _make_calls(self, thread: watchdog.WatchedThread) -> None:
        while (call := self._calls.get()) is not None:
            thread.advance()
            result = dispatch.send_call(call=call, client=self._client)
            self._brought.put(batch.Delivery(call=call, result=result))
            self._wake_up.set()
            thread.rest()

    def _run(self, thread: watchdog.WatchedThread) -> None:
        while not self._is_drained():
            thread.advance()
            self._try_to_work()
            # Its connection is kept meanwhile. One of the pool's would be another one each time, which PostgreSQL has
            # yet to read the tables' definitions for, and is asked whether it works first.
            self._wake_up.wait(_IDLE)
            # Before the next look and not after it, or a wake in between would be lost.
            self._wake_up.clear()
        for _ in self._senders:
            self._calls.put(None)

    def _is_drained(self) -> bool:
        stuck = sum(sender.is_stuck for sender in self._senders)
        is_quiet = self._idle + stuck >= len(self._senders) and self._brought.empty()
        is_recorded = not self._unrecorded and all(one.call.attempt_id in self._stubborn for one in self._apart)
        return self._stopping.is_set() and is_quiet and is_recorded and not self._unconfirmed

    def _try_to_work(self) -> None:
        try:
            if self._unconfirmed:
                claimed, self._unconfirmed = dispatch.find_claimed(calls=self._unconfirmed), []
                self._send(claimed)
            while self._commit_batch():
                self._thread.advance()
            self._record_apart()
        except DatabaseError as error:
            logger.warning("%s What is sent and recorded waits; tried again in a moment.", describe_failure(error))
            self._recover()
        except Exception:
            logger.exception("The dispatcher failed; it tries again in a moment.")
            self._recover()

    def _let_others_write(self, seconds: float) -> None:
        """On SQLite, leave its write lock to others for as long as a batch of several has just had it.

        SQLite's waiting is unfair: a web process that waits sleeps while this thread takes the lock again. Meanwhile
        more comes to be done, which then takes fewer batches.
        """
        if connection.vendor == "sqlite":
            self._stopping.wait(min(seconds, _LONGEST_REST))

    def _recover(self) -> None:
        connection.close()
        time.sleep(_PAUSE)

    def _commit_batch(self) -> bool:
        """Whether more may be to be done now. Raises DatabaseError where the database cannot do it now."""
        while not self._brought.empty():
            self._unrecorded.append(self._brought.get())
            self._idle += 1
        begun = time.monotonic()
        last, is_notified = self._last, self._is_notified
        self._is_notified, self._last = False, None
        # Where nothing waited at the last look, what was brought is recorded before the next.
        is_only_recorded = last is not None and not (last.is_any_due or is_notified) and bool(self._unrecorded)
        account = last.account if last and (is_notified or is_only_recorded) else None
        most = 0 if is_only_recorded or self._stopping.is_set() else self._idle
        present = batch.Batch(brought=list(self._unrecorded), most=most, account=account)
        try:
            batch.commit_batch(batch=present, worker=self._name)
        except Exception as error:
            self._unconfirmed = present.claimed
            if is_unable(error) or not self._unrecorded:
                raise
            logger.exception("What was brought together could not be recorded together; it is recorded one by one.")
            present.recorded, present.apart, present.claimed = [], list(self._unrecorded), []
        for _ in present.recorded + present.apart:
            self._unrecorded.popleft()
        self._apart += present.apart
        self._send(present.claimed)
        if account is None or present.claimed:
            self._last = present
        done = len(present.recorded) + len(present.claimed)
        if done > 1:
            self._let_others_write(time.monotonic() - begun)
        return bool(done) and (present.is_any_due or bool(self._unrecorded))

    def _send(self, claimed: Iterable[dispatch.Call]) -> None:
        for call in claimed:
            self._idle -= 1
            self._calls.put(call)

    def _record_apart(self) -> None:
        """Each in a transaction of its own. Raises DatabaseError where the database cannot do it now."""
        for _ in range(len(self._apart)):
            delivery = self._apart[0]
            self._apart.rotate(-1)  # whatever becomes of it, the others are tried before it is tried again
            self._thread.advance()
            if self._record(delivery):
                self._apart.pop()
                self._stubborn.discard(delivery.call.attempt_id)

    def _record(self, delivery: batch.Delivery) -> bool:
        """False where our own code cannot record it, not even as unreadable.

        Tried twice as it is: another connection may just have written the same row.
        """
        for act in (results.record_result, results.record_result, results.record_unreadable):
            try:
                act(call=delivery.call, result=delivery.result)
            except Exception as error:
                if is_unable(error):
                    raise
                if delivery.call.attempt_id not in self._stubborn:  # said once, and not each second
                    logger.exception("The response to attempt %d could not be recorded.", delivery.call.attempt_id)
            else:
                return True
        self._stubborn.add(delivery.call.attempt_id)
        return False
