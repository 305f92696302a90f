"""The senders: threads that call the provider, and do nothing else."""

import queue
from collections.abc import Callable

from portal import agentstation
from portal.services.requests import dispatch
from portal.services.runtime import calls
from portal.worker import watchdog


class SenderPool:
    """A number of threads, each of which makes one call at a time and hands over what it ended in.

    The caller counts what it sends and what `deliver` brings, and never sends more calls than there are idle senders:
    no call waits here.
    """

    def __init__(
        self,
        *,
        size: int,
        client: agentstation.Client,
        deliver: Callable[[dispatch.Call, dispatch.Result], None],
    ) -> None:
        self._client, self._deliver = client, deliver
        self._calls: queue.SimpleQueue[dispatch.Call | None] = queue.SimpleQueue()
        # A call is bounded by its total time, but for the resolution of the provider's name. Past its attempt's
        # deadline nobody waits for it any more.
        deadline = calls.get_time_limit().total_seconds()
        self.threads = [
            watchdog.WatchedThread(name=f"sender-{number}", target=self._run, deadline=deadline)
            for number in range(size)
        ]

    def stop(self) -> None:
        """End each sender after its call."""
        for _ in self.threads:
            self._calls.put(None)

    def send(self, *, call: dispatch.Call) -> None:
        """Let an idle sender make the call."""
        self._calls.put(call)

    def count_stuck(self) -> int:
        """How many senders will deliver nothing any more."""
        return sum(thread.is_stuck for thread in self.threads)

    def _run(self, thread: watchdog.WatchedThread) -> None:
        while (call := self._calls.get()) is not None:
            thread.advance()
            self._deliver(call, dispatch.send_call(call=call, client=self._client))
            thread.rest()
