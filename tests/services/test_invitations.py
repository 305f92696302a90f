"""People whom an administrator adds: each chooses a password by a link that works once."""

from datetime import timedelta
from typing import ClassVar

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.models import F

from portal import models
from portal.services.audit import verify
from portal.services.people import invitations, links, membership
from tests import factories
from tests.audit.conftest import find, tamper

pytestmark = pytest.mark.django_db

NEW = "four words in a row"


@pytest.fixture(name="cast")
def _tell_of_everybody(root, alice) -> None:
    """The log has them, as it has whoever the portal has added."""
    membership.record_set_up(person=root)
    membership.record_addition(actor=root, target=alice)


def list_events() -> list[tuple[str, str, str]]:
    rows = models.Event.objects.filter(verb__in=["add-person", "change-person", "make-link", "use-link"])
    return list(rows.order_by("pk").values_list("verb", "actor_name", "target"))


def make_link(actor: models.User, person: models.User) -> str:
    return invitations.make_link(actor=actor, person=person).token


def assert_not_valid(token: str) -> None:
    with pytest.raises(links.LinkNotValid):
        invitations.find_invited(token=token)


@pytest.mark.parametrize(
    ("group", "groups"), [("Members", ["Members"]), ("Auditors", ["Auditors"]), ("", ["Members", "Operators"])]
)
def test_somebody_is_added_without_a_password_and_chooses_one(cast, root, group, groups):
    invitation = factories.add_person(root, group=group)
    carol = models.User.objects.get(username="carol")
    assert not carol.has_usable_password()
    assert carol.is_superuser == (group == "")
    assert sorted(carol.groups.values_list("name", flat=True)) == groups
    assert carol.sign_in_link.valid_until == invitation.valid_until

    assert invitations.use_link(token=invitation.token, password=NEW) == carol
    carol.refresh_from_db()
    assert carol.check_password(NEW)
    assert list_events()[1:] == [
        ("add-person", "root", "user carol"),
        ("make-link", "root", "user carol"),
        ("use-link", "carol", "user carol"),
    ]
    assert verify.verify_log(rows=True).findings == []


def test_a_link_works_once_and_a_newer_one_replaces_it(cast, root, alice):
    first, second = make_link(root, alice), make_link(root, alice)
    with pytest.raises(links.LinkNotValid):
        invitations.use_link(token=first, password=NEW)
    invitations.use_link(token=second, password=NEW)
    with pytest.raises(links.LinkNotValid):
        invitations.use_link(token=second, password="another long passphrase")
    assert factories.reread(alice).check_password(NEW)


@pytest.mark.parametrize(("name", "minutes"), [("carol", 72 * 60), ("alice", 60)])
def test_a_link_is_valid_for_three_days_and_an_hour_where_there_is_a_password(cast, root, name, minutes):
    factories.add_person(root, "carol")
    person = models.User.objects.get(username=name)
    token = make_link(root, person)
    models.SignInLink.objects.update(valid_until=F("valid_until") - timedelta(minutes=minutes - 1))
    assert invitations.find_invited(token=token) == person
    models.SignInLink.objects.update(valid_until=F("valid_until") - timedelta(minutes=2))
    assert_not_valid(token)


def test_the_links_of_the_first_administrator_and_of_people_are_no_others(cast, root, alice):
    token = make_link(root, alice)
    factories.update(root, is_active=False)
    with pytest.raises(links.LinkNotValid):
        links.check_setup_link(token=token)
    first = factories.create_setup_link()
    assert_not_valid(first)
    assert models.SignInLink.objects.count() == 2
    assert invitations.find_invited(token=token) == alice


def test_a_link_ends_with_the_password_and_the_account(cast, root, alice, sign_in):
    token = make_link(root, alice)
    typed = {"old_password": factories.PASSWORD, "new_password1": NEW, "new_password2": NEW}
    assert sign_in(alice).post("/accounts/password/", typed).status_code == 302
    assert_not_valid(token)

    token = make_link(root, alice)
    invitations.set_active(actor=root, person=alice, is_active=False)
    with pytest.raises(invitations.NotPossible, match="Activate it first"):
        make_link(root, alice)
    invitations.set_active(actor=root, person=alice, is_active=True)
    assert_not_valid(token)


def test_what_is_open_elsewhere_ends_when_a_link_is_used_and_not_before(cast, root, alice, sign_in):
    browser = sign_in(alice)
    token = make_link(root, alice)
    assert browser.get("/").status_code == 200
    invitations.use_link(token=token, password=NEW)
    assert browser.get("/").status_code == 302


def test_somebody_who_is_no_administrator_any_more_lets_nobody_in(cast, root, alice):
    carol = factories.add_person(root, group="").person
    invitations.set_active(actor=root, person=carol, is_active=False)
    with pytest.raises(PermissionDenied):
        make_link(carol, alice)
    with pytest.raises(PermissionDenied):
        invitations.set_active(actor=carol, person=root, is_active=False)


def test_a_password_that_sql_has_set_is_set_right_by_a_link(cast, root, alice, client):
    tamper("UPDATE portal_user SET password = 'mine' WHERE id = %s", alice.pk)
    invitations.use_link(token=make_link(root, alice), password=NEW)
    assert client.post("/accounts/login/", {"username": "alice", "password": NEW}).status_code == 302
    assert find() == [("row changed", f"person {alice.pk}")]


@pytest.mark.parametrize("token", ["", "0.", "1.", "x", "1.x\x00", "é.🦆", "999999999999999999999999.x"])
def test_what_is_no_token_is_refused(cast, token):
    assert_not_valid(token)


def test_sql_gives_no_link_to_somebody_else(root, alice):
    token = make_link(root, alice)
    for person in (root.pk, None):
        tamper("UPDATE portal_signinlink SET person_id = %s", person)
        assert_not_valid(token)


# --- The link for the first administrator ---


def test_only_the_newest_link_is_valid_and_for_an_hour_and_its_token_kept_as_a_hash():
    first, second = factories.create_setup_link(), factories.create_setup_link()
    assert second not in str(models.SignInLink.objects.values_list())
    with pytest.raises(links.LinkNotValid):
        links.check_setup_link(token=first)
    links.check_setup_link(token=second)
    models.SignInLink.objects.update(valid_until=F("valid_until") - links.SETUP_LIFETIME)
    with pytest.raises(links.LinkNotValid):
        links.check_setup_link(token=second)


class Watching(MD5PasswordHasher):
    """Passwords take long to be hashed, so nothing may be locked meanwhile."""

    held: ClassVar[list[int]] = []

    def encode(self, password: str, salt: str) -> str:
        self.held.append(len(connection.savepoint_ids))
        return super().encode(password, salt)


def test_passwords_are_hashed_before_anything_is_locked(root, alice, settings):
    token = make_link(root, alice)
    settings.PASSWORD_HASHERS = [f"{__name__}.Watching"]
    invitations.use_link(token=token, password=NEW)
    models.User.objects.update(is_superuser=False)
    links.create_administrator(token=factories.create_setup_link(), username="ada", password=NEW)
    assert Watching.held == [0, 0]


def test_a_link_makes_one_administrator(django_user_model):
    token = factories.create_setup_link()
    user = links.create_administrator(token=token, username="root", password="correct horse battery")

    assert user.is_superuser
    assert models.Event.objects.exclude(verb="first-key").get().verb == "set-up"
    with pytest.raises(links.LinkNotValid):
        links.create_administrator(token=token, username="again", password="correct horse battery")
    assert links.create_setup_link() is None
    assert django_user_model.objects.count() == 1
