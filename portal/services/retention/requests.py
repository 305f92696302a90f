"""Pruning requests: those that ended long ago go, with all that is theirs alone, batch by batch.

A request stays, however old, while anything of it is open or young, and while its day of usage may be counted anew.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from portal import models
from portal.db import clock
from portal.models.clock import Now
from portal.services.audit import tombstones
from portal.services.audit.rows import KINDS
from portal.services.reports import usage
from portal.services.runtime import leases

BATCH = 50  # requests that go in one transaction at most
BATCHES = 100  # in one round, so that a worker that is told to stop need not wait long
_FINAL = [status for status, following in models.request.TRANSITIONS.items() if not following]
# In the order in which they go: what refers to a row goes before it.
_KINDS = ("late-response", "attempt", "share", "workstation", "request")
# What a scan knows of a workstation.
_MIRRORED = (
    *("account_id", "uid", "type", "status", "workspace_id", "raw"),
    *("created_at", "first_seen_at", "ended_at", "refreshed_at"),
)


def prune_requests(*, before: datetime) -> int:
    """Prune requests of which nothing is younger than `before`, in some batches. Returns how many went."""
    total = batches = 0
    for page in _walk(before=before):
        going = _choose(page, before=before)
        if going:
            _prune(going)
            total, batches = total + len(going), batches + 1
        if batches == BATCHES:
            break
    return total


def _walk(*, before: datetime) -> Iterator[list[int]]:
    old = models.Request.objects.filter(created_at__lt=before).order_by("-created_at")
    newest = old.values_list("id", flat=True).first()
    last = 0
    while newest is not None:
        rows = models.Request.objects.filter(id__gt=last, id__lte=newest).order_by("id")
        page = list(rows.values_list("id", flat=True)[:BATCH])
        if not page:
            return
        yield page
        last = page[-1]


def _choose(numbers: Sequence[int], *, before: datetime) -> list[int]:
    """The requests that may be pruned: final, old enough, and of days whose usage is counted."""
    ended = models.Request.objects.filter(pk__in=numbers, status__in=_FINAL, ended_at__lt=before)
    days = {number: usage.get_day(at=created_at) for number, created_at in ended.values_list("id", "created_at")}
    settled = usage.find_settled_days(days=days.values())
    staying = _find_young(numbers, before=before)
    return sorted(number for number, day in days.items() if day in settled and number not in staying)


def _find_young(numbers: Sequence[int], *, before: datetime) -> set[int]:
    """Those of which an attempt, a late response or a workstation is live or young."""
    attempts = models.Attempt.objects.filter(
        Q(outcome=models.Attempt.Outcome.SENDING) | Q(deadline_at__gte=before) | Q(late_response__came_at__gte=before),
        request__in=numbers,
    )
    lasting = models.Workstation.objects.filter(Q(ended_at=None) | Q(ended_at__gte=before))
    # Made for one and given to another: it goes with the other, and is named by both until then.
    given_away = models.Workstation.objects.filter(made_for__in=numbers, request__isnull=False)
    return {
        *attempts.values_list("request", flat=True),
        *lasting.filter(request__in=numbers).values_list("request", flat=True),
        *lasting.filter(made_for__in=numbers).values_list("made_for", flat=True),
        *given_away.values_list("made_for", flat=True),
    }


@leases.transaction()
def _prune(numbers: Sequence[int]) -> None:
    locked = models.Request.objects.filter(pk__in=numbers).select_for_update().order_by("pk")
    days = {usage.get_day(at=portal_request.created_at) for portal_request in locked}
    rows = _list_rows(numbers)
    ids = {kind: sorted(found.values_list("pk", flat=True)) for kind, found in rows.items()}
    kinds = models.Tombstone.Kind
    added = [_make_tombstone(kinds.REQUESTS, ids, kinds=("request", "attempt", "late-response"))]
    if ids["workstation"]:
        added.append(_make_tombstone(kinds.WORKSTATIONS, ids, kinds=("workstation", "share")))
    act = models.Change.Act.REMOVED
    gone = [models.Change(kind=kind, row_id=row_id, act=act) for kind in _KINDS for row_id in ids[kind]]
    tombstones.add_tombstones(tombstones=added, more=gone)
    usage.close_days(days=days)
    mirrored = list(models.Workstation.objects.filter(pk__in=ids["workstation"]))
    models.Connection.calls.filter(workstation__in=ids["workstation"]).delete()
    models.SearchEntry.objects.filter(pk__in=numbers).delete()
    for kind in _KINDS:
        _delete(kind, ids[kind])
    _leave_mirrors(mirrored)


def _delete(kind: str, ids: Sequence[int]) -> None:
    """Exactly these. What else still refers to one of them makes the database refuse it all."""
    KINDS[kind].model._default_manager.filter(pk__in=ids)._raw_delete("default")


def _list_rows(numbers: Sequence[int]) -> Mapping[str, QuerySet[Any]]:
    workstations = models.Workstation.objects.filter(Q(request__in=numbers) | Q(made_for__in=numbers))
    return {
        "request": models.Request.objects.filter(pk__in=numbers),
        "attempt": models.Attempt.objects.filter(request__in=numbers),
        "late-response": models.LateResponse.objects.filter(attempt__request__in=numbers),
        "share": models.Share.objects.filter(workstation__in=workstations),
        "workstation": workstations,
    }


def _make_tombstone(kind: str, ids: Mapping[str, Sequence[int]], *, kinds: Sequence[str]) -> models.Tombstone:
    named = ids[kinds[0]]
    return models.Tombstone(
        made_at=clock.read_clock(),
        kind=kind,
        first_id=named[0],
        last_id=named[-1],
        ids=list(named),
        counts={name: len(ids[name]) for name in kinds},
    )


def _leave_mirrors(workstations: Iterable[models.Workstation]) -> None:
    """Bare mirrors in the place of workstations, as a scan makes them of what it finds: the provider may list them on.

    Without them the next scan would show what it had shown before as new, and a request whose outcome is unknown might
    be given one of them.
    """
    models.Workstation.objects.bulk_create(
        models.Workstation(
            **{name: getattr(old, name) for name in _MIRRORED}, listed_at=old.listed_at or Now(), is_foreign=True
        )
        for old in workstations
    )
