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
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from portal import models
from portal.models.clock import Now
from portal.models.event import Verb
from portal.services import accounts, clock, leases
from portal.services.audit import checkpoints, events, reading, rows, signatures, verify, verifyrows
from portal.services.audit.report import Finding, Report

logger = logging.getLogger(__name__)

_ROUND = 3.0  # seconds
_HOURLY = 720  # rounds of the shortest job: an hour
_NIGHT = (1, 6)  # hours between which a check of everything begins
_OVERDUE = timedelta(hours=36)  # since the last check of everything
_SEALS = 2  # checked between two looks at the clock
_EVENTS = 500
_MOST_OPEN = 100  # findings: where one thing is wrong, all may be
_EVENTS_PHASE = "events"


class NotOpen(Exception):
    """Somebody has acknowledged the finding already; the message is fit for the person."""


def check_log(*, held: leases.Lease) -> None:
    """One round of whichever check is due."""
    now = clock.read_clock(account=accounts.get_current_account())
    stop_at = time.monotonic() + _ROUND
    for check, step in ((_begin_new(now), _check_new), (_begin_all(now), _check_all)):
        while check is not None and check.phase and time.monotonic() < stop_at:
            report = Report()
            step(check, report)
            _keep(check, report=report, held=held)


def count_open() -> int:
    """How many findings nobody has acknowledged."""
    return models.Finding.objects.filter(acknowledged_at=None).count()


def list_checks() -> list[models.LogCheck]:
    """How far each check has come."""
    return list(models.LogCheck.objects.exclude(what=models.LogCheck.What.SENT).order_by("what"))


def find_warnings(*, now: datetime) -> list[str]:
    """What watchers of the portal should know of its audit log; never a reason not to serve."""
    warnings = []
    if found := count_open():
        warnings.append(f"The audit log is not as the portal has written it: see the findings in the admin ({found}).")
    last = models.LogCheck.objects.filter(what=models.LogCheck.What.ALL, begun_at__lt=now - _OVERDUE)
    if last.filter(Q(ended_at=None) | Q(ended_at__lt=now - _OVERDUE)).exists():
        warnings.append("The audit log has not been checked as a whole since the day before yesterday.")
    return [*warnings, *filter(None, [checkpoints.find_warning(now=now)])]


@transaction.atomic
def acknowledge_finding(*, actor: models.User, finding: models.Finding, reason: str) -> None:
    """Note who has seen it and what came out, so that it is open no more. Raises NotOpen where another was first."""
    open_ones = models.Finding.objects.filter(acknowledged_at=None)
    if not finding.update_where(open_ones, acknowledged_at=Now(), acknowledged_by=actor):
        raise NotOpen(_("Somebody has acknowledged this finding already."))
    events.record(Verb.ACKNOWLEDGE_FINDING, finding, by=actor, reason=reason)


# --- What is new ---


def _begin_new(now: datetime) -> models.LogCheck:
    check, is_new = models.LogCheck.objects.get_or_create(what=models.LogCheck.What.NEW)
    hour = timedelta(seconds=_HOURLY * settings.PORTAL_DUTY_INTERVAL)
    if is_new:
        check.position = models.Event.objects.order_by("-id").values_list("id", flat=True).first() or 0
    if not check.phase and (check.begun_at is None or not timedelta() <= now - check.begun_at < hour):
        check.begun_at, check.phase = now, _EVENTS_PHASE
    return check


def _check_new(check: models.LogCheck, report: Report) -> None:
    """The next events since the last check, and the rows that they tell of."""
    told: dict[str, set[int]] = defaultdict(set)
    last = None
    for number, event in enumerate(reading.walk_events(after=check.position), start=1):
        verify.check_alone(report=report, event=event)
        if event.verdict is signatures.Verdict.AUTHENTIC:
            last = event.id
            for change in event.changes:
                told[change[2]].add(change[3])
        if number == _EVENTS:
            break
    for kind, ids in told.items():
        verifyrows.compare_chosen(report=report, kind=kind, ids=sorted(ids))
    check.position, check.phase = (check.position, "") if last is None else (last, _EVENTS_PHASE)


# --- All of it ---


def _begin_all(now: datetime) -> models.LogCheck:
    check, _is_new = models.LogCheck.objects.get_or_create(what=models.LogCheck.What.ALL)
    if check.phase not in ("", _EVENTS_PHASE, *rows.KINDS):  # no portal has written that
        check.phase, check.begun_at = "", None
    if not check.phase and _is_night(check, now=now):
        check.begun_at, check.phase, check.position = now, _EVENTS_PHASE, 0
    return check


def _is_night(check: models.LogCheck, *, now: datetime) -> bool:
    """Whether a check should begin: at night by the site's zone, or whenever the last is too long ago."""
    if check.begun_at is None:
        return True
    age = abs(now - check.begun_at)
    hour = now.astimezone(timezone.get_default_timezone()).hour
    return age >= _OVERDUE or (age >= timedelta(hours=12) and _NIGHT[0] <= hour < _NIGHT[1])


def _check_all(check: models.LogCheck, report: Report) -> None:
    """The next seals with their events; then the next rows, kind by kind."""
    kinds = list(rows.KINDS)
    if check.phase == _EVENTS_PHASE:
        last = verify.verify_seals(report=report, after=check.position, most=_SEALS)
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


@transaction.atomic
def _keep(check: models.LogCheck, *, report: Report, held: leases.Lease) -> None:
    leases.check_lease(held=held)
    for finding in report.findings:
        _note(finding)
    if not check.phase:
        check.ended_at = Now()
    check.save()


def _note(finding: Finding) -> None:
    """Keep it where it is new, as an event too."""
    if count_open() >= _MOST_OPEN:
        return
    # Its words too: what was acknowledged hides nothing else of the same row.
    row, is_new = models.Finding.objects.get_or_create(
        kind=finding.kind, what=finding.what[:200], words=finding.words[:500]
    )
    if is_new:
        logger.error("The audit log is not as it was written: %s", finding)
        events.record(Verb.FINDING, row, detail={"kind": row.kind, "what": row.what, "words": row.words})
