"""Threads that show progress, and the watchdog that notices one that hangs, so that the process can end."""

import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable

from django.db import connection

_LATE = 2.0  # seconds between two rounds of the watchdog after which the whole process is taken to have been stopped


class Stuck(Exception):
    """Threads make no progress any more, or have ended by themselves; the message names them."""


class WatchedThread(threading.Thread):
    """A thread that says when it advances, and when it rests. `deadline` in seconds without progress.

    It is a daemon: a process must be able to end although a thread of it hangs.
    """

    def __init__(self, *, name: str, target: Callable[["WatchedThread"], None], deadline: float) -> None:
        super().__init__(name=name, daemon=True)
        self.deadline = deadline
        self.advanced_at: float | None = None  # by CLOCK_MONOTONIC; None while there is nothing to do
        self.is_stuck = False  # the watchdog's judgement
        self._work = target

    def run(self) -> None:
        try:
            self._work(self)
        finally:
            connection.close()

    def advance(self) -> None:
        self.advanced_at = time.monotonic()

    def rest(self) -> None:
        self.advanced_at = None

    def describe(self) -> str:
        frame = sys._current_frames().get(self.ident or 0)
        return "".join(traceback.format_stack(frame)) if frame else "It has ended.\n"


class Part:
    """Some threads of a worker, which are to end once it is `_stopping`."""

    def __init__(self, threads: Iterable[WatchedThread]) -> None:
        self.threads = list(threads)
        self._stopping = threading.Event()

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self._stopping.set()

    def has_ended(self) -> bool:
        """Whether all that was under way has ended, after `stop`, or never will."""
        return all(thread.is_stuck or not thread.is_alive() for thread in self.threads)


class Watchdog:
    """Looks after threads from the main thread, which does nothing else."""

    def __init__(self, *, threads: Iterable[WatchedThread]) -> None:
        self.threads = list(threads)
        self._begun_at = self._looked_at = time.monotonic()

    def find_stuck(self) -> list[WatchedThread]:
        """Mark the threads that hang, and give those marked by now."""
        now = time.monotonic()
        if now - self._looked_at > _LATE:  # the process was stopped, and goes on: no thread could have advanced
            self._begun_at = now
        self._looked_at = now
        for thread in self.threads:
            advanced_at = thread.advanced_at
            if advanced_at is not None and now - max(advanced_at, self._begun_at) > thread.deadline:
                thread.is_stuck = True
        return [thread for thread in self.threads if thread.is_stuck]

    def find_faulty(self) -> list[WatchedThread]:
        """The threads that hang, and those that ended though nobody had asked them to."""
        stuck = self.find_stuck()
        return stuck + [thread for thread in self.threads if not thread.is_alive()]
