"""One-time links, by which people come in who have no password yet, or none any more."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils.crypto import salted_hmac

from portal import models
from portal.db import clock
from portal.models.clock import Now


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


def _name(person_id: int | None) -> str:
    return f"{person_id or 0}."


def _hash(token: str) -> str:
    """With SECRET_KEY: whoever can write in the database alone cannot make a link."""
    return salted_hmac("portal sign-in link", token, algorithm="sha256").hexdigest()
