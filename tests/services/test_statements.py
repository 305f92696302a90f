"""How many statements it takes to send a request: everybody else waits for them. BEGIN, COMMIT, savepoints aside.

And how many a worker that has nothing to do takes, second after second.
"""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal import models
from portal.models.clock import Now
from portal.services.key import credentials, steady_clock
from portal.services.mirrors import refreshing, releases
from portal.services.reconciliation import reconcile, timeouts
from portal.services.requests import batch, dispatch
from portal.services.runtime import clients, workers
from portal.worker import dispatcher
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

_NOT_COUNTED = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")


def count(queries: CaptureQueriesContext) -> int:
    return sum(not query["sql"].startswith(_NOT_COUNTED) for query in queries.captured_queries)


@pytest.fixture
def client(sandbox):
    return clients.make_client()


@pytest.fixture(autouse=True)
def used(client, alice):
    factories.create_workstation(alice)


def deliver(calls, client) -> list[batch.Delivery]:
    return [batch.Delivery(call=call, result=dispatch.send_call(call=call, client=client)) for call in calls]


# The look without a lock, and eight under it.
_CLAIM = 1 + 8


def count_claim(*, most: int) -> int:
    with CaptureQueriesContext(connection) as queries:
        calls = factories.claim_requests(worker="w", most=most)
    assert len(calls) == most
    return count(queries)


def test_a_claim_takes_the_same_statements_for_one_and_for_everybody(alice, bob):
    factories.submit_for(*(alice, bob) * 2)

    assert count_claim(most=1) == _CLAIM
    assert count_claim(most=2) == _CLAIM


def test_a_claim_takes_one_more_statement_for_each_person_who_has_more_waiting(alice, bob):
    factories.submit_for(*(alice, bob) * 5)

    assert count_claim(most=8) <= _CLAIM + 2


def test_a_claim_of_what_was_told_of_takes_no_look(alice):
    present = batch.Batch(brought=[], most=1, account=factories.submit(alice).account)
    with CaptureQueriesContext(connection) as queries:
        batch.commit_batch(batch=present, worker="w")
    assert len(present.claimed) == 1
    assert count(queries) == _CLAIM - 1


def test_where_what_was_told_of_is_gone_nothing_is_claimed(alice):
    account = factories.submit(alice).account
    factories.claim_requests(worker="another", most=1)
    present = batch.Batch(brought=[], most=1, account=account)
    batch.commit_batch(batch=present, worker="w")
    assert present.claimed == []


def test_what_is_told_of_right_after_the_account_was_left_is_claimed(alice):
    worker = dispatcher.Dispatcher(name="w", size=2, client=clients.make_client())
    former = models.Account.objects.create(base_url="https://former.example", retired_at=Now())
    models.Key.objects.create(account=former)
    factories.submit(alice)
    worker._last = batch.Batch(brought=[], most=0, account=former)

    claimed = []
    for _ in range(2):
        worker.wake(is_notified=True)
        worker._commit_batch()
        claimed.append(worker._calls.qsize())

    assert claimed == [0, 1]


def test_a_claim_with_a_paused_key_reads_and_locks_no_request(alice):
    factories.submit(alice)
    models.Key.objects.update(state="PAUSED", cause="401", paused_at=Now(), operator_only=True)
    with CaptureQueriesContext(connection) as queries:
        assert factories.claim_requests(worker="w", most=1) == []
    assert not [query for query in queries if query["sql"].startswith('SELECT "portal_request"')]


def test_a_result_is_recorded_in_few_statements(alice, client):
    factories.submit(alice)
    call = factories.claim()
    result = dispatch.send_call(call=call, client=client)

    with CaptureQueriesContext(connection) as queries:
        factories.record(call, result)

    assert alice.requests.filter(status="SUCCEEDED").count() == 2
    assert count(queries) <= 11 + workers.can_notify()


def test_further_results_of_a_batch_take_fewer(alice, client, monkeypatch):
    monkeypatch.setattr(batch, "LONGEST", 60.0)
    factories.submit_for(*[alice] * 5)
    brought = deliver(factories.claim_requests(worker="w", most=5), client)
    counts = []
    for part in (brought[:1], brought[1:]):
        present = batch.Batch(brought=part, most=0)
        with CaptureQueriesContext(connection) as queries:
            batch.commit_batch(batch=present, worker="w")
        assert present.recorded == part
        counts.append(count(queries))

    assert (counts[1] - counts[0]) / 3 <= 7


# --- While nothing is to be done ---


@pytest.fixture
def idle(settings, client):
    models.Workstation.objects.update(refresh_due_at=Now() + timedelta(minutes=1))
    factories.reconcile_once(factories.acquire_lease(name="reconcile"))
    workers.note_worker(name="w")


@pytest.mark.parametrize(
    "do",
    [
        lambda: batch.commit_batch(batch=batch.Batch(brought=[], most=8), worker="w"),
        releases.claim_release,
        lambda: workers.note_worker(name="w"),
    ],
    ids=["dispatcher", "sender of releases", "sign of life"],
)
def test_what_looks_for_work_each_second_asks_once(idle, do):
    with CaptureQueriesContext(connection) as queries:
        assert do() is None
    assert len(queries) == 1


@pytest.mark.parametrize("do", [refreshing.refresh_workstations, credentials.probe_key])
def test_jobs_that_come_each_two_seconds_ask_once_while_idle(idle, client, do):
    lease = factories.acquire_lease(name="job")
    with CaptureQueriesContext(connection) as queries:
        assert not lease.run(do, client=client)
    assert len(queries) == 1


def test_idle_jobs_that_come_each_five_seconds_ask_eleven_times(idle, client):
    lease = factories.acquire_lease(name="job")
    steady = steady_clock.SteadyClock()
    with CaptureQueriesContext(connection) as reconciling:
        lease.run(reconcile.reconcile_requests, client=client, steady=steady)
    with CaptureQueriesContext(connection) as recovering:
        lease.run(timeouts.expire_overdue, watched=steady)
    assert max(len(reconciling), len(recovering)) <= 11
