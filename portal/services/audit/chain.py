"""The chain of seals: which of them can be believed, and what they say of the events."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from portal.services.audit import keys, marks, reading, seals
from portal.services.audit.report import Report
from portal.services.audit.seals import Checkpoint

__all__ = ["LAST", "Chain", "Checkpoint"]

LAST = 2**63 - 1  # a number that no seal has


@dataclass(kw_only=True)
class Chain:
    """Walks the seals, a few ahead of the events, and reports what is wrong with them.

    Those behind `before`, the seal with which a former walk ended, and up to the number `until`. `end`: the last event
    of the last one read.
    """

    report: Report
    checkpoint: Checkpoint | None = None
    before: seals.StoredSeal | None = None
    until: int = LAST
    end: int = field(default=reading.LOWEST, init=False)
    _begin: int = field(default=reading.LOWEST, init=False)

    def __post_init__(self) -> None:
        self.end = self._begin = self.before.last_id if self.before else reading.LOWEST

    def covers(self, event_id: int) -> bool:
        """Whether the seal whose marks come next is the one that would have the event."""
        return self._begin < event_id <= self.end

    def walk_marks(self) -> Iterator[marks.Mark]:
        """The marks of all seals that can be believed."""
        last = self.before
        is_joined, is_met = True, self.checkpoint is None
        for seal in seals.walk_seals(after=last.number if last else reading.LOWEST):
            if seal.number > self.until:
                break
            is_joined &= self._check_link(seal, last=last)
            is_met |= self._meets_checkpoint(seal)
            self.report.seals, self.report.newest = self.report.seals + 1, seal.made_at
            is_authentic = self._is_authentic(seal)
            # Where the seal before it cannot be believed, this one alone says where it begins.
            self._begin = (last.last_id if last else reading.LOWEST) if is_joined else seal.first_id - 1
            self.end = max(self.end, seal.last_id)
            if is_authentic:
                yield from marks.split_marks(marks=seal.marks)
            is_joined, last = is_authentic, seal
        self._begin = self.end
        if not is_met and self.checkpoint is not None:
            self.report.add("checkpoint", f"seal {self.checkpoint.number}", "of the checkpoint is not in the log.")

    def _check_link(self, seal: seals.StoredSeal, *, last: seals.StoredSeal | None) -> bool:
        """Whether the seal follows the one before it."""
        expected = last.number + 1 if last else 1
        if seal.number != expected:
            missing = f"seal {expected}" if seal.number == expected + 1 else f"seals {expected} to {seal.number - 1}"
            words = "was removed." if seal.number == expected + 1 else "were removed."
            self.report.add("seal", missing, words)
            return False
        if seal.previous != (last.digest if last else ""):
            words = "does not follow the seal before it: one of the two was replaced."
            self.report.add("seal", f"seal {seal.number}", words)
            return False
        return True

    def _is_authentic(self, seal: seals.StoredSeal) -> bool:
        key = keys.find_key(key_id=seal.key_id)
        if key is None:
            self.report.add_key(seal.key_id, f"seal {seal.number}")
            return False
        if seal.sign(secret=key.secret) == seal.digest:
            return True
        self.report.add("seal", f"seal {seal.number}", "was altered.")
        return False

    def _meets_checkpoint(self, seal: seals.StoredSeal) -> bool:
        if self.checkpoint is None or seal.number != self.checkpoint.number:
            return False
        if seal.digest != self.checkpoint.digest:
            words = "is another one than the checkpoint's: the log up to it was made anew."
            self.report.add("checkpoint", f"seal {seal.number}", words)
        return True
