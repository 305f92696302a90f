"""The database's own row: a random identity and a place, given to it once; and what this process remembers of it."""

import secrets
from dataclasses import dataclass, field

from portal import models
from portal.db import places


@dataclass(kw_only=True)
class Memory:
    """What this process remembers, for what is stored can be put back. Empty in one that has just started."""

    identity: str = ""  # of the database, as it was seen last
    timeline: int = 0
    ticks: dict[str, int] = field(default_factory=dict)  # the highest of each key that was seen, by the key's id
    given: set[str] = field(default_factory=set)  # identities of databases; one that was not committed is nobody's

    def forget(self) -> None:
        """Begin anew, as a process does that has seen no database."""
        vars(self).update(vars(Memory()))


MEMORY = Memory()


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
