"""What this process remembers: what is stored can be put back, or be written over by others."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(kw_only=True)
class Memory:
    """Empty in a process that has just started."""

    identity: str = ""  # of the database, as it was seen last
    timeline: int = 0
    ticks: dict[str, int] = field(default_factory=dict)  # the highest of each key that was seen, by the key's id
    given: set[str] = field(default_factory=set)  # identities of databases; one that was not committed is nobody's
    streams: Counter[object] = field(default_factory=Counter)  # answers that are being sent, by the person

    def forget(self) -> None:
        vars(self).update(vars(Memory()))


MEMORY = Memory()
