"""Pruning requests: those that ended long ago go, with all that is theirs alone, batch by batch.

A request stays, however old, while anything of it is open or young, while its day of usage may be counted anew, and
while it is not as its events say: pruning must not hide that somebody changed it.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Q

from portal import models
from portal.models.clock import Now
from portal.services import leases, usage
from portal.services.audit import canon, rowdigests, tombstones, verifyrows

logger = logging.getLogger(__name__)

BATCH = 50  # requests that go in one transaction at most
_FINAL = [status for status, following in models.request.TRANSITIONS.items() if not following]
# In the order in which they go: what refers to a row goes before it.
_KINDS = ("late-answer", "attempt", "workstation", "request")

type Numbers = Sequence[int]
type Rows = Mapping[str, Sequence[canon.Row]]


def prune_requests(*, held: leases.Lease, before: datetime, most: int, names: tombstones.Names) -> int:
    """Prune requests of which nothing is younger than `before`, in at most so many batches. Returns how many went."""
    total = batches = 0
    for page in _walk(before=before):
        going = _choose(page, before=before)
        if differing := verifyrows.find_differing(numbers=going, names=names) if going else set():
            logger.warning(
                "Not pruned, because they are not as their newest events left them: %s. verify_audit tells more.",
                ", ".join(f"R-{number}" for number in sorted(differing)),
            )
        going = [number for number in going if number not in differing]
        if going:
            _bury(going, held=held)
            total, batches = total + len(going), batches + 1
        if batches == most:
            break
    return total


def _walk(*, before: datetime) -> Iterator[list[int]]:
    """All that were made before then, oldest first, in pages."""
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


def _choose(numbers: Numbers, *, before: datetime) -> list[int]:
    """Those that may go."""
    ended = models.Request.objects.filter(pk__in=numbers, status__in=_FINAL, ended_at__lt=before)
    days = {number: usage.get_day(at=created_at) for number, created_at in ended.values_list("id", "created_at")}
    settled = usage.find_settled_days(days=days.values())
    staying = _find_young(numbers, before=before)
    return sorted(number for number, day in days.items() if day in settled and number not in staying)


def _find_young(numbers: Numbers, *, before: datetime) -> set[int]:
    """Those of which an attempt, a late answer or a workstation is live or young."""
    attempts = models.Attempt.objects.filter(
        Q(outcome=models.Attempt.Outcome.SENDING) | Q(deadline_at__gte=before) | Q(late_answer__came_at__gte=before),
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


@transaction.atomic
def _bury(numbers: Numbers, *, held: leases.Lease) -> None:
    leases.check_lease(held=held)
    locked = models.Request.objects.filter(pk__in=numbers).select_for_update().order_by("pk")
    days = {usage.get_day(at=portal_request.created_at) for portal_request in locked}
    rows = _read(numbers)
    kinds = models.Tombstone.Kind
    stones = [_make_stone(kinds.REQUESTS, rows, kinds=("request", "attempt", "late-answer"))]
    if rows["workstation"]:
        stones.append(_make_stone(kinds.WORKSTATIONS, rows, kinds=("workstation",)))
    tombstones.bury(stones=stones)
    usage.close_days(days=days)
    mirrored = list(models.Workstation.objects.filter(pk__in=_list_ids(rows["workstation"])))
    for kind in _KINDS:
        _delete(kind, _list_ids(rows[kind]))
    _leave_mirrors(mirrored)


def _read(numbers: Numbers) -> Rows:
    """All that goes, in canonical form."""
    listed = ", ".join(str(int(number)) for number in numbers)
    of_attempts = f"attempt_id IN (SELECT id FROM portal_attempt WHERE request_id IN ({listed}))"  # noqa: S608
    owned, orphaned = (
        f"SELECT id FROM portal_workstation WHERE {column} IN ({listed})"  # noqa: S608
        for column in ("request_id", "made_for_id")
    )
    where = {
        "request": f"id IN ({listed})",
        "attempt": f"request_id IN ({listed})",
        "late-answer": of_attempts,
        "workstation": f"id IN ({owned} UNION {orphaned})",
    }
    return {
        kind: canon.read_rows(form=rowdigests.FORMS[kind], where=condition, values=[], limit=2**31)
        for kind, condition in where.items()
    }


def _make_stone(kind: str, rows: Rows, *, kinds: Sequence[str]) -> models.Tombstone:
    ids = _list_ids(rows[kinds[0]])
    return models.Tombstone(
        kind=kind,
        first_id=ids[0],
        last_id=ids[-1],
        ids=ids,
        counts={name: len(rows[name]) for name in kinds},
        digest=tombstones.digest_rows(rows=((name, row) for name in kinds for row in rows[name])),
    )


def _list_ids(rows: Iterable[canon.Row]) -> list[int]:
    return [row[0] for row in rows]


def _delete(kind: str, ids: Sequence[int]) -> None:
    """Exactly these. What else still refers to one of them makes the database refuse it all."""
    if not ids:
        return
    listed = ", ".join(str(number) for number in ids)
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {rowdigests.FORMS[kind].table} WHERE id IN ({listed})")  # noqa: S608


def _leave_mirrors(workstations: Iterable[models.Workstation]) -> None:
    """Bare mirrors in the place of workstations, as a look makes them of what it finds: the provider may list them on.

    Without them the next look would show what it had shown before as new, and a request whose outcome is unknown might
    be given one of them.
    """
    models.Workstation.objects.bulk_create(
        models.Workstation(
            account_id=old.account_id,
            uid=old.uid,
            created_at=old.created_at,
            first_seen_at=old.first_seen_at,
            raw=old.raw,
            workspace_id=old.workspace_id,
            type=old.type,
            status=old.status,
            listed_at=old.listed_at or Now(),
            ended_at=old.ended_at,
            refreshed_at=old.refreshed_at,
            is_foreign=True,
        )
        for old in workstations
    )
