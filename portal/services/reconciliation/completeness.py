"""Whether a scan lacks what had to be there, and how long lists lag. Only a complete one says what is not there."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max, QuerySet

from portal import agentstation, failures, models
from portal.db import clock
from portal.services.key import key_lock
from portal.services.mirrors import mirror, missing
from portal.services.reconciliation import matching, sync
from portal.services.runtime import leases

STILL_ACTIVE = "lacks-what-is-active"
NOT_READABLE = "lacks-what-cannot-be-read"
ALL_MISSING = "shows-nothing-of-ours"
_MOST_ENDED = 50  # missing ones that one scan ends, so that the key is not locked for long
_FACTOR = 3  # longest lags that are waited for
_WEEK = timedelta(days=7)  # for which the longest lag is kept
_MADE = (models.Attempt.Outcome.SUCCEEDED, models.Attempt.Outcome.UNKNOWN)


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
    is_another = mirror.is_same(stored=row, entry=found) is False
    if found.status not in models.Workstation.ENDED_STATUSES and not is_another:
        return STILL_ACTIVE
    with leases.transaction():
        sync.end_listed(row=row, entry=None if is_another else found)
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
    grace = choose_grace(account=scan.account, now=clock.read_clock())
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


# --- How long the lists lag behind responses: what a scan lacks proves nothing before that has passed ---


def choose_grace(*, account: models.Account, now: datetime) -> timedelta:
    """The setting, or three times the longest lag of the last week, of which at most 15 graces count."""
    longest = timedelta(seconds=account.longest_lag if _is_recent(account, now=now) else 0)
    # What has not been listed yet, though it lives, lags on; what was made first has lagged for longest.
    live = models.Workstation.objects.live().filter(
        account=account, listed_tick=None, missing_since=None, is_foreign=False
    )
    made = live.filter(request__attempts__outcome=models.Attempt.Outcome.SUCCEEDED)
    if (first := made.order_by("id").first()) is not None:
        longest = max(longest, _measure(first))
    setting = timedelta(seconds=settings.PORTAL_RECONCILE_GRACE)
    return max(setting, min(_FACTOR * longest, matching.LONGEST_WAIT * setting))


def measure_lags(*, account: models.Account) -> None:
    """Measure the lag of each workstation of ours that has been listed since the last time, and keep the longest."""
    ours = models.Workstation.objects.filter(account=account, request__isnull=False, listed_tick__gt=account.lag_tick)
    listed = list(ours.order_by("listed_tick"))
    # Later pages of a scan that goes on may still list some.
    if listed and not models.Scan.objects.filter(account=account, ended_at=None).exists():
        with leases.transaction():
            _keep_longest(account, max(_measure(workstation) for workstation in listed))
            account.change(lag_tick=listed[-1].listed_tick)


def note_lag(*, workstation: models.Workstation) -> None:
    """Keep how long the lists lacked a workstation that is adopted, in the caller's transaction."""
    _keep_longest(workstation.account, _measure(workstation))


def _keep_longest(account: models.Account, lag: timedelta) -> None:
    now = clock.read_clock()
    if not _is_recent(account, now=now) or lag.total_seconds() >= account.longest_lag:
        account.change(longest_lag=lag.total_seconds(), longest_lag_at=now)


def _is_recent(account: models.Account, *, now: datetime) -> bool:
    return account.longest_lag_at is not None and now - account.longest_lag_at < _WEEK


def _measure(workstation: models.Workstation) -> timedelta:
    """From the response, or the end of a call without one, to the begin of the last scan after it that lacked it."""
    attempts = models.Attempt.objects.filter(request=workstation.request_id, outcome__in=_MADE)
    attempt = attempts.order_by("-number").first()
    if attempt is None or attempt.ended_at is None:
        return timedelta()
    lacking = models.Scan.objects.filter(
        account=workstation.account_id,
        ended_tick__isnull=False,
        begun_tick__gte=attempt.ended_tick or 0,
        phase=models.Scan.Phase.CHECK,
    )
    if workstation.listed_tick is not None:
        lacking = lacking.filter(ended_tick__lt=workstation.listed_tick)
    newest = lacking.aggregate(newest=Max("begun_at"))["newest"]
    return max(timedelta(), newest - attempt.ended_at) if newest else timedelta()
