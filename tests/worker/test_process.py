"""A whole worker, with its threads, against the sandbox."""

import threading

import pytest
from django.db import OperationalError

from portal import models
from portal.services import workers
from portal.worker import duties, process, threads
from tests import factories
from tests.lists import serve_lists

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@pytest.fixture
def worker(sandbox):
    """A worker that runs until the test ends."""
    worker = process.Process(thread_count=2)
    thread = threading.Thread(target=worker.run)
    thread.start()
    yield worker
    worker.stop()
    thread.join(30)
    assert not thread.is_alive()


def await_row(query) -> None:
    """Until the database has it."""
    pause = threading.Event()
    while not query.exists():
        pause.wait(0.01)


def test_requests_that_are_submitted_become_workstations_with_files(worker, sandbox, alice):
    numbers = [factories.submit(alice).pk for _ in range(5)]

    for number in numbers:
        await_row(models.Request.objects.filter(pk=number, status="SUCCEEDED"))
    assert len(sandbox.record()["posts"]) == 5
    assert models.Workstation.objects.filter(request__in=numbers).count() == 5


def test_a_worker_shows_that_it_lives_and_that_it_has_stopped(sandbox, transactional_db):
    worker = process.Process(thread_count=1)
    thread = threading.Thread(target=worker.run)
    thread.start()
    await_row(models.Worker.objects.filter(name=worker.name))
    assert workers.is_worker_alive()

    worker.stop()
    thread.join()

    assert not workers.is_worker_alive()
    assert models.Worker.objects.get().stopped_at is not None


def test_a_worker_that_stops_finishes_its_call_in_flight_and_starts_no_other(worker, sandbox, alice):
    sandbox.hold()
    numbers = [factories.submit(alice).pk for _ in range(3)]
    sandbox.wait_for_posts(2, timeout=20)

    worker.stop()
    sandbox.release()
    await_row(models.Worker.objects.filter(name=worker.name, stopped_at__isnull=False))

    outcomes = models.Request.objects.filter(pk__in=numbers).order_by("pk").values_list("status", flat=True)
    assert list(outcomes) == ["SUCCEEDED", "SUCCEEDED", "QUEUED"]
    assert len(sandbox.record()["posts"]) == 2


def test_an_endless_list_keeps_neither_the_queue_from_starting_nor_a_worker_from_ending(settings, alice):
    with serve_lists() as lists:
        lists.is_endless = True
        settings.AGENTSTATION_BASE_URL, settings.AGENTSTATION_API_KEY = lists.base_url, "lists"
        number = factories.submit(alice).pk
        models.Account.objects.update(first_look="WANTED")
        worker = process.Process(thread_count=1)
        thread = threading.Thread(target=worker.run)
        thread.start()
        await_row(models.Request.objects.filter(pk=number, status="SUCCEEDED"))
        worker.stop()
        thread.join(60)
        assert not thread.is_alive()
    assert models.Scan.objects.get().ended_at is None, "the next worker goes on with it"


def test_an_answer_is_recorded_as_soon_as_the_database_is_back(monkeypatch):
    monkeypatch.setattr(threads, "_PAUSE", 0.0)
    failures = iter([OperationalError("away"), OperationalError("full"), None])
    done = []

    def record() -> None:
        failure = next(failures)
        if failure is not None:
            raise failure
        done.append(True)

    threads.keep_trying(record)
    assert done == [True]


def test_a_duty_that_fails_is_tried_again(caplog):
    rounds, stop = [], threading.Event()

    def run(held) -> None:
        rounds.append(held)
        if len(rounds) == 3:
            stop.set()
        raise {1: ValueError("odd"), 2: OperationalError("away")}.get(len(rounds), duties.leases.LeaseLost("gone"))

    roster = duties.Roster(name="w", duties=[duties.Duty(name="d", interval=0.01, run=run)])
    roster.start()
    assert stop.wait(20)
    roster.stop()

    assert len(rounds) >= 3
    assert "A duty failed" in caplog.text
