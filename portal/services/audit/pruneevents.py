"""Pruning events: by whole seals, so that of each seal either all events can still be checked or a tombstone names all.

A seal's events go when they are all old enough and none belongs to a request that is still there: a request keeps its
history. What they tell of rows that stay (people, groups, keys, workspaces) is carried into the tombstone's event, word
for word, so that these rows can be compared as before. The seals stay, for ever.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection, transaction

from portal import models
from portal.models.event import Verb
from portal.services import leases
from portal.services.audit import canon, rowdigests, seals, tombstones

logger = logging.getLogger(__name__)

BATCH = 2000  # events that go in one transaction, unless one seal has more
_READ = ("id", "at", "request_number", "row_digests")
_ID, _AT, _NUMBER, _DIGESTS = (canon.EVENT.names.index(name) for name in _READ)


@dataclass(kw_only=True)
class _Run:
    """Seals that follow each other, and all of whose events may go. `end`: of the last event that was looked at."""

    rows: list[canon.Row] = field(default_factory=list)
    end: int


def prune_events(*, held: leases.Lease, before: datetime, most: int, names: tombstones.Names) -> int:
    """Prune whole seals of events from before then, in at most so many batches. Returns how many events went."""
    total = batches = 0
    after = seals.LOWEST_ID
    while batches < most and (run := _find_run(after=after, before=before, names=names)) is not None:
        if run.rows:
            _bury(run.rows, held=held, names=names)
            total, batches = total + len(run.rows), batches + 1
        after = run.end
    return total


def _find_run(*, after: int, before: datetime, names: tombstones.Names) -> _Run | None:
    """What may go together, from the next event on; without rows where the next seal must stay. None: nothing is left
    that is old enough."""
    first = models.Event.objects.filter(id__gt=after).order_by("id").values_list("id", flat=True).first()
    if first is None:
        return None
    ends = models.Seal.objects.filter(last_id__gte=first).order_by("last_id")
    number = ends.values_list("number", flat=True).first()
    if number is None:
        return None
    run, edge = _Run(end=_find_end(number - 1)), canon.write_time(time=before)
    for seal in seals.walk_seals(after=number - 1):
        is_full = run.rows and len(run.rows) + seal.count > BATCH
        if is_full or _find_last_time(seal) >= edge:
            break
        rows = canon.read_events(after=run.end, until=seal.last_id, limit=seal.count + 1)
        if not rows or not _may_go(seal, rows, edge=edge, names=names):
            return run if run.rows else _Run(end=seal.last_id)
        run.rows += rows
        run.end = seal.last_id
    return run if run.rows else None


def _find_last_time(seal: seals.StoredSeal) -> str:
    """Of its last event, as it was sealed."""
    return next((mark.at for mark in canon.split_marks(marks=seal.marks[-canon.MARK :])), "")


def _find_end(number: int) -> int:
    """Of the seal with this number, if there is one."""
    return next(iter(models.Seal.objects.filter(number=number).values_list("last_id", flat=True)), seals.LOWEST_ID)


def _may_go(seal: seals.StoredSeal, rows: Sequence[canon.Row], *, edge: str, names: tombstones.Names) -> bool:
    numbers = {row[_NUMBER] for row in rows if row[_NUMBER] is not None}
    if models.Request.objects.filter(pk__in=numbers).exists() or _has_settings(rows):
        return False
    if not seals.is_intact(seal=seal, rows=rows):
        logger.warning("The events of seal %d are not pruned: they are not as they were sealed.", seal.number)
        return False
    if any(row[_AT] >= edge for row in rows):
        return False
    if missing := numbers - names.find(kind=models.Tombstone.Kind.REQUESTS, numbers=numbers):
        logger.warning("The events of seal %d are not pruned: R-%d was removed.", seal.number, min(missing))
        return False
    return True


def _has_settings(rows: Iterable[canon.Row]) -> bool:
    """Whether one is the newest that tells of settings: the next start compares them with it."""
    newest = models.Event.objects.filter(verb=Verb.SETTINGS).order_by("-id").values_list("id", flat=True).first()
    return any(row[_ID] == newest for row in rows)


@transaction.atomic
def _bury(rows: Sequence[canon.Row], *, held: leases.Lease, names: tombstones.Names) -> None:
    leases.check_lease(held=held)
    first_id, last_id = rows[0][_ID], rows[-1][_ID]
    stone = models.Tombstone(
        kind=models.Tombstone.Kind.EVENTS,
        first_id=first_id,
        last_id=last_id,
        counts={"event": len(rows)},
        digest=tombstones.digest_rows(rows=(("event", row) for row in rows)),
    )
    tombstones.bury(stones=[stone], carried=_list_carried(rows, names=names))
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM portal_event WHERE id BETWEEN %s AND %s", [first_id, last_id])


def _list_carried(rows: Iterable[canon.Row], *, names: tombstones.Names) -> list[rowdigests.Statement]:
    """The newest that the events tell of each row, but for those that were pruned too."""
    newest: dict[tuple[str, int], rowdigests.Statement] = {}
    for row in rows:
        told = rowdigests.read_statements(text=row[_DIGESTS], event_id=row[_ID], number=row[_NUMBER])
        for statement in told:
            known = newest.get((statement.kind, statement.id))
            if known is None or known.origin < statement.origin:
                newest[statement.kind, statement.id] = statement
    return [statement for statement in newest.values() if not names.has_row(statement=statement)]
