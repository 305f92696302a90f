"""Whatever somebody does with SQL, past the triggers: verifying finds it, and names it."""

import json
from string import Template

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection, transaction

from portal import models
from portal.models.canonical_json import write_json
from portal.models.event import Verb
from portal.services import audit
from portal.services.audit import events, seals
from tests import factories
from tests.audit.conftest import add_event, fail_to_verify, find, find_in_chain, tamper
from tests.audit.damage import change_columns

pytestmark = pytest.mark.django_db


SET = ["columns = '{}'", "columns = replace(columns, 'python', 'max')"]
SET += ["kind = 'attempt'", "row_id = row_id + 1", "act = 'CHANGED'"]
CHANGE = [
    *(f"UPDATE portal_change SET {values} WHERE event_id = $submit" for values in SET),
    "DELETE FROM portal_change WHERE event_id = $submit",
    "INSERT INTO portal_change (event_id, position, kind, row_id, act, columns)"
    " SELECT event_id, 7, kind, row_id, act, columns FROM portal_change WHERE event_id = $submit",
]
PERSON = [
    "UPDATE portal_user SET is_superuser = NOT is_superuser WHERE id = $person",
    "UPDATE portal_user SET username = 'mallory' WHERE id = $person",
    "DELETE FROM portal_user_groups WHERE user_id = $person",
    "INSERT INTO portal_user_user_permissions (user_id, permission_id) VALUES ($person, 1)",
]
INSERT_PERSON = (
    "INSERT INTO portal_user (id, username, password, first_name, last_name, email, time_zone, is_superuser, is_staff,"
    " is_active, date_joined) SELECT $number, 'mallory', password, '', '', '', '', is_superuser, is_staff, is_active,"
    " date_joined FROM portal_user WHERE id = $person"
)
COLUMNS = ", ".join(str(field.column) for field in models.Event._meta.concrete_fields if field.column != "id")
COPY = f"INSERT INTO portal_event (id, {COLUMNS}) SELECT $number, {COLUMNS} FROM portal_event WHERE id = $event"
# Statements, and what verifying finds then.
ATTACKS: list[tuple[str, ...]] = [
    # As if of a key that was lost: the seal was made by who had it.
    (
        "UPDATE portal_event SET signature = 'deadbeef:00000000000000000000000000000000' WHERE id = $event",
        "changed event $event",
    ),
    *((sql, "changed event $submit") for sql in CHANGE),
    *((f"DELETE FROM portal_event WHERE id = ${one}", f"removed event ${one}") for one in ("event", "first", "last")),
    ("DELETE FROM portal_event WHERE id BETWEEN $first AND $second", "removed event $first", "removed event $second"),
    *((COPY.replace("$number", number), f"inserted event {number}") for number in ("-7", "0")),
    ("UPDATE portal_event SET id = $far WHERE id = $event", "removed event $event", "changed event $far"),
    (
        "UPDATE portal_event SET id = -1 WHERE id = $first; UPDATE portal_event SET id = $first WHERE id = $second;"
        "UPDATE portal_event SET id = $second WHERE id = -1",
        *("changed event $first", "changed event $second"),
    ),
    ("UPDATE portal_seal SET last_id = 1000000 WHERE number = 2", "seal seal 2"),
    *((f"DELETE FROM portal_seal WHERE number = {number}", f"seal seal {number}") for number in (1, 2)),
    (
        "DELETE FROM portal_event WHERE id BETWEEN $from AND $to; DELETE FROM portal_seal WHERE number = 2;"
        "DELETE FROM portal_change WHERE event_id BETWEEN $from AND $to",
        "seal seal 2",
    ),
    (
        "UPDATE portal_workstation SET request_id = $request WHERE id = $workstation",
        "row changed workstation $workstation",
    ),
    *((sql, "row changed person $person") for sql in PERSON),
    *((INSERT_PERSON.replace("$number", number), f"row inserted person {number}") for number in ("-1", "4711")),
    ("DELETE FROM auth_group_permissions WHERE group_id = $group", "row changed group $group"),
    ("INSERT INTO auth_group (id, name) VALUES (4711, 'Slipped in')", "row inserted group 4711"),
    ("DELETE FROM portal_attempt WHERE id = $attempt", "row removed attempt $attempt"),
    (
        "DELETE FROM portal_attempt WHERE id = $attempt; DELETE FROM portal_searchentry WHERE request_id = $request;"
        "DELETE FROM portal_request WHERE id = $request",
        *("row removed request $request", "row removed attempt $attempt"),
    ),
]


def test_each_attack_is_found_and_named(record, cast, alice):
    second = models.Seal.objects.get(number=2)
    without = models.Request.objects.get(workstation=None)
    names = {
        "first": record[3].pk,
        "second": record[4].pk,
        "event": record[7].pk,
        "submit": record[1].pk,
        "last": record[-1].pk,
        "far": 9_000_000_000_000_000_000,
        "from": second.first_id,
        "to": second.last_id,
        "request": without.pk,
        "attempt": without.attempts.get().pk,
        "workstation": models.Workstation.objects.latest("id").pk,
        "person": alice.pk,
        "group": Group.objects.get(name="Members").pk,
    }
    for sql, *expected in ATTACKS:
        with transaction.atomic():
            for statement in sql.split(";"):
                tamper(Template(statement).substitute(names))
            found = find() if expected[0].startswith("row") else find_in_chain()
            transaction.set_rollback(True)
        words = [Template(line).substitute(names).replace("request ", "request R-") for line in expected]
        assert [f"{kind} {what}" for kind, what in found] == words, sql
    assert find() == []


def test_two_changes_made_one_and_a_change_without_its_event_are_found(record, alice):
    """The text of the two that is signed would be the same: but it is no JSON any more."""
    event = next(event for event in record if event.changes.count() == 2)
    first, second = event.changes
    head = f'{write_json(first.columns)},"kind":"{first.kind}","row_id":{first.row_id}}}'
    both = f'{head},{{"act":"{second.act}","columns":{write_json(second.columns)}'
    tamper("DELETE FROM portal_change WHERE event_id = %s AND position = %s", event.pk, first.position)
    tamper("UPDATE portal_change SET act = %s, columns = %s WHERE event_id = %s", first.act, both, event.pk)
    assert find_in_chain() == [("changed", f"event {event.pk}")]
    # Events of the last minute are under no seal: whoever removes one must remove what it says of rows too.
    factories.submit(alice)
    newest = models.Event.objects.latest("id").pk
    tamper("DELETE FROM portal_event WHERE id = %s", newest)
    assert ("removed", f"event {newest}") in find_in_chain()


def test_an_event_in_a_gap_of_the_numbers_is_found(record, seal, alice):
    """As a transaction that was rolled back leaves one."""
    with transaction.atomic():
        audit.record(Verb.PROBE, "x")
        gap = models.Event.objects.latest("id").pk
        transaction.set_rollback(True) if connection.vendor == "postgresql" else None
    if connection.vendor == "sqlite":
        tamper("DELETE FROM portal_event WHERE id = %s", gap)
    factories.submit(alice)
    seal()
    assert find_in_chain() == []
    tamper(Template(COPY).substitute(number=gap, event=record[3].pk))
    assert find_in_chain() == [("inserted", f"event {gap}")]


def test_an_event_that_was_renumbered_far_ahead_blinds_nobody(record, seal, alice):
    far = 9_000_000_000_000_000_000
    tamper("UPDATE portal_event SET id = %s WHERE id = %s", far, record[0].pk)
    factories.submit(alice)
    assert seal() == 1
    assert models.Seal.objects.latest("number").last_id == record[-1].pk + 1
    assert set(find_in_chain()) == {("removed", f"event {record[0].pk}"), ("changed", f"event {far}")}


def test_a_number_that_was_given_again_is_found(record, seal):
    newest = record[-1].pk
    tamper("DELETE FROM portal_event WHERE id = %s", newest)
    tamper("DELETE FROM portal_change WHERE event_id = %s", newest)
    if connection.vendor == "sqlite":
        tamper("UPDATE portal_eventnumber SET last = %s", newest - 1)
    else:
        tamper("SELECT setval(pg_get_serial_sequence('portal_event', 'id'), %s)", newest - 1)
    with transaction.atomic():
        audit.record(Verb.SIGN_IN_FAILED, "a name that nobody has")
    assert models.Event.objects.latest("id").pk == newest
    last = models.Seal.objects.latest("number").number
    assert find_in_chain() == [("seal", f"seal {last}")]


# --- Seals ---


def test_seals_that_were_swapped_are_found(record):
    for before, after in ((1, -1), (2, 1), (-1, 2)):
        tamper("UPDATE portal_seal SET number = %s WHERE number = %s", after, before)
    assert {what for kind, what in find_in_chain() if kind == "seal"} >= {"seal 1", "seal 2"}


def test_a_seal_cannot_be_made_without_the_key(record, seal, settings):
    """Whoever can write in the database, and nothing else, cannot seal what they have changed."""
    tamper("UPDATE portal_event SET reason = 'none' WHERE id = %s", record[1].pk)
    tamper("DELETE FROM portal_seal")
    settings.PORTAL_AUDIT_KEY, right = "a guessed key " + "x" * 32, settings.PORTAL_AUDIT_KEY
    settings.PORTAL_AUDIT_KEY_OLD = [settings.SECRET_KEY]
    seal()
    settings.PORTAL_AUDIT_KEY, settings.PORTAL_AUDIT_KEY_OLD = right, []
    assert set(find_in_chain()) == {("key", "seal 1"), ("changed", f"event {record[1].pk}")}


# --- Checkpoints ---


def test_the_end_that_was_cut_off_is_found_by_the_checkpoint(record, seal):
    checkpoint = seals.read_checkpoint(data=seals.describe_newest())
    newest = models.Seal.objects.latest("number")
    assert find(checkpoint) == []
    tamper("DELETE FROM portal_seal WHERE number = %s", newest.number)
    assert find_in_chain() == []  # its events are there, and not sealed yet
    assert find_in_chain(checkpoint) == [("checkpoint", f"seal {newest.number}")]
    tamper("DELETE FROM portal_event WHERE id >= %s", newest.first_id)
    tamper("DELETE FROM portal_change WHERE event_id >= %s", newest.first_id)
    assert find_in_chain() == []  # nothing in the database tells of it
    add_event()
    seal()
    assert find_in_chain() == []
    assert find_in_chain(checkpoint) == [("checkpoint", f"seal {newest.number}")]


def test_a_log_that_was_emptied_is_found_by_its_rows_and_by_the_checkpoint(record):
    checkpoint = seals.read_checkpoint(data=seals.describe_newest())
    for table in ("event", "change", "seal"):
        tamper(f"DELETE FROM portal_{table}")
    assert set(find(checkpoint)) >= {
        ("checkpoint", f"seal {checkpoint.number}"),
        ("removed", "the audit log"),
        *(("row inserted", f"request R-{number}") for number in models.Request.objects.values_list("pk", flat=True)),
        *(("row inserted", f"attempt {number}") for number in models.Attempt.objects.values_list("pk", flat=True)),
    }


def test_a_log_that_a_holder_of_the_key_wrote_anew_is_found_by_the_checkpoint(record, seal, tmp_path, capsys):
    call_command("export_checkpoint")
    file = tmp_path / "checkpoint.json"
    file.write_text(capsys.readouterr().out)
    call_command("verify_audit", checkpoint=file)
    assert "All is well: nothing was changed up to seal" in capsys.readouterr().out

    event, described = record[1], list(record[1].changes)
    event.reason, described[0].columns["type"] = "none", [None, "max"]
    events.sign_event(event=event, described=described)
    tamper("UPDATE portal_request SET type = 'max' WHERE id = %s", event.request_number)
    columns = write_json(described[0].columns)
    tamper("UPDATE portal_change SET columns = %s WHERE event_id = %s AND position = 0", columns, event.pk)
    tamper("UPDATE portal_event SET reason = 'none', signature = %s WHERE id = %s", event.signature, event.pk)
    tamper("DELETE FROM portal_seal")
    seal()

    assert find() == []
    assert fail_to_verify("the log up to it was made anew", checkpoint=file) == 1


def test_what_is_no_checkpoint_is_said(db, tmp_path):
    file = tmp_path / "checkpoint.json"
    for text in ("", "[]", "{}", json.dumps({"format": "workstation-portal checkpoint", "version": 2})):
        file.write_text(text)
        assert fail_to_verify("checkpoint", checkpoint=file) == 2, text


# --- What is said ---


def test_the_command_ends_with_one_and_names_the_first(record, capsys):
    tamper("UPDATE portal_event SET reason = 'none' WHERE id = %s", record[4].pk)
    tamper("DELETE FROM portal_event WHERE id = %s", record[9].pk)
    assert fail_to_verify(f"First finding: Event {record[4].pk} was changed") == 1
    assert f"Event {record[9].pk} was removed" in capsys.readouterr().out


@pytest.mark.parametrize(("model", "kind"), [(models.Event, "changed"), (models.Seal, "seal")])
def test_a_change_of_each_column_is_found(record, model, kind):
    key, number = model._meta.pk.attname, record[1].pk if model is models.Event else 2
    names = [field.attname for field in model._meta.concrete_fields if field.attname != key]
    for name in change_columns(model, number, names):
        found = find_in_chain()
        assert found[0] == (kind, f"{model._meta.model_name} {number}"), name
        assert {kind for kind, _ in found} == {kind}, name
    assert find_in_chain() == []
