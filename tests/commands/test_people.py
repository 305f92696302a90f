"""What commands do about people is in the audit log, as what pages do is."""

import getpass

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

from portal import models
from portal.services import audit
from portal.services.tokens import tokens
from tests import factories
from tests.audit.conftest import find, tamper

pytestmark = pytest.mark.django_db

NEW = "another long passphrase"


@pytest.fixture
def type_passwords(monkeypatch):
    def type_passwords(*passwords: str) -> None:
        typed = iter(passwords)
        monkeypatch.setattr(getpass, "getpass", lambda *args, **values: next(typed))

    return type_passwords


def test_a_superuser_who_is_made_by_the_command_is_recorded(monkeypatch, capsys):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", NEW)
    call_command("createsuperuser", "--noinput", username="root", email="root@example.com")
    assert "created" in capsys.readouterr().out
    person = models.User.objects.get(username="root")
    assert person.is_superuser
    assert person.check_password(NEW)
    event = models.Event.objects.get()
    assert (event.verb, event.target, event.actor_name) == ("add-person", "user root", "")
    assert event.detail["command"] == "createsuperuser"
    assert event.detail["system_user"] == getpass.getuser()
    assert event.detail["after"]["is_superuser"] is True
    assert event.detail["after"]["password"] == "not shown"
    assert find() == []
    tamper("UPDATE portal_user SET email = 'mallory@example.com' WHERE id = %s", person.pk)
    assert find() == [("row changed", f"person {person.pk}")]


def test_a_superuser_whose_name_is_taken_is_refused_and_not_recorded(alice):
    with pytest.raises(CommandError, match="already taken"):
        call_command("createsuperuser", "--noinput", username="alice", email="")
    assert not models.Event.objects.exists()


def test_a_superuser_without_an_event_is_not_made(monkeypatch):
    """Both are in one transaction."""

    def fail(*names, **values):
        raise RuntimeError("the audit log is full")

    monkeypatch.setattr(audit, "record", fail)
    with pytest.raises(RuntimeError):
        call_command("createsuperuser", "--noinput", username="root", email="root@example.com")
    assert not models.User.objects.exists()


def test_a_password_that_is_changed_by_the_command_is_recorded(alice, type_passwords):
    type_passwords(NEW, "differs", "short", "short", NEW, NEW)
    call_command("changepassword", "alice")
    alice.refresh_from_db()
    assert alice.check_password(NEW)
    event = models.Event.objects.get()
    assert (event.verb, event.target, event.actor_name) == ("change-password", "user alice", "")
    assert event.detail == {"command": "changepassword", "system_user": getpass.getuser()}


def test_a_password_that_stays_is_not_recorded(alice, type_passwords):
    type_passwords(*["short"] * 6)
    with pytest.raises(CommandError, match="stays as it was"):
        call_command("changepassword", "alice")
    with pytest.raises(CommandError, match="Nobody has the name"):
        call_command("changepassword", "nobody")
    alice.refresh_from_db()
    assert alice.check_password(factories.PASSWORD)
    assert not models.Event.objects.exists()


def test_what_a_migration_changes_about_a_group_is_recorded(root, sign_in, monkeypatch):
    auditors = Group.objects.get(name="Auditors")
    kept = list(auditors.permissions.values_list("pk", flat=True))
    sign_in(root).post(f"/admin/auth/group/{auditors.pk}/change/", {"name": "Auditors", "permissions": kept[1:]})
    assert find() == []

    def migrate(command, **options):
        auditors.permissions.add(kept[0])

    monkeypatch.setattr("django.core.management.commands.migrate.Command.handle", migrate)
    call_command("migrate", verbosity=0)

    event = models.Event.objects.latest("id")
    assert (event.verb, event.target, event.actor_name) == ("change-group", "group Auditors", "")
    assert len(event.detail["after"]["permissions"]) == len(event.detail["before"]["permissions"]) + 1
    assert find() == []


def test_migrating_without_a_change_of_groups_is_no_event():
    call_command("migrate", verbosity=0)
    assert not models.Event.objects.exists()


# --- Tokens ---


def test_a_token_is_printed_and_an_event_says_who_called(alice, capsys):
    call_command("create_token", "alice", scopes="read, request", days=3, name="ci", addresses="127.0.0.1,10.0.0.0/8")
    token = tokens.find_token(text=capsys.readouterr().out.strip(), address="127.0.0.1")
    assert token is not None
    assert (token.person, token.name, token.scopes) == (alice, "ci", "read request")
    assert token.addresses == "127.0.0.1/32 10.0.0.0/8"
    assert token.ends_at
    event = factories.find_event("make-token")
    assert (event.actor_name, event.detail["command"]) == ("", "create_token")
    assert event.detail["system_user"]


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("nobody", {"scopes": "read"}, "Nobody who may sign in"),
        ("alice", {"scopes": "read,write"}, "'write' is no scope"),
        ("alice", {"scopes": ""}, "'' is no scope"),
        ("alice", {"scopes": "read", "addresses": "here"}, "Type addresses or networks"),
    ],
)
def test_a_wrong_token_is_refused(alice, name, options, words):
    with pytest.raises(CommandError, match=words):
        call_command("create_token", name, **options)
    assert not models.Token.objects.exists()
