"""Ends are announced twice, and then carried out by the same release as a person's.

What an announcement gives is a promise: nothing ends before its time has passed since by the database's clock and by
CLOCK_BOOTTIME. So what fell due while nothing ran is announced first, and ends then.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce, Greatest
from django.utils.translation import gettext as _

from portal import models
from portal.db import clock
from portal.models.clock import Now
from portal.services.key import accounts, database_moved, steady_clock
from portal.services.lives import ends, idle
from portal.services.mirrors import releases
from portal.services.runtime import leases

_LAST = timedelta(minutes=5)  # between the last announcement and the end
_ANNOUNCED = 2  # warnings, with the last


@dataclass(frozen=True, kw_only=True)
class End:
    """When a workstation ends, and what of that was announced: what follows is decided by nothing else."""

    at: datetime
    life: timedelta
    warnings: int
    seen: timedelta  # what was seen to pass since the last announcement

    @property
    def last(self) -> timedelta:
        """How long before it the end is announced last: short lives have a part of the time."""
        return min(_LAST, self.life / 10)

    def count_warnings(self, *, now: datetime) -> int:
        """How often it is to have been announced by now."""
        left = self.at - now
        return _ANNOUNCED if left <= self.last else int(left <= min(idle.FIRST, self.life / 2))

    def postpone(self, *, now: datetime) -> datetime | None:
        """The end that it gets where it is announced too late; None where it stays."""
        latest = self.last / 2 if self.warnings else self.last
        return now + self.last if self.at - now < latest else None

    def is_over(self, *, now: datetime) -> bool:
        """Whether it is carried out: all that was announced last has been seen to pass."""
        return self.warnings == _ANNOUNCED and self.seen >= self.last and self.at <= now


def carry_out_ends(*, watched: steady_clock.SteadyClock) -> int:
    """Announce and carry out what is due. `watched`: the clock that this job keeps. Returns how many."""
    account = accounts.get_current_account()
    if not models.Workstation.objects.live().filter(account=account, request__isnull=False).exists():
        return 0  # an idle portal is asked no more
    if not database_moved.check_database():
        return 0
    now = watched.observe(token=leases.get_lease().token)  # the clock may step within this round
    if watched.step:
        _add_step(account, watched=watched)
        watched.forget_step()
    idle.announce_idle(account=account)
    near = _list_ends(account).filter(ends_at__lte=Now() + idle.FIRST)
    _note_passed(near, seconds=watched.passed)
    ends_by_row = {row: _describe(row) for row in near}
    due = [row for row, end in ends_by_row.items() if end.is_over(now=now)]
    return sum(_announce(row, end=end, now=now) for row, end in ends_by_row.items()) + sum(map(_release, due))


def _describe(row: models.Workstation) -> End:
    at = row.ends_at or row.first_seen_at
    life, seen = at - (row.end_set_at or row.first_seen_at), timedelta(seconds=row.end_seen or 0.0)
    return End(at=at, life=life, warnings=row.end_warnings, seen=seen)


def _note_passed(near: QuerySet[models.Workstation], *, seconds: float) -> None:
    """Count in the row what passes after its last announcement: another worker goes on from there."""
    announced = [row for row in near if row.end_warnings == _ANNOUNCED]
    for row in announced:
        row.end_seen = 0.0 if row.end_seen is None else row.end_seen + seconds
    if announced:
        with leases.transaction():
            rows = models.Workstation.objects.filter(pk__in=[row.pk for row in announced], end_warnings=_ANNOUNCED)
            rows.update(end_seen=Coalesce(F("end_seen") + seconds, 0.0))


def _list_ends(account: models.Account) -> QuerySet[models.Workstation]:
    rows = models.Workstation.objects.live().filter(account=account, release_requested_at=None)
    return rows.filter(ends_at__isnull=False, request__isnull=False).order_by("ends_at")


@transaction.atomic
def _add_step(account: models.Account, *, watched: steady_clock.SteadyClock) -> None:
    """Add to the ends what the clock has stepped: nobody's time has passed. What was set since is right already.

    It may have ended the lease.
    """
    step = timedelta(seconds=watched.step)
    before = _list_ends(account).exclude(end_set_at__range=(Now() - timedelta(seconds=watched.interval), Now()))
    before.update(**{name: F(name) + step for name in ("ends_at", "end_set_at", "planned_end_at")})


def _announce(row: models.Workstation, *, end: End, now: datetime) -> bool:
    """Whether this end was to be announced, for the first time or the last. A late announcement moves the end."""
    if (warnings := end.count_warnings(now=now)) <= row.end_warnings:
        return False
    values: dict[str, object] = {"end_warnings": warnings, "end_seen": 0.0}
    if later := end.postpone(now=clock.read_clock()):
        values |= {"ends_at": later, "end_set_at": later - end.life}  # its life is no longer than it was
    with leases.transaction():
        if not _list_unchanged(row).update(**values):
            return False
        row.refresh_from_db(fields=["ends_at", "end_warnings"])
        ends.record_warning(workstation=row)
    return True


def _list_unchanged(row: models.Workstation) -> QuerySet[models.Workstation]:
    """The row alone, unless somebody has chosen another end since it was read."""
    rows = models.Workstation.objects.live().filter(pk=row.pk, release_requested_at=None)
    return rows.filter(ends_at=row.ends_at, end_warnings=row.end_warnings)


def _release(row: models.Workstation) -> bool:
    """Whether its end was carried out: nobody has changed it meanwhile."""
    with leases.transaction():
        rows = _list_unchanged(row).filter(ends_at__lte=Now())
        if row.end_is_idle:
            rows.select_for_update().first()  # as whoever opens a connection does
            rows = idle.list_unused(rows=rows)
        reason = _("Nobody used it for a long time.") if row.end_is_idle else _("The end of its lifetime was reached.")
        return releases.mark_release_requested(workstation=row, rows=rows, actor=None, reason=reason)


@transaction.atomic
def postpone_ends(*, account: models.Account) -> list[models.Workstation]:
    """After a backup was put back: have nothing end within half an hour, and announce all ends anew.

    What the portal wanted to release in that backup may have been kept since. Returns what is no longer released.
    """
    live = models.Workstation.objects.live().filter(account=account, ends_at__isnull=False)
    asked = live.filter(release_requested_at__isnull=False, release_requested_by=None).select_for_update()
    kept = list(asked.select_related(None))
    for row in kept:
        row.change(release_requested_at=None, release_due_at=None, release_tries=0, release_failure="")
    soonest = Now() + idle.FIRST
    _list_ends(account).update(ends_at=Greatest(F("ends_at"), soonest), end_warnings=0)
    _list_ends(account).filter(planned_end_at__lt=soonest).update(planned_end_at=soonest)
    return kept
