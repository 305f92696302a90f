"""Changes of people and groups are in the log, whoever makes them."""

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group

from portal import models
from portal.forms import accounts
from portal.services.people import membership
from tests import factories
from tests.audit.conftest import find

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


def test_whoever_changes_their_own_password_signs_in_with_it(cast, alice, sign_in, client):
    new = "another long passphrase"
    typed = {"old_password": factories.PASSWORD, "new_password1": new, "new_password2": new}
    assert sign_in(alice).post("/accounts/password/", typed).status_code == 302
    assert find() == []
    assert client.post("/accounts/login/", {"username": "alice", "password": new}).status_code == 302


def test_asking_for_the_password_does_not_store_it_hashed_anew(alice):
    """As Django would where its way of hashing has changed: no event would tell of that."""
    alice.password = make_password("a former password", salt="short")
    alice.save(update_fields=["password"])
    form = accounts.PasswordForm(alice, {"old_password": "a former password"})
    assert "old_password" not in form.errors
    assert models.User.objects.get(pk=alice.pk).password.split("$")[-2] == "short"
