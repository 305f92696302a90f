"""How long the provider's lists lag behind its responses: what a scan lacks proves nothing before that has passed."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max

from portal import models
from portal.db import clock
from portal.services.reconciliation import matching
from portal.services.runtime import leases

_FACTOR = 3  # longest lags that are waited for
_WEEK = timedelta(days=7)  # for which the longest lag is kept
_MADE = (models.Attempt.Outcome.SUCCEEDED, models.Attempt.Outcome.UNKNOWN)


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
