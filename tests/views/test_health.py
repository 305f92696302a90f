"""What machines that watch the portal are answer: 503 takes the site out of a balancer, a warning does not."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection

from portal import models
from portal.models.clock import Now
from portal.services.requests import dispatch, results
from portal.services.runtime import leases, workers
from tests import factories, pool

pytestmark = pytest.mark.django_db(transaction=True)

STALLED = "Requests wait, and for 2 minutes none was sent: the workers' logs say why."
PAUSED = {"state": "PAUSED", "cause": "402", "paused_at": Now(), "operator_only": True}


@pytest.fixture(autouse=True)
def worker(sandbox) -> None:
    workers.note_worker(name="w")


def ask(client) -> tuple[int, list[str], list[str]]:
    response = client.get("/readyz")
    answer = response.json()
    assert answer["ready"] is (response.status_code == 200)
    return response.status_code, answer["reasons"], answer["warnings"]


def submit_long_ago(alice) -> None:
    factories.submit(alice)
    with factories.unprotected():
        models.Request.objects.update(queued_at=Now() - timedelta(seconds=150))


def test_a_quiet_portal_is_ready_while_a_worker_lives(client):
    assert client.get("/healthz").status_code == 200
    assert ask(client) == (200, [], [])
    workers.note_stopped(name="w")
    assert ask(client) == (503, ["No worker has been seen lately: run `manage.py work`."], [])


def test_a_queue_that_nobody_sends_is_no_ready_portal(client, alice):
    submit_long_ago(alice)
    assert ask(client) == (503, [STALLED], [])

    factories.submit(alice)
    factories.send_once()
    assert ask(client) == (200, [], []), "something was sent just now"


def test_long_calls_of_the_whole_team_are_no_stall_but_calls_past_their_deadline_are(client, alice):
    submit_long_ago(alice)
    factories.claim()
    submit_long_ago(alice)
    with factories.unprotected():
        models.Attempt.objects.update(claimed_at=Now() - timedelta(seconds=150))
    assert ask(client) == (200, [], [])
    models.Attempt.objects.update(deadline_at=Now() - timedelta(seconds=1))
    assert ask(client) == (503, [STALLED], [])


def test_a_call_that_was_never_sent_is_silence_and_what_came_just_now_or_waits_for_its_next_try_is_none(client, alice):
    submit_long_ago(alice)
    results.record_result(call=factories.claim(), result=dispatch.Result())
    models.Request.objects.update(next_attempt_at=None)
    assert ask(client) == (503, [STALLED], [])
    models.Request.objects.update(next_attempt_at=Now() + timedelta(seconds=60))
    assert ask(client) == (200, [], [])
    models.Request.objects.update(next_attempt_at=None, queued_at=Now())
    assert ask(client) == (200, [], [])


def test_a_pause_is_a_warning_and_leaves_the_site_in_reach_until_its_time_has_passed_for_long(client, alice):
    submit_long_ago(alice)
    models.Key.objects.update(**PAUSED)
    assert ask(client) == (200, [], ["Sending is paused: payment required."])
    models.Key.objects.update(paused_until=Now() - timedelta(seconds=60))
    assert ask(client) == (200, [], [])
    models.Key.objects.update(paused_until=Now() - timedelta(seconds=150))
    assert ask(client) == (503, [STALLED], [])


def test_a_worker_with_a_key_that_nobody_confirmed_is_a_warning(client, settings):
    ours = settings.AGENTSTATION_API_KEY
    factories.present_key()
    settings.AGENTSTATION_API_KEY = "another key"
    factories.ask_whose_key()
    settings.AGENTSTATION_API_KEY = ours
    factories.present_key()
    workers.note_worker(name="test-worker")
    [warning] = ask(client)[2]
    assert warning == "A worker has an API key or a base URL that an operator has to confirm on the key's page."
    workers.note_stopped(name="test-worker")
    assert ask(client) == (200, [], []), "nobody has it any more"


def test_lists_that_were_not_read_for_long_are_a_warning(client, alice):
    factories.submit(alice)
    factories.send_once()
    models.Account.objects.update(created_at=Now() - timedelta(hours=1))
    [warning] = ask(client)[2]
    assert warning.startswith("The provider's lists have not been read completely since ")


def test_a_job_that_hangs_in_a_living_worker_is_a_warning(client):
    for name, holder in {"settle": "w", "usage": "dead"}.items():
        leases.acquire_lease(name=name, holder=holder, seconds=-90)
    leases.acquire_lease(name="seal", holder="w", seconds=10)
    assert ask(client) == (200, [], ["The job settle makes no progress."])


@contextmanager
def exhausted_pool(monkeypatch) -> Iterator[None]:
    connection.close()
    own = pool.get()
    monkeypatch.setattr(own, "timeout", 0.2)
    taken = [own.getconn(timeout=20) for _ in range(own.max_size)]
    yield
    for opened in taken:
        own.putconn(opened)


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has no pool")
def test_an_exhausted_pool_is_told_as_our_own_fault(client, monkeypatch):
    own_fault = "All of this process's own connections to the database are in use."
    with exhausted_pool(monkeypatch):
        assert ask(client) == (200, [], [own_fault])


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has no pool")
def test_a_database_that_is_away_is_not_taken_for_an_exhausted_pool(client, monkeypatch):
    with exhausted_pool(monkeypatch):
        monkeypatch.setitem(connection.settings_dict, "PORT", "1")
        assert ask(client) == (503, ["The database does not answer."], [])
