"""What somebody without the key did to the database of docs/audit-log.md: each must be named, or gain nothing."""

# ruff: noqa: E501  (SQL in one line)

import json

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.urls import reverse

from portal import agentstation, models
from portal.models.event import Verb
from portal.services import audit
from portal.services.audit import canonical, reading, report, verify
from portal.services.people import links, membership, people, setup
from portal.services.reconciliation import operator_actions
from portal.services.reports import readiness
from portal.services.requests import dispatch, results
from portal.services.retention.prune import prune_old
from tests import factories
from tests.audit.conftest import find, tamper

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
        " is_active, date_joined, time_zone, last_read_release)"
        " SELECT %s, password, %s, 'mallory', '', '', '', is_staff, is_active, date_joined, '', 0"
        " FROM portal_user LIMIT 1",
        pk,
        True,
    )


def test_a_superuser_with_a_low_id_is_found(record):
    membership.create_superuser(values={"username": "chief", "password": "x" * 20}, system_user="root")
    insert_person(-1)
    assert find()


def prune(record, much_later):
    lease = factories.acquire_lease(name="prune")
    much_later()
    for _ in range(9):
        prune_old(lease=lease)


def test_a_change_of_an_unknown_key_hides_no_row(record, cast, much_later, alice, seal):
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
    assert space.owner_id is not None
    tamper("UPDATE portal_workspace SET owner_id = NULL WHERE id = %s", space.pk)
    other = models.User.objects.exclude(pk=space.owner_id).filter(username__in=("alice", "bob")).get()
    answer_in(other, space.uid)
    space.refresh_from_db()
    assert space.owner_id == other.pk
    assert find()


def answer_in(person, uid):
    request = factories.submit(person, workspace_uid=uid)
    call = factories.claim()
    data: dict[str, object] = {
        "id": "w99",
        "type": request.type,
        "status": "active",
        "startedAt": "2026-11-25T08:00:00Z",
    }
    data |= {"workspace": {"id": uid, "status": "active", "createdAt": "2026-11-25T08:00:00Z"}}
    given = agentstation.Response(
        status=200, body=json.dumps(data).encode(), truncated=False, retry_after=None, error="", message=""
    )
    results.record_result(
        call=call,
        result=dispatch.Result(workstation=agentstation.Workstation.from_dict(data), failure=None, response=given),
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
        "INSERT INTO portal_signinlink (token_hash, valid_until) VALUES (%s, '2999-01-01 00:00:00.000001')",
        hashlib.sha256(b"mine").hexdigest(),
    )
    with pytest.raises(links.LinkNotValid):
        setup.check_setup_link(token="mine")


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE portal_workspace SET owner_id = {alice} WHERE uid = 'found'",
        "UPDATE portal_workstation SET request_id = NULL, made_for_id = {request}, is_foreign = {false} WHERE uid = "
        "'found'",
        "INSERT INTO portal_workspace (account_id, uid, raw, status, name, is_contested, owner_id, first_seen_at) SELECT "
        "account_id, 'more', '', '', '', is_contested, {alice}, first_seen_at FROM portal_workspace LIMIT 1",
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


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE portal_credential SET fingerprint = '0123456789abcdef'",
        "UPDATE portal_credential SET base_url = 'https://mallory.example/v1'",
        "INSERT INTO portal_credential (account_id, fingerprint, base_url, is_sandbox, asked_at, accepted_at, "
        "seen_on) SELECT account_id, '0123456789abcdef', base_url, is_sandbox, asked_at, accepted_at, '' FROM "
        "portal_credential",
        "INSERT INTO portal_credential (account_id, fingerprint, base_url, is_sandbox, asked_at, seen_on) SELECT "
        "account_id, '0123456789abcdef', base_url, is_sandbox, asked_at, '' FROM portal_credential",
    ],
)
def test_a_credential_that_no_event_has_accepted_is_found(record, sql):
    tamper(sql)
    ((kind, what),) = find()
    assert what == f"credential {models.Credential.objects.latest('id').pk}"
    assert kind == ("row changed" if sql.startswith("UPDATE") else "row inserted")


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
    tamper("UPDATE portal_request SET type = 'max' WHERE id = %s", record[1].request_number)
    assert verify_all(capsys).endswith("/ 1")


def test_a_sealed_event_that_names_an_unknown_key_is_changed(record, capsys):
    tamper(
        "UPDATE portal_event SET actor_name = 'bob', signature = %s WHERE id = %s", "deadbeef:" + "0" * 32, record[4].pk
    )
    assert verify_all(capsys).endswith("/ 1")


@pytest.mark.skipif(ON_POSTGRES, reason="PostgreSQL's times")
def test_a_time_before_christ_is_another(record):
    tamper("UPDATE portal_event SET at = (at::text || ' BC')::timestamptz WHERE id = %s", record[3].pk)
    assert find()


@pytest.mark.skipif(ON_POSTGRES, reason="PostgreSQL's times")
@pytest.mark.parametrize(("table", "column"), [("request", "cancel_requested_at"), ("account", "retired_at")])
def test_the_end_of_time_is_not_no_time(record, table, column):
    tamper(f"UPDATE portal_{table} SET {column} = 'infinity' WHERE {column} IS NULL")
    assert find()


@pytest.mark.skipif(ON_SQLITE, reason="SQLite's types")
def test_the_bytes_of_a_time_are_not_the_time(record):
    def read() -> object:
        [row] = canonical.read_rows(form=canonical.EVENT, where="id = %s", values=[record[3].pk], limit=1)
        return row[1]

    tamper("UPDATE portal_event SET at = '2026-01-01 00:00:00' WHERE id = %s", record[3].pk)
    assert read() == "2026-01-01 00:00:00.000000"
    tamper("UPDATE portal_event SET at = cast(at AS blob) WHERE id = %s", record[3].pk)
    assert read() == b"2026-01-01 00:00:00"


def take_primary_key(table: str) -> None:
    """Let the table take rows without a number, and several with one."""
    sqlite = [f"ALTER TABLE {table} RENAME TO former", f"CREATE TABLE {table} AS SELECT * FROM former"]
    postgresql = [
        "SET CONSTRAINTS ALL IMMEDIATE",
        f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey CASCADE",
        f"ALTER TABLE {table} ALTER id DROP IDENTITY",
        f"ALTER TABLE {table} ALTER id DROP NOT NULL",
        f"ALTER TABLE {table} ADD COLUMN other serial PRIMARY KEY",
    ]
    with connection.cursor() as cursor:
        for sql in sqlite if connection.vendor == "sqlite" else postgresql:
            cursor.execute(sql)


def list_words() -> list[str]:
    return [finding.words for finding in verify.verify_log().findings]


def test_a_row_without_a_number_is_found(record):
    take_primary_key("portal_workspace")
    copy_row("portal_workspace", id=None, uid="mine", other=10_000)
    assert "holds a row (workspace) without a number." in list_words()


def test_a_second_row_with_one_number_is_found(record):
    take_primary_key("portal_workspace")
    newest = models.Workspace.objects.latest("id").pk
    copy_row("portal_workspace", id=newest, uid="mine", other=10_000)
    assert "holds several rows (workspace) with one number." in list_words()


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


def remove_without_trace(event: models.Event) -> None:
    """An event and all seals since: a worker seals anew what is left."""
    first = models.Seal.objects.filter(last_id__gte=event.pk).earliest("number").number
    tamper("DELETE FROM portal_seal WHERE number >= %s", first)
    tamper("DELETE FROM portal_event WHERE id = %s", event.pk)


def test_a_worker_does_not_seal_anew_what_it_has_sealed_and_says_so(record, seal, caplog):
    victim = add_event("everything")
    seal()
    number = models.Seal.objects.latest("number").pk
    remove_without_trace(victim)
    add_event("other")
    assert seal() == 0
    assert f"Seal {number}" in caplog.text


def test_a_worker_seals_on_in_a_database_that_was_put_back(record, seal):
    add_event("everything")
    newest = models.Seal.objects.latest("number").pk
    assert seal() == 1
    tamper("DELETE FROM portal_seal WHERE number > %s", newest)
    assert seal() == 0
    with transaction.atomic():
        audit.record(Verb.DATABASE_CHANGED, "the database")
    assert seal() == 2
    assert find() == []


LOWEST = -(2**63)


def copy_row(table: str, **values: object) -> None:
    """One of its rows once more, with other values."""
    with connection.cursor() as cursor:
        columns = [one.name for one in connection.introspection.get_table_description(cursor, table)]
    chosen = ", ".join("%s" if name in values else f'"{name}"' for name in columns)
    names = ", ".join(f'"{name}"' for name in columns)
    given = [values[name] for name in columns if name in values]
    tamper(f"INSERT INTO {table} ({names}) SELECT {chosen} FROM {table} LIMIT 1", *given)


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("portal_user", {"id": LOWEST, "username": "mallory", "is_superuser": True}),
        ("portal_request", {"id": LOWEST, "submission": "0" * 32}),
        ("portal_workspace", {"id": LOWEST, "uid": "mine"}),
        ("portal_event", {"id": LOWEST}),
        ("portal_seal", {"number": LOWEST}),
        ("portal_change", {"event_id": LOWEST}),
    ],
)
def test_a_row_with_the_lowest_of_all_numbers_is_found(record, table, values):
    copy_row(table, **values)
    assert find()


@pytest.mark.skipif(ON_SQLITE, reason="SQLite's file")
def test_an_index_that_hides_rows_is_found(record, capsys):
    """It then hides what events tell of workspaces from who looks for that by the index."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE INDEX evil ON portal_change (kind, row_id, as_of) WHERE kind <> 'workspace'")
        cursor.execute("PRAGMA writable_schema = ON")
        cursor.execute(
            "UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master WHERE name = 'evil') WHERE name "
            "= 'change_by_row'"
        )
        cursor.execute("DELETE FROM sqlite_master WHERE name = 'evil'")
        cursor.execute("PRAGMA writable_schema = RESET")
    tamper("UPDATE portal_workspace SET owner_id = NULL")
    assert "change_by_row" in verify_all(capsys)


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ("portal_notice", {"kind": "x", "example": "", "numbers": "[]"}),
        (
            "portal_workstationtype",
            {"name": "x", "description": "", "hardware": "[]", "software": "[]", "ai_models": "[]", "raw": ""},
        ),
    ],
)
def test_a_notice_or_a_type_that_no_event_tells_of_is_found(record, table, values):
    account = models.Account.objects.get()
    at = record[0].at
    values |= {"first_at": at} if table == "portal_notice" else {"account_id": account.pk, "listed_at": at}
    names = ", ".join(values)
    tamper(f"INSERT INTO {table} ({names}) VALUES ({', '.join(['%s'] * len(values))})", *values.values())
    assert find()


def test_a_superuser_who_came_after_pruning_is_found(record, cast, much_later, alice, seal):
    seal()
    prune(record, much_later)
    assert not models.Change.objects.filter(kind="person", act="ADDED").exists()
    assert find() == []
    insert_person(alice.pk + 1000)
    assert ("row inserted", f"person {alice.pk + 1000}") in find()


def test_groups_that_no_event_tells_of_are_no_strangers_after_pruning(record, cast, much_later, seal):
    first = Group.objects.earliest("id")
    with transaction.atomic():
        before = membership.describe_groups()
        first.permissions.remove(*first.permissions.all()[:1])
        membership.record_migration(before=before)
    seal()
    prune(record, much_later)
    assert models.Change.objects.filter(kind="group", act="KEPT", row_id=first.pk).exists()
    assert not [words for words in find() if words[0] == "row inserted"]


def test_a_forged_change_does_not_let_the_next_event_tell_less(record, olga):
    """It tells of all columns, where none before has."""
    orphan = models.Workstation.objects.create(account=models.Account.objects.get(), uid="w9", type="python")
    number = models.Event.objects.earliest("id").pk
    models.Change.objects.create(
        event_id=number, position=99, kind="workstation", row_id=orphan.pk, act="CHANGED", as_of=1, signature="x"
    )
    operator_actions.release_orphan(actor=olga, workstation=orphan, reason="It is so.")
    told = models.Change.objects.filter(kind="workstation", row_id=orphan.pk).latest("event_id")
    assert "request_id" in told.columns


def test_many_forged_events_hide_no_row(record, monkeypatch):
    monkeypatch.setattr(report, "MOST_KEPT", 3)
    for number in range(-9, -4):
        copy_row("portal_event", id=number)
    tamper("UPDATE portal_request SET type = 'max' WHERE id = %s", record[1].request_number)
    assert ("row changed", f"request R-{record[1].request_number}") in find()


def test_a_check_that_goes_on_after_a_seal_that_is_gone_says_so(record):
    found = report.Report()
    numbers = list(models.Seal.objects.order_by("number").values_list("number", flat=True))
    tamper("DELETE FROM portal_seal WHERE number = %s", numbers[1])
    verify.verify_seals(report=found, after=numbers[1], most=10)
    assert ("seal", f"seal {numbers[1]}") in [(one.kind, one.what) for one in found.findings]


def test_an_event_that_is_pruned_while_it_is_read_is_not_taken_for_changed(record, much_later, seal, monkeypatch):
    for number in range(12):
        add_event(f"x{number}")
    seal()
    read_changes, pruned = reading._read_changes, list[bool]()

    def prune_first(**ends: int) -> object:
        if not pruned:
            pruned.append(True)
            prune(record, much_later)
        return read_changes(**ends)

    monkeypatch.setattr(reading, "_read_changes", prune_first)
    assert find() == []
    assert models.Tombstone.objects.exists()


def test_where_nothing_is_sealed_any_more_it_is_told(record, settings):
    settings.PORTAL_JOB_INTERVAL = -1  # any event that waits has waited long
    assert not any("seal" in words for words in readiness.find_warnings())
    add_event("everything")
    assert any("seal" in words for words in readiness.find_warnings())
