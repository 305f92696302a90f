"""Pruning events: by whole seals, so that of each seal either all events can still be checked or a tombstone names all.

A seal's events go when they are all old enough and none belongs to a request that is still there: a request keeps its
history. What they tell of rows that stay (people, groups, keys, workspaces) is told anew by the tombstone's event, so
that these rows can be compared as before. The seals stay, for ever.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from portal import models
from portal.models.event import Verb
from portal.services.audit import canonical, changes, fold, marks, reading, rows, seals, verifyrows
from portal.services.retention import tombstones
from portal.services.runtime import leases

logger = logging.getLogger(__name__)

BATCH = 2000  # events that go in one transaction, unless one seal has more
_ID, _AT, _NUMBER = (canonical.EVENT.names.index(name) for name in ("id", "at", "request_number"))


@dataclass(kw_only=True)
class _Run:
    """Seals that follow each other, and all of whose events may go. `end`: of the last event that was looked at."""

    rows: list[canonical.Row] = field(default_factory=list)
    end: int


def prune_events(*, lease: leases.Lease, before: datetime, most: int) -> int:
    """Prune whole seals of events from before then, in at most so many batches. Returns how many events went."""
    total = batches = 0
    after = seals.LOWEST_ID
    while batches < most and (run := _find_run(after=after, before=before)) is not None:
        if run.rows:
            _bury(run.rows, lease=lease)
            total, batches = total + len(run.rows), batches + 1
        after = run.end
    return total


def _find_run(*, after: int, before: datetime) -> _Run | None:
    """What may go together, from the next event on; without rows where the next seal must stay. None: nothing is left
    that is old enough."""
    first = models.Event.objects.filter(id__gt=after).order_by("id").values_list("id", flat=True).first()
    if first is None:
        return None
    ends = models.Seal.objects.filter(last_id__gte=first).order_by("last_id")
    number = ends.values_list("number", flat=True).first()
    if number is None:
        return None
    # Where the first seal begins: behind the one before it, if there is one.
    former = models.Seal.objects.filter(number=number - 1).values_list("last_id", flat=True)
    run, edge = _Run(end=next(iter(former), seals.LOWEST_ID)), canonical.write_time(time=before)
    for seal in seals.walk_seals(after=number - 1):
        is_full = run.rows and len(run.rows) + seal.count > BATCH
        last = next(marks.split_marks(marks=seal.marks[-marks.SIZE :]), None)
        if is_full or (last is not None and last.at >= edge):
            break
        found = reading.read_authentic(after=run.end, until=seal.last_id, limit=seal.count + 1)
        if not found or not _may_go(seal, found, after=run.end, edge=edge):
            return run if run.rows else _Run(end=seal.last_id)
        run.rows += found
        run.end = seal.last_id
    return run if run.rows else None


def _may_go(seal: seals.StoredSeal, found: Sequence[canonical.Row], *, after: int, edge: str) -> bool:
    numbers = {row[_NUMBER] for row in found if row[_NUMBER] is not None}
    if models.Request.objects.filter(pk__in=numbers).exists():
        return False
    # The newest that tells of settings stays: the next start compares them with it.
    newest = models.Event.objects.filter(verb=Verb.SETTINGS).order_by("-id").values_list("id", flat=True).first()
    if any(row[_ID] == newest for row in found):
        return False
    present = models.Event.objects.filter(id__gt=after, id__lte=seal.last_id).count()
    if present != len(found) or not seals.is_intact(seal=seal, rows=found):
        logger.warning("The events of seal %d are not pruned: they are not as they were sealed.", seal.number)
        return False
    if any(row[_AT] >= edge for row in found):
        return False
    if missing := verifyrows.find_differing(kind="request", ids=numbers):
        logger.warning("The events of seal %d are not pruned: R-%d was removed.", seal.number, min(missing))
        return False
    # What somebody changed would be forgotten with the events that say otherwise.
    told = _list_told(found[0][_ID], seal.last_id)
    if any(verifyrows.find_differing(kind=kind, ids=ids) for kind, ids in told.items()):
        logger.warning("The events of seal %d are not pruned: rows are not as they have left them.", seal.number)
        return False
    return True


def _list_told(first_id: int, last_id: int) -> dict[str, set[int]]:
    """The ids of rows of which the events tell, by kind."""
    by_kind: dict[str, set[int]] = {}
    told = models.Change.objects.filter(event_id__range=(first_id, last_id))
    for kind, row_id in told.values_list("kind", "row_id").distinct():
        by_kind.setdefault(kind, set()).add(row_id)
    return by_kind


@transaction.atomic
def _bury(found: Sequence[canonical.Row], *, lease: leases.Lease) -> None:
    leases.renew_lease(lease=lease)
    first_id, last_id = found[0][_ID], found[-1][_ID]
    stone = models.Tombstone(
        kind=models.Tombstone.Kind.EVENTS, first_id=first_id, last_id=last_id, counts={"event": len(found)}
    )
    tombstones.bury(stones=[stone], told=list(_list_kept(first_id, last_id)))
    models.Change.objects.filter(event_id__range=(first_id, last_id))._raw_delete("default")
    models.Event.objects.filter(id__range=(first_id, last_id))._raw_delete("default")


def _list_kept(first_id: int, last_id: int) -> Iterator[changes.Change]:
    """What the events tell of rows that stay, as of the last of them that tells of the row."""
    for name, ids in _list_told(first_id, last_id).items():
        for row_id, said in verifyrows.read_changes(kind=rows.KINDS[name], ids=sorted(ids)).items():
            if any(change[4] == models.Change.Act.REMOVED for change in said):
                continue  # no other row gets its id after it
            pruned = [change for change in said if change[0] <= last_id]
            state = fold.Fold(kind=rows.KINDS[name]).take_all(pruned)
            yield changes.Change(
                kind=name,
                row_id=row_id,
                act=models.Change.Act.KEPT,
                columns={column: (None, value) for column, value in state.columns.items()},
                as_of=max(state.by.values(), default=last_id),
            )
