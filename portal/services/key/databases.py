"""The database's own row: a random identity and a place, given to it once."""

import secrets

from portal import models
from portal.db import places

# Identities that this process gave. One that was not committed is nobody's.
MADE: set[str] = set()


def get_database() -> models.Database:
    """The one row; made, with the place as it is, at its first use."""
    row = models.Database.objects.filter(pk=1).first()
    if row is not None:
        return row
    place, identity = places.read_place(), secrets.token_hex(16)
    MADE.add(identity)
    row, _ = models.Database.objects.get_or_create(
        pk=1, defaults={"identity": identity, "place": place.name, "timeline": place.timeline}
    )
    return row
