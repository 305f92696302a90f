"""Django's SQLite, whose writers of one process take turns before they ask the database.

SQLite's own waiting is unfair, and sleeps for up to 100 ms though the lock was free after one.
"""

import threading
from collections import deque

from django.db import OperationalError
from django.db.backends.sqlite3 import base


class Turns:
    """A lock that is handed to whoever has waited longest."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._is_taken = False

    def acquire(self, *, timeout: float) -> bool:
        """Wait for the turn, in seconds. Returns whether it came."""
        turn = threading.Lock()
        with self._guard:
            if not self._is_taken:
                self._is_taken = True
                return True
            turn.acquire()
            self._waiting.append(turn)
        if turn.acquire(timeout=timeout):
            return True
        with self._guard:
            if turn not in self._waiting:
                return True  # it came in this very moment
            self._waiting.remove(turn)
            return False

    def release(self) -> None:
        """Give the turn to the thread that has waited longest."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._is_taken = False


_TURNS = Turns()


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that has the turn while it has a transaction, which with IMMEDIATE is SQLite's write lock."""

    _has_turn = False

    def set_autocommit(self, autocommit: bool, force_begin_transaction_with_broken_autocommit: bool = False) -> None:
        """As Django's: without it a transaction begins, which has to wait for its turn."""
        if not autocommit:
            if not _TURNS.acquire(timeout=self.settings_dict["OPTIONS"]["timeout"]):
                raise OperationalError("database is locked")
            self._has_turn = True
        try:
            super().set_autocommit(autocommit, force_begin_transaction_with_broken_autocommit)
        except BaseException:
            self._end_turn()
            raise

    def commit(self) -> None:
        """As Django's, which rolls back where this fails."""
        super().commit()
        self._end_turn()

    def rollback(self) -> None:
        """As Django's, which closes the connection where this fails."""
        try:
            super().rollback()
        finally:
            self._end_turn()

    def close(self) -> None:
        """Close the connection, and give back a turn that this thread has."""
        try:
            super().close()
        finally:
            self._end_turn()

    def _end_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            _TURNS.release()
