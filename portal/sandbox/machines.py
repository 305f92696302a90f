"""What is inside a workstation while somebody is connected to it, and all that has to end with it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from portal.sandbox.screen import Screen


class Machine:
    def __init__(
        self, *, uid: str, type: str, tell_time: Callable[[], float], list_files: Callable[[], list[tuple[str, int]]]
    ) -> None:
        self.uid = uid
        self.tell_time = tell_time
        self.list_files = list_files
        self.name = f"{type} {uid}"
        self.screen = Screen(title=self.name)
        self.ended = threading.Event()
        self._lock = threading.Lock()
        self._closers: list[Callable[[], None]] = []

    def end(self) -> list[Callable[[], None]]:
        """It is no more; returns what is to be called to close all that is open."""
        with self._lock:
            self.ended.set()
            return self._closers

    @contextmanager
    def attach(self, close: Callable[[], None]) -> Iterator[None]:
        """Have it closed if the workstation ends before the block does."""
        with self._lock:
            self._closers = [*self._closers, close]
            is_late = self.ended.is_set()
        if is_late:
            close()
        try:
            yield
        finally:
            with self._lock:
                self._closers = [other for other in self._closers if other != close]
