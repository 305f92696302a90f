"""The database's own row: a random identity and a place, given to it once."""

import secrets

from portal import models
from portal.db import places
from portal.services.runtime.process import MEMORY


def get_database() -> models.Database:
    """The one row; made, with the place as it is, at its first use."""
    if row := models.Database.objects.first():
        return row
    place, identity = places.read_place(), secrets.token_hex(16)
    MEMORY.given.add(identity)
    row, _ = models.Database.objects.get_or_create(
        pk=1, defaults={"identity": identity, "place": place.name, "timeline": place.timeline}
    )
    return row
