"""The team's pace: how many calls that change something the provider was asked for in the last minute."""

import sys
from datetime import datetime, timedelta

from django.conf import settings

from portal import models

MINUTE = timedelta(minutes=1)


def has_room(*, account: models.Account, now: datetime) -> bool:
    """Whether another call may be made now. Exact under the key's lock."""
    return count_room(account=account, now=now, ahead=0) > 0


def count_room(*, account: models.Account, now: datetime, ahead: int) -> int:
    """How many calls may be made now, with so many others still ahead of them."""
    limit = settings.PORTAL_CALLS_PER_MINUTE
    return limit - _count_calls(account=account, since=now - MINUTE) - ahead if limit else sys.maxsize


def count_due_releases(*, account: models.Account) -> int:
    """The releases that go before any attempt."""
    return models.Workstation.objects.due_for_release(account).count() if settings.PORTAL_CALLS_PER_MINUTE else 0


def _count_calls(*, account: models.Account, since: datetime) -> int:
    attempts = models.Attempt.objects.filter(request__account=account, claimed_at__gt=since)
    return attempts.count() + account.workstations.filter(release_tried_at__gt=since).count()
