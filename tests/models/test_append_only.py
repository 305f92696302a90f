"""The database itself refuses to change the audit log: by the ORM, by SQL, by replacing, by emptying the table."""

import sqlite3
from contextlib import closing

import psycopg
import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError

from portal import models
from portal.db.connection import execute
from portal.models.clock import Now
from portal.services.audit import protection
from tests import factories, roles

pytestmark = pytest.mark.django_db(transaction=True)

TABLES = ("event", "lateresponse", "attempt", "request", "tombstone", "user", "seal", "lostresponse", "restore")


@pytest.fixture
def history(sandbox, alice) -> models.Request:
    """A request that succeeded, with an attempt, a late response, events, a seal, and a tombstone of something else."""
    portal_request = factories.submit_and_settle(alice)
    attempt = portal_request.attempts.get()
    models.LateResponse.objects.create(attempt=attempt, outcome="SUCCEEDED")
    account = portal_request.account
    models.LostResponse.objects.create(account=account, attempt_number=9, token="x", outcome="SUCCEEDED")
    models.Restore.objects.create(account=account, lost_since=Now(), lost_since_tick=1, restored_tick=2)
    models.Tombstone.objects.create(kind="EVENTS", first_id=10**6, last_id=10**6)
    models.Seal.objects.create(number=1, made_at=Now(), first_id=1, last_id=9, count=9, ids=[], digest="0")
    return portal_request


COLUMNS = ", ".join(str(field.column) for field in models.Event._meta.concrete_fields)


def refuse(sql: str) -> None:
    with (
        connection.cursor() as cursor,
        pytest.raises(IntegrityError, match="the audit log is append-only"),
        transaction.atomic(),
    ):
        cursor.execute(sql)


CHANGES = [
    *(f"DELETE FROM portal_{table}" for table in TABLES),
    *(f"UPDATE portal_event SET {change}" for change in ("verb = 'nothing'", "id = id + 1000")),
    *(f"UPDATE portal_{table} SET message = 'yes'" for table in ("lateresponse", "lostresponse")),
    "UPDATE portal_restore SET lost_since_tick = 0",
    "UPDATE portal_attempt SET http_status = 201",
    "UPDATE portal_attempt SET outcome = 'SENDING', ended_at = NULL",
    *(f"UPDATE portal_request SET {column} = 'another'" for column in ("note", "workspace_name", "workspace_uid")),
    *(f"UPDATE portal_request SET {column} = {column} + 1000" for column in ("requester_id", "account_id", "id")),
    "UPDATE portal_request SET type = 'max'",
    "UPDATE portal_request SET created_at = '2020-01-01 00:00:00'",
    "UPDATE portal_request SET submission = '00000000000000000000000000000000'",
    "UPDATE portal_tombstone SET last_id = 0",
    "UPDATE portal_seal SET digest = '0'",
    # Ways that go round a plain UPDATE or DELETE, in SQL that both databases have.
    "UPDATE portal_event SET verb = o.verb || 'x' FROM portal_event o WHERE o.id = portal_event.id",
    "UPDATE portal_event SET (verb, target) = ('x', 'y') WHERE id IN (SELECT id FROM portal_event)",
    "UPDATE portal_event SET verb = verb",
    "UPDATE portal_event SET verb = 'x' RETURNING id",
    "DELETE FROM portal_event WHERE id IN (SELECT max(id) FROM portal_event) RETURNING id",
    "WITH old AS (SELECT id FROM portal_event) DELETE FROM portal_event WHERE id IN (SELECT id FROM old)",
    "INSERT INTO portal_seal SELECT * FROM portal_seal WHERE true ON CONFLICT (number) DO UPDATE SET digest = '1'",
    "INSERT INTO portal_tombstone SELECT * FROM portal_tombstone WHERE true ON CONFLICT (id) DO UPDATE SET ids = '[]'",
    f"INSERT INTO portal_event ({COLUMNS}) SELECT {COLUMNS} FROM portal_event WHERE true"
    " ON CONFLICT (id) DO UPDATE SET verb = 'x'",
]
WAYS_ROUND = {
    "sqlite": [
        "UPDATE OR IGNORE portal_event SET verb = 'x'",
        "UPDATE OR ROLLBACK portal_event SET verb = 'x'",
        "UPDATE OR REPLACE portal_event SET id = (SELECT min(id) FROM portal_event)",
        "UPDATE portal_event SET rowid = rowid + 1000",
        "DELETE FROM portal_event",
    ],
    "postgresql": [
        "DELETE FROM ONLY portal_event",
        "DELETE FROM portal_event USING portal_request WHERE portal_event.request_number = portal_request.id",
        "WITH gone AS (DELETE FROM portal_event RETURNING *) SELECT count(*) FROM gone",
        "MERGE INTO portal_event e USING portal_request r ON e.request_number = r.id WHEN MATCHED THEN DELETE",
        "MERGE INTO portal_event e USING portal_request r ON e.request_number = r.id"
        " WHEN MATCHED THEN UPDATE SET verb = 'x'",
        "TRUNCATE portal_event RESTART IDENTITY",
        "TRUNCATE portal_event, portal_request CASCADE",
        "DO $$ BEGIN DELETE FROM portal_event; END $$",
        "SELECT * FROM portal_event WHERE id = (SELECT max(id) FROM portal_event) FOR UPDATE;"
        " UPDATE portal_event SET verb = 'x'",
        *(f"TRUNCATE portal_{table} CASCADE" for table in TABLES),
    ],
}


def test_sql_cannot_change_what_is_in_the_record_and_has_no_way_round(history):
    if connection.vendor == "sqlite":
        connection.cursor().execute("PRAGMA recursive_triggers = on")
    for sql in (*CHANGES, *WAYS_ROUND[connection.vendor]):
        refuse(sql)


# Each as somebody would write it in a shell.
IN_A_SHELL = [
    "models.Event.objects.update(verb='x')",
    "models.Event.objects.all().delete()",
    "event.save()",
    "event.delete()",
    "models.Event.objects.bulk_update([models.Event(pk=event.pk, verb='x')], ['verb'])",
    "models.Event(pk=event.pk, verb='x').save_base(force_update=True)",
    "models.Event.objects.bulk_create([models.Event(pk=event.pk, verb='x', target='x')], update_conflicts=True,"
    " unique_fields=['id'], update_fields=['verb'])",
    *(f"models.{name}.objects.all().delete()" for name in ("LateResponse", "Seal", "Tombstone")),
    "models.LateResponse.objects.update(message='x')",
    "models.Attempt.objects.update(error='x')",
    "models.Attempt.objects.bulk_update([models.Attempt(pk=attempt.pk, error='x')], ['error'])",
    "models.Request.objects.update(note='x')",
    "models.Request.objects.bulk_update([models.Request(pk=attempt.request_id, note='x')], ['note'])",
    "models.Seal.objects.update(digest='x')",
    *(f"models.{name}.objects.all()._raw_delete('default')" for name in ("Event", "LateResponse", "Attempt")),
    *(f"models.{name}.objects.all()._raw_delete('default')" for name in ("Request", "User")),
]


def test_the_shell_cannot_change_it_either(history):
    names = "event, attempt = models.Event.objects.earliest('id'), models.Attempt.objects.earliest('id')"
    for line in IN_A_SHELL:
        with pytest.raises(IntegrityError, match="the audit log is append-only"), transaction.atomic():
            call_command("shell", command=f"from portal import models; {names}; {line}", verbosity=0)


def test_the_orm_says_so_first_where_it_can(history, alice):
    for row in (alice, history, history.attempts.get()):
        with pytest.raises(ProtectedError):
            row.delete()


def test_another_program_cannot_change_it_either(history):
    for sql in ("UPDATE portal_event SET verb = 'x'", "DELETE FROM portal_event", "DELETE FROM portal_user"):
        with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError), match="the audit log is append-only"):
            run_outside(sql)


def run_outside(sql: str) -> None:
    if connection.vendor == "postgresql":
        with roles.connect() as opened:
            opened.execute(sql)
    else:
        with closing(sqlite3.connect(connection.settings_dict["NAME"], timeout=20)) as opened:
            opened.execute(sql)


def test_what_moves_on_still_may(sandbox, alice):
    portal_request = factories.submit(alice)
    call = factories.claim()
    factories.make_overdue(call)
    factories.update(portal_request, operator_note="Look at it.")
    factories.update(alice, is_active=False)


def test_an_attempt_under_way_keeps_what_names_it(alice):
    factories.submit(alice)
    factories.claim()
    for column in ("request_id", "number", "id"):
        refuse(f"UPDATE portal_attempt SET {column} = {column} + 1000")


# --- Pruning: what a tombstone names, and nothing else ---


def test_events_that_a_tombstone_names_may_go_and_no_others(history):
    first, second = models.Event.objects.order_by("id").values_list("id", flat=True)[:2]
    models.Tombstone.objects.create(kind="EVENTS", first_id=first, last_id=second, seal_number=0)
    execute("DELETE FROM portal_event WHERE id = %s", [first])
    refuse(f"DELETE FROM portal_event WHERE id = {second}")  # of a request that is there
    refuse(f"DELETE FROM portal_change WHERE event_id = {second}")  # whose event is there
    refuse(f"DELETE FROM portal_event WHERE id = {second + 1}")
    refuse("DELETE FROM portal_seal")
    models.Tombstone.objects.create(kind="EVENTS", first_id=first, last_id=second, seal_number=1)
    models.Seal.objects.all().delete()


def test_a_request_that_a_tombstone_names_may_go_with_all_that_is_its_own(sandbox, alice, history):
    other = factories.submit_and_settle(alice)
    first, last = history.pk, other.pk + 1
    models.Tombstone.objects.create(kind="REQUESTS", first_id=first, last_id=last, ids=[first, last])
    models.Workstation.objects.all().delete()
    refuse(f"DELETE FROM portal_attempt WHERE request_id = {other.pk}")
    refuse(f"DELETE FROM portal_request WHERE id = {other.pk}")
    with connection.cursor() as cursor:
        for sql in (
            "DELETE FROM portal_lateresponse WHERE attempt_id IN (SELECT id FROM portal_attempt WHERE request_id = %s)",
            "DELETE FROM portal_attempt WHERE request_id = %s",
            "DELETE FROM portal_searchentry WHERE request_id = %s",
            "DELETE FROM portal_request WHERE id = %s",
        ):
            cursor.execute(sql, [history.pk])
            assert cursor.rowcount == 1


# --- The triggers themselves ---


def test_a_trigger_that_was_dropped_or_changed_is_found_and_put_back():
    assert protection.find_faults() == []
    on_table = " ON portal_event" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER portal_keep_event_update{on_table}")
        assert protection.find_faults() == ["The trigger portal_keep_event_update is missing."]
        if connection.vendor == "sqlite":
            cursor.execute("CREATE TRIGGER portal_keep_event_update BEFORE UPDATE ON portal_event BEGIN SELECT 1; END")
        else:
            cursor.execute("ALTER TABLE portal_event DISABLE TRIGGER portal_keep_event_delete")
    assert len(protection.find_faults()) in (1, 2)
    assert "is not as the portal made it." in " ".join(protection.find_faults())
    protection.install_triggers()
    assert protection.find_faults() == []


def test_migrate_puts_back_what_rebuilding_a_table_dropped(history):
    with connection.schema_editor() as editor:
        if connection.vendor == "sqlite":
            editor._remake_table(models.Restore)  # type: ignore[attr-defined]  # SQLite's alone has it
        else:
            editor.execute("DROP TRIGGER portal_keep_restore_update ON portal_restore")
    assert protection.find_faults()
    call_command("migrate", verbosity=0)
    assert protection.find_faults() == []
    refuse("UPDATE portal_restore SET lost_since_tick = 0")


def test_no_act_is_granted_that_a_trigger_always_refuses():
    granted = protection.list_privileges()
    for table in ("event", "change", "seal", "lateresponse"):
        assert granted[f"portal_{table}"] == ("SELECT", "INSERT", "DELETE")
    for table in ("tombstone", "lostresponse", "restore"):
        assert granted[f"portal_{table}"] == ("SELECT", "INSERT")
    assert granted["portal_user"] == ("SELECT", "INSERT", "UPDATE")
    assert granted["django_migrations"] == ("SELECT",)
    for table in ("portal_session", "portal_searchentry", "portal_request", "auth_group_permissions"):
        assert granted[table] == ("SELECT", "INSERT", "UPDATE", "DELETE")
    # So that no table is forgotten which only a migration names.
    assert set(connection.introspection.table_names()) - {"sqlite_sequence"} == set(granted)
