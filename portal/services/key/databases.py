"""The database's own row: a random identity and a place, given to it once."""

import secrets

from django.db.models import QuerySet

from portal import models
from portal.db import places
from portal.models.compiled import compiled
from portal.services.runtime.process import MEMORY


def get_database() -> models.Database:
    """The one row; made, with the place as it is, at its first use."""
    if found := _read_database():
        return found[0]
    place, identity = places.read_place(), secrets.token_hex(16)
    MEMORY.given.add(identity)
    row, _ = models.Database.objects.get_or_create(
        pk=1, defaults={"identity": identity, "place": place.name, "timeline": place.timeline}
    )
    return row


@compiled()
def _read_database() -> QuerySet[models.Database]:
    return models.Database.objects.filter(pk=1)
