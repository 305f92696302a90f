"""The database is full, away or locked at the worst moment: nothing is lost, and nothing is sent twice."""

import sqlite3
import threading

import pytest
from django.db import connection

from portal import models
from portal.services import dispatch, record
from portal.worker import process, threads
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def spoil_connection() -> None:
    """The next write of this connection fails: SQLite has no more room, PostgreSQL has ended the session."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("VACUUM")  # no free pages that would do
            cursor.execute("PRAGMA page_count")
            cursor.execute(f"PRAGMA max_page_count = {cursor.fetchone()[0]}")
        else:
            cursor.execute("SELECT pg_backend_pid()")
            pid = cursor.fetchone()[0]
            with connection.copy().cursor() as other:
                other.execute("SELECT pg_terminate_backend(%s)", [pid])
                other.connection.close()


def test_an_answer_survives_a_database_that_fails_at_the_moment_of_recording(sandbox, alice, monkeypatch):
    monkeypatch.setattr(threads, "_PAUSE", 0.0)
    # An answer so large that it needs new pages, so that a full disk is felt.
    sandbox.script([{"status": 200, "body": {"id": "w1", "type": "max", "status": "active", "x": "x" * 500_000}}])
    portal_request = factories.submit(alice)
    call = factories.claim()
    result = dispatch.send_call(call=call, client=process.make_client())
    tries = []

    def step() -> None:
        if not tries:
            spoil_connection()
        tries.append(True)
        record.record_result(call=call, result=result)

    threads.keep_trying(step)

    portal_request.refresh_from_db()
    assert len(tries) == 2, "the database did not fail"
    assert (portal_request.status, portal_request.workstation.uid) == ("SUCCEEDED", "w1")
    assert len(sandbox.record()["posts"]) == 1


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL has no lock on the whole database")
def test_a_submission_waits_for_a_sqlite_that_another_process_has_locked(alice):
    factories.mark_first_look()
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    begun = threading.Event()

    def submit() -> None:
        begun.set()
        try:
            factories.intake.submit_request(
                requester=alice, submission=factories.uuid4(), type="max", workspace_uid="", note=""
            )
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
