"""Looks: complete readings of the provider's lists, written into the mirrors."""

import itertools
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from portal import agentstation, models
from portal.db import release_connection
from portal.models.clock import Now
from portal.services import accounts, audit, clock, drift, keyhold, leases, mirror

_BATCH = 500
_WITHOUT_LISTS = timedelta(hours=1)  # of 404, before a provider that had lists has none any more
_MANY = 10_000  # looked up in one query
_FIRST_LOOK = 5.0  # seconds for each page: everybody waits for this look


def make_first_scan(*, held: leases.Held, client: agentstation.Client) -> None:
    """Before the first attempt on a new account, mark all that is there as foreign. A failure is noted and final."""
    account = accounts.get_current_account()
    if account.first_look == models.Account.FirstLook.WANTED:
        make_scan(account=account, held=held, client=client.hurried(total_timeout=_FIRST_LOOK))


def make_scan(*, account: models.Account, held: leases.Held, client: agentstation.Client) -> models.Scan:
    """Read the active list, then the history, each to its last page; an error makes it an incomplete look.

    In this order, so that a workstation that ends meanwhile is in one of the two.
    """
    begun_at = clock.read_clock(account=account)
    begun_tick = keyhold.get_key(account=account).tick
    release_connection()
    try:
        active = client.list_active_workstations()
        history = client.list_workstation_history()
    except agentstation.AgentStationError as error:
        return _store_failed(account=account, held=held, begun_at=begun_at, begun_tick=begun_tick, error=error)
    return _store_look(
        account=account, held=held, begun_at=begun_at, begun_tick=begun_tick, active=active, history=history
    )


def has_no_lists(*, account: models.Account, now: datetime) -> bool:
    """Whether the provider has no lists at all: none was ever read, or it has said so for an hour."""
    rows = models.Scan.objects.filter(account=account)
    refused = Q(problem__startswith="404") | Q(problem__startswith="501")
    other = rows.exclude(refused).order_by("-id").first()
    first = rows.filter(refused, id__gt=other.pk if other else 0).order_by("id").first()
    if first is None:
        return False
    return not rows.filter(is_whole=True).exists() or now - first.begun_at >= _WITHOUT_LISTS


@transaction.atomic
def _store_failed(
    *,
    account: models.Account,
    held: leases.Held,
    begun_at: datetime,
    begun_tick: int,
    error: agentstation.AgentStationError,
) -> models.Scan:
    key = keyhold.lock_key(account=account)
    leases.check_lease(held=held)
    status = f"{error.answer.status} " if error.answer else ""
    if error.answer is not None and not 200 <= error.answer.status < 300:
        drift.note_answer(answer=error.answer, request_number=None)
    look = models.Scan.objects.create(
        account=account,
        begun_at=begun_at,
        begun_tick=begun_tick,
        ended_tick=keyhold.advance_tick(key=key),
        is_whole=False,
        problem=f"{status}{type(error).__name__}",
    )
    _note_first_look(account=account, result=models.Account.FirstLook.FAILED)
    return look


@transaction.atomic
def _store_look(
    *,
    account: models.Account,
    held: leases.Held,
    begun_at: datetime,
    begun_tick: int,
    active: agentstation.Listing,
    history: agentstation.Listing,
) -> models.Scan:
    key = keyhold.lock_key(account=account)
    leases.check_lease(held=held)
    drift.note_pages(pages=[*active.pages, *history.pages])
    tick = keyhold.advance_tick(key=key)
    look = models.Scan.objects.create(
        account=account,
        begun_at=begun_at,
        begun_tick=begun_tick,
        ended_tick=tick,
        is_whole=True,
        active_count=len(active),
        history_count=len(history),
        own_count=_count_own(account=account, entries=[*active, *history]),
        new_count=_store_new(account=account, tick=tick, active=active, history=history),
    )
    if _note_first_look(account=account, result=models.Account.FirstLook.DONE):
        models.Workstation.objects.filter(account=account, request=None).update(is_foreign=True)
    return look


def _count_own(*, account: models.Account, entries: list[agentstation.Workstation]) -> int:
    ours = models.Workstation.objects.filter(account=account, request__isnull=False)
    uids = itertools.batched((entry.uid for entry in entries if mirror.has_storable_uid(workstation=entry)), _BATCH)
    return sum(ours.filter(uid__in=batch).count() for batch in uids)


def _store_new(
    *,
    account: models.Account,
    tick: int,
    active: list[agentstation.Workstation],
    history: list[agentstation.Workstation],
) -> int:
    """Mirror what no look has shown before; what is known is kept up by answers and refreshing."""
    known = models.Workstation.objects.filter(account=account)
    listed = {entry.uid for entry in (*active, *history) if mirror.has_storable_uid(workstation=entry)}
    shown: set[str] = set()
    for batch in itertools.batched(listed, _MANY):
        shown.update(known.filter(uid__in=batch, listed_at__isnull=False).values_list("uid", flat=True))
    count = 0
    for entries, are_over in ((active, False), (history, True)):
        new = {entry.uid: entry for entry in entries if entry.uid in listed - shown}
        mirror.store_listed(account=account, entries=list(new.values()), are_over=are_over)
        drift.note_workstations(workstations=[entry.raw for entry in new.values()], request_number=None)
        uids = list(new)
        for start in range(0, len(uids), _BATCH):
            known.filter(uid__in=uids[start : start + _BATCH]).update(listed_at=Now(), listed_tick=tick)
        shown |= new.keys()
        count += len(new)
    return count


def _note_first_look(*, account: models.Account, result: models.Account.FirstLook) -> bool:
    """True where this was the first."""
    wanted = models.Account.objects.filter(pk=account.pk, first_look=models.Account.FirstLook.WANTED)
    if not wanted.update(first_look=result):
        return False
    detail = {"before": models.Account.FirstLook.WANTED, "after": result}
    audit.record_event(actor=None, verb="first-look", target=account, detail=detail)
    return True
