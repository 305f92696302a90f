"""Tombstones: what is pruned, named and signed before it goes; the chain of seals goes on from the last that went."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from portal import models
from portal.models.event import Verb
from portal.services.audit import canonical, events, ranges, reading, signatures

_EVENTS = models.Tombstone.Kind.EVENTS


@dataclass(slots=True)
class StoredTombstone(signatures.Signed):
    """A tombstone in its canonical form, which its id is no part of."""

    WHAT: ClassVar[str] = "tombstone"

    made_at: str
    kind: str
    first_id: int
    last_id: int
    ids: Any
    kept: Any
    counts: Any
    seal_number: int
    seal_digest: str
    signature: str


_NAMES = tuple(field.name for field in fields(StoredTombstone))


@dataclass(kw_only=True)
class Start:
    """Where the chain begins: behind the last seal that was pruned, if one was. `kept`: ids of older events."""

    number: int = 0
    digest: str = ""
    last_id: int = reading.LOWEST
    kept: set[int] = field(default_factory=set)
    pruned: int = 0


def walk_tombstones() -> Iterator[StoredTombstone]:
    """All there are, oldest first."""
    after, found = reading.LOWEST, models.Tombstone.objects.order_by("id")
    while page := canonical.read_rows(rows=found.filter(id__gt=after)[:100], names=("id", *_NAMES)):
        yield from (StoredTombstone(*values) for _, *values in page)
        after = page[-1][0]


def _walk_events() -> Iterator[StoredTombstone]:
    """Those of events that the portal has written."""
    for tombstone in walk_tombstones():
        if tombstone.kind == _EVENTS and tombstone.check() is signatures.Verdict.AUTHENTIC:
            yield tombstone


def find_start() -> Start:
    """Where the chain of seals begins, as tombstones say that the portal has written."""
    start = Start()
    for tombstone in _walk_events():
        start.number, start.digest = tombstone.seal_number, tombstone.seal_digest
        start.last_id, start.pruned = tombstone.last_id, start.pruned + tombstone.counts["event"]
        start.kept |= ranges.unpack(ranges=tombstone.kept)
        start.kept -= ranges.unpack(ranges=tombstone.ids)
    return start


def list_pruned() -> ranges.Ranges:
    """The events that are gone, as tombstones say that the portal has written."""
    return [ends for tombstone in _walk_events() for ends in tombstone.ids]


def add_tombstones(*, tombstones: Sequence[models.Tombstone], more: Sequence[models.Change] = ()) -> None:
    """Sign and insert tombstones that have their times, and the event that tells of them. `more`: which rows go."""
    for tombstone in tombstones:
        values = {name: canonical.convert_value(value=getattr(tombstone, name)) for name in _NAMES}
        tombstone.signature = StoredTombstone(**values).sign()
        tombstone.save(force_insert=True)
    detail = {one.kind.lower(): {"tombstone": one.pk, "counts": one.counts} for one in tombstones}
    events.record(Verb.PRUNE, f"tombstone {tombstones[0].pk}", detail=detail, rows=tombstones, more=more)
