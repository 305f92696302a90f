"""Which threads count as hanging, by a clock of the test's own."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from portal.worker import watchdog
from tests.worker.running import await_that


@pytest.fixture
def pass_time(monkeypatch) -> Callable[[float], None]:
    """Let seconds pass on CLOCK_MONOTONIC."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def pass_time(seconds: float) -> None:
        now[0] += seconds

    return pass_time


@pytest.fixture
def thread() -> Iterator[watchdog.WatchedThread]:
    """One that works on something for ever; ten seconds without progress are too long for it."""
    begun, end = threading.Event(), threading.Event()

    def work(thread: watchdog.WatchedThread) -> None:
        thread.advance()
        begun.set()
        end.wait()

    thread = watchdog.WatchedThread(name="hanging", target=work, deadline=10.0)
    yield thread
    if thread.is_alive():
        end.set()
        thread.join(20)


def watch(dog: watchdog.Watchdog, pass_time: Callable[[float], None], *, seconds: int) -> list[str]:
    """Who hangs after so many seconds, with a look at each of them."""
    for _ in range(seconds):
        pass_time(1.0)
        dog.find_stuck()
    return [thread.name for thread in dog.find_faulty()]


@pytest.fixture
def dog(thread, pass_time) -> watchdog.Watchdog:
    thread.start()
    await_that(lambda: thread.advanced_at is not None)
    return watchdog.Watchdog(threads=[thread])


def test_a_thread_hangs_that_makes_no_progress_for_longer_than_its_deadline(dog, pass_time):
    assert watch(dog, pass_time, seconds=10) == []
    assert watch(dog, pass_time, seconds=1) == ["hanging"]


def test_progress_begins_the_time_anew(dog, thread, pass_time):
    assert watch(dog, pass_time, seconds=8) == []
    thread.advance()
    assert watch(dog, pass_time, seconds=8) == []


def test_a_thread_without_work_never_hangs(dog, thread, pass_time):
    thread.rest()
    assert watch(dog, pass_time, seconds=100) == []


def test_a_process_that_was_stopped_blames_nobody_for_that_time(dog, pass_time):
    pass_time(1000.0)
    assert dog.find_stuck() == []
    assert watch(dog, pass_time, seconds=10) == []
    assert watch(dog, pass_time, seconds=1) == ["hanging"]


def test_a_thread_that_has_ended_by_itself_is_a_fault():
    ended = watchdog.WatchedThread(name="short", target=lambda thread: None, deadline=10.0)
    ended.start()
    ended.join(20)
    dog = watchdog.Watchdog(threads=[ended])
    assert dog.find_stuck() == []
    assert dog.find_faulty() == [ended]
