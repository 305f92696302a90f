"""The team's pace: how many calls may be made now, and how long to wait before one is made again."""

import random
import sys
from datetime import datetime, timedelta

from django.conf import settings

from portal import models
from portal.models.clock import Now
from portal.services.limits import limits

MINUTE = timedelta(minutes=1)
_LONGEST_DELAY = 300.0  # seconds
LONGEST_RETRY_AFTER = 3600.0  # seconds; a provider that asks for more is asked again after an hour


def choose_release(*, account: models.Account, now: datetime) -> models.Workstation | None:
    """The release to be sent now. Those tried before, and the portal's own, have half of the calls each. Exact under
    the lock."""
    due = models.Workstation.objects.due_for_release(account)
    if count_room(account=account, now=now, ahead=0) <= 0:
        return None
    if limit := settings.PORTAL_CALLS_PER_MINUTE:
        again = account.workstations.filter(release_tried_at__gt=now - MINUTE, release_tries__gt=1)
        if again.count() >= max(1, limit // 2):
            due = due.filter(release_tries=0)
        if count_room_for_own(account=account) <= 0:
            due = due.filter(release_requested_by__isnull=False)
    return due.first()


def count_room_for_own(*, account: models.Account) -> int:
    """How many of the portal's own releases may be sent in this minute."""
    own = account.workstations.filter(release_tried_at__gt=Now() - MINUTE, release_requested_by=None)
    return max(0, max(1, settings.PORTAL_CALLS_PER_MINUTE // 2) - own.count())


def count_room(*, account: models.Account, now: datetime, ahead: int) -> int:
    """How many more calls the minute before `now` allows, less those that go `ahead`; negative where too many were
    made.
    """
    limit: int = settings.PORTAL_CALLS_PER_MINUTE
    if not limit:
        return sys.maxsize
    since = now - MINUTE
    attempts = models.Attempt.objects.filter(request__account=account, claimed_at__gt=since).count()
    releases = account.workstations.filter(release_tried_at__gt=since).count()
    openings = models.Connection.calls.filter(opened_at__gt=since).count()  # with those of an account just left
    return limit - attempts - releases - openings - ahead


def count_room_for_passing(*, now: datetime) -> int:
    """Calls that are passed on have a third of the pace, as reads have."""
    passed = models.Connection.calls.filter(kind=models.Connection.PASSED_ON, opened_at__gt=now - MINUTE)
    return max(1, int(settings.PORTAL_CALLS_PER_MINUTE) // 3) - passed.count()


def count_ahead(*, account: models.Account) -> int:
    """The calls that go before any attempt: releases that have not been tried, and an opening that found no room."""
    if not settings.PORTAL_CALLS_PER_MINUTE:
        return 0
    due = models.Workstation.objects.due_for_release(account).filter(release_tries=0)
    own = due.filter(release_requested_by=None).count()
    return due.count() - max(0, own - count_room_for_own(account=account)) + limits.count_kept_room(account=account)


def choose_delay(*, attempt_count: int, retry_after: float | None) -> float:
    """Seconds to wait: what the provider asked, capped; else exponential with jitter, so that retries spread."""
    if retry_after is not None:
        return min(retry_after, LONGEST_RETRY_AFTER)
    ceiling = min(settings.PORTAL_RETRY_DELAY * 2.0 ** min(attempt_count - 1, 20), _LONGEST_DELAY)
    return float(ceiling * random.uniform(0.5, 1.0))  # noqa: S311 (spreads load, keeps no secret)
