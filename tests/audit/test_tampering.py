"""Whatever somebody does to sealed events with SQL, past the triggers: verifying finds it, and names it."""

import json
import random
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from portal import models
from portal.db import clock
from portal.services.audit import canonical, changes, events, keys, marks, reading, seals, verify
from tests import factories
from tests.audit.bits import BITS, flip, write_bits
from tests.audit.conftest import find, find_in_chain, tamper
from tests.signing import store_events

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("actor_id", 4711),
        ("actor_id", None),
        ("actor_name", "mallory"),
        ("address", "192.0.2.9"),
        ("verb", "cancel"),
        ("target", "request R-0"),
        ("request_number", 4711),
        ("request_number", None),
        ("detail", "{}"),
        ("reason", "none"),
        ("signature", "x"),
    ],
)
def test_a_changed_field_is_found(record, column, value):
    event = record[7]
    assert str(getattr(event, column)) != str(value)
    tamper(f"UPDATE portal_event SET {column} = %s WHERE id = %s", value, event.pk)
    assert find_in_chain()[0] == ("changed", f"event {event.pk}")


def test_a_new_date_is_found_and_told_from_the_old_one(record):
    event = record[8]
    tamper("UPDATE portal_event SET at = '2020-02-02 02:02:02.000001' WHERE id = %s", event.pk)
    finding = verify.verify_log().findings[0]
    assert (finding.kind, finding.what) == ("re-dated", f"event {event.pk}")
    assert canonical.write_time(time=event.at) in finding.words
    assert "2020-02-02 02:02:02.000001" in finding.words


def test_a_new_date_does_not_hide_another_change(record):
    event = record[8]
    tamper("UPDATE portal_event SET at = '2020-02-02 02:02:02.000001', actor_name = 'mallory' WHERE id = %s", event.pk)
    finding = verify.verify_log().findings[0]
    assert (finding.kind, finding.what) == ("changed", f"event {event.pk}")
    assert "not its time alone" in finding.words


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL stores times, not texts")
def test_another_text_of_the_same_time_is_found(record):
    tamper("UPDATE portal_event SET at = replace(at, ' ', 'T') WHERE id = %s", record[7].pk)
    assert find_in_chain() == [("re-dated", f"event {record[7].pk}")]


def test_an_event_of_a_clock_that_was_set_back_is_noted(record, seal, capsys):
    """It is the portal's own, so it is no finding."""
    store_events([(models.Event(verb="probe", target="x", at=record[0].at - timedelta(minutes=59)), [])])
    seal()
    call_command("verify_audit")
    assert "Note:" not in capsys.readouterr().out
    (early,) = store_events([(models.Event(verb="probe", target="x", at=record[0].at - timedelta(days=5)), [])])
    seal()
    call_command("verify_audit")
    said = capsys.readouterr().out
    assert f"Note: 1 event dated more than an hour before earlier events, the first event {early.pk} of " in said
    assert "All is well" in said


def test_a_forged_event_with_the_highest_number_blinds_nobody(record, seal, alice):
    """Sealing goes on, honest numbers do not follow it, and it is named."""
    forged = models.Event.objects.create(pk=9_000_000_000_000_000_000, verb="cancel", target="x")
    factories.submit(alice)
    assert seal() == 1
    assert models.Seal.objects.latest("number").last_id == record[-1].pk + 1
    assert find() == [("inserted", f"event {forged.pk}")]


def test_changes_without_their_event_are_found(record, alice):
    """Events of the last minute are under no seal: whoever removes one must remove what it says of rows too."""
    factories.submit(alice)
    newest = models.Event.objects.latest("id").pk
    tamper("DELETE FROM portal_event WHERE id = %s", newest)
    assert find() == [("removed", f"event {newest}")]


@pytest.mark.parametrize("place", [0, 6, -1])
def test_a_removed_event_is_found(record, place):
    tamper("DELETE FROM portal_event WHERE id = %s", record[place].pk)
    assert find_in_chain() == [("removed", f"event {record[place].pk}")]


def test_a_removed_batch_is_found(record):
    second = models.Seal.objects.get(number=2)
    tamper("DELETE FROM portal_event WHERE id BETWEEN %s AND %s", second.first_id, second.last_id)
    found = find_in_chain()
    assert found[0] == ("removed", f"event {second.first_id}")
    assert len(found) == second.count


def test_a_removed_batch_with_its_seal_is_found(record):
    second = models.Seal.objects.get(number=2)
    tamper("DELETE FROM portal_event WHERE id BETWEEN %s AND %s", second.first_id, second.last_id)
    tamper("DELETE FROM portal_seal WHERE number = 2")
    found = find_in_chain()
    assert found[0] == ("seal", "seal 2")
    assert {kind for kind, _ in found[1:]} == {"removed"}  # what they said of rows is still there


COLUMNS = "at, actor_name, address, verb, target, detail, reason"


def test_an_event_that_was_inserted_late_is_found(record):
    """In a gap between ids, as an aborted transaction leaves one."""
    gap = record[8].pk
    tamper("DELETE FROM portal_event WHERE id = %s", gap)
    tamper(
        f"INSERT INTO portal_event (id, {COLUMNS}) SELECT %s, {COLUMNS} FROM portal_event WHERE id = %s",
        *(-gap, record[9].pk),
    )
    assert find_in_chain() == [("inserted", f"event {-gap}"), ("removed", f"event {gap}")]


def test_many_that_were_inserted_late_are_found_and_nothing_else(record, seal, alice):
    models.Event.objects.create(pk=record[-1].pk + 100, verb="submit", target="x")
    seal()
    for number in range(1, 50):
        models.Event.objects.create(pk=record[-1].pk + number, verb="submit", target="x")
    found = find_in_chain()
    assert found[0] == ("inserted", f"event {record[-1].pk + 1}")
    assert {kind for kind, _ in found} == {"inserted"}


def test_swapped_events_are_found(record):
    first, second = record[3].pk, record[4].pk
    for before, after in ((first, -1), (second, first), (-1, second)):
        tamper("UPDATE portal_event SET id = %s WHERE id = %s", after, before)
    assert find_in_chain()[0][1] == f"event {first}"
    assert {what for _, what in find_in_chain()} == {f"event {first}", f"event {second}"}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("made_at", "2020-02-02 02:02:02.000001"),
        ("first_id", 0),
        ("last_id", 10**6),
        ("count", 1),
        ("previous", "0" * 64),
        ("marks", b"\0" * marks.SIZE),
        ("digest", "0" * 64),
    ],
)
def test_an_altered_seal_is_found(record, column, value):
    tamper(f"UPDATE portal_seal SET {column} = %s WHERE number = 2", value)
    assert ("seal", "seal 2") in find_in_chain()
    assert {kind for kind, _ in find_in_chain()} == {"seal"}


def test_a_seal_of_an_unknown_key_is_found(record):
    tamper("UPDATE portal_seal SET key_id = 'deadbeef' WHERE number = 2")
    assert find_in_chain() == [("key", "seal 2")]


@pytest.mark.parametrize("number", [1, 2])
def test_a_removed_seal_is_found(record, number):
    tamper("DELETE FROM portal_seal WHERE number = %s", number)
    assert find_in_chain() == [("seal", f"seal {number}")]


def test_a_seal_cannot_be_made_without_the_key(record, settings):
    """Whoever can write in the database, and nothing else, cannot seal what they have changed."""
    event = record[1]
    tamper("UPDATE portal_event SET reason = 'none' WHERE id = %s", event.pk)
    reseal(keys.AuditKey(id=keys.get_key().id, secret=b"guessed"))
    assert {kind for kind, _ in find_in_chain()} == {"seal", "inserted"}


def reseal(key: keys.AuditKey) -> None:
    """All seals made anew, over what is there now."""
    ends = list(models.Seal.objects.order_by("number").values_list("last_id", flat=True))
    tamper("DELETE FROM portal_seal")
    after, previous = seals.LOWEST_ID, ""
    for number, end in enumerate(ends, start=1):
        seal = seals.make_seal(
            rows=[event.row for event in reading.walk_events(after=after, until=end)],
            number=number,
            previous=previous,
            key=key,
            made_at=clock.read_clock(),
        )
        seal.save(force_insert=True)
        after, previous = end, seal.digest


def test_a_chain_that_a_holder_of_the_key_made_anew_is_found_by_the_checkpoint(record, tmp_path, capsys):
    call_command("export_checkpoint")
    file = tmp_path / "checkpoint.json"
    file.write_text(capsys.readouterr().out)
    call_command("verify_audit", checkpoint=file)
    assert (
        "All is well: nobody, with the audit key or without it, has changed anything up to seal"
        in capsys.readouterr().out
    )

    record[1].reason = "none"
    signature = events.sign_event(event=record[1], changes=list(record[1].changes))
    tamper("UPDATE portal_event SET reason = 'none', signature = %s WHERE id = %s", signature, record[1].pk)
    reseal(keys.get_key())

    assert find_in_chain() == []
    with pytest.raises(CommandError, match="the log up to it was made anew"):
        call_command("verify_audit", checkpoint=file)


def test_seals_that_were_cut_off_are_found_by_the_checkpoint(record):
    checkpoint = seals.read_checkpoint(data=seals.describe_newest())
    newest = models.Seal.objects.latest("number")
    tamper("DELETE FROM portal_event WHERE id >= %s", newest.first_id)
    tamper("DELETE FROM portal_change WHERE event_id >= %s", newest.first_id)
    tamper("DELETE FROM portal_seal WHERE number = %s", newest.number)
    assert find_in_chain() == []  # the newest end leaves no gap: nothing in the database tells of it
    assert find_in_chain(checkpoint) == [("checkpoint", f"seal {newest.number}")]


def test_a_newest_seal_that_was_removed_and_made_anew_is_found_by_the_checkpoint(record, seal):
    checkpoint = seals.read_checkpoint(data=seals.describe_newest())
    newest = models.Seal.objects.latest("number")
    tamper("DELETE FROM portal_seal WHERE number = %s", newest.number)
    assert find_in_chain() == []  # its events are there, and not sealed yet
    assert find_in_chain(checkpoint) == [("checkpoint", f"seal {newest.number}")]
    tamper("UPDATE portal_event SET reason = 'none' WHERE id = %s", newest.last_id)
    assert seal() == newest.count - 1  # what the portal did not write as it is now is not sealed
    assert find_in_chain() == [("inserted", f"event {newest.last_id}")]
    assert ("checkpoint", f"seal {newest.number}") in find_in_chain(checkpoint)


def test_a_record_that_was_emptied_is_found_by_its_rows_and_by_the_checkpoint(record):
    checkpoint = seals.read_checkpoint(data=seals.describe_newest())
    tamper("DELETE FROM portal_event")
    tamper("DELETE FROM portal_change")
    tamper("DELETE FROM portal_seal")
    assert set(find(checkpoint)) >= {
        ("checkpoint", f"seal {checkpoint.number}"),
        ("removed", "the audit log"),
        *(("row inserted", f"request R-{number}") for number in models.Request.objects.values_list("pk", flat=True)),
        *(("row inserted", f"attempt {number}") for number in models.Attempt.objects.values_list("pk", flat=True)),
    }


def test_a_database_that_was_rebuilt_with_the_key_is_found_by_the_checkpoint(record):
    """A row, its event and every seal written anew, all signed as the portal would have done it."""
    checkpoint = seals.read_checkpoint(data=seals.describe_newest())
    event = record[1]
    tamper("UPDATE portal_request SET type = 'max' WHERE id = %s", event.request_number)
    (told,) = event.changes
    told.columns["type"] = [None, "max"]
    change = changes.Change(kind=told.kind, row_id=told.row_id, act=told.act, columns=told.columns)
    (resigned,) = changes.sign_changes(event_id=event.pk, changes=[change])
    tamper(
        "UPDATE portal_change SET columns = %s, signature = %s WHERE event_id = %s",
        *(json.dumps(resigned.columns), resigned.signature, event.pk),
    )
    signature = events.sign_event(event=event, changes=[resigned])
    tamper("UPDATE portal_event SET signature = %s WHERE id = %s", signature, event.pk)
    reseal(keys.get_key())
    assert find() == []
    assert find(checkpoint) == [("checkpoint", f"seal {checkpoint.number}")]


def test_an_event_that_was_moved_to_the_end_is_found(record):
    moved = record[-1].pk + 1
    tamper("UPDATE portal_event SET id = %s WHERE id = %s", moved, record[4].pk)
    assert find_in_chain() == [("removed", f"event {record[4].pk}"), ("inserted", f"event {moved}")]


def test_an_event_that_another_was_copied_over_is_found(record):
    chosen = ", ".join(
        f"{name} = (SELECT o.{name} FROM portal_event o WHERE o.id = %s)" for name in COLUMNS.split(", ")
    )
    names = len(COLUMNS.split(", "))
    tamper(f"UPDATE portal_event SET {chosen} WHERE id = %s", *[record[3].pk] * names, record[4].pk)
    assert [what for _, what in find_in_chain()] == [f"event {record[4].pk}"]


def test_seals_that_were_swapped_are_found(record):
    for before, after in ((1, -1), (2, 1), (-1, 2)):
        tamper("UPDATE portal_seal SET number = %s WHERE number = %s", after, before)
    assert {what for kind, what in find_in_chain() if kind == "seal"} >= {"seal 1", "seal 2"}


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", json.dumps({"format": "workstation-portal checkpoint", "version": 2})]
)
def test_what_is_no_checkpoint_is_said(record, tmp_path, text):
    file = tmp_path / "checkpoint.json"
    file.write_text(text)
    with pytest.raises(CommandError, match="checkpoint"):
        call_command("verify_audit", checkpoint=file)


def test_the_command_ends_with_one_and_names_the_first(record, capsys):
    tamper("UPDATE portal_event SET reason = 'none' WHERE id = %s", record[4].pk)
    tamper("DELETE FROM portal_event WHERE id = %s", record[9].pk)
    with pytest.raises(CommandError, match=f"First finding: Event {record[4].pk} .* was changed") as raised:
        call_command("verify_audit")
    assert raised.value.returncode == 1
    assert f"Event {record[9].pk} was removed" in capsys.readouterr().out


# --- A hundred single bits ---


def test_a_hundred_random_bits_are_found(record):
    chance = random.Random(5)
    names = [name for name in canonical.EVENT.names if name != "id"]
    done = 0
    while done < BITS:
        event, column = chance.choice(record), chance.choice(names)
        (row,) = canonical.read_rows(form=canonical.EVENT, where="id = %s", values=[event.pk], limit=1)
        with connection.cursor() as cursor:
            as_text = f"{column}::text" if connection.vendor == "postgresql" else column
            cursor.execute(f"SELECT {as_text} FROM portal_event WHERE id = %s", [event.pk])
            before = cursor.fetchone()[0]
        if column in ("actor_id", "request_number") and before is not None:
            before = int(before)
        after = flip(before, chance) if before is not None else None
        if after is None or not write_bits("portal_event", event.pk, column, after):
            continue
        (changed,) = canonical.read_rows(form=canonical.EVENT, where="id = %s", values=[event.pk], limit=1)
        if connection.vendor == "postgresql" and changed == row:
            continue  # an address of its own for the same value: it is stored as it was
        assert [what for _, what in find_in_chain()] == [f"event {event.pk}"], (column, before, after)
        write_bits("portal_event", event.pk, column, before if isinstance(before, int) else str(before).encode())
        assert find_in_chain() == []
        done += 1
