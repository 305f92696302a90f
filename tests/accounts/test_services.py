"""Service accounts: administrators make them and their tokens, and nobody ever signs in with one."""

import re

import pytest
from allauth.core.exceptions import ImmediateHttpResponse
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from portal import models
from portal.accounts.adapters import AccountAdapter
from portal.services.people import invitations, links
from portal.services.tokens import tokens
from tests import factories
from tests.browser import Browser, read

pytestmark = pytest.mark.django_db
PASSWORD = "four words in a row"
WISH = {"name": "nightly", "scopes": ["read", "request"], "days": "30"}


@pytest.fixture(name="admin")
def _sign_in_root(root, sign_in) -> Browser:
    return sign_in(root)


@pytest.fixture
def service(admin) -> models.User:
    role = Group.objects.get(name="Members").pk
    wish = {"username": "nightly", "email": "nightly@example.org", "role": role, "is_service": "on"}
    assert admin.post("/people/new/", wish).url == "/people/"
    return models.User.objects.get(username="nightly")


def test_an_administrator_makes_one_with_a_role_and_no_link(service, admin):
    assert service.is_service
    assert service.has_perm("portal.submit_request")
    assert not service.has_usable_password()
    assert not models.SignInLink.objects.exists()
    event = factories.find_event("add-person")
    assert (event.actor_name, event.detail["after"]["is_service"]) == ("root", True)
    page = read(admin.get(f"/people/{service.pk}/"))
    assert "Service account" in page
    assert "Make a token" in page
    assert not [words for words in ("Sign-in link", "Sign out everywhere") if words in page]


def test_an_administrator_makes_and_ends_its_tokens(service, admin):
    page = read(admin.post(f"/people/{service.pk}/tokens/new/", WISH))
    [text] = re.findall("wsp_[0-9A-Za-z]+", page)
    token = tokens.find_token(text=text, address="")
    assert token is not None
    assert token.person == service
    event = factories.find_event("make-token")
    assert (event.actor_name, event.detail["person"]) == ("root", "nightly")
    admin.post(f"/people/{service.pk}/tokens/{token.pk}/end/")
    assert tokens.find_token(text=text, address="") is None


def test_nobody_makes_tokens_of_others(alice, service, admin, sign_in):
    assert admin.get(f"/people/{alice.pk}/tokens/new/").status_code == 404
    assert sign_in(alice).post(f"/people/{service.pk}/tokens/new/", WISH).status_code == 403
    invitations.set_active(actor=models.User.objects.get(username="root"), person=service, is_active=False)
    assert admin.post(f"/people/{service.pk}/tokens/new/", WISH).status_code == 404
    assert not models.Token.objects.exists()


def test_it_is_no_administrator(service, admin, root):
    wish = {"username": "second", "role": "administrator", "is_service": "on"}
    assert "be an administrator" in read(admin.post("/people/new/", wish))
    assert not models.User.objects.filter(username="second").exists()
    with pytest.raises(invitations.NotPossible):
        invitations.change_role(actor=root, person=service, group=None)


# --- No way in ---


@pytest.mark.parametrize("values", [{"password": make_password(PASSWORD)}, {"is_superuser": True}])
def test_the_database_refuses_what_would_let_it_in(service, values):
    with pytest.raises(IntegrityError), transaction.atomic():
        factories.update(service, **values)


def test_it_has_no_link_to_choose_a_password_and_one_that_is_there_all_the_same_is_not_valid(service, root, client):
    with pytest.raises(invitations.NotPossible):
        invitations.make_link(actor=root, person=service)
    with pytest.raises(CommandError, match="Nobody who may sign in"):
        call_command("sign_in_link", "nightly")
    for name in ("nightly", "nightly@example.org"):
        invitations.ask_for_link(name=name)
    assert models.User.objects.get(pk=service.pk).link_asked_at is None
    link = links.create_link(person=service, lifetime=invitations.LIFETIME)
    assert client.get(f"/join/{link.token}/").status_code == 404
    assert client.post(f"/join/{link.token}/", {"password": PASSWORD, "password_again": PASSWORD}).status_code == 404
    service.refresh_from_db()
    assert not service.has_usable_password()


def test_whatever_else_proves_who_it_is_no_session_begins(service, rf):
    """A password, a passkey, an issuer: each ends in this."""
    request = rf.get("/")
    request.user = service
    with pytest.raises(ImmediateHttpResponse):
        AccountAdapter().login(request, service)
    assert not models.Session.objects.filter(user=service).exists()
    assert not models.Event.objects.filter(verb="sign-in", actor_name="nightly").exists()
