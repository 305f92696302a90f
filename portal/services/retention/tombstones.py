"""Tombstones: what is pruned is named before it goes, in the transaction in which it goes."""

from collections.abc import Sequence

from portal import models
from portal.models.event import Verb
from portal.services import audit
from portal.services.audit import changes


def bury(*, stones: Sequence[models.Tombstone], told: Sequence[changes.Change]) -> None:
    """Insert tombstones, and the event that tells of them. `told`: which rows go, or what is so of rows that stay and
    that pruned events told."""
    for stone in stones:
        stone.save(force_insert=True)
    detail = {stone.kind.lower(): {"tombstone": stone.pk, "counts": stone.counts} for stone in stones}
    audit.record(Verb.PRUNE, f"tombstone {stones[0].pk}", detail=detail, rows=stones, told=told)
