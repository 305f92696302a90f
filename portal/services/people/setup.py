"""The first administrator, made through a one-time link."""

import secrets
from datetime import timedelta

from django.contrib.auth.models import Group
from django.db import transaction
from django.utils.crypto import salted_hmac

from portal import models
from portal.models.clock import Now
from portal.services.key import accounts, circuit_breaker
from portal.services.people import membership

LIFETIME = timedelta(hours=1)


class LinkNotValid(Exception):
    """The link is unknown, used, replaced or too old, or there is an administrator already."""


def has_administrator() -> bool:
    """Whether somebody can administer the portal."""
    return models.User.objects.filter(is_superuser=True, is_active=True).exists()


@transaction.atomic
def create_setup_link() -> str | None:
    """A new token, which replaces any earlier one; None where there is an administrator already."""
    if has_administrator():
        return None
    token = secrets.token_urlsafe(32)
    models.SetupLink.objects.all().delete()
    models.SetupLink.objects.create(token_hash=_hash(token))
    return token


def check_setup_link(*, token: str) -> None:
    """Raise LinkNotValid unless the token may make an administrator now."""
    valid = models.SetupLink.objects.filter(token_hash=_hash(token), created_at__gte=Now() - LIFETIME)
    if has_administrator() or not valid.exists():
        raise LinkNotValid


@transaction.atomic
def create_administrator(*, token: str, username: str, password: str) -> models.User:
    """Make the first administrator, in all groups, and use the link up. Raises LinkNotValid."""
    # Two people with the same link: the second waits here, then finds it used.
    circuit_breaker.lock_key(account=accounts.get_current_account())
    check_setup_link(token=token)
    models.SetupLink.objects.all().delete()
    user = models.User.objects.create_superuser(username=username, password=password)
    user.groups.set(Group.objects.filter(name__in=["Members", "Operators"]))
    membership.record_set_up(person=user)
    return user


def _hash(token: str) -> str:
    """With SECRET_KEY: whoever can write in the database alone cannot make a link."""
    return salted_hmac("portal set-up link", token, algorithm="sha256").hexdigest()
