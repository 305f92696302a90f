"""Tombstones: what is pruned, named and signed before it goes; the chain of seals goes on from the last that went."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from portal import models
from portal.models.event import Verb
from portal.services.audit import canonical, events, reading, signatures
from portal.services.audit.signatures import Verdict


@dataclass(kw_only=True)
class Start:
    """Where the chain begins: behind the last seal that was pruned, if one was. `kept`: ids of older events."""

    number: int = 0
    digest: str = ""
    last_id: int = reading.LOWEST
    kept: set[int] = field(default_factory=set)
    pruned: int = 0


def walk_tombstones() -> Iterator[models.Tombstone]:
    """All of them, in the order in which they were written."""
    return models.Tombstone.objects.order_by("id").iterator(chunk_size=100)


def _walk_events() -> Iterator[models.Tombstone]:
    for tombstone in walk_tombstones():
        verdict = signatures.check(what="tombstone", described=signatures.describe_row(row=tombstone))
        if tombstone.kind == models.Tombstone.Kind.EVENTS and verdict is Verdict.AUTHENTIC:
            yield tombstone


def find_start() -> Start:
    """Where the chain of seals begins by tombstones that the portal has written: a forged one moves nothing."""
    start = Start()
    for tombstone in _walk_events():
        start.number, start.digest = tombstone.seal_number, tombstone.seal_digest
        start.last_id, start.pruned = tombstone.last_id, start.pruned + tombstone.counts["event"]
        start.kept |= canonical.unpack_ranges(ranges=tombstone.kept)
        start.kept -= canonical.unpack_ranges(ranges=tombstone.ids)
    return start


def list_pruned() -> canonical.Ranges:
    """The events that are gone by tombstones that the portal has written."""
    return [ends for tombstone in _walk_events() for ends in tombstone.ids]


def add_tombstones(*, tombstones: Sequence[models.Tombstone], more: Sequence[models.Change] = ()) -> None:
    """Sign and insert tombstones that have their times, and their event. `more`: which rows go."""
    for tombstone in tombstones:
        tombstone.signature = signatures.sign(what="tombstone", described=signatures.describe_row(row=tombstone))
        tombstone.save(force_insert=True)
    detail = {one.kind.lower(): {"tombstone": one.pk, "counts": one.counts} for one in tombstones}
    events.record(Verb.PRUNE, f"tombstone {tombstones[0].pk}", detail=detail, rows=tombstones, more=more)
