"""A whole worker, with its threads, against the sandbox."""

import socket
import threading

import pytest
from django.db import OperationalError, connection

from portal import models
from portal.management.commands import work
from portal.models.clock import Now
from portal.services.runtime import clients, leases, workers
from portal.worker import scheduler
from tests import factories, pool
from tests.lists import serve_lists
from tests.worker.running import await_row, await_that, run_worker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def worker(sandbox, settings):
    """A worker that runs until the test ends."""
    settings.AGENTSTATION_TOTAL_TIMEOUT = 60.0  # a call that is held back does not end on a busy machine
    with run_worker(senders=2) as worker:
        yield worker


def test_a_worker_shows_that_it_lives_and_that_it_has_stopped(sandbox, transactional_db):
    with run_worker() as worker:
        await_row(models.Worker.objects.filter(name=worker.name))
        assert workers.list_living().exists()

    assert not workers.list_living().exists()
    assert models.Worker.objects.get().stopped_at is not None


def test_a_worker_that_stops_finishes_its_call_in_flight_and_starts_no_other(worker, sandbox, alice, caplog):
    caplog.set_level("INFO", logger="portal.worker")
    sandbox.hold()
    numbers = [factories.submit(alice).pk for _ in range(3)]
    sandbox.wait_for_posts(2, timeout=20)

    worker.stop()
    # Before that it may hand out another.
    await_that(lambda: "finishes its calls in flight" in caplog.text)
    sandbox.release()
    await_row(models.Worker.objects.filter(name=worker.name, stopped_at__isnull=False))

    outcomes = models.Request.objects.filter(pk__in=numbers).order_by("pk").values_list("status", flat=True)
    assert list(outcomes) == ["SUCCEEDED", "SUCCEEDED", "QUEUED"]
    assert len(sandbox.record()["posts"]) == 2


def test_an_endless_list_keeps_no_queue_from_starting_and_no_worker_from_ending(settings, alice):
    with serve_lists() as lists:
        lists.is_endless = True
        settings.AGENTSTATION_BASE_URL, settings.AGENTSTATION_API_KEY = lists.base_url, "lists"
        number = factories.submit(alice).pk
        models.Account.objects.update(baseline_scan="WANTED")
        with run_worker():
            await_row(models.Request.objects.filter(pk=number, status="SUCCEEDED"))
    assert models.Scan.objects.get().ended_at is None, "the next worker goes on with it"


def test_a_worker_as_it_is_started_holds_one_connection_while_idle_and_then_sends(sandbox, alice):
    """With the default senders, jobs and connections: the dispatcher's. On PostgreSQL the listener's is not of the
    pool."""
    with run_worker(senders=work.DEFAULT_SENDERS) as worker:
        for job in scheduler.list_jobs(client=clients.make_client()):
            await_row(models.Lease.objects.filter(name=job.name, holder=worker.name))
        await_idle_pool()

        sandbox.hold()
        numbers = [factories.submit(alice).pk for _ in range(work.DEFAULT_SENDERS)]
        sandbox.wait_for_posts(len(numbers), timeout=20)
        await_idle_pool()
        sandbox.release()
        for number in numbers:
            await_row(models.Request.objects.filter(pk=number, status="SUCCEEDED"))


def await_idle_pool() -> None:
    """Until every connection of PostgreSQL's pool but the dispatcher's has been given back, all at one time."""
    if connection.vendor == "postgresql":
        connection.close()
        await_that(lambda: (stats := pool.get().get_stats())["pool_size"] - stats["pool_available"] <= 1)
        assert pool.get().get_stats()["pool_max"] <= 10


def test_a_worker_ends_though_a_job_waits_for_a_provider_that_hangs(settings, transactional_db):
    settings.AGENTSTATION_TOTAL_TIMEOUT = 120.0
    with socket.create_server(("127.0.0.1", 0)) as provider:
        settings.AGENTSTATION_BASE_URL = f"http://127.0.0.1:{provider.getsockname()[1]}/v1"
        factories.mark_baseline_scan()  # which would not wait for long
        with run_worker() as worker:
            asked, _ = provider.accept()
        assert not models.Lease.objects.filter(holder=worker.name, expires_at__gt=Now()).exists()
        asked.close()
    for job in threading.enumerate():
        if job.name == "reconcile":
            job.join(30)
    assert not models.Scan.objects.exclude(ended_at=None).exists(), "a job wrote something after its worker had ended"


def test_a_job_that_uses_the_key_is_left_to_a_worker_whose_key_is_known(sandbox, settings, alice):
    factories.submit(alice)
    factories.send_once()
    settings.AGENTSTATION_API_KEY = "another"
    # Else the worker leaves the sandbox for it with its first heartbeat, and nobody is asked.
    models.Credential.objects.update(is_sandbox=False)
    done, begun = [], threading.Event()

    def run() -> None:
        done.append(leases.get_lease().name)
        begun.set()

    jobs = [scheduler.Job(name=name, interval=0.01, run=run, uses_key=name == "with-key") for name in ("with-key", "b")]
    run_jobs(*jobs, until=begun)

    assert set(done) == {"b"}
    assert not models.Lease.objects.filter(name="with-key").exists()


def run_jobs(*jobs: scheduler.Job, until: threading.Event) -> None:
    """Do the jobs as the worker `w` until the event comes."""
    running = scheduler.Scheduler(name="w", jobs=list(jobs))
    running.start()
    assert until.wait(20)
    running.stop()


def test_a_job_asks_for_its_lease_once_and_not_in_each_round(transactional_db):
    rounds, enough = [], threading.Event()

    def run() -> None:
        rounds.append(leases.get_lease().asked_at)
        if len(rounds) == 5:
            enough.set()

    run_jobs(scheduler.Job(name="j", interval=0.01, run=run), until=enough)

    assert len(set(rounds)) == 1


def test_a_job_asks_for_its_lease_again_once_half_of_it_is_over(transactional_db, monkeypatch):
    monkeypatch.setattr(scheduler, "LEASE", 0.05)
    rounds, enough = [], threading.Event()

    def run() -> None:
        rounds.append(leases.get_lease())
        if rounds[-1].asked_at > rounds[0].asked_at:
            enough.set()

    run_jobs(scheduler.Job(name="j", interval=0.001, run=run), until=enough)

    assert {lease.token for lease in rounds} == {1}


def test_a_job_whose_lease_another_has_taken_is_not_done_until_that_one_ends(transactional_db):
    rounds, others, enough = list[leases.Lease](), list[None](), threading.Event()

    def run() -> None:
        rounds.append(leases.get_lease())
        if len(rounds) == 2:
            models.Lease.objects.filter(name="j").update(holder="another", token=rounds[-1].token + 1)
        leases.renew_lease()

    def count() -> None:
        if len(rounds) >= 2:
            others.append(None)
        if len(others) == 5:
            enough.set()

    jobs = [scheduler.Job(name="j", interval=0.001, run=run), scheduler.Job(name="clock", interval=0.01, run=count)]
    run_jobs(*jobs, until=enough)

    assert len(rounds) == 2


def test_a_job_that_fails_is_tried_again(caplog, transactional_db):
    rounds, stop = list[None](), threading.Event()

    def run() -> None:
        rounds.append(None)
        if len(rounds) == 3:
            stop.set()
        raise {1: ValueError("odd"), 2: OperationalError("away")}.get(len(rounds), leases.LeaseLost("gone"))

    run_jobs(scheduler.Job(name="j", interval=0.01, run=run), until=stop)

    assert len(rounds) >= 3
    assert "A job failed" in caplog.text
