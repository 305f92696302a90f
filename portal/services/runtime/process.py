"""What this process remembers: what is stored can be put back, or be written over by others."""

from collections import Counter
from dataclasses import dataclass, field

from portal import models


@dataclass(kw_only=True)
class Memory:
    """Nothing yet, where a process has just started."""

    # Of the database as it was seen last. `ticks`: the highest of each key, by the key's id.
    identity: str = ""
    timeline: int = 0
    ticks: dict[str, int] = field(default_factory=dict)
    # Identities that this process gave to a database. One that was not committed is nobody's.
    given: set[str] = field(default_factory=set)
    # The newest seal that this process has made: whoever removes it must not get another in its place.
    seal: models.Seal | None = None
    # How far the audit log was checked.
    checks: dict[models.LogCheck.What, models.LogCheck] = field(default_factory=dict)
    # The answers that are being written while they are sent, by the person who reads them.
    streams: Counter[object] = field(default_factory=Counter)

    def forget(self) -> None:
        """Begin anew."""
        vars(self).update(vars(Memory()))


MEMORY = Memory()
