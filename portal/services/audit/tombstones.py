"""Tombstones: what is pruned, named and signed before it goes; the chain of seals goes on from the last that went."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

from portal import models
from portal.models.event import Verb
from portal.services.audit import canonical, events, ranges, reading, signatures

_Kind = models.Tombstone.Kind


@dataclass(frozen=True, slots=True)
class StoredTombstone(signatures.Signed):
    """A tombstone in its canonical form, which its id is no part of."""

    WHAT: ClassVar[str] = "tombstone"

    made_at: str
    kind: str
    first_id: int
    last_id: int
    ids: object
    kept: object
    counts: object
    seal_number: int
    seal_digest: str
    signature: str


_NAMES = tuple(field.name for field in fields(StoredTombstone))


@dataclass(frozen=True, kw_only=True)
class Start:
    """Where the chain begins: behind the last seal that was pruned, if one was. `kept`: ids of older events."""

    number: int = 0
    digest: str = ""
    last_id: int = reading.LOWEST
    kept: ranges.Ranges
    pruned: int = 0


def walk_tombstones(*, kind: str = "%") -> Iterator[StoredTombstone]:
    """All there are, or those of a kind, oldest first."""
    after, where, names = reading.LOWEST, "id > %s AND kind LIKE %s", ("id", *_NAMES)
    while page := canonical.read_rows(
        model=models.Tombstone, names=names, where=where, values=[after, kind], limit=100
    ):
        yield from (StoredTombstone(*values) for _, *values in page)
        after = page[-1][0]


def find_start() -> Start:
    """Where the chain of seals begins, as tombstones say that the portal has written."""
    newest, kept, pruned = None, set[int](), 0
    for stone in walk_tombstones(kind=_Kind.EVENTS):
        if stone.check() is signatures.Verdict.AUTHENTIC:
            newest, pruned = stone, pruned + stone.counts["event"]  # type: ignore[index]
            kept |= set(ranges.unpack(ranges=stone.kept))  # type: ignore[arg-type]
            kept -= set(ranges.unpack(ranges=stone.ids))  # type: ignore[arg-type]
    if newest is None:
        return Start(kept=[])
    return Start(
        number=newest.seal_number,
        digest=newest.seal_digest,
        last_id=newest.last_id,
        kept=ranges.pack(numbers=sorted(kept)),
        pruned=pruned,
    )


def list_pruned() -> ranges.Ranges:
    """The events that are gone, as tombstones say that the portal has written."""
    found: ranges.Ranges = []
    for stone in walk_tombstones():
        if stone.kind == _Kind.EVENTS and stone.check() is signatures.Verdict.AUTHENTIC:
            found += stone.ids  # type: ignore[arg-type]
    return sorted(found)


def bury(*, stones: Sequence[models.Tombstone], more: Sequence[models.Change] = ()) -> None:
    """Sign and insert tombstones that have their times, and the event that tells of them. `more`: which rows go."""
    for stone in stones:
        values = {name: canonical.fit(value=getattr(stone, name)) for name in _NAMES}
        stone.signature = StoredTombstone(**values).sign()
        stone.save(force_insert=True)
    detail = {stone.kind.lower(): {"tombstone": stone.pk, "counts": stone.counts} for stone in stones}
    events.record(Verb.PRUNE, f"tombstone {stones[0].pk}", detail=detail, rows=stones, more=more)
