"""Changes of people and groups are in the log whoever makes them, and whoever SQL has changed makes none."""

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied

from portal import models
from portal.forms import accounts
from portal.services.people import membership, people, sessions
from tests import factories
from tests.audit.changing import change_person, promote
from tests.audit.conftest import find, tamper

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("url", ["change", "delete"])
def test_a_group_is_renamed_or_deleted_by_an_administrator_who_is_in_it(cast, root, bob, sign_in, url):
    before = membership.describe(target=root)
    group = Group.objects.get(name="Members")
    root.groups.add(group)
    membership.record_change(actor=root, target=root, before=before)
    values = {"name": "Users", "permissions": [one.pk for one in group.permissions.all()], "post": "yes"}
    assert sign_in(root).post(f"/admin/auth/group/{group.pk}/{url}/", values).status_code == 302
    assert find() == []


def test_what_sql_once_changed_of_an_administrator_does_not_lock_them_out_for_ever(cast, root, bob):
    tamper("UPDATE portal_user SET time_zone = 'UTC' WHERE id = %s", root.pk)
    people.set_time_zone(person=root, time_zone="Europe/Rome")
    promote(root)
    assert ("row changed", f"person {root.pk}") in find()


def test_whoever_has_an_administrators_row_from_sql_changes_nobody(cast, root, bob):
    tamper("UPDATE portal_user SET password = 'mine' WHERE id = %s", root.pk)
    with pytest.raises(PermissionDenied):
        promote(models.User.objects.get(pk=root.pk))


def test_nobody_signs_in_with_a_password_that_sql_has_set(cast, alice, client):
    own = alice.password
    tamper("UPDATE portal_user SET password = %s WHERE id = %s", make_password("known to mallory"), alice.pk)
    typed = {"username": "alice", "password": "known to mallory"}
    response = client.post("/accounts/login/", typed)
    assert "outside the portal" in response.content.decode()
    assert models.Event.objects.filter(verb="sign-in-failed", target="user alice").exists()
    tamper("UPDATE portal_user SET password = %s WHERE id = %s", own, alice.pk)
    assert client.post("/accounts/login/", typed | {"password": factories.PASSWORD}).status_code == 302
    assert find() == []


def test_whoever_gets_a_password_by_a_command_signs_in_again(cast, alice, client):
    tamper("UPDATE portal_user SET password = %s WHERE id = %s", make_password("known to mallory"), alice.pk)
    person = models.User.objects.get(pk=alice.pk)
    sessions.set_password(person=person, password=factories.PASSWORD, system_user="root")
    assert client.post("/accounts/login/", {"username": "alice", "password": factories.PASSWORD}).status_code == 302


def test_whoever_changes_their_own_password_signs_in_with_it(cast, alice, sign_in, client):
    new = "another long passphrase"
    typed = {"old_password": factories.PASSWORD, "new_password1": new, "new_password2": new}
    assert sign_in(alice).post("/accounts/password/", typed).status_code == 302
    assert find() == []
    assert client.post("/accounts/login/", {"username": "alice", "password": new}).status_code == 302


def test_nobody_signs_in_whom_sql_has_made_active(cast, root, alice, client):
    change_person(root, models.User.objects.get(pk=alice.pk), is_active=False)
    tamper("UPDATE portal_user SET is_active = %s WHERE id = %s", True, alice.pk)
    response = client.post("/accounts/login/", {"username": "alice", "password": factories.PASSWORD})
    assert "outside the portal" in response.content.decode()


def test_asking_for_the_password_does_not_store_it_hashed_anew(alice):
    """As Django would where its way of hashing has changed: no event would tell of that."""
    alice.password = make_password("a former password", salt="short")
    alice.save(update_fields=["password"])
    form = accounts.PasswordForm(alice, {"old_password": "a former password"})
    assert "old_password" not in form.errors
    assert models.User.objects.get(pk=alice.pk).password.split("$")[-2] == "short"
