"""Who came, who was turned away and who left is in the audit log."""

import pytest

from portal import models
from tests import factories

pytestmark = pytest.mark.django_db


def read_events() -> list[tuple[str, str, str, str]]:
    rows = models.Event.objects.exclude(verb="first-key").order_by("pk")
    return list(rows.values_list("verb", "actor_name", "target", "address"))


def sign_in(client, username: str, password: str = factories.PASSWORD):
    return client.post("/accounts/login/", {"username": username, "password": password}, REMOTE_ADDR="203.0.113.9")


def test_signing_in_and_out_is_recorded(client, alice):
    assert sign_in(client, "alice").status_code == 302
    assert client.get("/accounts/logout/").url == "/"
    assert "You are signed out." in client.post("/accounts/logout/", follow=True).content.decode()
    assert read_events() == [
        ("sign-in", "alice", "user alice", "203.0.113.9"),
        ("sign-out", "alice", "user alice", "127.0.0.1"),
    ]


def test_who_is_turned_away_is_recorded_and_a_name_that_nobody_has_is_not_kept(client, alice):
    models.User.objects.filter(pk=alice.pk).update(is_active=False)
    for username, password in (("alice", "wrong"), ("alice", factories.PASSWORD), (factories.PASSWORD, "alice")):
        assert sign_in(client, username, password).status_code == 200
    assert sign_in(client, "", "").status_code == 200
    assert read_events() == [
        ("sign-in-failed", "", "user alice", "203.0.113.9"),
        ("sign-in-failed", "", "user alice", "203.0.113.9"),
        ("sign-in-failed", "", "a name that nobody has", "203.0.113.9"),
    ]


def test_a_changed_password_is_recorded_and_one_that_stays_is_not(client, alice):
    client.force_login(alice)
    new = "another long passphrase"
    for former in ("wrong", factories.PASSWORD):
        data = {"old_password": former, "new_password1": new, "new_password2": new}
        client.post("/accounts/password/", data)
    assert read_events() == [
        ("sign-in-failed", "", "user alice", "127.0.0.1"),
        ("change-password", "alice", "user alice", "127.0.0.1"),
    ]
