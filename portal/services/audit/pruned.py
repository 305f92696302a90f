"""Which events may be gone: those that an authentic tombstone names.

Whoever can write in the database can insert a tombstone, and can then delete what it names. But without the audit key
they cannot write the change by which it must be added: such a tombstone names nothing.
"""

import bisect
from dataclasses import dataclass, field

from portal import models
from portal.services.audit import canonical, verifyrows


@dataclass(kw_only=True)
class Ranges:
    """The ranges of ids that tombstones name: read when it is first asked, and again where new ones may have come."""

    _read_until: int = 0
    _is_read: bool = False
    _ranges: list[tuple[int, int]] = field(default_factory=list)  # in their order; no two overlap

    def cover(self, event_id: int) -> bool:
        """Whether a valid tombstone names the event, so that it may be missing."""
        return self._find(event_id) or (self._read() and self._find(event_id))

    def name(self, event_id: int) -> bool:
        """The same, of the tombstones that there were when it was first asked."""
        if not self._is_read:
            self._read()
        return self._find(event_id)

    def _find(self, event_id: int) -> bool:
        place = bisect.bisect_right(self._ranges, event_id, key=lambda ends: ends[0])
        return place > 0 and event_id <= self._ranges[place - 1][1]

    def _read(self) -> bool:
        """Take in the tombstones since the last time. Whether there were any."""
        self._is_read = True
        stones = models.Tombstone.objects.filter(kind=models.Tombstone.Kind.EVENTS, pk__gt=self._read_until)
        read = canonical.read_anyhow(read=lambda: list(stones.values_list("pk", "first_id", "last_id")))
        found = {pk: (first, last) for pk, first, last in read}
        forged = verifyrows.find_differing(kind="tombstone", ids=found)
        for number, ends in found.items():
            self._read_until = max(self._read_until, number)
            if number not in forged:
                bisect.insort(self._ranges, ends)
        return bool(found)
