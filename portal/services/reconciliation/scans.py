"""Scans: bounded walks through the provider's lists, page by page, resumed from round to round.

A page is stored before the next is asked for, in short transactions outside of the key's lock; only the last one, under
that lock, makes the scan count. Any worker can go on from its row.
"""

import itertools
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max, Q

from portal import agentstation, failures, models
from portal.db import clock, release_connection
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import audit
from portal.services.key import credentials, key_lock
from portal.services.mirrors import contract_drift, sanitize
from portal.services.reconciliation import completeness, sync
from portal.services.runtime import leases

_ROUND = 5.0  # seconds; a new account waits for one round before anything is sent
_ROUND_CALLS = 200
_MOST_PAGES = 10_000  # of one scan: 1,000,000 entries, if the provider gives as many as are asked for
_LONGEST = timedelta(hours=1)  # from its first round to its last
_BATCH = 50  # entries in one transaction: SQLite lets nobody else write meanwhile
_MARGIN = timedelta(days=1)  # how much further back than the oldest unknown attempt the history is read
_UNASKED_WAIT, _LONGEST_WAIT = 30.0, 300.0  # seconds after a 429 to a GET
_SHARE = 3  # of the calls a minute: reads have a third as many beside the POSTs
_SAVED_UP = timedelta(seconds=10)  # of that share, for one round
_KEPT = timedelta(days=7)
_MOST_PRUNED = 500
_WITHOUT_LISTS = timedelta(hours=1)  # of 404, before a provider that had lists has none any more
_MOST_FAILURES = 3  # in a row, behind the first page: a long scan meets some, and would begin anew each time
_TOO_LARGE = "a list has an entry that is too large to be read"


def find_open(*, account: models.Account) -> models.Scan | None:
    """The scan that is under way, if any."""
    return models.Scan.objects.select_related("account").filter(account=account, ended_at=None).first()


def advance_scan(*, account: models.Account, client: agentstation.Client) -> models.Scan:
    """Go on with the scan that is under way, or begin one, for a bounded time.

    The active list is read before the history, so that a workstation that ends meanwhile is in one of the two.
    """
    scan = find_open(account=account) or _begin(account=account)
    is_first = scan.account.baseline_scan == models.Account.BaselineScan.WANTED
    _advance(scan, client=client.hurried(total_timeout=_ROUND) if is_first else client)
    if is_first and not scan.is_over:
        with leases.transaction():
            _note_baseline_scan(scan, result=models.Account.BaselineScan.BEGUN)
    return scan


def has_no_lists(*, account: models.Account, now: datetime) -> bool:
    """Whether the provider has no lists at all: none was ever read, or it has said so for an hour."""
    rows = models.Scan.objects.filter(account=account, ended_at__isnull=False)
    refused = Q(problem__startswith="404") | Q(problem__startswith="501")
    other = rows.exclude(refused).order_by("-id").first()
    first = rows.filter(refused, id__gt=other.pk if other else 0).order_by("id").first()
    if first is None:
        return False
    return not rows.filter(is_complete=True).exists() or now - first.begun_at >= _WITHOUT_LISTS


def end_broken_scan(*, account: models.Account) -> None:
    """End the scan that is under way as incomplete, if there is one."""
    if (scan := find_open(account=account)) is not None:
        _end(scan, problem="broke")


# --- The beginning ---


def _begin(*, account: models.Account) -> models.Scan:
    # Old scans by which nothing was decided go.
    ended = models.Scan.objects.filter(account=account, is_evidence=False, ended_at__lt=Now() - _KEPT).order_by("id")
    models.Scan.objects.filter(pk__in=list(ended.values_list("pk", flat=True)[:_MOST_PRUNED])).delete()
    last = models.Scan.objects.filter(account=account).order_by("-id").first()
    scan = models.Scan(
        back_to=_find_oldest_needed(account=account),
        back_to_uid=_find_newest_end(last=last) if last else "",
        paid_until=last.paid_until if last else None,
    )
    with key_lock.holding(account=account) as key:
        scan.account, scan.begun_tick = key.account, key_lock.advance_tick(key=key)
        scan.begun_at = clock.read_clock()
        scan.reads_all = key.account.baseline_scan != models.Account.BaselineScan.DONE
        scan.save()
    return scan


def _find_oldest_needed(*, account: models.Account) -> datetime | None:
    """A day before the oldest attempt that may have made something, lost ones too; None where there is none.

    For one that people are asked about, the last complete scan has read what was before it.
    """
    attempts = models.Attempt.objects.filter(
        request__account=account, request__status=models.Request.Status.UNKNOWN, outcome=models.Attempt.Outcome.UNKNOWN
    )
    asked = attempts.exclude(request__operator_note="").order_by("claimed_at").first()
    unasked = attempts.filter(request__operator_note="").order_by("claimed_at").first()
    needed = [unasked.claimed_at - _MARGIN] if unasked else []
    if unasked is not None:  # one that stands for what a restore lost was claimed after that
        restores = models.Restore.objects.filter(account=account, restored_tick__gte=unasked.claimed_tick)
        needed += [row.lost_since - _MARGIN for row in restores]
    if asked is not None:
        complete = models.Scan.objects.filter(account=account, is_complete=True).order_by("-id").first()
        needed.append(max(complete.begun_at, asked.claimed_at - _MARGIN) if complete else asked.claimed_at - _MARGIN)
    return min(needed, default=None)


def _find_newest_end(*, last: models.Scan) -> str:
    """Which of ours has ended last, of those that the last scan still showed as live."""
    ended = models.Workstation.objects.filter(last_scan_id=last.pk, ended_at__gt=last.begun_at)
    newest = ended.exclude(request=None).order_by("-ended_at").values_list("uid", flat=True)
    return newest.first() or ""


# --- A round ---


def _advance(scan: models.Scan, *, client: agentstation.Client) -> None:
    now, stop_at = clock.read_clock(), time.monotonic() + _ROUND
    # A wait that is longer than any is of a clock that was put back.
    has_to_wait = scan.wait_until is not None and now < scan.wait_until <= now + timedelta(seconds=_LONGEST_WAIT)
    if now - scan.begun_at > _LONGEST:
        _end(scan, problem="took-too-long")
    elif not has_to_wait:
        calls = _count_calls(scan, now=now)
        while calls > 0 and not scan.is_over and time.monotonic() < stop_at and _step(scan, client=client):
            calls -= 1


def _count_calls(scan: models.Scan, *, now: datetime) -> int:
    if not settings.PORTAL_CALLS_PER_MINUTE:
        return _ROUND_CALLS
    each = _price()
    paid_until = scan.paid_until
    if paid_until is None or paid_until > now:  # the first, or the clock was put back
        paid_until = now - each
    scan.paid_until = max(paid_until, now - max(_SAVED_UP, each))
    return min(_ROUND_CALLS, int((now - scan.paid_until) / each))


def _price() -> timedelta:
    return timedelta(minutes=1) * _SHARE / settings.PORTAL_CALLS_PER_MINUTE


def _step(scan: models.Scan, *, client: agentstation.Client) -> bool:
    """Make one call and store what it showed. True where the round may go on."""
    if settings.PORTAL_CALLS_PER_MINUTE and scan.paid_until is not None:
        scan.paid_until += _price()
    read = _check_next if scan.phase == scan.Phase.CHECK else _read_page
    try:
        read(scan, client=client)
    except agentstation.RateLimited as error:
        asked = error.response.retry_after if error.response else None
        scan.wait_until = Now() + timedelta(seconds=min(asked or _UNASKED_WAIT, _LONGEST_WAIT))
        _save(scan)
        return False
    except agentstation.AgentStationError as error:
        failure = failures.classify_error(error)
        if failure.stops_reads:
            credentials.note_refusal(account=scan.account)
        may_pass = failure.retry.is_limited and not error.has_no_such_path
        if scan.pages and scan.failures < _MOST_FAILURES and may_pass:
            scan.failures += 1
            _save(scan)
        elif scan.phase == scan.Phase.CHECK:
            _end(scan, problem=completeness.NOT_READABLE)
        else:
            status = f"{error.response.status} " if error.response else ""
            _end(scan, problem=f"{status}{type(error).__name__}", error=error)
    return True


def _save(scan: models.Scan) -> None:
    with leases.transaction():
        scan.save()


def _read_page(scan: models.Scan, *, client: agentstation.Client) -> None:
    release_connection()
    history = scan.phase == scan.Phase.HISTORY
    try:
        page = client.list_page(history=history, cursor=scan.cursor, limit=scan.page_size)
    except agentstation.PageTooLarge:
        _ask_for_less(scan)
        return
    if page.date is not None:
        scan.clock_offset = (page.date - clock.read_clock()).total_seconds()
    *batches, last = list(itertools.batched(page.entries, _BATCH)) or [()]
    for batch in batches:
        with leases.transaction():
            sync.store_entries(scan=scan, entries=batch, date=page.date)
    with leases.transaction():
        contract_drift.note_deviations(deviations=page.deviations)
        sync.store_entries(scan=scan, entries=last, date=page.date)
        problem = _turn_page(scan, page=page)
        scan.save()
    if problem:
        _end(scan, problem=problem)


def _ask_for_less(scan: models.Scan) -> None:
    if scan.page_size > 1:
        scan.page_size //= 2
        _save(scan)
        return
    too_large = agentstation.Deviation(kind=_TOO_LARGE, example={"list": scan.phase})
    with leases.transaction():
        contract_drift.note_deviations(deviations=[too_large])
    _end(scan, problem="entry-too-large")


def _turn_page(scan: models.Scan, *, page: agentstation.Page) -> str:
    """Go to the next page, the next list or the end; where that leads nowhere, the code of the problem."""
    cursor = page.next_cursor
    scan.pages += 1
    scan.list_pages += 1
    scan.failures = 0
    if scan.phase == scan.Phase.ACTIVE:
        scan.active_count += len(page.entries)
    else:
        scan.history_count += len(page.entries)
        cursor = "" if _has_read_enough(scan, entries=page.entries) else cursor
    if not cursor:
        scan.phase = scan.Phase.HISTORY if scan.phase == scan.Phase.ACTIVE else scan.Phase.CHECK
        scan.cursor, scan.earlier_cursor, scan.list_pages = "", "", 0
        return ""
    if cursor != sanitize.escape_text(cursor):
        return "unusable-cursor"
    if cursor == scan.earlier_cursor:
        return "repeated-cursor"
    # Kept at growing distances, one cursor finds every circle soon after it has closed.
    if scan.list_pages & (scan.list_pages - 1) == 0:
        scan.earlier_cursor = cursor
    scan.cursor = cursor
    return "endless" if scan.pages >= _MOST_PAGES else ""


def _has_read_enough(scan: models.Scan, *, entries: Sequence[agentstation.Workstation]) -> bool:
    if scan.back_to_uid in {entry.uid for entry in entries}:
        scan.back_to_uid = ""
    if scan.reads_all or scan.back_to_uid:
        return False
    if scan.back_to is None:
        return True
    began = [entry.started_at for entry in entries]
    return bool(began) and all(time is not None and time < scan.back_to for time in began)


# --- The end ---


def _check_next(scan: models.Scan, *, client: agentstation.Client) -> None:
    row = completeness.find_lacking(scan=scan).first()
    if row is None:
        _end(scan)
        return
    release_connection()
    if problem := completeness.check_lacking(scan=scan, row=row, client=client):
        _end(scan, problem=problem)
    scan.failures = 0


def _end(scan: models.Scan, *, problem: str = "", error: agentstation.AgentStationError | None = None) -> None:
    """Make the scan count: what it lacks, if it is complete, is not there from now on."""
    with key_lock.holding(account=scan.account) as key:
        if not problem and completeness.find_lacking(scan=scan).exists():
            return  # somebody was given one in this moment
        if error is not None and error.response is not None and not 200 <= error.response.status < 300:
            contract_drift.note_deviations(deviations=error.response.deviations)
        scan.problem = problem or completeness.find_problem(scan=scan)
        scan.is_complete = not scan.problem
        shown = models.Workstation.objects.filter(account=scan.account_id, last_scan_id=scan.pk)
        scan.own_count = shown.exclude(request=None).count()
        # One that has ended speaks for the history alone.
        live, outcomes = shown.filter(ended_at=None), models.Attempt.Outcome
        made = models.Attempt.objects.filter(request__workstation__in=live, outcome=outcomes.SUCCEEDED)
        scan.witness_tick = made.aggregate(newest=Max("claimed_tick"))["newest"] or 0
        scan.ended_at, scan.ended_tick = clock.read_clock(), key_lock.advance_tick(key=key)
        scan.save()
        if scan.is_complete:
            completeness.end_missing(scan=scan)
        results, is_read = models.Account.BaselineScan, scan.phase == scan.Phase.CHECK
        _note_baseline_scan(scan, result=results.DONE if is_read else results.FAILED)


def _note_baseline_scan(scan: models.Scan, *, result: models.Account.BaselineScan) -> None:
    """Note how far the account's first scan has come. Once one has been through the lists, that stays."""
    before = models.Account.objects.values_list("baseline_scan", flat=True).get(pk=scan.account_id)
    if before in (models.Account.BaselineScan.DONE, result):
        return
    scan.account.update_where(models.Account.objects.all(), baseline_scan=result)
    detail = {"before": before, "after": result}
    audit.record(Verb.BASELINE_SCAN, scan.account, detail=detail)
