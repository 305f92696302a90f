"""SQLite's writers of one process take turns."""

import threading

import pytest
from django.db import OperationalError, connection, connections, transaction

from portal.db.sqlite3.base import DatabaseWrapper, Turns
from tests.concurrency import crowd


def test_the_turn_goes_to_whoever_has_waited_longest():
    turns, order, threads = Turns(), [], []
    turns.acquire(timeout=1)
    for number in range(5):
        waiting = len(turns._waiting)

        def take(number: int = number) -> None:
            assert turns.acquire(timeout=30)
            order.append(number)
            turns.release()

        threads.append(crowd.start(take))
        while len(turns._waiting) == waiting:
            threading.Event().wait(0.001)

    turns.release()
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]


def test_who_does_not_get_it_in_time_stands_in_nobody_s_way():
    turns = Turns()
    turns.acquire(timeout=1)

    assert not turns.acquire(timeout=0.01)

    turns.release()
    assert turns.acquire(timeout=0)


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL has no lock on the whole database")
@pytest.mark.django_db(transaction=True)
def test_a_transaction_has_the_turn_until_it_ends_however_it_ends():
    def succeed() -> None:
        with transaction.atomic():
            pass

    def fail() -> None:
        with transaction.atomic():
            raise ValueError

    def close() -> None:
        with transaction.atomic():
            connection.close()

    results = crowd.run_together(*[succeed, fail, close] * 5)

    assert [type(result) for result in results] == [type(None), ValueError, type(None)] * 5
    own = connections["default"]
    assert isinstance(own, DatabaseWrapper)
    with transaction.atomic():
        assert own._has_turn
    assert not own._has_turn


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL has no lock on the whole database")
@pytest.mark.django_db(transaction=True)
def test_whoever_waits_for_too_long_is_told_what_sqlite_says(monkeypatch):
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.01)
    with transaction.atomic():
        [error] = crowd.run_together(begin_and_end)

    assert isinstance(error, OperationalError)
    assert str(error) == "database is locked"


def begin_and_end() -> None:
    with transaction.atomic():
        pass
