"""One-time links, by which people come in who have no password yet, or none any more, and the first administrator."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils.crypto import salted_hmac

from portal import models
from portal.db import clock
from portal.models.clock import Now
from portal.services.key import accounts, key_lock
from portal.services.people import membership

SETUP_LIFETIME = timedelta(hours=1)


class LinkNotValid(Exception):
    """The link is unknown, used, replaced or too old, or whom it is for does not come in."""


@dataclass(frozen=True, kw_only=True)
class NewLink:
    """A link that was just made: nobody learns the token later."""

    token: str = field(repr=False)
    valid_until: datetime


def create_link(*, person: models.User | None, lifetime: timedelta) -> NewLink:
    """A new link, which replaces any earlier one of the person; of nobody: of the first administrator."""
    token = f"{_name(person.pk if person else None)}{secrets.token_urlsafe(32)}"
    until = clock.read_clock() + lifetime
    models.SignInLink.objects.filter(person=person).delete()
    models.SignInLink.objects.create(person=person, token_hash=_hash(token), valid_until=until)
    return NewLink(token=token, valid_until=until)


def find_link(*, token: str) -> models.SignInLink:
    """The link while it is valid. Raises LinkNotValid."""
    valid = models.SignInLink.objects.filter(token_hash=_hash(token), valid_until__gt=Now())
    link = valid.select_related("person").first()
    # Whoever can write in the database alone cannot let it be for somebody else.
    if link is None or not token.startswith(_name(link.person_id)):
        raise LinkNotValid
    return link


def has_administrator() -> bool:
    """Whether an active one exists, so that no set-up link works."""
    return models.User.objects.filter(is_superuser=True, is_active=True).exists()


@transaction.atomic
def create_setup_link() -> str | None:
    """A new token, which replaces any earlier one; None where there is an administrator already."""
    return None if has_administrator() else create_link(person=None, lifetime=SETUP_LIFETIME).token


def check_setup_link(*, token: str) -> None:
    """Raise LinkNotValid unless the token may make an administrator now."""
    if has_administrator() or find_link(token=token).person is not None:
        raise LinkNotValid


def create_administrator(*, token: str, username: str, password: str) -> models.User:
    """Make the first administrator, in all groups, and use the link up. Raises LinkNotValid."""
    encoded = make_password(password)  # which takes long: nobody waits for a lock meanwhile
    with transaction.atomic():
        # Two people with the same link: the second waits here, then finds it used.
        key_lock.lock_key(account=accounts.get_current_account())
        check_setup_link(token=token)
        models.SignInLink.objects.filter(person=None).delete()
        name = models.User.normalize_username(username)
        user = models.User.objects.create(username=name, password=encoded, is_superuser=True, is_staff=True)
        user.groups.set(Group.objects.filter(name__in=["Members", "Operators"]))
        membership.record_set_up(person=user)
    return user


def _name(person_id: int | None) -> str:
    return f"{person_id or 0}."


def _hash(token: str) -> str:
    """With SECRET_KEY: whoever can write in the database alone cannot make a link."""
    return salted_hmac("portal sign-in link", token, algorithm="sha256").hexdigest()
