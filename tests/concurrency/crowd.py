"""Runs steps on real threads, which begin at the same moment and give their database connection back."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from django.db import connection

from portal.db import release_connection


def run_together[T](*steps: Callable[[], T]) -> list[T | Exception]:
    """What each step returned or raised, in their order."""
    release_connection()  # the pool has as many as the largest crowd
    barrier = threading.Barrier(len(steps))
    results: list[T | Exception] = [RuntimeError("the thread never got that far")] * len(steps)

    def run(place: int, step: Callable[[], T]) -> None:
        try:
            connection.ensure_connection()  # so that connecting takes no part in the race
            barrier.wait(timeout=30)
            results[place] = step()
        except Exception as error:  # noqa: BLE001 - the test judges it
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(steps)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def start[T](step: Callable[[], T]) -> Future[T]:
    """A thread of its own for one step. Its outcome is there once it has given its connection back."""
    future = Future[T]()

    def run() -> None:
        try:
            settle = partial(future.set_result, step())
        except Exception as error:  # noqa: BLE001 - whoever asks for the outcome gets it
            settle = partial(future.set_exception, error)
        connection.close()
        settle()

    threading.Thread(target=run).start()
    return future


def assert_waits(future: Future[Any]) -> None:
    time.sleep(0.2)
    assert not future.done(), "it did not wait for another's lock"


def await_lock() -> None:
    """Until somebody waits for a row that another transaction has locked."""
    for _ in range(3_000):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # a transaction sees what it saw first
            cursor.execute(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            if cursor.fetchone():
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits")
