"""Two roles on PostgreSQL: one owns the tables, the portal's own cannot get round the audit log."""

from collections.abc import Iterator

import psycopg
import pytest
from django.contrib.auth.models import Group
from django.core import checks
from django.core.management import CommandError, call_command
from django.db import connection
from psycopg import sql

from portal import checks as portal_checks
from portal import models
from portal.db import places
from portal.services.audit import protection, seals, verify
from portal.services.people import membership
from tests import factories, roles
from tests.audit.conftest import count_rows, end_workstations, find, prune_all, respond

on_postgresql = pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has no roles")
pytestmark = [pytest.mark.django_db(transaction=True), on_postgresql]


@pytest.fixture
def role(transactional_db, capsys) -> Iterator[str]:
    with roles.a_role() as name:
        roles.grant(name, capsys)
        yield name


@pytest.fixture
def as_role(role, alice, olga, root) -> Iterator[str]:
    """From here on the portal is the role. People are there already."""
    with roles.working_as(role):
        yield role


# --- What it can do ---


def test_pages_serve_and_change_what_they_may(sandbox, as_role, alice, olga, root, sign_in, client):
    for person, paths in {
        alice: ["/", "/requests/", "/requests/?q=python", "/workstations/", "/usage/", "/key/"],
        root: ["/admin/", "/admin/portal/event/", "/admin/portal/seal/", "/admin/portal/user/"],
    }.items():
        for path in paths:
            assert sign_in(person).get(path).status_code == 200, path
    form = {"username": "alice", "password": factories.PASSWORD}
    assert client.post("/accounts/login/", form).status_code == 302
    assert client.post("/accounts/logout/").status_code == 302
    membership.record_set_up(person=root)  # whom the log must know before the second event
    added = {"username": "carol", "role": Group.objects.get(name="Members").pk}
    assert "/join/" in sign_in(root).post("/people/new/", added).text
    carol = models.User.objects.get(username="carol")
    assert sign_in(root).post(f"/people/{carol.pk}/details/", {"name": "Carol"}).status_code == 302
    assert client.get("/readyz").json()["reasons"] == ["No worker has been seen lately: run `manage.py work`."]
    # The cast of the tests is there without an event; whoever the pages added is not named.
    assert set(find()) == {("row inserted", f"person {person.pk}") for person in (alice, olga)}


def test_the_record_is_sealed_pruned_and_verified(as_role, record, seal, grow_old):
    """The sealer's lock on the events among it, and the triggers, which are the owner's."""
    assert protection.find_faults() == []
    end_workstations()
    grow_old()
    assert prune_all()
    assert count_rows()["Request"] == 0
    seal()
    assert find() == []
    assert verify.verify_log().pruned


def test_a_backup_is_put_back(sandbox, as_role, alice):
    portal_request = factories.submit(alice)
    first = models.Event.objects.latest("id").pk
    call_command("restore", verbosity=0)
    portal_request.refresh_from_db()
    assert portal_request.status == "UNKNOWN"
    assert factories.submit(alice).pk == portal_request.pk + 1001
    assert models.Event.objects.filter(id__gt=first).earliest("id").pk == first + 1001


def test_the_database_has_the_same_name_for_both(transactional_db, role):
    """Else the change from one role to two would look like a database that was moved."""
    places.choose_sql.cache_clear()
    owner = places.read_place()
    with roles.working_as(role):
        assert places.read_place() == owner


# --- What it cannot do ---

REFUSED = [
    "TRUNCATE portal_session",
    "ALTER TABLE portal_event DISABLE TRIGGER portal_keep_event_update",
    "ALTER TABLE portal_event ENABLE REPLICA TRIGGER portal_keep_event_update",
    "ALTER TABLE portal_event OWNER TO CURRENT_USER",
    "DROP TRIGGER portal_keep_event_update ON portal_event",
    "CREATE TRIGGER zzz BEFORE UPDATE ON portal_attempt FOR EACH ROW EXECUTE FUNCTION portal_keep_attempt_update()",
    "CREATE OR REPLACE FUNCTION portal_keep_event_update() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "DROP FUNCTION portal_keep_event_update() CASCADE",
    "CREATE RULE r AS ON INSERT TO portal_event DO INSTEAD NOTHING",
    "CREATE TABLE mine (id int)",
    "CREATE TEMPORARY TABLE portal_tombstone (id int)",
    "CREATE SCHEMA mine",
    "UPDATE portal_event SET verb = 'x'",
    "UPDATE portal_seal SET digest = 'x'",
    "UPDATE portal_tombstone SET kind = 'x'",
    "UPDATE portal_lateresponse SET message = 'x'",
    "UPDATE portal_restore SET lost_since = now()",
    "DELETE FROM portal_tombstone",
    "DELETE FROM portal_restore",
    "DELETE FROM portal_user",
    "DELETE FROM django_migrations",
    "INSERT INTO django_migrations (app, name, applied) VALUES ('portal', '9999', now())",
    "INSERT INTO auth_permission (name, content_type_id, codename) VALUES ('x', 1, 'x')",
    "SELECT setval(pg_get_serial_sequence('portal_event', 'id'), 1)",
    "SET session_replication_role = replica",
    "COPY portal_session TO PROGRAM 'true'",
]


def test_what_gets_round_the_record_is_refused(role):
    with roles.connect(user=role, password="test") as opened:
        assert [statement for statement in REFUSED if not is_refused(opened, statement)] == []
    assert protection.find_faults() == []


def is_refused(opened: psycopg.Connection, statement: str) -> bool:
    """For want of a right, not by a trigger or for another reason."""
    try:
        opened.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return True
    return False


def test_what_is_granted_the_triggers_still_hold(role, alice):
    respond(factories.submit(alice), uid="w1")
    factories.acquire_lease(name="seal").run(seals.seal_events)
    with roles.connect(user=role, password="test") as opened:
        for statement in (
            *(f"DELETE FROM portal_{table}" for table in ("event", "seal", "request")),
            "UPDATE portal_request SET note = 'x'",
            "UPDATE portal_attempt SET message = 'x'",
        ):
            with pytest.raises(psycopg.IntegrityError, match="the audit log is append-only"):
                opened.execute(statement)


# --- What is granted ---


def test_once_more_takes_what_was_given_meanwhile(role, capsys):
    for grant in ("GRANT ALL ON portal_event, portal_seal TO {}", "GRANT UPDATE (verb) ON portal_event TO {}"):
        roles.run(sql.SQL(grant).format(sql.Identifier(role)))
    roles.grant(role, capsys)
    with roles.connect(user=role, password="test") as opened:
        for statement in ("UPDATE portal_event SET verb = 'x'", "TRUNCATE portal_seal"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                opened.execute(statement)


def test_a_role_that_nothing_binds_is_refused_and_any_before_the_tables_are_there(role, monkeypatch):
    own = connection.settings_dict["USER"]
    for name, words in ((own, "nothing can be kept from it"), ("no_such_role", "There is no role")):
        with pytest.raises(CommandError, match=words):
            call_command("grants", name)
    roles.run(sql.SQL("GRANT {} TO {}").format(sql.Identifier(own), sql.Identifier(role)))
    with pytest.raises(CommandError, match="belongs to a role that does"):
        call_command("grants", role)
    monkeypatch.setattr(connection.introspection, "table_names", lambda: ["portal_event"])
    with pytest.raises(CommandError, match="is not there yet: run"):
        call_command("grants", role)


# --- What `check --deploy` says ---


def test_whoever_may_change_triggers_is_a_warning_unless_nobody_can_tell(role, monkeypatch):
    assert [warning.id for warning in portal_checks.check_role(None)] == ["portal.W004"]
    with roles.working_as(role):
        assert [warning.id for warning in portal_checks.check_role(None)] == []
    roles.run(sql.SQL("GRANT TRIGGER ON portal_attempt TO {}").format(sql.Identifier(role)))
    with roles.working_as(role):
        assert [warning.id for warning in portal_checks.check_role(None)] == ["portal.W004"]
    with monkeypatch.context() as patch:
        patch.setitem(connection.settings_dict, "USER", "no_such_role")
        (message,) = portal_checks.check_role(None)
    assert (message.id, message.level) == ("portal.I001", checks.INFO)
