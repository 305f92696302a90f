"""What somebody without the key did to the database of docs/record.md: each must be named, or gain nothing."""

# ruff: noqa: E501  (SQL in one line)

import json

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.urls import reverse

from portal import agentstation, models
from portal.models.event import Verb
from portal.services import audit, dispatch, leases, membership, people, setup
from portal.services import record as rec
from portal.services.audit import protection, watch
from portal.services.retention.prune import prune_old
from tests import factories
from tests.record import test_watch
from tests.record.conftest import find, tamper

pytestmark = pytest.mark.django_db
ON_SQLITE = "connection.vendor != 'sqlite'"
ON_POSTGRES = "connection.vendor != 'postgresql'"


def set_number(last: int) -> None:
    if connection.vendor == "sqlite":
        tamper("UPDATE portal_eventnumber SET last = %s", last)
    else:
        with connection.cursor() as cursor:
            cursor.execute("SELECT setval(pg_get_serial_sequence('portal_event', 'id'), %s)", [last])


def add_event(target: str) -> models.Event:
    with transaction.atomic():
        audit.record(Verb.EXPORT, target)
    return models.Event.objects.latest("id")


def test_a_sealed_event_replaced_by_a_later_one_with_its_number_is_found(record, seal):
    victim = add_event("everything")
    add_event("other")
    seal()
    assert find() == []
    tamper("DELETE FROM portal_event WHERE id = %s", victim.pk)
    set_number(victim.pk - 1)
    with transaction.atomic():
        audit.record(Verb.SIGN_IN_FAILED, "a name that nobody has")
    assert models.Event.objects.get(pk=victim.pk).verb == "sign-in-failed"
    assert find()


def insert_person(pk: int) -> None:
    tamper(
        "INSERT INTO portal_user (id, password, is_superuser, username, first_name, last_name, email, is_staff,"
        " is_active, date_joined, last_turn, time_zone)"
        " SELECT %s, password, %s, 'mallory', '', '', '', is_staff, is_active, date_joined, 0, ''"
        " FROM portal_user LIMIT 1",
        pk,
        True,
    )


def test_a_superuser_with_a_low_id_is_found(record):
    membership.create_superuser(values={"username": "chief", "password": "x" * 20}, told="root")
    insert_person(-1)
    assert find()


def prune(record, much_later):
    held = leases.acquire_lease(name="prune", holder="test", seconds=600)
    much_later()
    for _ in range(9):
        prune_old(held=held)


def test_a_change_of_an_unknown_key_hides_no_row(record, much_later, alice, seal):
    with transaction.atomic():
        people.set_time_zone(person=alice, time_zone="Europe/Rome")
    for n in range(12):
        add_event(f"x{n}")
    seal()
    prune(record, much_later)
    assert models.Tombstone.objects.filter(kind="EVENTS").exists()
    assert find() == []
    stone = models.Tombstone.objects.filter(kind="EVENTS").earliest("id")
    tamper("UPDATE portal_user SET is_superuser = %s WHERE id = %s", True, alice.pk)
    tamper(
        "INSERT INTO portal_change (event_id, position, kind, row_id, act, as_of, columns, signature)"
        " VALUES (%s, 77, 'person', %s, 'CHANGED', 1, '{}', %s)",
        stone.first_id,
        alice.pk,
        "deadbeef:" + "0" * 32,
    )
    assert find()


def test_what_became_empty_past_the_portal_is_not_signed_as_new(record, alice):
    space = models.Workspace.objects.filter(owner__isnull=False).earliest("id")
    tamper("UPDATE portal_workspace SET owner_id = NULL WHERE id = %s", space.pk)
    other = models.User.objects.exclude(pk=space.owner_id).filter(username__in=("alice", "bob")).get()
    answer_in(other, space.uid)
    space.refresh_from_db()
    assert space.owner_id == other.pk
    assert find()


def answer_in(person, uid):
    request = factories.submit(person, workspace_uid=uid)
    call = factories.claim()
    data = {"id": "w99", "type": request.type, "status": "active", "startedAt": "2026-11-25T08:00:00Z"}
    data |= {"workspace": {"id": uid, "status": "active", "createdAt": "2026-11-25T08:00:00Z"}}
    given = agentstation.Answer(
        status=200, body=json.dumps(data).encode(), truncated=False, retry_after=None, error="", message=""
    )
    rec.record_result(
        call=call,
        result=dispatch.Result(workstation=agentstation.Workstation.from_dict(data), failure=None, answer=given),
    )


def test_a_session_copied_under_another_key_signs_nobody_in(record, alice, root, sign_in):
    mine, theirs = sign_in(alice), sign_in(root)
    data = models.Session.objects.get(user=root).session_data
    tamper("UPDATE portal_session SET session_data = %s WHERE user_id = %s", data, alice.pk)
    assert mine.get(reverse("admin:portal_user_changelist")).status_code != 200
    assert theirs.get(reverse("admin:portal_user_changelist")).status_code == 200


def test_a_set_up_link_is_not_made_in_the_database(record, root):
    import hashlib

    root_id = root.pk
    tamper("UPDATE portal_user SET is_superuser = %s WHERE id = %s", False, root_id)
    tamper(
        "INSERT INTO portal_setuplink (token_hash, created_at) SELECT %s, at FROM portal_event ORDER BY id DESC LIMIT 1",
        hashlib.sha256(b"mine").hexdigest(),
    )
    with pytest.raises(setup.LinkNotValid):
        setup.check_setup_link(token="mine")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE portal_workspace SET owner_id = {alice} WHERE uid = 'found'",
        "UPDATE portal_workstation SET request_id = NULL, made_for_id = {request}, is_foreign = {false} WHERE uid = 'found'",
        "INSERT INTO portal_workspace (account_id, uid, raw, status, owner_id, first_seen_at) SELECT account_id, 'more', '', '', {alice}, first_seen_at FROM portal_workspace LIMIT 1",
    ],
)
def test_rows_that_no_event_tells_of(record, alice, sql):
    account = models.Account.objects.get()
    models.Workspace.objects.create(account=account, uid="found")
    models.Workstation.objects.create(account=account, uid="found", is_foreign=True)
    request = models.Request.objects.earliest("id")
    assert find() == []
    false = "0" if connection.vendor == "sqlite" else "false"
    tamper(sql.format(alice=alice.pk, request=request.pk, false=false))
    assert find()


def verify_all(capsys) -> str:
    with pytest.raises(CommandError) as raised:
        call_command("verify_audit")
    return f"{capsys.readouterr().out} / {raised.value} / {raised.value.returncode}"


CRASHES = {
    "row_id text": "UPDATE portal_change SET row_id = 'abc' WHERE event_id = {event}",
    "row_id bad text": "UPDATE portal_change SET row_id = CAST(x'ff' AS TEXT) WHERE event_id = {event}",
    "event_id text": "UPDATE portal_change SET event_id = 'abc' WHERE event_id = {event}",
    "event_id bad": "UPDATE portal_change SET event_id = CAST(x'ff' AS TEXT) WHERE event_id = {event}",
    "event_id blob": "UPDATE portal_change SET event_id = x'ff' WHERE event_id = {event}",
    "marks int": "UPDATE portal_seal SET marks = -1 WHERE number = 1",
    "marks huge": "UPDATE portal_seal SET marks = 99999999999999 WHERE number = 1",
    "marks real": "UPDATE portal_seal SET marks = 1.5 WHERE number = 1",
    "seal number text": "UPDATE portal_seal SET number = 'abc' WHERE number = 2",
    "seal first text": "UPDATE portal_seal SET first_id = 'abc', previous = '' WHERE number = 2",
    "seal last text": "UPDATE portal_seal SET last_id = 'abc' WHERE number = 1",
    "seal count text": "UPDATE portal_seal SET count = 'abc' WHERE number = 1",
    "seal key bad": "UPDATE portal_seal SET key_id = CAST(x'ff' AS TEXT) WHERE number = 1",
    "event at bad": "UPDATE portal_event SET at = CAST(x'ff' AS TEXT) WHERE id = {event}",
    "event at blob": "UPDATE portal_event SET at = x'ff' WHERE id = {event}",
    "event signature bad": "UPDATE portal_event SET signature = CAST(x'ff' AS TEXT) || ':00000000000000000000000000000000' WHERE id = {event}",
    "event signature null": "UPDATE portal_event SET signature = x'00' WHERE id = {event}",
    "event detail blob": "UPDATE portal_event SET detail = x'7b7d' WHERE id = {event}",
    "event detail deep": "UPDATE portal_event SET detail = {deep} WHERE id = {event}",
    "event detail deep2": "UPDATE portal_event SET detail = {deep2} WHERE id = {event}",
    "event detail nan": "UPDATE portal_event SET detail = 'NaN' WHERE id = {event}",
    "event detail digits": "UPDATE portal_event SET detail = {digits} WHERE id = {event}",
    "change columns deep": "UPDATE portal_change SET columns = {deep} WHERE event_id = {event}",
    "change columns list": "UPDATE portal_change SET columns = '[]' WHERE event_id = {event}",
    "group bad": "INSERT INTO auth_group (id, name) VALUES (99, CAST(x'ff' AS TEXT))",
    "group of person bad": "UPDATE auth_group SET name = CAST(x'ff' AS TEXT) WHERE name = 'Members'",
    "codename bad": "UPDATE auth_permission SET codename = CAST(x'ff' AS TEXT) || id",
    "request type bad": "UPDATE portal_request SET type = CAST(x'ff' AS TEXT)",
    "tombstone bad": "INSERT INTO portal_tombstone (made_at, kind, first_id, last_id, ids, counts) VALUES ('x', 'EVENTS', 'a', 'b', '[', 'x')",
    "tombstone list": "INSERT INTO portal_tombstone (made_at, kind, first_id, last_id, ids, counts) VALUES ('x', 'EVENTS', CAST(x'ff' AS TEXT), 'b', '[', 'x')",
    "row times": "UPDATE portal_request SET created_at = x'ff'",
}


@pytest.mark.skipif(ON_SQLITE, reason="SQLite's types")
@pytest.mark.parametrize("name", CRASHES)
def test_nothing_makes_verifying_fail(record, alice, capsys, name):
    event = models.Change.objects.filter(kind="request").earliest("event_id").event_id
    tamper("UPDATE portal_attempt SET worker = 'zz' WHERE id = (SELECT max(id) FROM portal_attempt)")
    connection.cursor().execute("PRAGMA ignore_check_constraints = 1")
    deep = "'" + "[" * 900 + "]" * 900 + "'"
    deep2 = "'" + "[" * 100000 + "]" * 100000 + "'"
    digits = "'" + "9" * 5000 + "'"
    try:
        tamper(CRASHES[name].format(event=event, deep=deep, deep2=deep2, digits=digits))
        said = verify_all(capsys)
        said.encode()
        assert "Attempt" in said, said
    finally:
        connection.cursor().execute("PRAGMA ignore_check_constraints = 0")


def test_many_unknown_keys_do_not_push_out_what_was_changed(record, capsys):
    last = record[-1].pk
    models.Event.objects.bulk_create(
        models.Event(pk=last + n, verb="x", target="x", signature=f"{n:08x}:" + "0" * 32) for n in range(1, 1100)
    )
    tamper("UPDATE portal_request SET type = 'max' WHERE id = %s", record[0].request_number)
    assert verify_all(capsys).endswith("/ 1")


def test_a_sealed_event_that_names_an_unknown_key_is_changed(record, capsys):
    tamper(
        "UPDATE portal_event SET actor_name = 'bob', signature = %s WHERE id = %s", "deadbeef:" + "0" * 32, record[4].pk
    )
    assert verify_all(capsys).endswith("/ 1")


def test_other_triggers_are_named(record):
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                "CREATE TRIGGER quiet BEFORE INSERT ON portal_event WHEN NEW.verb = 'export' BEGIN SELECT RAISE(IGNORE); END"
            )
        else:
            cursor.execute("CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$")
            cursor.execute(
                "CREATE TRIGGER quiet BEFORE INSERT ON portal_event FOR EACH ROW WHEN (NEW.verb = 'export') EXECUTE FUNCTION quiet()"
            )
    count = models.Event.objects.count()
    add_event("everything")
    assert models.Event.objects.count() == count
    assert protection.find_strangers()


@pytest.mark.skipif(ON_POSTGRES, reason="PostgreSQL's times")
def test_a_time_before_christ_is_another(record):
    tamper("UPDATE portal_event SET at = (at::text || ' BC')::timestamptz WHERE id = %s", record[3].pk)
    assert find()


def test_a_temporary_superuser_changes_nobody(record, alice, bob, sign_in):
    people.set_time_zone(person=alice, time_zone="Europe/Rome")
    tamper("UPDATE portal_user SET is_superuser = %s WHERE id = %s", True, alice.pk)
    browser = sign_in(alice)
    browser.post(
        reverse("admin:portal_user_change", args=[bob.pk]),
        {"username": "bob", "is_active": "on", "is_superuser": "on", "groups": [g.pk for g in bob.groups.all()]},
    )
    tamper("UPDATE portal_user SET is_superuser = %s WHERE id = %s", False, alice.pk)
    assert find() or not models.User.objects.get(username="bob").is_superuser


def test_pruning_keeps_what_did_not_fit(record, much_later, alice, seal):
    people.set_time_zone(person=alice, time_zone="Europe/Rome")
    tamper("UPDATE portal_user SET time_zone = 'UTC' WHERE id = %s", alice.pk)
    people.set_time_zone(person=models.User.objects.get(pk=alice.pk), time_zone="Europe/Paris")
    for n in range(12):
        add_event(f"x{n}")
    seal()
    assert find()
    prune(record, much_later)
    assert find()


def test_an_acknowledged_finding_does_not_hide_the_next(record, alice, monkeypatch):
    people.set_time_zone(person=alice, time_zone="Europe/Rome")
    tamper("UPDATE portal_user SET time_zone = 'UTC' WHERE id = %s", alice.pk)
    test_watch.check_hour_later(monkeypatch, 40)
    watch.acknowledge_finding(
        actor=models.User.objects.get(pk=alice.pk), finding=models.Finding.objects.get(), reason="x"
    )
    tamper("UPDATE portal_user SET is_superuser = %s WHERE id = %s", True, alice.pk)
    test_watch.check_hour_later(monkeypatch, 80)
    assert watch.count_open()


@pytest.mark.parametrize(
    "values",
    [
        {"phase": "nothing", "begun_at": "9999-01-01 00:00:00"},
        {"begun_at": "9999-01-01 00:00:00", "ended_at": "9999-01-01 00:00:00"},
    ],
)
def test_a_forged_check_does_not_end_checking(record, alice, monkeypatch, values):
    test_watch.check()
    for name, value in values.items():
        tamper(f"UPDATE portal_logcheck SET {name} = %s", value)
    tamper("UPDATE portal_request SET type = 'max'")
    test_watch.check_hour_later(monkeypatch, 80)
    assert watch.count_open()
