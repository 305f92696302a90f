"""The worst moments of a worker: nothing is lost, nothing is sent twice, and what can go on goes on."""

import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, OperationalError, connection, transaction

from portal import models
from portal.models.clock import Now
from portal.services.requests import batch, results, submissions
from portal.services.runtime import clients
from portal.worker import dispatcher
from tests import factories
from tests.worker.running import await_row, await_that, unusable_table

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def running(sandbox, monkeypatch) -> Iterator[dispatcher.Dispatcher]:
    """A dispatcher with two senders, which tries again soon and ends when the test does."""
    monkeypatch.setattr(dispatcher, "_PAUSE", 0.05)
    if connection.vendor == "sqlite":  # it says soon that it is locked, on connections that are opened from now on
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.5)
    running = dispatcher.Dispatcher(name="test-worker", size=2, client=clients.make_client())
    running.start()
    yield running
    running.stop()
    for thread in running.threads:
        thread.join(30)
        assert not thread.is_alive()


@contextmanager
def refused_workstations() -> Iterator[None]:
    """A workstation cannot be stored, whatever is tried: as if its response broke a constraint."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            body = "BEGIN SELECT RAISE(ABORT, 'refused'); END"
            cursor.execute(f"CREATE TRIGGER refused BEFORE INSERT ON portal_workstation {body}")
        else:
            body = "BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = 'check_violation'; END"
            cursor.execute(f"CREATE FUNCTION refused() RETURNS trigger AS $$ {body} $$ LANGUAGE plpgsql")
            trigger = "FOR EACH ROW EXECUTE FUNCTION refused()"
            cursor.execute(f"CREATE TRIGGER refused BEFORE INSERT ON portal_workstation {trigger}")
        yield
        on_table = " ON portal_workstation" if connection.vendor == "postgresql" else ""
        cursor.execute(f"DROP TRIGGER refused{on_table}")
        if connection.vendor == "postgresql":
            cursor.execute("DROP FUNCTION refused")


def test_a_response_waits_for_a_database_that_fails_when_it_is_recorded(running, sandbox, alice, caplog):
    sandbox.hold()
    portal_request = factories.submit(alice)
    sandbox.wait_for_posts(1, timeout=20)

    with unusable_table("portal_attempt"):
        sandbox.release()
        await_that(lambda: "tried again in a moment" in caplog.text)
    why = "database is locked" if connection.vendor == "sqlite" else 'relation "portal_attempt" does not exist'
    assert f"The database cannot be used ({why})." in caplog.text

    await_row(models.Request.objects.filter(pk=portal_request.pk, status="SUCCEEDED"))
    assert len(sandbox.record()["posts"]) == 1


def test_a_response_that_breaks_its_recording_is_kept_as_unreadable_and_stops_nobody(running, sandbox, alice, caplog):
    with refused_workstations():
        broken = factories.submit(alice)
        await_row(models.Attempt.objects.filter(request=broken, outcome="UNKNOWN"))
    sandbox.script([{"status": 422, "body": {"error": "e", "message": "m"}}])
    await_row(models.Request.objects.filter(pk=factories.submit(alice).pk, status="FAILED"))

    broken.refresh_from_db()
    attempt = broken.attempts.get()
    told = (broken.status, broken.failure, attempt.failure, attempt.http_status)
    assert told == ("UNKNOWN", "unreadable", "unreadable", 200)
    assert b'"id"' in factories.read_response(attempt)
    assert models.Event.objects.filter(verb="response", request_number=broken.pk).count() == 1
    assert not models.Workstation.objects.filter(request=broken).exists()
    assert "could not be recorded" in caplog.text


def test_a_late_response_that_breaks_its_recording_is_kept_too(sandbox, alice):
    broken = factories.submit(alice)
    call = factories.claim()
    result = factories.send(call)
    models.Attempt.objects.update(outcome="UNKNOWN", failure="no-answer", ended_at=Now())
    models.Request.objects.update(status="UNKNOWN", failure="no-answer", was_unknown=True)

    results.record_unreadable(call=call, result=result)
    results.record_unreadable(call=call, result=result)

    late = models.LateResponse.objects.get()
    assert result.response is not None
    stored = factories.read_response(late)
    assert (late.outcome, late.failure, stored) == ("UNKNOWN", "unreadable", result.response.body)
    assert factories.reread(broken).status == "UNKNOWN"


def test_a_call_that_breaks_in_a_library_is_unknown_and_its_sender_goes_on(
    running, sandbox, alice, caplog, monkeypatch
):
    resolve, broken = socket.getaddrinfo, threading.Event()

    def resolve_badly(*args, **kwargs):
        if threading.current_thread().name.startswith("sender") and not broken.is_set():
            broken.set()
            raise RuntimeError("a bug")
        return resolve(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_badly)
    first = factories.submit(alice)
    await_row(models.Request.objects.filter(pk=first.pk, status="UNKNOWN"))
    others = [factories.submit(alice).pk for _ in range(4)]
    await_row(models.Request.objects.filter(pk=others[-1], status="SUCCEEDED"))

    assert factories.reread(first).failure == "no-answer"
    assert "RuntimeError: a bug" in caplog.text


def test_a_worker_with_a_thread_that_hangs_records_what_the_others_bring_and_ends(
    sandbox, settings, alice, caplog, monkeypatch
):
    settings.PORTAL_SEND_MARGIN, settings.PORTAL_RECORD_MARGIN = 1.0, 0.2
    settings.AGENTSTATION_TOTAL_TIMEOUT = 1.0
    resolve, hanging, end = socket.getaddrinfo, threading.Event(), threading.Event()

    def resolve_never(*args, **kwargs):
        if threading.current_thread().name.startswith("sender") and not hanging.is_set():
            hanging.set()
            end.wait()
        return resolve(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_never)
    numbers = [factories.submit(alice).pk for _ in range(3)]

    with pytest.raises(CommandError, match=r"made no progress: sender-\d+\.") as ended:
        call_command("work")

    assert ended.value.returncode == 1
    statuses = list(models.Request.objects.filter(pk__in=numbers).values_list("status", flat=True))
    assert statuses.count("SUCCEEDED") == 2
    assert {"SENDING", "UNKNOWN"} & set(statuses)
    assert "resolve_never" in caplog.text, "the log does not say where it stood"
    end.set()


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL has no lock on the whole database")
def test_a_submission_waits_for_a_sqlite_that_another_process_has_locked(alice):
    factories.mark_baseline_scan()
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    begun = threading.Event()

    def submit() -> None:
        begun.set()
        try:
            submissions.submit_request(requester=alice, submission=uuid4(), type="max", workspace_uid="", note="")
        finally:
            connection.close()

    waiting = threading.Thread(target=submit)
    waiting.start()
    begun.wait()
    waiting.join(0.3)
    assert waiting.is_alive()
    assert models.Request.objects.count() == 0

    other.execute("COMMIT")
    other.close()
    waiting.join()
    assert models.Request.objects.count() == 1


@pytest.mark.parametrize("is_committed", [True, False])
def test_what_is_claimed_by_a_commit_that_is_not_confirmed_is_sent_once(
    running, sandbox, alice, caplog, monkeypatch, is_committed
):
    """Whether the database had committed before it was lost, or not."""
    commit, lost = batch.commit_batch, threading.Event()

    def commit_and_lose(**arguments) -> None:
        with transaction.atomic():
            commit(**arguments)
            if arguments["batch"].claimed and not lost.is_set() and not is_committed:
                lost.set()
                raise OperationalError("the connection is lost")
        if arguments["batch"].claimed and not lost.is_set():
            lost.set()
            raise OperationalError("the connection is lost")

    monkeypatch.setattr(batch, "commit_batch", commit_and_lose)

    for number in [factories.submit(alice).pk for _ in range(3)]:
        await_row(models.Request.objects.filter(pk=number, status="SUCCEEDED"))
    assert "the connection is lost" in caplog.text
    assert len(sandbox.record()["posts"]) == models.Attempt.objects.count() == 3


def test_results_that_cannot_be_committed_together_are_recorded_one_by_one(running, sandbox, alice, monkeypatch):
    """As by a constraint that the database checks at the end of a transaction."""
    commit = batch.commit_batch

    def refuse(**arguments) -> None:
        if arguments["batch"].brought:
            raise IntegrityError("a deferred constraint")
        commit(**arguments)

    monkeypatch.setattr(batch, "commit_batch", refuse)

    for number in [factories.submit(alice).pk for _ in range(3)]:
        await_row(models.Request.objects.filter(pk=number, status="SUCCEEDED"))
    assert len(sandbox.record()["posts"]) == 3
