"""Pruning of old requests and events. docs/audit-log.md says what goes, what stays, and how to verify the log then."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Exists, Max, OuterRef, Q, QuerySet
from django.utils import timezone

from portal import models
from portal.db import clock
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services.audit import canonical, tombstones
from portal.services.audit.rows import KINDS
from portal.services.reports import usage
from portal.services.runtime import leases

logger = logging.getLogger(__name__)

REQUESTS_AT_ONCE = 50  # that go in one transaction at most
EVENTS_AT_ONCE = 2000  # that go in one transaction, unless one seal has more
# In one round, so that a worker that is told to stop need not wait long.
REQUEST_BATCHES, EVENT_BATCHES = 100, 20
_FINAL = [status for status, following in models.request.TRANSITIONS.items() if not following]
# In the order in which they go: what refers to a row goes before it.
_KINDS = ("late-response", "attempt", "share", "workstation", "request")
# What a scan knows of a workstation.
_MIRRORED = (
    *("account_id", "uid", "type", "status", "workspace_id", "raw"),
    *("created_at", "first_seen_at", "ended_at", "refreshed_at"),
)


def prune_old() -> int:
    """Prune some batches of what is old enough, each in a transaction of its own. Returns how many rows were named."""
    _prune_notifications()
    _prune_passed_on()
    if settings.PORTAL_KEEP_DAYS is None:
        return 0
    # Whole days go, of the site's zone: so there is something to do after midnight, and then not until the next.
    zone = timezone.get_default_timezone()
    day = clock.read_clock().astimezone(zone).date() - timedelta(days=settings.PORTAL_KEEP_DAYS)
    before = datetime.combine(day, time.min, tzinfo=zone)
    count = _prune_requests(before=before)
    # Events go after their requests: to look for some while there are requests left is to look through all.
    more = 0 if count else _prune_events(before=before)
    if count or more:
        logger.info("Pruned %d requests and %d events from before %s.", count, more, before.date())
    return count + more


def _prune_notifications() -> None:
    age = timedelta(days=min(90, settings.PORTAL_KEEP_DAYS or 90))
    old = models.Notification.objects.filter(created_at__lt=Now() - age).order_by("created_at")
    if numbers := list(old.values_list("pk", flat=True)[:EVENTS_AT_ONCE]):
        with leases.transaction():
            models.Notification.objects.filter(pk__in=numbers).delete()


def _prune_passed_on() -> None:
    """Those of yesterday; their events stay. The newest of a workstation says that it may be in use."""
    rows = models.Connection.calls.filter(kind=models.Connection.PASSED_ON)
    newer = rows.filter(workstation=OuterRef("workstation"), pk__gt=OuterRef("pk"))
    old = rows.filter(Exists(newer), opened_at__lt=Now() - timedelta(days=1)).order_by("opened_at")
    if numbers := list(old.values_list("pk", flat=True)[:EVENTS_AT_ONCE]):
        with leases.transaction():
            rows.filter(pk__in=numbers).delete()


# --- Requests ---


def _prune_requests(*, before: datetime) -> int:
    """Prune requests that ended long ago, with all that is theirs alone. Returns how many went.

    One stays, however old, while anything of it is open or young, and while its day of usage may be counted anew.
    """
    total = batches = 0
    for page in _walk_requests(before=before):
        if going := _choose_requests(page, before=before):
            _prune_some_requests(going)
            total, batches = total + len(going), batches + 1
        if batches == REQUEST_BATCHES:
            break
    return total


def _walk_requests(*, before: datetime) -> Iterator[list[int]]:
    old = models.Request.objects.filter(created_at__lt=before).order_by("-created_at")
    newest, last = old.values_list("id", flat=True).first() or 0, 0
    rows = models.Request.objects.filter(id__lte=newest).order_by("id").values_list("id", flat=True)
    while page := list(rows.filter(id__gt=last)[:REQUESTS_AT_ONCE]):
        yield page
        last = page[-1]


def _choose_requests(numbers: Sequence[int], *, before: datetime) -> list[int]:
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
def _prune_some_requests(numbers: Sequence[int]) -> None:
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


# --- Events ---


def _prune_events(*, before: datetime) -> int:
    """Prune whole seals from the beginning of the chain, with their events; a tombstone says what. Returns how many
    events went."""
    total = 0
    for _ in range(EVENT_BATCHES):
        chosen = _choose_seals(before=before)
        total += _prune_seals(chosen)
        if not chosen:
            break
    return total


def _choose_seals(*, before: datetime) -> list[models.Seal]:
    """The next that are old enough: but for the newest of all, which the next one follows."""
    newest = models.Seal.objects.aggregate(newest=Max("number"))["newest"] or 0
    chosen, count = list[models.Seal](), 0
    for seal in models.Seal.objects.filter(made_at__lt=before, number__lt=newest).order_by("number")[:EVENTS_AT_ONCE]:
        count += seal.count
        if chosen and count > EVENTS_AT_ONCE:
            break
        chosen.append(seal)
    return chosen


@leases.transaction()
def _prune_seals(chosen: Sequence[models.Seal]) -> int:
    kinds = models.Tombstone.Kind
    former = models.Tombstone.objects.filter(kind=kinds.EVENTS).order_by("-id").first()
    last_id, number, digest = (former.last_id, former.seal_number, former.seal_digest) if former else (0, 0, "")
    going = list(_list_events(until=last_id).exclude(_stays()).values_list("id", flat=True)[:EVENTS_AT_ONCE])
    kept = list[int]()
    if chosen:
        new = _list_events(until=chosen[-1].last_id).filter(id__gt=last_id)
        kept = list(new.filter(_stays()).values_list("id", flat=True))
        going += new.exclude(id__in=kept).values_list("id", flat=True)
        last_id, number, digest = chosen[-1].last_id, chosen[-1].number, chosen[-1].digest
    elif former is None or not going:
        return 0
    tombstone = models.Tombstone(
        made_at=clock.read_clock(),
        kind=kinds.EVENTS,
        first_id=min([*going, *kept]),
        last_id=last_id,
        ids=canonical.pack_ranges(numbers=going),
        kept=canonical.pack_ranges(numbers=kept),
        counts={"event": len(going)},
        seal_number=number,
        seal_digest=digest,
    )
    tombstones.add_tombstones(tombstones=[tombstone])
    models.Event.objects.filter(id__in=going)._raw_delete("default")
    left = models.Change.objects.filter(event_id__range=(tombstone.first_id, tombstone.last_id))
    left.filter(~Exists(models.Event.objects.filter(pk=OuterRef("event_id"))))._raw_delete("default")
    models.Seal.objects.filter(number__lte=tombstone.seal_number)._raw_delete("default")
    return len(going)


def _list_events(*, until: int) -> QuerySet[models.Event]:
    return models.Event.objects.filter(id__lte=until).order_by("id")


def _stays() -> Q:
    """All events of a request that is there, and the newest about settings: the next start compares them with it."""
    newest = models.Event.objects.filter(verb=Verb.SETTINGS).order_by("-id").values_list("id", flat=True).first()
    return Q(pk=newest) | Q(Exists(models.Request.objects.filter(pk=OuterRef("request_number"))))
