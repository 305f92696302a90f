"""The first administrator, made through a one-time link."""

from datetime import timedelta

from django.contrib.auth.models import Group
from django.db import transaction

from portal import models
from portal.services.key import accounts, key_lock
from portal.services.people import links, membership

LIFETIME = timedelta(hours=1)


def has_administrator() -> bool:
    return models.User.objects.filter(is_superuser=True, is_active=True).exists()


@transaction.atomic
def create_setup_link() -> str | None:
    """A new token, which replaces any earlier one; None where there is an administrator already."""
    return None if has_administrator() else links.create_link(person=None, lifetime=LIFETIME).token


def check_setup_link(*, token: str) -> None:
    """Raise LinkNotValid unless the token may make an administrator now."""
    if has_administrator() or links.find_link(token=token).person is not None:
        raise links.LinkNotValid


@transaction.atomic
def create_administrator(*, token: str, username: str, password: str) -> models.User:
    """Make the first administrator, in all groups, and use the link up. Raises LinkNotValid."""
    # Two people with the same link: the second waits here, then finds it used.
    key_lock.lock_key(account=accounts.get_current_account())
    check_setup_link(token=token)
    models.SignInLink.objects.filter(person=None).delete()
    user = models.User.objects.create_superuser(username=username, password=password)
    user.groups.set(Group.objects.filter(name__in=["Members", "Operators"]))
    membership.record_set_up(person=user)
    return user
