"""The link for the first administrator."""

import pytest
from django.db.models import F

from portal import models
from portal.services.people import links, setup
from tests import factories

pytestmark = pytest.mark.django_db


def test_the_token_is_kept_only_as_a_hash():
    token = factories.create_setup_link()
    assert token not in str(models.SignInLink.objects.values_list())


def test_only_the_newest_link_is_valid():
    first, second = factories.create_setup_link(), factories.create_setup_link()
    with pytest.raises(links.LinkNotValid):
        setup.check_setup_link(token=first)
    setup.check_setup_link(token=second)


def test_a_link_is_valid_for_an_hour():
    token = factories.create_setup_link()
    models.SignInLink.objects.update(valid_until=F("valid_until") - setup.LIFETIME)
    with pytest.raises(links.LinkNotValid):
        setup.check_setup_link(token=token)


def test_a_link_makes_one_administrator(django_user_model):
    token = factories.create_setup_link()
    user = setup.create_administrator(token=token, username="root", password="correct horse battery")

    assert user.is_superuser
    assert models.Event.objects.exclude(verb="first-key").get().verb == "set-up"
    with pytest.raises(links.LinkNotValid):
        setup.create_administrator(token=token, username="again", password="correct horse battery")
    assert setup.create_setup_link() is None
    assert django_user_model.objects.count() == 1
