"""What was put off by a clock that has stepped back since: it would wait until that clock has caught up."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from portal import models
from portal.models.clock import Now
from portal.services.key import circuit_breaker, pace, steady_clock
from portal.services.mirrors import refreshing
from portal.services.reconciliation import matching
from portal.services.requests import ownership
from portal.services.runtime import leases

type _Rows = QuerySet[models.Request] | QuerySet[models.Workstation]


def shorten_waits(*, account: models.Account, lease: leases.Lease) -> None:
    """Make due now what is put off for longer than anything ever is. Where that is early, it is put off again."""
    call = settings.PORTAL_SEND_MARGIN + settings.AGENTSTATION_TOTAL_TIMEOUT + settings.PORTAL_RECORD_MARGIN
    release = max(timedelta(seconds=max(pace.LONGEST_RETRY_AFTER, call)), pace.MINUTE)
    read = max(timedelta(seconds=settings.PORTAL_REFRESH_INTERVAL), refreshing.LONGEST_PAUSE)
    live = models.Workstation.objects.live().filter(account=account)
    found: list[tuple[str, _Rows]] = [
        ("next_attempt_at", _list_requests(account=account)),
        ("release_due_at", live.filter(release_due_at__gt=Now() + release + steady_clock.SLACK)),
        ("refresh_due_at", live.filter(refresh_due_at__gt=Now() + read + steady_clock.SLACK)),
    ]
    for field, rows in found:
        if rows.exists():
            _make_due(rows, field=field, account=account, lease=lease)


@transaction.atomic
def _make_due(rows: _Rows, *, field: str, account: models.Account, lease: leases.Lease) -> None:
    circuit_breaker.lock_key(account=account)
    leases.renew_lease(lease=lease)
    rows.update(**{field: Now()})


def _list_requests(*, account: models.Account) -> QuerySet[models.Request]:
    ahead = Now() + steady_clock.SLACK
    tried = models.Attempt.objects.filter(request=OuterRef("pk"), ended_at__gt=ahead)
    decided = models.Event.objects.filter(request_number=OuterRef("pk"), at__gt=ahead)
    longest = timedelta(seconds=max(pace.LONGEST_RETRY_AFTER, matching.LONGEST_WAIT * settings.PORTAL_RECONCILE_GRACE))
    waiting = models.Request.objects.filter(account=account, status=models.Request.Status.QUEUED)
    is_early = Q(next_attempt_at__gt=ahead + longest) | Exists(tried) | Exists(decided)
    # What was never sent waits for nothing but to know whose a workspace is.
    is_early |= ~Exists(models.Attempt.objects.filter(request=OuterRef("pk"))) & Q(
        next_attempt_at__gt=ahead + ownership.PAUSE
    )
    return waiting.filter(is_early, next_attempt_at__gt=ahead)
