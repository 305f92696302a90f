"""Threads for one kind of request, which may let other kinds go first."""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor


class Lane:
    """Some threads. Each begins once the lanes that go first have nothing to do, or when it has waited long enough.

    Python gives each thread that is busy as much of the processor as any other.
    """

    def __init__(self, *, threads: int, behind: Iterable["Lane"] = (), at_most: float = 0.0) -> None:
        self.pool = ThreadPoolExecutor(max_workers=threads)
        self._behind, self._at_most = list(behind), at_most
        self._busy: set[Future[bool]] = set()  # of the loop alone
        self._is_quiet = threading.Event()
        self._is_quiet.set()

    def submit(self, act: Callable[[], bool]) -> "Future[bool]":
        """Do it on a thread. For the loop alone, as is `finish`."""
        self._is_quiet.clear()
        future = self.pool.submit(self._give_way, act)
        self._busy.add(future)
        return future

    def finish(self, future: "Future[bool]") -> None:
        """It is done, here or in another lane."""
        self._busy.discard(future)
        if not self._busy:
            self._is_quiet.set()

    def _give_way(self, act: Callable[[], bool]) -> bool:
        until = time.monotonic() + self._at_most
        for lane in self._behind:
            lane._is_quiet.wait(max(0.0, until - time.monotonic()))
        return act()
