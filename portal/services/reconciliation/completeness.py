"""Whether a scan that came to its end lacks what had to be there. Only a complete one says what is not there."""

from datetime import timedelta

from django.conf import settings
from django.db.models import QuerySet

from portal import agentstation, failures, models
from portal.db import clock
from portal.services.key import key_lock
from portal.services.mirrors import missing
from portal.services.reconciliation import lag, sync
from portal.services.runtime import leases

STILL_ACTIVE = "lacks-what-is-active"
NOT_READABLE = "lacks-what-cannot-be-read"
ALL_MISSING = "shows-nothing-of-ours"
_MOST_ENDED = 50  # missing ones that one scan ends, so that the key is not locked for long


def find_lacking(*, scan: models.Scan) -> QuerySet[models.Workstation]:
    """What must be in its lists and was in none: ours, live for longer than the grace, and nothing excuses it."""
    grace = timedelta(seconds=settings.PORTAL_RECONCILE_GRACE)
    live = _list_live(scan).filter(missing_since=None, is_foreign=False, first_seen_at__lte=scan.begun_at - grace)
    return live.exclude(last_scan_id=scan.pk).order_by("pk")


def list_left_out(*, account: models.Account) -> QuerySet[models.Workstation]:
    """What the lists lack though it runs, so that their newest scan proves nothing."""
    scan = models.Scan.objects.filter(account=account, ended_at__isnull=False).order_by("-id").first()
    if scan is None or scan.problem != STILL_ACTIVE:
        return models.Workstation.objects.none()
    return find_lacking(scan=scan)


def check_lacking(*, scan: models.Scan, row: models.Workstation, client: agentstation.Client) -> str:
    """Read one that the scan lacks: it has ended, is missing from now on, or why the scan is not complete.

    Raises AgentStationError where it cannot be read.
    """
    try:
        found = client.retrieve_workstation(uid=row.uid)
    except agentstation.AgentStationError as error:
        if not failures.classify_error(error).means_missing:
            raise
        with key_lock.holding(account=scan.account) as key:
            stored = models.Workstation.objects.select_for_update().get(pk=row.pk)
            missing.note_missing(key=key, stored=stored, why="read")
        return ""
    if found.uid != row.uid:
        return NOT_READABLE
    if found.status not in models.Workstation.ENDED_STATUSES:
        return STILL_ACTIVE
    with leases.transaction():
        sync.end_listed(row=row, entry=found)
    return ""


def find_problem(*, scan: models.Scan) -> str:
    """While all of ours that live are missing, a scan proves nothing unless it shows something else of ours."""
    live = _list_live(scan)
    if not live.exists() or live.filter(missing_since=None, is_foreign=False).exists():
        return ""
    ours = models.Workstation.objects.filter(account=scan.account_id, last_scan_id=scan.pk, missing_since=None)
    return "" if ours.exclude(request=None).exists() else ALL_MISSING


def end_missing(*, scan: models.Scan) -> None:
    """End what this complete scan and an earlier one lack, both begun after it was missed and the longest lag."""
    grace = lag.choose_grace(account=scan.account, now=clock.read_clock())
    rows = models.Workstation.objects.live().filter(account=scan.account_id, missing_tick__lt=scan.begun_tick)
    for row in rows.exclude(last_scan_id=scan.pk).order_by("pk")[:_MOST_ENDED]:
        if row.missing_since is None:
            continue
        # What a scan showed was there: only those behind the last that did prove anything.
        complete = models.Scan.objects.filter(account=scan.account_id, is_complete=True, id__gt=row.last_scan_id or 0)
        if complete.filter(begun_tick__gt=row.missing_tick, begun_at__gte=row.missing_since + grace).count() > 1:
            sync.end_listed(row=row, entry=None)


def _list_live(scan: models.Scan) -> QuerySet[models.Workstation]:
    live = models.Workstation.objects.live().filter(account=scan.account_id, release_requested_at=None)
    return live.exclude(request=None)
