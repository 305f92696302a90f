"""What a page of a list shows, compared with the mirrors: newcomers, ends, what is found again, and wrong ends.

Written batch by batch, outside of the key's lock. The key's tick is read after the page was answered, and the next one
is noted: whatever is claimed at that or later cannot have made what the page showed.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q
from django.utils.translation import gettext as _

from portal import agentstation, models
from portal.db import clock
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import circuit_breaker
from portal.services.mirrors import contract_drift, mirror, missing, releases, sanitize

_CLOCK_BEHIND = timedelta(seconds=30)  # a provider's clock may be this much behind its own Date header
_CLOCKS_DIFFER = timedelta(minutes=10)  # at most, where the provider does not give its time
_KEPT_IN_VIEW = timedelta(days=1)  # after its end, and of what nobody owns after its start too
_NAMELESS = "a list has a workstation with an id that cannot be kept"
_REUSED = "a list has a workstation with the id of one that had ended"


def store_entries(*, scan: models.Scan, entries: Iterable[agentstation.Workstation], date: datetime | None) -> None:
    """Store what a batch of a page's entries shows, in the caller's transaction. `date` is when the page was made."""
    named = _name_entries(entries, scan=scan)
    rows = models.Workstation.objects.filter(account=scan.account_id, uid__in=named)
    known = list(rows.defer("raw"))
    fresh = {uid: named[uid] for uid in named.keys() - {row.uid for row in known}}
    if fresh:
        mirror.store_listed(
            account=scan.account,
            entries=fresh,
            are_over=scan.phase == scan.Phase.HISTORY,
            foreign=_find_foreign(account=scan.account, entries=fresh, date=date),
        )
        _note_differences(fresh)
    tick = circuit_breaker.get_key(account=scan.account).tick + 1
    scan.new_count += rows.filter(listed_at=None).update(listed_at=Now(), listed_tick=tick)
    scan.own_count += sum(row.request_id is not None for row in known)
    rows.filter(_is_in_view(scan)).exclude(last_scan_id=scan.pk).update(last_scan_id=scan.pk)
    for row in known:
        _compare(row, entry=named[row.uid], scan=scan)


def _is_in_view(scan: models.Scan) -> Q:
    """Those on which the scan is noted: a history may be long, and is not written anew each time."""
    lately = scan.begun_at - _KEPT_IN_VIEW
    is_young = Q(request__isnull=False) | Q(created_at=None) | Q(created_at__gt=lately)
    return Q(ended_at=None) | Q(is_young, is_foreign=False, ended_at__gt=lately)


def end_listed(*, row: models.Workstation, entry: agentstation.Workstation | None) -> None:
    """End a workstation that the provider shows as ended, or no longer shows at all, in the caller's transaction."""
    rows = models.Workstation.objects.select_related("account").select_for_update(of=("self",))
    stored = rows.get(pk=row.pk)
    if not stored.is_live:
        return
    before = missing.describe_life(stored=stored)
    if entry is not None and stored.request_id is not None:
        mirror.store_workstation(stored=stored, workstation=entry)
    elif entry is not None:
        stored.change(status=entry.status)
    missing.end_workstation(stored=stored, before=before)


def _name_entries(
    entries: Iterable[agentstation.Workstation], *, scan: models.Scan
) -> dict[str, agentstation.Workstation]:
    """Each under its id where that can be kept and is no other's, else under a digest.

    Where the active list shows another under the id of one that lives here, that one has ended.
    """
    uids = {entry.uid for entry in entries if sanitize.is_storable(uid=entry.uid)}
    rows = models.Workstation.objects.filter(account=scan.account_id, uid__in=uids).select_related("workspace")
    known, named = {row.uid: row for row in rows.defer("raw")}, dict[str, agentstation.Workstation]()
    for entry in entries:
        row, uid = known.get(entry.uid), entry.uid
        if row is not None and _is_another(entry, row=row, account=scan.account):
            uid = ""
            if scan.phase == scan.Phase.ACTIVE:
                end_listed(row=row, entry=None)
        named[uid if uid in uids else _make_digest(entry)] = entry
    return named


def _is_another(entry: agentstation.Workstation, *, row: models.Workstation, account: models.Account) -> bool:
    """Whether it is another than the one that has its id, by when that began or else ended.

    All times are by the provider's clock.
    """
    if row.created_at or row.ended_at is None or entry.started_at is None:
        return mirror.is_same(stored=row, entry=entry) is False
    offset = _CLOCKS_DIFFER if account.started_offset is None else timedelta(seconds=account.started_offset)
    return entry.started_at > row.ended_at + offset + timedelta(seconds=settings.PORTAL_RECONCILE_GRACE) / 2


def _make_digest(entry: agentstation.Workstation) -> str:
    """A digest of what does not change while the workstation lives."""
    workspace = entry.workspace.uid if entry.workspace else ""
    lasting = json.dumps([entry.raw.get("id"), entry.raw.get("entry"), entry.raw.get("startedAt"), workspace])
    return f"sha256:{hashlib.sha256(lasting.encode()).hexdigest()}"


def _find_foreign(
    *, account: models.Account, entries: Mapping[str, agentstation.Workstation], date: datetime | None
) -> frozenset[str]:
    """Those that were there before the account's first attempt, until a scan has come to its end."""
    if account.baseline_scan == models.Account.BaselineScan.DONE:
        return frozenset()
    attempts = models.Attempt.objects.filter(request__account=account).order_by("id")
    first = attempts.values_list("claimed_at", flat=True).first()
    if first is None:
        return frozenset(entries)
    # When that was by the provider's clock, at the earliest: its Date may be of another clock, such as a proxy's.
    ahead = min(date - clock.read_clock(), timedelta()) if date else None
    if account.started_offset is not None:
        ahead = timedelta(seconds=account.started_offset)
    first += -_CLOCKS_DIFFER if ahead is None else ahead - _CLOCK_BEHIND
    return frozenset(uid for uid, entry in entries.items() if entry.started_at and entry.started_at < first)


def _note_differences(fresh: Mapping[str, agentstation.Workstation]) -> None:
    deviations = [deviation for entry in fresh.values() for deviation in entry.deviations]
    nameless = [entry for uid, entry in fresh.items() if uid != entry.uid]
    oddities = [
        agentstation.Deviation(kind=_REUSED if sanitize.is_storable(uid=entry.uid) else _NAMELESS, example=entry.raw)
        for entry in nameless[:1]
    ]
    contract_drift.note_deviations(deviations=[*oddities, *deviations])


def _compare(row: models.Workstation, *, entry: agentstation.Workstation, scan: models.Scan) -> None:
    grace = timedelta(seconds=settings.PORTAL_RECONCILE_GRACE)
    is_over = scan.phase == scan.Phase.HISTORY or entry.status in models.Workstation.ENDED_STATUSES
    if row.ended_at is None and is_over:
        if row.last_scan_id != scan.pk:  # else this scan's active list has just shown it
            end_listed(row=row, entry=entry)
    elif row.missing_tick is not None and row.missing_tick < scan.begun_tick:
        missing.note_found(stored=models.Workstation.objects.select_for_update().get(pk=row.pk))
    elif not is_over and row.ended_at is not None and row.ended_at < scan.begun_at - grace:
        _reopen(row, entry=entry)


def _reopen(row: models.Workstation, *, entry: agentstation.Workstation) -> None:
    """Take an end back: the provider shows it as active, long after.

    What was to be released is released again, unless it may be another one: it is known by its start.
    """
    stored = models.Workstation.objects.select_for_update().get(pk=row.pk)
    if stored.is_live:
        return
    before = missing.describe_life(stored=stored)
    begun_anew = {"release_tries": 0, "release_failure": "", "end_warnings": 0}
    release_due_at = Now() if stored.release_requested_at else None
    stored.change(ended_at=None, status=entry.status, refresh_due_at=Now(), release_due_at=release_due_at, **begun_anew)
    audit.record(Verb.REOPEN, stored, detail={"before": before, "after": missing.describe_life(stored=stored)})
    if not mirror.is_same(stored=stored, entry=entry):
        why = _("AgentStation lists its ID as active again, but another workstation may have it by now.")
        releases.withdraw_release(stored=stored, reason=why)
