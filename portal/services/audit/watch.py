"""The audit log is checked without being asked: what is new each hour, all of it each night.

A round takes a few seconds of each minute, and the next goes on where it ended, in whichever worker. What is found is
an event and a finding, which is shown until an operator acknowledges it.
"""

import logging
import time
from collections import defaultdict
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _

from portal import models
from portal.db import clock
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services.audit import (
    checkstate,
    events,
    protection,
    reading,
    rows,
    seals,
    signatures,
    verify,
    verifyrows,
)
from portal.services.audit.report import Finding, Report
from portal.services.runtime import leases

logger = logging.getLogger(__name__)

ROUND = 3.0  # seconds
_HOURLY = 720  # rounds of the shortest job: an hour
_NIGHT = (1, 6)  # hours between which a check of everything begins
_OVERDUE = timedelta(hours=36)  # since the last check of everything
_NOT_CHECKED = timedelta(hours=48)  # since the beginning of the last one that came to its end: a warning
SEALS = 2  # checked between two looks at the clock
EVENTS = 500
_MOST_OPEN = 100  # findings: where one thing is wrong, all may be
_EVENTS_PHASE = "events"
_What = models.LogCheck.What


class NotOpen(Exception):
    """Somebody has acknowledged the finding already; the message is fit for the person."""


def check_log(*, lease: leases.Lease) -> None:
    """One round of whichever check is due."""
    now = clock.read_clock()
    stop_at = time.monotonic() + ROUND
    for begin, step in ((_begin_new, _check_new), (_begin_all, _check_all)):
        report = Report()
        check = begin(now, report)
        if report.findings:
            _keep(check, report=report, lease=lease)
        while check.phase and time.monotonic() < stop_at:
            report = Report()
            step(check, report)
            _keep(check, report=report, lease=lease, ended_at=None if check.phase else now)


def count_open() -> int:
    """How many findings nobody has acknowledged."""
    return models.Finding.objects.filter(acknowledged_at=None).count()


def list_checks() -> list[models.LogCheck]:
    """How far the check of everything and the check of what is new have come."""
    return list(filter(None, (checkstate.find_state(what=what) for what in (_What.ALL, _What.NEW))))


def find_warnings(*, now: datetime) -> list[str]:
    """What watchers of the portal should know of its audit log; never a reason not to serve."""
    warnings = []
    if found := count_open():
        warnings.append(f"The audit log is not as the portal has written it: see the findings in the admin ({found}).")
    if (at := checkstate.find_last(what=_What.ALL)) is not None and now - at > _NOT_CHECKED:
        warnings.append(f"The audit log has not been checked as a whole since {at:%Y-%m-%d %H:%M} UTC.")
    if (at := checkstate.find_last(what=_What.NEW)) is not None and now - at > 3 * _hour():
        warnings.append(f"What is new in the audit log has not been checked since {at:%Y-%m-%d %H:%M} UTC.")
    if seals.describe_state().is_late:
        warnings.append(
            "Events of the audit log have waited for their seal for minutes: those could be removed unseen."
        )
    return warnings


@transaction.atomic
def acknowledge_finding(*, actor: models.User, finding: models.Finding, reason: str) -> None:
    """Note who has seen it and what came out, so that it is open no more. Raises NotOpen where another was first."""
    open_ones = models.Finding.objects.filter(acknowledged_at=None)
    if not finding.update_where(open_ones, acknowledged_at=Now(), acknowledged_by=actor):
        raise NotOpen(_("Somebody has acknowledged this finding already."))
    events.record(Verb.ACKNOWLEDGE_FINDING, finding, by=actor, reason=reason)


def _hour() -> timedelta:
    return timedelta(seconds=_HOURLY * settings.PORTAL_JOB_INTERVAL)


def _read(what: models.LogCheck.What, *, now: datetime, report: Report) -> models.LogCheck:
    """Where the check is. What somebody has made of that instead is a finding, once a day."""
    check, is_ours = checkstate.read_state(what=what)
    if not is_ours:
        words = f"was no longer where the portal had left it, on {now:%Y-%m-%d}: it went on from there, or began anew."
        report.add("check", f"log check {what.value}", words)
    return check


# --- What is new ---


def _begin_new(now: datetime, report: Report) -> models.LogCheck:
    check = _read(_What.NEW, now=now, report=report)
    if check.begun_at is None:
        whole = checkstate.find_whole()
        check.position = whole.id if whole else reading.find_newest()
    if not check.phase and (check.begun_at is None or not timedelta() <= now - check.begun_at < _hour()):
        check.begun_at, check.phase = now, _EVENTS_PHASE
    return check


def _check_new(check: models.LogCheck, report: Report) -> None:
    """The next events since the last check, and the rows that they tell of."""
    told: dict[str, set[int]] = defaultdict(set)
    last, number = None, 0
    for number, event in enumerate(reading.walk_events(after=check.position), start=1):
        verify.check_alone(report=report, event=event)
        if event.verdict is signatures.Verdict.AUTHENTIC:
            last = event.id
            for change in event.changes:
                told[change[2]].add(change[3])
        if number == EVENTS:
            break
    if (
        number == EVENTS
        and last != event.id
        and reading.read_authentic(after=event.id, until=seals.HIGHEST_ID, limit=1)
    ):
        last = event.id  # however many of these were forged
    for kind, ids in told.items():
        verifyrows.compare_chosen(report=report, kind=kind, ids=sorted(ids))
    check.position, check.phase = (check.position, "") if last is None else (last, _EVENTS_PHASE)
    if not check.phase:
        _check_seals(report)
        for words in protection.find_faults():
            report.add("protection", "the database:", words)


def _check_seals(report: Report) -> None:
    """Whether those are there still that the last whole check has seen, and the newest that this process has made."""
    if (whole := checkstate.find_whole()) is not None:
        verify.check_sealed(report=report, event=whole)
    if (lost := seals.find_loss()) is not None:
        report.add("seal", f"seal {lost.number}", "was removed, or made anew, since this worker has made it.")


# --- All of it ---


def _begin_all(now: datetime, report: Report) -> models.LogCheck:
    check = _read(_What.ALL, now=now, report=report)
    if check.phase not in ("", _EVENTS_PHASE, *rows.KINDS):  # another version of the portal has written that
        check.phase, check.begun_at = "", None
    # At night by the site's zone, while few need the database; whenever the last is too long ago.
    hour = now.astimezone(timezone.get_default_timezone()).hour
    age = abs(now - check.begun_at) if check.begun_at else _OVERDUE
    is_due = age >= _OVERDUE or (age >= timedelta(hours=12) and _NIGHT[0] <= hour < _NIGHT[1])
    if not check.phase and is_due:
        check.begun_at, check.phase, check.position = now, _EVENTS_PHASE, 0
    return check


def _check_all(check: models.LogCheck, report: Report) -> None:
    """The next seals with their events; then the next rows, kind by kind."""
    kinds = list(rows.KINDS)
    if check.phase == _EVENTS_PHASE:
        last = verify.verify_seals(report=report, after=check.position, most=SEALS)
        if last is None:
            verify.find_headless(report=report)
            check.phase, check.position = kinds[0], verifyrows.LOWEST
        else:
            check.position = last
        return
    after = verifyrows.compare_next(report=report, kind=check.phase, after=check.position)
    if after is not None:
        check.position = after
        return
    rest = kinds[kinds.index(check.phase) + 1 :]
    check.phase, check.position = (rest[0], verifyrows.LOWEST) if rest else ("", 0)


# --- What is found ---


def _keep(check: models.LogCheck, *, report: Report, lease: leases.Lease, ended_at: datetime | None = None) -> None:
    with transaction.atomic():
        leases.renew_lease(lease=lease)
        room = _MOST_OPEN - _count_open() if report.findings else 0
        for finding in report.findings:
            room -= _note(finding) if room > 0 else 0
        if ended_at is not None:
            check.ended_at = ended_at
            if check.what == _What.ALL:
                events.record(Verb.CHECKED, "the audit log", detail=checkstate.describe_end(check=check))
        checkstate.keep_state(check=check)
    checkstate.remember_state(check=check)


def _count_open() -> int:
    """Those that events tell of: what somebody has made up must keep no other out."""
    told = models.Change.objects.filter(kind="finding", row_id=OuterRef("pk"))
    ids = models.Finding.objects.filter(Exists(told), acknowledged_at=None).order_by("-id").values_list("pk", flat=True)
    newest = list(ids[: 10 * _MOST_OPEN])
    return len(newest) - len(verifyrows.find_differing(kind="finding", ids=newest))


def _note(finding: Finding) -> bool:
    """Keep it where it is new, as an event too. Whether it was."""
    # Its words too: what was acknowledged hides nothing else of the same row.
    row, is_new = models.Finding.objects.get_or_create(
        kind=finding.kind, what=finding.what[:200], words=finding.words[:500]
    )
    if not is_new and not _open_forged(row):
        return False
    logger.error("The audit log is not as it was written: %s", finding)
    events.record(Verb.FINDING, row, detail={"kind": row.kind, "what": row.what, "words": row.words})
    return True


def _open_forged(row: models.Finding) -> bool:
    """Open it again where it is not as events have left it. Whether none tells of it: it was made up beforehand."""
    if not verifyrows.find_differing(kind="finding", ids=[row.pk]):
        return False
    is_told = bool(verifyrows.read_changes(kind=rows.KINDS["finding"], ids=[row.pk]))
    row.acknowledged_at, row.acknowledged_by = None, None
    if not is_told:
        row.found_at = Now()
        row.note_added()
    row.save()
    return not is_told
