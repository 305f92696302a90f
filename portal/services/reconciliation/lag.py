"""How long the provider's lists lag behind its responses: what a scan lacks proves nothing before that has passed."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max

from portal import models
from portal.services.reconciliation import matching

_FACTOR = 3  # longest lags that are waited for
_WEEK = timedelta(days=7)  # for which the longest lag is kept
_MOST = 200  # workstations that are measured at once


def choose_grace(*, account: models.Account, now: datetime) -> timedelta:
    """The setting, or three times the longest lag of the last week, of which at most 15 graces count."""
    is_recent = account.longest_lag_at is not None and now - account.longest_lag_at < _WEEK
    longest = timedelta(seconds=account.longest_lag if is_recent else 0)
    # What has not been listed yet, though it lives, lags on; what was made first has lagged for longest.
    live = models.Workstation.objects.live().filter(
        account=account, listed_tick=None, missing_since=None, is_foreign=False
    )
    made = live.filter(request__attempts__outcome=models.Attempt.Outcome.SUCCEEDED)
    if (first := made.order_by("id").first()) is not None:
        longest = max(longest, _measure(first))
    setting = timedelta(seconds=settings.PORTAL_RECONCILE_GRACE)
    return max(setting, min(_FACTOR * longest, matching.LONGEST_WAIT * setting))


def measure_lags(*, account: models.Account, now: datetime) -> None:
    """Measure the lag of each workstation of ours that has been listed since the last time, and keep the longest."""
    ours = models.Workstation.objects.filter(account=account, request__isnull=False, listed_tick__gt=account.lag_tick)
    listed = list(ours.order_by("listed_tick")[:_MOST])
    if not listed:
        return
    longest = max(_measure(workstation) for workstation in listed)
    is_old = account.longest_lag_at is None or now - account.longest_lag_at >= _WEEK
    if is_old or longest.total_seconds() >= account.longest_lag:
        account.longest_lag, account.longest_lag_at = longest.total_seconds(), now
    account.lag_tick = listed[-1].listed_tick or 0
    account.save(update_fields=["longest_lag", "longest_lag_at", "lag_tick"])


def _measure(workstation: models.Workstation) -> timedelta:
    """From the response to the beginning of the last scan, begun after it, that still lacked the workstation."""
    attempts = models.Attempt.objects.filter(request=workstation.request_id, outcome=models.Attempt.Outcome.SUCCEEDED)
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
