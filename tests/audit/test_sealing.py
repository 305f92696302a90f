"""Sealing: batch by batch, in any order of commits, with keys that change."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from portal import models
from portal.db import triggers
from portal.models.event import Verb
from portal.services import audit
from portal.services.audit import seals, signatures
from portal.services.runtime import leases
from tests import factories
from tests.audit.conftest import add_event, fail_to_verify, find, find_in_chain

pytestmark = pytest.mark.django_db


def test_seals_hold_all_events_and_name_what_came_before(record, seal, caplog):
    stored = list(models.Seal.objects.order_by("number"))
    assert [row.number for row in stored] == list(range(1, len(stored) + 1))
    assert stored[0].previous == ""
    assert [row.previous for row in stored[1:]] == [row.digest for row in stored[:-1]]
    assert sum(row.count for row in stored) == len(record)
    assert (stored[0].first_id, stored[-1].last_id) == (record[0].pk, record[-1].pk)
    assert seal() == 0
    add_event()
    with caplog.at_level(logging.INFO, logger="portal.services.audit.seals"):
        assert seal() == 1
    newest = models.Seal.objects.latest("number")
    assert f"Seal {newest.number}: 1 events" in caplog.text
    assert newest.digest in caplog.text


def test_nothing_to_seal_is_no_seal(db, seal):
    assert seal() == 0
    with pytest.raises(CommandError, match="Nothing has been sealed yet"):
        call_command("export_checkpoint")
    assert find() == []


def test_a_worker_that_lost_its_duty_seals_nothing(db):
    add_event()
    lease = factories.acquire_lease(name="seal", holder="first", seconds=-1)
    assert leases.acquire_lease(name="seal", holder="second", seconds=60)
    with pytest.raises(leases.LeaseLost):
        lease.run(seals.seal_events)
    assert not models.Seal.objects.exists()


def test_verifying_says_what_is_well_what_is_not_sealed_yet_and_that_triggers_are_missing(record, capsys):
    call_command("verify_audit")
    said = capsys.readouterr().out
    assert f"Checked: {models.Seal.objects.count()} seals over {len(record)} events" in said
    assert "All is well: nothing was changed by anybody without the audit key." in said
    add_event()
    call_command("verify_audit")
    assert "Not sealed yet: 1 event; were one of these removed, it would not be found." in capsys.readouterr().out
    triggers.remove_triggers()
    assert fail_to_verify("would not refuse it: run .manage.py migrate") == 1
    said = capsys.readouterr().out
    assert "The trigger portal_keep_event_update is missing." in said
    assert "All is well" not in said


# --- Keys ---


def test_a_new_key_seals_on_and_the_former_checks_what_it_sealed(record, seal, settings):
    former = signatures.get_key().id
    settings.PORTAL_AUDIT_KEY = "another-audit-key-" + "y" * 32  # SECRET_KEY, which stood for it, is still known
    add_event()
    seal()
    assert models.Seal.objects.latest("number").key_id == signatures.get_key().id != former
    assert find() == []

    settings.PORTAL_AUDIT_KEY_OLD = [settings.PORTAL_AUDIT_KEY, settings.SECRET_KEY]
    settings.PORTAL_AUDIT_KEY = "a-third-audit-key-" + "z" * 32
    settings.SECRET_KEY = "another-secret-key-" + "x" * 50
    add_event()
    seal()
    assert find() == []
    assert seals.find_fault() == ""

    settings.PORTAL_AUDIT_KEY_OLD = settings.PORTAL_AUDIT_KEY_OLD[:1]
    assert find_in_chain()[0] == ("key", "seal 1")
    assert {kind for kind, _ in find()} == {"key"}


def test_without_the_key_of_the_newest_seal_nothing_starts_and_nothing_is_tampered_with(
    record, settings, client, tmp_path
):
    missing = signatures.get_key().id
    settings.SECRET_KEY = "another-secret-key-" + "x" * 50
    with pytest.raises(CommandError, match=f"with the audit key {missing}, which is not set") as raised:
        call_command("work")
    assert "\n" not in str(raised.value)
    assert client.get("/readyz").json()["reasons"] == [seals.find_fault()]
    assert fail_to_verify(r"Not all of the audit log can be checked\. First finding: Seal 1") == 2
    assert fail_to_verify("cannot be read as a checkpoint", checkpoint=tmp_path / "none.json") == 2
    settings.PORTAL_AUDIT_KEY_OLD = ["only-for-tests-" + "x" * 50]
    assert seals.find_fault() == ""


def test_the_id_of_a_key_tells_nothing_and_its_secret_is_not_shown(settings):
    key = signatures.get_key()
    assert len(key.id) == 8
    assert key.secret.hex() not in repr(key)
    assert repr(key.secret) not in repr(key)


# --- Commits out of order ---


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="on SQLite one writer follows the other")
@pytest.mark.django_db(transaction=True)
def test_an_event_that_commits_late_with_a_lower_id_raises_no_false_alarm(seal):
    factories.mark_baseline_scan()
    assert seal() == 1  # of the account's first key
    has_written, may_commit = threading.Event(), threading.Event()

    def write() -> None:
        with closing(connection), transaction.atomic():
            audit.record(Verb.PROBE, "late")
            has_written.set()
            assert may_commit.wait(timeout=60)

    late = threading.Thread(target=write)
    late.start()
    assert has_written.wait(timeout=60)
    add_event("early")

    assert seal() == 0  # somebody is still writing: not now
    may_commit.set()
    late.join()
    assert seal() == 2

    assert list(models.Event.objects.order_by("-id").values_list("target", flat=True)[:2]) == ["early", "late"]
    assert find() == []


@pytest.mark.django_db(transaction=True)
def test_many_writers_at_once_raise_no_false_alarm(seal, small_batches):
    """Some of them roll back, so that ids are missing from the start."""
    factories.mark_baseline_scan()

    def write() -> None:
        with closing(connection):
            for number in range(20):
                with transaction.atomic():
                    audit.record(Verb.PROBE, str(number))
                    transaction.set_rollback(number % 3 == 0)

    with ThreadPoolExecutor(max_workers=4) as threads:
        writers = [threads.submit(write) for _ in range(4)]
        while not all(writer.done() for writer in writers):
            seal()
    seal()
    assert factories.list_events("probe").count() == 52
    assert sum(models.Seal.objects.values_list("count", flat=True)) == models.Event.objects.count()
    assert find() == []
